"""What an application is told about a request before it runs (ASGI HTTP and WebSocket spec, "connection scope")."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from hostler.http.heads import split_lines

if TYPE_CHECKING:
    from hostler.exchange import Exchange
    from hostler.http.security import Tls

__all__ = ["http_scope", "websocket_scope"]

_SPEC_VERSION: Final = "2.5"
_HTTP_VERSIONS: Final = {10: "1.0", 11: "1.1", 20: "2"}
_TLS_VERSIONS: Final = {
    "TLSv1.3": 0x0304,
    "TLSv1.2": 0x0303,
    "TLSv1.1": 0x0302,
    "TLSv1": 0x0301,
    "SSLv3": 0x0300,
}


def http_scope(exchange: Exchange, state: dict[str, Any]) -> dict[str, Any]:
    """Return the scope of an HTTP request, with its own copy of the lifespan's state."""
    plain = exchange.plain
    if plain is None:
        request, target = exchange.request, exchange.target
        version, method, query, raw_path = request.version, request.method, target.query, target.raw_path
        path, headers = _decoded(target.forward_path), request.headers.lower_pairs()
    else:
        version, method, query, raw_path = 11, plain.method, plain.query, plain.raw_path
        path, headers = plain.path, split_lines(plain.lines, True)
    extensions: dict[str, Any] = {"http.response.trailers": {}}
    if exchange.tls is not None:
        extensions["tls"] = _tls(exchange.tls)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": _SPEC_VERSION},
        "http_version": _HTTP_VERSIONS[version],
        "method": method,
        "scheme": exchange.scheme,
        "path": path,
        "raw_path": raw_path,
        "query_string": query or b"",
        "root_path": exchange.path_base,
        "headers": headers,
        "client": exchange.client if exchange.client[0] else None,
        "server": server if (server := exchange.server)[1] else (server[0], None),
        "state": state.copy(),
        "extensions": extensions,
    }


def websocket_scope(exchange: Exchange, state: dict[str, Any]) -> dict[str, Any]:
    """Return the scope of a WebSocket handshake."""
    scope = http_scope(exchange, state)
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if exchange.scheme == "https" else "ws"
    scope["subprotocols"] = [
        name
        for value in exchange.request.headers.get_all("sec-websocket-protocol")
        for part in value.split(",")
        if (name := part.strip())
    ]
    del scope["extensions"]["http.response.trailers"]
    scope["extensions"]["websocket.http.response"] = {}
    return scope


def _tls(tls: Tls) -> dict[str, Any]:
    """Return what the server knows of TLS, None where it does not (ASGI TLS extension 0.2)."""
    chain = tls.client_chain or (() if tls.client_certificate is None else (tls.client_certificate,))
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(certificate) for certificate in chain],
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": _TLS_VERSIONS.get(tls.version),
        "cipher_suite": tls.cipher_suite_id or None,
    }


def _decoded(path: bytes) -> str:
    """Decode every escape, %2F too; the path is free of dot segments, so that `root_path` is always its front."""
    return (unquote_to_bytes(path) if 0x25 in path else path).decode("utf-8", "replace")
