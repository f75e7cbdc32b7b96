"""proxy.py's plugin that sends every path to the destination."""

from __future__ import annotations

import os
from typing import Any, Final

from proxy.http import Url
from proxy.http.server import ReverseProxyBasePlugin

_DESTINATION: Final = os.environ["DESTINATION"].encode()


class ToDestination(ReverseProxyBasePlugin):
    """A reverse proxy for one destination."""

    def routes(self) -> list[Any]:
        return [r"/.*"]

    def handle_route(self, request: Any, pattern: Any) -> Url:
        return Url.from_bytes(_DESTINATION + request.path)
