"""httpapi.dll: the calls that configure, and those that move requests, in one object."""

from __future__ import annotations

from tests.server.httpsys.model.calls.configuration import ConfigurationCalls
from tests.server.httpsys.model.calls.facts import FactCalls
from tests.server.httpsys.model.calls.requests import RequestCalls
from tests.server.httpsys.model.calls.service import ServiceCalls


class HttpCalls(ConfigurationCalls, RequestCalls, FactCalls, ServiceCalls):
    """httpapi.dll, for one process."""
