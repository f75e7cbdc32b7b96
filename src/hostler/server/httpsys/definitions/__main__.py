"""`python -m hostler.server.httpsys.definitions`: write `_bindings.py` anew."""

from __future__ import annotations

from hostler.server.httpsys.definitions import BINDINGS

BINDINGS.write()
