"""Routes: what a request must look like, and what becomes of it."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping  # noqa: TC003 - `keys_of` asks for the types

from attrs import field, frozen

from hostler.config.fields import NOTHING, mapping_of_strings, strings
from hostler.config.transforms import CodeTransform, convert_transforms

__all__ = [
    "MAX_REQUEST_BODY_SIZE",
    "HeaderMatch",
    "HeaderMatchMode",
    "Mirror",
    "QueryMatch",
    "QueryMatchMode",
    "Route",
]

MAX_REQUEST_BODY_SIZE = 30_000_000
"""Bytes that a request's body may have on a route that does not say: ASP.NET's default."""


class HeaderMatchMode(enum.Enum):
    """How a header's value is compared (Match.Headers[].Mode)."""

    EXACT_HEADER = "ExactHeader"
    HEADER_PREFIX = "HeaderPrefix"
    CONTAINS = "Contains"
    NOT_CONTAINS = "NotContains"
    EXISTS = "Exists"
    NOT_EXISTS = "NotExists"


class QueryMatchMode(enum.Enum):
    """How a query parameter's value is compared (Match.QueryParameters[].Mode)."""

    EXACT = "Exact"
    CONTAINS = "Contains"
    NOT_CONTAINS = "NotContains"
    PREFIX = "Prefix"
    EXISTS = "Exists"


@frozen
class HeaderMatch:
    """A condition on a request header; a route's conditions must all hold, one of `values` is enough."""

    name: str
    values: tuple[str, ...] = field(default=(), converter=strings)
    mode: HeaderMatchMode = HeaderMatchMode.EXACT_HEADER
    is_case_sensitive: bool = False


@frozen
class QueryMatch:
    """A condition on a query parameter."""

    name: str
    values: tuple[str, ...] = field(default=(), converter=strings)
    mode: QueryMatchMode = QueryMatchMode.EXACT
    is_case_sensitive: bool = False


def _header_matches(values: Iterable[HeaderMatch]) -> tuple[HeaderMatch, ...]:
    return tuple(values)


def _query_matches(values: Iterable[QueryMatch]) -> tuple[QueryMatch, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Mirror:
    """Where copies of a route's requests go (Mirror, hostler's own)."""

    cluster_id: str = field(kw_only=False)
    percent: int = 100
    """Of how many of 100 requests there is a copy."""

    max_body_size: int = 1 << 16
    """Bytes of a request's body that are kept for the copy; of a request with a larger one there is none."""

    max_concurrent: int = 100
    """How many copies may be under way; while so many are, there are no more."""

    timeout: float = 30.0
    """Seconds that a copy may take."""


@frozen
class Route:
    """What a request must look like, and the cluster that it goes to.

    `path` is an ASP.NET route template (None matches every path). `id` names the route in logs and defaults to the
    template. The matching rules are YARP's `Match` object, flattened. Times are seconds.
    """

    path: str | None = None
    cluster_id: str | None = None
    id: str = field(kw_only=True)
    hosts: tuple[str, ...] = field(default=(), converter=strings, kw_only=True)
    methods: tuple[str, ...] = field(default=(), converter=strings, kw_only=True)
    """None of them is any method."""

    headers: tuple[HeaderMatch, ...] = field(default=(), converter=_header_matches, kw_only=True)
    query_parameters: tuple[QueryMatch, ...] = field(default=(), converter=_query_matches, kw_only=True)
    order: int = field(default=0, kw_only=True)
    """Of the routes that match, one with a smaller order wins."""

    max_request_body_size: int | None = field(default=None, kw_only=True)
    """Bytes; -1 is no limit, None is MAX_REQUEST_BODY_SIZE."""

    authorization_policy: str | None = field(default=None, kw_only=True)
    rate_limiter_policy: str | None = field(default=None, kw_only=True)
    output_cache_policy: str | None = field(default=None, kw_only=True)
    """Must be None: there is no cache yet."""

    response_caching: bool = field(default=False, kw_only=True)
    """Whether the server may answer requests with responses that it keeps, as their headers say (ResponseCaching,
    hostler's own)."""

    timeout_policy: str | None = field(default=None, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    """Seconds from the request's head to the last byte of its answer."""

    cors_policy: str | None = field(default=None, kw_only=True)
    concurrency_policy: str | None = field(default=None, kw_only=True)
    """How many exchanges there may be at once (ConcurrencyPolicy, hostler's own)."""

    retry_policy: str | None = field(default=None, kw_only=True)
    """What is sent again (RetryPolicy, hostler's own)."""

    mirror: Mirror | None = field(default=None, kw_only=True)
    metadata: Mapping[str, str] = field(default=NOTHING, converter=mapping_of_strings, kw_only=True)
    transforms: tuple[Mapping[str, str] | CodeTransform, ...] = field(
        default=(), converter=convert_transforms, kw_only=True
    )

    @id.default  # noqa: A003 - the field, not the builtin
    def _id(self) -> str:
        return self.path or "/{**catchall}"
