"""Having clients come over https: a redirection, and Strict-Transport-Security (RFC 6797).

Both go by `Exchange.scheme` and `Exchange.host`, which are what a trusted proxy says they were, where there is one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hostler.answering import AddedHeaders
from hostler.config.https import Hsts, HttpsRedirection
from hostler.errors import Failure, Reason, Side

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next, Stage

__all__ = ["RedirectToHttps", "SendHsts", "hsts", "https_redirection"]

_HTTPS: Final = 443
_NAME: Final = b"strict-transport-security"


class RedirectToHttps:
    """The stage of `https_redirection`."""

    def __init__(self, settings: HttpsRedirection, port: int) -> None:
        self._status = settings.redirect_status_code
        self.port = port
        """Of the URLs that clients are sent to."""

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Answer what came over http with the same URL in https, and let all else go onward."""
        if exchange.scheme == "https":
            return onward(exchange)
        if not exchange.host:
            detail = "it came over http without a Host, so that there is no URL in https to send it to"
            return exchange.fail(Failure(Reason.REQUEST_CREATION, detail, status=400, side=Side.CLIENT))
        target = exchange.target
        path = target.forward_path if target.forward_path.startswith(b"/") else b"/"
        query = b"" if target.query is None else b"?" + target.query
        host = exchange.host if self.port == _HTTPS else f"{exchange.host}:{self.port}"
        location = b"https://" + host.encode("ascii") + path + query
        return exchange.respond(self._status, headers=[("location", location)])


class SendHsts:
    """The stage of `hsts`."""

    def __init__(self, settings: Hsts) -> None:
        value = f"max-age={settings.max_age:.0f}"
        value += "; includeSubDomains" * settings.include_sub_domains + "; preload" * settings.preload
        self._excluded = frozenset(host.lower() for host in settings.excluded_hosts)
        self._tell = partial(_tell, value.encode("ascii"))

    def __call__(self, exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
        """Have the header added to what is answered over https, and go onward."""
        if exchange.scheme == "https" and exchange.host not in self._excluded:
            exchange.on_response(self._tell)
        return onward(exchange)


def _tell(value: bytes, headers: RawHeaders) -> None:
    """Put the header in place of the destination's, of which a browser would read the first alone (RFC 6797 8.1)."""
    if not isinstance(headers, AddedHeaders):
        headers[:] = [(name, item) for name, item in headers if name.lower() != _NAME]
    headers.append((_NAME, value))


def https_redirection(port: int = _HTTPS, *, status: int = 307) -> Stage:
    """Send clients of http to the same URL in https, on `port`; a stage.

    A request without a Host is answered with 400. `ServerOptions.https_redirection` puts it in front of everything.
    """
    return RedirectToHttps(HttpsRedirection(https_port=port, redirect_status_code=status), port)


def hsts(
    max_age: float = 2_592_000.0,
    *,
    include_sub_domains: bool = False,
    preload: bool = False,
    excluded_hosts: Iterable[str] = ("localhost", "127.0.0.1", "[::1]"),
) -> Stage:
    """Have browsers that came over https come so for `max_age` seconds (Strict-Transport-Security); a stage.

    What a destination says of it is replaced. `ServerOptions.hsts` puts it in front of everything.
    """
    return SendHsts(
        Hsts(
            max_age=max_age,
            include_sub_domains=include_sub_domains,
            preload=preload,
            excluded_hosts=tuple(excluded_hosts),
        )
    )
