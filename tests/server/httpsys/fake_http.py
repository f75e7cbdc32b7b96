"""httpapi.dll: the calls that configure, and those that move requests, in one object."""

from __future__ import annotations

from fake_http_configuration import ConfigurationCalls
from fake_http_requests import RequestCalls
from fake_http_service import ServiceCalls


class HttpCalls(ConfigurationCalls, RequestCalls, ServiceCalls):
    """httpapi.dll, for one process."""
