"""Which responses may be kept, and for how long: ASP.NET's rules, and where ours are stricter."""

import math

import pytest

from hostler.caching import check_url, lifetime
from hostler.config.checks.caching import find_obstacles
from hostler.config.definitions import Definitions
from hostler.config.limits import RateLimiterDefinition
from hostler.config.model import Cluster, Route, SessionAffinity
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.http.headers import Headers
from hostler.http.message import Response
from hostler.proxy import Proxy
from hostler.testing import FakeStream
from hostler.testing import exchange as make_exchange

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT"""


def kept(status=200, given=None, **headers):
    pairs = {"content-type": "text/plain", **{key.replace("_", "-"): value for key, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in pairs.items() if value is not None]
    return lifetime(Response(status, Headers(raw), 5), given, NOW)


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("public, max-age=10", 10),
        ("max-age=10, public", 10),
        ("Public, Max-Age=10", 10),
        ('public, max-age="10"', 10),
        ("public, s-maxage=20, max-age=10", 20),
        ("public, max-age=0, s-maxage=10", 10),
        ("public, max-age=2147483647", 2147483647),
        ("public, max-age=99999999999999", math.inf),
        ("public, s-maxage=0, max-age=10", None),
        ("public, max-age=0", None),
        ("public, max-age=ten", None),
        ("public, max-age=-1", None),
        ("public", None),
        ("max-age=10", None),
        ("public, max-age=10, private", None),
        ("public, max-age=10, no-store", None),
        ('public, max-age=10, no-cache="set-cookie"', None),
    ],
)
def test_cache_control_says_how_long(control, seconds):
    assert kept(cache_control=control) == seconds


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10),
        ("Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:27 GMT", None),
        ("0", None),
        ("-1", None),
        ("Sun, 06 Nov 1994 08:49:47", 10),
        ("Sun, 06 Nov 99999999999 08:49:47 GMT", None),
        ("Sun, 06 Nov 1994 08:49:47 +99999999999999999999", None),
    ],
)
def test_expires_says_so_where_cache_control_does_not(expires, seconds):
    assert kept(cache_control="public", expires=expires) == seconds
    assert kept(expires=expires) is None
    assert kept(cache_control="public, max-age=5", expires=expires) == 5


def test_the_age_that_a_response_has_is_counted():
    assert kept(cache_control="public, max-age=10", age="4") == 6
    assert kept(cache_control="public, max-age=10", age="10") is None


@pytest.mark.parametrize("header", ["set_cookie", "vary", "pragma", "content_encoding"])
def test_what_is_not_for_everybody_alike_is_not_kept(header):
    assert kept(cache_control="public, max-age=10", **{header: "value"}) is None


def test_without_a_content_type_nothing_is_kept():
    assert kept(cache_control="public, max-age=10", content_type=None) is None


@pytest.mark.parametrize(
    ("status", "seconds"), [(200, 10), (404, 10), (500, 10), (206, None), (304, None), (101, None)]
)
def test_nearly_every_status_can_be_kept(status, seconds):
    assert kept(status, cache_control="public, max-age=10") == seconds


@pytest.mark.parametrize("seconds", [1, 60.5, math.inf])
def test_a_stage_says_it_of_a_success(seconds):
    assert kept(given=seconds) == seconds
    assert kept(given=seconds, cache_control="max-age=0") == seconds
    assert kept(status=502, given=seconds) is None
    assert kept(given=seconds, cache_control="private") is None
    assert kept(given=seconds, set_cookie="a=1") is None


@pytest.mark.parametrize("url", ["/a", "localhost/a", "ftp://localhost/", "http://", "http://a@localhost/"])
def test_only_absolute_urls_can_be_flushed(url):
    with pytest.raises(ValueError, match="is no URL to flush"):
        check_url(url)


# -- what a stage may ask for -----------------------------------------------------------------------------------------


async def test_without_a_cache_nothing_is_done():
    exchange = make_exchange()
    assert not exchange.can_cache_response
    exchange.cache_response(60)
    assert (await exchange.respond(200, "hello")).status == 200


@pytest.mark.parametrize("seconds", [0, -1, 0.5, math.nan])
def test_a_time_is_a_second_or_more(seconds):
    with pytest.raises(ValueError, match="is no time to keep a response for"):
        make_exchange().cache_response(seconds)


async def test_it_is_too_late_once_the_response_has_begun():
    exchange = make_exchange()
    await exchange.respond(200)
    with pytest.raises(RuntimeError, match="the response has begun"):
        exchange.cache_response()


async def test_not_where_something_must_see_each_request():
    route = Route("/{**rest}", "c", rate_limiter_policy="some", id="r")
    stream = FakeStream()
    refused = []

    async def stage(exchange, onward):
        with pytest.raises(RuntimeError) as caught:
            exchange.cache_response(60)
        refused.append(str(caught.value))
        return await exchange.respond(200)

    definitions = Definitions(rate_limiters={"some": RateLimiterDefinition(permit_limit=5, window=1)})
    cluster = Cluster("c", ["http://127.0.0.1:1/"])
    proxy = Proxy([route], [cluster], definitions=definitions, pipeline=[stage, *DEFAULT_PIPELINE])
    await proxy(make_exchange(stream=stream))
    [message] = refused
    assert message.startswith(
        'the responses of route r cannot be cached: RateLimiterPolicy: "some" counts requests, and'
    )


def test_affinity_keeps_it_out():
    cluster = Cluster("c", affinity=SessionAffinity(enabled=True, key_name="k"))
    assert [key for key, _ in find_obstacles(Route("/", "c"), cluster)] == ["ClusterId"]
