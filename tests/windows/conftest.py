"""The machine of these tests is the one of HTTP.sys'."""

from tests.server.httpsys.conftest import machine

__all__ = ["machine"]
