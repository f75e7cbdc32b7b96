"""X-Forwarded-* and Forwarded: what a destination is told of the client (YARP's rows, RFC 7239)."""

from __future__ import annotations

import random
import re

import pytest

from hostler.exchange import Exchange
from hostler.http.headers import Headers
from hostler.http.message import Request
from hostler.http.target import parse_target
from hostler.transforms.contexts import RequestTransformContext
from hostler.transforms.forwarded import Forwarded, ForwardedAction, NodeFormat
from hostler.transforms.query import Query
from tests.transforms.making import arrived, sent

CAME = [
    "Forwarded: for=evil",
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Prefix: /evil",
]
SET = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Host: here", "X-Forwarded-Proto: http"]


async def said(transforms, *lines, **more):
    """Return what the destination is told, as a set of lines."""
    return set((await sent(transforms, arrived(*lines, **more)))[2:])


def under(path_base):
    return {"target": f"{path_base}/x", "path_base": path_base, "path": "/x"}


@pytest.mark.parametrize("transforms", [[], [{"X-Forwarded": "Set"}], [{"RequestHeadersCopy": "true"}]])
async def test_by_default_each_is_set_and_forwarded_removed(transforms):
    assert await said(transforms, *CAME) == set(SET)
    assert await said(transforms, *CAME, **under("/App")) == {*SET, "X-Forwarded-Prefix: /App"}


async def test_a_transform_of_one_of_them_comes_after_the_default():
    assert await said([{"RequestHeader": "X-Forwarded-Host", "Set": "mine"}], *CAME) == {
        SET[0], "X-Forwarded-Host: mine", SET[2],
    }  # fmt: skip
    assert await said([{"RequestHeaderRemove": "X-Forwarded-For"}], *CAME) == {*SET[1:]}


async def test_append_keeps_what_came_and_adds_to_its_line():
    transform = {"X-Forwarded": "Append"}
    assert await said([transform], *CAME, "X-Forwarded-For: 7.7.7.7", **under("/App")) == {
        "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 192.0.2.7",
        "X-Forwarded-Host: evil, here",
        "X-Forwarded-Proto: evil, http",
        "X-Forwarded-Prefix: /evil, /App",
    }
    assert await said([transform], "X-Forwarded-Prefix: /front") == {*SET, "X-Forwarded-Prefix: /front"}
    assert "X-Forwarded-For: 6.6.6.6, 192.0.2.7" in await said(
        [transform, {"RequestHeadersCopy": "false"}], *CAME
    )


async def test_remove_and_off_say_nothing():
    assert await said([{"X-Forwarded": "Remove"}], *CAME) == set()
    assert await said([{"X-Forwarded": "off"}], *CAME) == set(CAME)


async def test_each_has_an_action_of_its_own():
    transform = {"x-forwarded": "Remove", "for": "Append", "Proto": "Set", "HOST": "Off"}
    assert await said([transform], *CAME) == {
        "X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Host: evil", "X-Forwarded-Proto: http",
    }  # fmt: skip


async def test_the_names_may_begin_otherwise():
    transform = {"X-Forwarded": "Set", "HeaderPrefix": "X-My-"}
    assert await said([transform]) == {"X-My-For: 192.0.2.7", "X-My-Host: here", "X-My-Proto: http"}


async def test_forwarded_takes_the_place_of_x_forwarded():
    assert await said([{"Forwarded": "by, for,host", "ForFormat": "Ip", "ByFormat": "IpAndPort"}], *CAME) == {
        'Forwarded: host="here";for=192.0.2.7;by="192.0.2.1:80"'
    }
    assert await said([{"Forwarded": "proto host", "Action": "Append"}], *CAME) == {
        'Forwarded: for=evil, proto=http;host="here"'
    }
    assert await said([{"Forwarded": "proto", "Action": "Remove"}], *CAME) == set()
    assert await said([{"Forwarded": "proto", "Action": "Off"}], *CAME) == set(CAME)


ID = "[-._a-zA-Z0-9]{9}"


async def test_parties_are_hidden_by_default():
    (line,) = await said([{"Forwarded": "for,by"}])
    assert re.fullmatch(f"Forwarded: for=_{ID};by=_{ID}", line)


def node(address, node_format):
    """Write a party."""
    exchange = Exchange(
        Request("GET", b"/", Headers(), host=b"here"),
        None,
        parse_target("GET", b"/"),
        address,
        ("", 0),
        "here",
        80,
    )
    headers = Headers()
    context = RequestTransformContext(
        exchange=exchange, method="GET", path="/", query=Query(), headers=headers, destination_prefix=""
    )
    Forwarded(ForwardedAction.SET, for_format=node_format, randomness=random.Random(1))(context)
    return headers.get("Forwarded")


_source = random.Random(1)
_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
ONE, TWO = ("_" + "".join(_source.choices(_CHARACTERS, k=9)) for _ in range(2))


@pytest.mark.parametrize(
    ("node_format", "of_ipv4", "of_ipv6"),
    [
        ("None", None, None),
        ("Random", f"for={ONE}", f"for={ONE}"),
        ("RandomAndPort", f'for="{ONE}:5"', f'for="{ONE}:5"'),
        ("RandomAndRandomPort", f'for="{ONE}:{TWO}"', f'for="{ONE}:{TWO}"'),
        ("Unknown", "for=unknown", "for=unknown"),
        ("UnknownAndPort", 'for="unknown:5"', 'for="unknown:5"'),
        ("UnknownAndRandomPort", f'for="unknown:{ONE}"', f'for="unknown:{ONE}"'),
        ("Ip", "for=192.0.2.7", 'for="[::1]"'),
        ("IpAndPort", 'for="192.0.2.7:5"', 'for="[::1]:5"'),
        ("IpAndRandomPort", f'for="192.0.2.7:{ONE}"', f'for="[::1]:{ONE}"'),
    ],
)
def test_a_party_is_written_in_each_format(node_format, of_ipv4, of_ipv6):
    assert node(("192.0.2.7", 5), NodeFormat(node_format)) == of_ipv4
    assert node(("::1", 5), NodeFormat(node_format)) == of_ipv6


def test_what_is_not_known_of_a_party_is_left_out():
    assert node(("192.0.2.7", 0), NodeFormat.IP_AND_PORT) == "for=192.0.2.7"
    assert node(("", 5), NodeFormat.IP_AND_PORT) == 'for="unknown:5"'
    assert node(("", 0), NodeFormat.IP) == "for=unknown"
