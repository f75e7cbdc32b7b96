"""Sending clients of http to https, and telling browsers of it."""

from __future__ import annotations

import pytest

from hostler import Hsts, HttpsRedirection
from hostler.answering import AddedHeaders
from hostler.outcome import Kind
from hostler.stages import hsts, https_redirection
from hostler.testing import FakeStream, exchange

NAME = "strict-transport-security"


async def answer(given):
    return await given.respond(
        200, "here", headers=[("Strict-Transport-Security", "max-age=1"), ("X-A", "a")]
    )


def asked(target="/", host="shop.example", scheme="http", **options):
    stream = FakeStream()
    given = exchange("GET", target, headers=[("Host", host)], scheme=scheme, stream=stream, **options)
    return given, stream


async def location(given, stream, stage):
    outcome = await stage(given, answer)
    assert outcome.kind is Kind.RESPONDED
    assert stream.response.status == 307
    return stream.response.headers.get("location")


# -- redirection ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "host", "port", "expected"),
    [
        ("/", "shop.example", 443, "https://shop.example/"),
        ("/a%20b?c=d&e", "Shop.Example:80", 443, "https://shop.example/a%20b?c=d&e"),
        ("/?", "shop.example:8080", 8443, "https://shop.example:8443/?"),
        ("/", "[::1]:80", 443, "https://[::1]/"),
        ("/", "[2001:db8::1]", 8443, "https://[2001:db8::1]:8443/"),
        ("//other.example/a", "shop.example", 443, "https://shop.example//other.example/a"),
        ("/a/../b", "shop.example", 443, "https://shop.example/b"),
        ("http://real.example/a", "shop.example", 443, "https://real.example/a"),
    ],
)
async def test_the_same_url_in_https(target, host, port, expected):
    assert await location(*asked(target, host), https_redirection(port)) == expected


async def test_what_came_over_https_goes_onward():
    given, stream = asked(scheme="https")
    await https_redirection()(given, answer)
    assert stream.response.status == 200


async def test_without_a_host_there_is_nowhere_to_send_it():
    given, stream = asked()
    given.host = ""  # of HTTP/1.0
    outcome = await https_redirection()(given, answer)
    assert outcome.failure.status == 400
    assert stream.response.headers.get("location") is None


async def test_another_status():
    given, stream = asked()
    await https_redirection(status=308)(given, answer)
    assert stream.response.status == 308


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"redirect_status_code": 303},
            "RedirectStatusCode: 303 is not a status of a redirection; give one of 301",
        ),
        ({"https_port": 0}, "HttpsPort: 0 is not a port; give one from 1 to 65535"),
    ],
)
def test_settings_that_are_none(values, why):
    with pytest.raises(ValueError, match=why):
        HttpsRedirection(**values)


# -- HSTS -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "max-age=2592000"),
        ({"max_age": 0}, "max-age=0"),
        (
            {"max_age": 31536000, "include_sub_domains": True, "preload": True},
            "max-age=31536000; includeSubDomains; preload",
        ),
    ],
)
async def test_browsers_are_told_once(settings, expected):
    given, stream = asked(scheme="https")
    await hsts(**settings)(given, answer)
    assert stream.response.headers.get_all(NAME) == [expected]
    assert stream.response.headers.get("x-a") == "a"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5001", "127.0.0.1:443", "[::1]", "[0:0::1]:5001"])
async def test_hosts_that_nothing_is_said_for(host):
    given, stream = asked(host=host, scheme="https")
    await hsts()(given, answer)
    assert stream.response.headers.get_all(NAME) == ["max-age=1"]
    given, stream = asked(host=host, scheme="https")
    await hsts(excluded_hosts=["other.example"])(given, answer)
    assert stream.response.headers.get_all(NAME) == ["max-age=2592000"]


async def test_nothing_is_said_over_http():
    given, stream = asked()
    await hsts()(given, answer)
    assert stream.response.headers.get_all(NAME) == ["max-age=1"]


async def test_a_process_that_answers_adds_it():
    given, _ = asked(scheme="https")
    added = AddedHeaders()

    async def delegate(given):
        for callback in given._response_callbacks:
            callback(added)
        return given.outcome(Kind.RESPONDED)

    await hsts()(given, delegate)
    assert added.added == [(NAME.encode(), b"max-age=2592000")]


@pytest.mark.parametrize("age", [-1, 0.5, float("inf")])
def test_an_age_is_whole_seconds(age):
    with pytest.raises(ValueError, match=r"MaxAge: .* is not a whole number of seconds"):
        Hsts(max_age=age)
