"""Letting pages of other origins use a route, as its policy says (YARP: CorsPolicy; the Fetch standard, 3.3).

A preflight is answered here and goes no further. Any other answer gets the policy's headers in place of those that the
destination may have set: where a proxy has a policy, it alone decides. `CorsPolicy: Disable` only answers preflights,
without permission, as ASP.NET does.
"""

from __future__ import annotations

import re
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hostler.answering import AddedHeaders
from hostler.config.model import Route
from hostler.fleet.equipment import PolicyKind
from hostler.http.fields import TOKEN_PATTERN
from hostler.pipeline import for_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from hostler.config.access import CorsDefinition
    from hostler.exchange import Exchange
    from hostler.http.headers import RawHeaders
    from hostler.outcome import Outcome
    from hostler.pipeline import Next

__all__ = ["CORS", "Cors", "cors"]

_NAMES: Final = re.compile(rb"%b+(?:[ \t]*,[ \t]*%b+)*" % (TOKEN_PATTERN, TOKEN_PATTERN))
_DECIDED: Final = frozenset({
    b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-allow-methods",
    b"access-control-allow-headers", b"access-control-expose-headers", b"access-control-max-age",
})  # fmt: skip
"""The headers that a policy decides, in lower case."""

_LABELS: Final = r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+"
"""What may stand for `*.` in an origin: whole labels, so that nothing but a host below that one matches."""


class Cors:
    """A policy, with the headers that it sends; None stands for `Disable`."""

    def __init__(self, policy: CorsDefinition | None) -> None:
        self.disabled = policy is None
        self._any_origin = self._any_method = self._any_header = False
        self._origins = re.compile("(?!)")
        self._always: RawHeaders = []
        """What every permission says."""
        self._exposed = self._methods = self._headers = b""
        self._max_age: float | None = None
        if policy is not None:
            from hostler.config.access import ANY  # noqa: PLC0415 - whoever has a definition has imported it

            self._any_origin = ANY in policy.allowed_origins
            self._any_method = ANY in policy.allowed_methods
            self._any_header = ANY in policy.allowed_headers
            self._origins = re.compile("|".join(map(_pattern, policy.allowed_origins)) or "(?!)")
            if policy.allow_credentials:
                self._always = [(b"Access-Control-Allow-Credentials", b"true")]
            self._exposed = _joined(policy.exposed_headers)
            self._methods, self._headers = _joined(policy.allowed_methods), _joined(policy.allowed_headers)
            self._max_age = policy.preflight_max_age

    def preflight(self, origins: list[bytes], method: bytes, names: bytes) -> RawHeaders:
        """Return the headers of the answer to a preflight, which asks for a method, and for names of headers.

        `origins` are the values of its Origin lines.
        """
        headers = self._permission(origins)
        if headers:
            methods = method if self._any_method else self._methods
            if _NAMES.fullmatch(methods):
                headers.append((b"Access-Control-Allow-Methods", methods))
            allowed = names if self._any_header else self._headers
            if _NAMES.fullmatch(allowed):
                headers.append((b"Access-Control-Allow-Headers", allowed))
            if self._max_age is not None:
                headers.append((b"Access-Control-Max-Age", b"%d" % self._max_age))
        return headers + self._vary()

    def answer(self, origins: list[bytes]) -> RawHeaders:
        """Return the headers of any other answer."""
        headers = self._permission(origins)
        if headers and self._exposed:
            headers.append((b"Access-Control-Expose-Headers", self._exposed))
        return headers + self._vary()

    def _permission(self, origins: list[bytes]) -> RawHeaders:
        """Say that a page of that origin may use the route; [] when it may not."""
        if self._any_origin:
            return [(b"Access-Control-Allow-Origin", b"*")]
        if len(origins) != 1 or not self._origins.fullmatch(origins[0].decode("latin-1")):
            return []
        return [(b"Access-Control-Allow-Origin", origins[0]), *self._always]

    def _vary(self) -> RawHeaders:
        """Say that the answer depends on the origin, unless it does not; to requests without one too, for caches."""
        return [] if self._any_origin or self.disabled else [(b"Vary", b"Origin")]


def _pattern(origin: str) -> str:
    """Return an expression for an origin, as browsers send it: in lower case, an international name as ASCII."""
    scheme, _, rest = origin.lower().rstrip("/").partition("://")
    below = rest.startswith("*.")
    host, colon, port = rest.removeprefix("*.").partition(":") if "[" not in rest else (rest, "", "")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if colon and port == {"http": "80", "https": "443"}.get(scheme):
        colon = port = ""
    return f"{re.escape(scheme)}://{_LABELS if below else ''}{re.escape(host + colon + port)}"


def _joined(names: Iterable[str]) -> bytes:
    return ", ".join(names).encode("ascii")


CORS: Final[PolicyKind[Route, Cors]] = PolicyKind(
    owner=Route,
    key="CorsPolicy",
    named=lambda route: route.cors_policy or None,
    default="",
    builtin=MappingProxyType({"Disable": partial(Cors, None)}),
    defined_in="cors",
    define=Cors,
    reserved=("Disable",),
)
"""The kind of policy that says which pages may use a route."""


@for_routes(lambda route: bool(route.cors_policy))
def cors(exchange: Exchange, onward: Next, /) -> Awaitable[Outcome]:
    """Answer preflights, and say in other answers which pages may read them; a stage."""
    policy = None if exchange.route is None else exchange.route.equipment.get(CORS)
    if policy is None:
        return onward(exchange)
    asked = exchange.request.headers
    origins = asked.get_all_raw(b"origin")
    if origins and exchange.method == "OPTIONS":
        method = asked.get_raw(b"access-control-request-method")
        if method is not None:
            names = b", ".join(asked.get_all_raw(b"access-control-request-headers"))
            return exchange.respond(204, headers=policy.preflight(origins, method, names))
    if not policy.disabled:
        headers = policy.answer(origins)

        def decide(answer: RawHeaders) -> None:
            if not isinstance(answer, AddedHeaders):
                answer[:] = [pair for pair in answer if pair[0].lower() not in _DECIDED]
            answer.extend(headers)

        exchange.on_response(decide)
    return onward(exchange)
