"""What is wrong with a route's transforms, and which forms there are."""

from __future__ import annotations

import pytest

from hostler import ConfigError
from hostler.config.model import Route
from hostler.config.transforms import request_transform
from hostler.transforms.compiled import DEFAULT_FORWARDERS
from hostler.transforms.path import PathPrefix
from hostler.transforms.reading import check_transforms, make_transforms


def problem(transform):
    """Return the place and the message of the one problem."""
    route = Route("/", "c", id="r", transforms=[transform])
    (found,) = check_transforms(route.transforms, "T")
    return found.path, found.message


@pytest.mark.parametrize(
    ("transform", "path", "message"),
    [
        ({}, "T[0]", 'the transform is empty; write one, such as {"PathPrefix": "/v1"}, or remove it'),
        ({"PathPrefx": "/a"}, "T[0]", 'unknown transform "PathPrefx"; did you mean PathPrefix?'),
        ({"PathPrefix": "/a", "Set": "b"}, "T[0].Set", "PathPrefix takes no other key; remove Set, or put it in a transform of its own"),
        ({"PathPrefix": "/a", "PathSet": "/b"}, "T[0].PathSet", "PathPrefix takes no other key; remove PathSet, or put it in a transform of its own"),
        ({"PathSet": "/a/../b"}, "T[0].PathSet", "'/a/../b' is not a path without dot segments; correct it"),
        ({"PathPattern": "/{a"}, "T[0].PathPattern", '"/{a" is not a path template (unclosed brace at 1); correct it'),
        ({"PathPattern": "/../{a}"}, "T[0].PathPattern", '"/../{a}" has dot segments; write the path without them'),
        ({"QueryValueParameter": "a"}, "T[0]", "QueryValueParameter needs Set or Append; add one"),
        ({"QueryValueParameter": "", "Set": "1"}, "T[0].QueryValueParameter", "QueryValueParameter is empty; name one, or remove the transform"),
        ({"RequestHeader": "a", "Set": "1", "Append": "2"}, "T[0]", "RequestHeader takes Set or Append, not both; remove one"),
        ({"RequestHeader": "a", "Set": "1", "set": "2"}, "T[0].Set", "Set appears more than once (keys are case-insensitive); keep one"),
        ({"RequestHeader": "a b", "Set": "1"}, "T[0].RequestHeader", '"a b" is not a header name; correct it'),
        ({"RequestHeader": "a", "Set": "1\r\nb: 2"}, "T[0].Set", "a header's value cannot hold CR, LF or NUL; remove it"),
        ({"RequestHeader": "Connection", "Set": "close"}, "T[0].RequestHeader", "Connection frames the message or manages its connection, which is the proxy's; remove this transform"),
        ({"RequestHeader": "Host", "Append": "a"}, "T[0].Append", "a request has one Host; write Set"),
        ({"RequestHeader": "Host", "Set": "a b"}, "T[0].Set", '"a b" is not a host; write "example.com" or "example.com:8080"'),
        ({"RequestHeadersCopy": "yes"}, "T[0].RequestHeadersCopy", '"yes" is neither true nor false; write one of them'),
        ({"HttpMethodChange": "GET", "Set": "HEAD"}, "T[0].Set", "HEAD is answered without the body that the client waits for; set another method"),
        ({"HttpMethodChange": "G T", "Set": "PUT"}, "T[0].HttpMethodChange", '"G T" is not a method; write one, such as GET'),
        ({"X-Forwarded": "Add"}, "T[0].X-Forwarded", 'unknown value "Add"; use one of Off, Set, Append, Remove'),
        ({"X-Forwarded": "Set", "Fro": "Off"}, "T[0].Fro", 'unknown key "Fro" of X-Forwarded; did you mean For?'),
        ({"X-Forwarded": "Set", "HeaderPrefix": "a:"}, "T[0].HeaderPrefix", '"a:For" is not a header name; correct it'),
        ({"Forwarded": "for,port"}, "T[0].Forwarded", 'unknown part "port"; use some of for, by, proto, host'),
        ({"Forwarded": "for", "ForFormat": "Name"}, "T[0].ForFormat", 'unknown value "Name"; use one of None, Random, RandomAndPort, RandomAndRandomPort, Unknown, UnknownAndPort, UnknownAndRandomPort, Ip, IpAndPort, IpAndRandomPort'),
        ({"ResponseHeader": "a", "Set": "1", "When": "Never"}, "T[0].When", 'unknown value "Never"; use one of Success, Failure, Always'),
        ({"ResponseTrailersAllowed": "a;b c"}, "T[0].ResponseTrailersAllowed", '"b c" is not a header name; correct it'),
    ],
)  # fmt: skip
def test_each_mistake_has_its_place_and_a_remedy(transform, path, message):
    assert problem(transform) == (path, message)


def test_a_transform_that_is_like_none_is_told_which_there_are():
    assert problem({"qqq": "1"})[1].startswith(
        'unknown transform "qqq"; use one of PathPrefix, PathRemovePrefix'
    )


def test_twenty_mistakes_are_twenty_problems():
    wrong = [{"PathSte": "/a"}] * 20
    with pytest.raises(ConfigError) as caught:
        make_transforms(tuple(wrong))
    assert [problem.path for problem in caught.value.problems] == [f"Transforms[{n}]" for n in range(20)]


def test_a_transform_of_ones_own_is_made_by_its_factory():
    def tenant(values):
        if values["Tenant"] not in {"red", "blue"}:
            raise ValueError(f'unknown tenant "{values["Tenant"]}"; use red or blue')
        return [{"PathPrefix": values["Tenant"]}, request_transform(repr)]

    def broken(_):
        raise ZeroDivisionError

    factories = {"Tenant": tenant, "Broken": broken}
    made = make_transforms([{"tenant": "red"}], factories)
    assert made.request[len(DEFAULT_FORWARDERS) :] == (PathPrefix("/red"), repr)
    found = check_transforms([{"tenant": "green"}, {"broken": "1"}], "T", factories)
    assert [(problem.path, problem.message) for problem in found] == [
        ("T[0].tenant", 'unknown tenant "green"; use red or blue'),
        ("T[1].broken", "what makes it raised ZeroDivisionError(); correct it"),
    ]


def test_what_is_no_transform_is_refused_at_once():
    with pytest.raises(TypeError, match="mark a function with request_transform"):
        Route("/", "c", transforms=[lambda context: None])
