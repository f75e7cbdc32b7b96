"""Transforms of the path, the query and the method: what the destination's request line says (YARP's rows)."""

from __future__ import annotations

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.client.address import DestinationAddress
from hostler.errors import ProtocolError
from hostler.http.headers import Headers
from hostler.http.target import encode_path, parse_target
from hostler.routing.pattern import read_pattern
from hostler.transforms.contexts import RequestTransformContext
from hostler.transforms.path import PathPattern
from hostler.transforms.query import Query
from hostler.transforms.requests import forwarded_request
from tests.transforms.making import arrived, sent, sent_target, transformed


@pytest.mark.parametrize(
    ("transform", "target", "expected"),
    [
        ({"PathPrefix": "/v2"}, "/a", "/v2/a"),
        ({"PathPrefix": "v2"}, "/a", "/v2/a"),
        ({"PathPrefix": "/v2/"}, "/a", "/v2/a"),
        ({"PathPrefix": "/v2"}, "/", "/v2/"),
        ({"PathPrefix": "/"}, "/a", "/a"),
        ({"pathprefix": "/a b/%/é"}, "/x", "/a%20b/%25/%C3%A9/x"),
        ({"PathRemovePrefix": "/api"}, "/api/x", "/x"),
        ({"PathRemovePrefix": "api"}, "/api/x", "/x"),
        ({"PathRemovePrefix": "/API"}, "/api/X", "/X"),
        ({"PathRemovePrefix": "/api"}, "/apix", "/apix"),
        ({"PathRemovePrefix": "/api"}, "/api", ""),
        ({"PathRemovePrefix": "/api"}, "/api/", "/"),
        ({"PathRemovePrefix": "/api"}, "/x/api", "/x/api"),
        ({"PathRemovePrefix": "/a/b"}, "/a/b/c", "/c"),
        ({"PathRemovePrefix": "/a/b"}, "/a", "/a"),
        ({"PathRemovePrefix": "/a b"}, "/a%20b/%41%2fc", "/%41%2fc"),
        ({"PathRemovePrefix": "/"}, "/a", "/a"),
        ({"PathSet": "/v2"}, "/a/b", "/v2"),
        ({"PathSet": "/a%2Fb"}, "/", "/a%2Fb"),
        ({"PathSet": "/s?"}, "/a?x=1", "/s%3F?x=1"),
    ],
)
async def test_a_path_is_changed_at_segments_and_escapes_stay_as_they_came(transform, target, expected):
    assert await sent_target([transform], target) == expected


@pytest.mark.parametrize(
    ("pattern", "template", "target", "expected"),
    [
        ("/my/{plugin}/api/{**rest}", "/{plugin}/{**rest}", "/P/x/y", "/my/P/api/x/y"),
        ("my/{plugin}", "/{plugin}", "/P", "/my/P"),
        ("/My/Case", "/{x}", "/a", "/My/Case"),
        ("/{*rest}", "/a/{**rest}", "/a/x/y", "/x%2Fy"),
        ("/{**rest}", "/a/{**rest}", "/a/x//y%20z/", "/x//y%20z/"),
        ("/{**rest}", "/a/{*rest}", "/a/x/y", "/x/y"),
        ("/{rest}", "/a/{**rest}", "/a/x/y", "/x%2Fy"),
        ("/a/{unknown}/b", "/{x}", "/v", "/a/b"),
        ("/a/{unknown=else}/b", "/{x}", "/v", "/a/else/b"),
        ("/a/{X?}", "/{x}", "/v", "/a/v"),
        ("/v{major}.{minor}/x", "/{major}/{minor}", "/1/2", "/v1.2/x"),
        ("/{x:int}", "/{x}", "/no-int", "/no-int"),
        ("/{x}", "/{x}", "/a%2Fb%25c%C3%A9", "/a%2Fb%25c%C3%A9"),
        ("/{**rest}", "/{**rest}", "/", "/"),
    ],
)
async def test_a_pattern_is_filled_in_with_route_values(pattern, template, target, expected):
    assert await sent_target([{"PathPattern": pattern}], target, template) == expected


async def test_transforms_are_applied_in_order_and_the_path_base_stays_out():
    exchange = arrived(target="/App/api/x?q", path_base="/App", path="/api/x")
    transforms = [{"PathRemovePrefix": "/api"}, {"PathPrefix": "/v1"}, {"PathPrefix": "/v2"}]
    lines = await sent(transforms, exchange)
    assert lines[0] == "GET /base/v2/v1/x?q HTTP/1.1"
    assert "X-Forwarded-Prefix: /App" in lines


async def test_the_server_as_a_whole_is_asked_as_before():
    assert await sent_target([{"PathRemovePrefix": "/a"}], "*", method="OPTIONS") == "*"


@pytest.mark.parametrize(
    ("transform", "target", "expected"),
    [
        ({"QueryValueParameter": "a", "Set": "1"}, "/", "/?a=1"),
        ({"QueryValueParameter": "a", "Set": "1"}, "/?", "/?a=1"),
        ({"QueryValueParameter": "a", "Set": "x y&"}, "/?b=%zz&A=0&c&a=2", "/?b=%zz&a=x%20y%26&c"),
        ({"QueryValueParameter": "a", "Append": "3"}, "/?a=1&b=2", "/?a=1&a=3&b=2"),
        ({"QueryValueParameter": "a", "Append": "3"}, "/?b=2", "/?b=2&a=3"),
        ({"QueryRouteParameter": "a", "Set": "v"}, "/x%26y?a=1", "/x%26y?a=x%26y"),
        ({"QueryRouteParameter": "a", "Append": "V"}, "/x?a=1", "/x?a=1&a=x"),
        ({"QueryRouteParameter": "a", "Set": "unknown"}, "/x?a=1", "/x?a=1"),
        ({"QueryRemoveParameter": "A"}, "/?a=1&b=2&%61=3", "/?b=2"),
        ({"QueryRemoveParameter": "a"}, "/?a=1", "/"),
        ({"QueryRemoveParameter": "a"}, "/?&&b=%zz", "/?&&b=%zz"),
    ],
)
async def test_a_query_is_changed_parameter_by_parameter(transform, target, expected):
    template = "/{v?}"
    assert await sent_target([transform], target, template) == expected


async def test_a_method_is_changed_into_another():
    change = [{"HttpMethodChange": "put", "Set": "post"}]
    assert (await sent(change, arrived(method="PUT")))[0] == "POST /base/ HTTP/1.1"
    assert (await sent(change, arrived(method="GET")))[0] == "GET /base/ HTTP/1.1"


async def test_a_method_that_has_a_body_as_a_rule_says_that_there_is_none():
    change = [{"HttpMethodChange": "GET", "Set": "POST"}]
    assert "Content-Length: 0" in await sent(change, arrived())


@pytest.mark.parametrize(
    ("pattern", "value"),
    [("/a/.{v}", "."), ("/.{v}/b", "."), ("/{v}./b", "."), ("/{v}", "%2e%2e%2F"), ("/{v}", "..%2Fadmin")],
)
async def test_no_value_climbs_out_of_its_place(pattern, value):
    exchange = arrived()
    exchange.route_values = {"v": value}
    context = await transformed([{"PathPattern": pattern}], exchange)
    with pytest.raises(ProtocolError):
        forwarded_request(context, DestinationAddress.parse("http://there"))


_texts = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs"]))


@given(_texts.filter(lambda text: text.strip("./") and "%" not in text and "\\" not in text))
def test_what_encode_path_writes_is_read_as_the_same(text):
    path = "/" + text.strip("./")
    if any(piece.partition(";")[0] in {".", ".."} for piece in path.split("/")):
        return
    assert parse_target("GET", encode_path(path)).path == path


@given(
    st.text(st.sampled_from("ab./\\%;2eEfF5cC é\udc80"), max_size=8),
    st.sampled_from(["{v}", "{*v}", "{**v}", ".{v}"]),
)
def test_a_value_stays_in_its_place(value, parameter):
    try:
        came = parse_target(
            "GET", b"/" + quote_from_bytes(value.encode("utf-8", "surrogateescape"), "").encode()
        )
    except ProtocolError:
        return
    exchange = arrived()
    exchange.route_values = {"v": came.path[1:]}
    pattern = PathPattern(read_pattern(f"/x/{parameter}"))
    context = RequestTransformContext(
        exchange=exchange, method="GET", path="/", query=Query(), headers=Headers(), destination_prefix=""
    )
    pattern(context)
    try:
        request = forwarded_request(context, DestinationAddress.parse("http://there/base"))
    except ProtocolError:
        return
    sent = parse_target("GET", request.target)
    assert sent.forward_path == request.target
    value = came.path[1:] if parameter == "{**v}" else came.path[1:].replace("/", "%2F")
    assert sent.path == "/base" + "/".join(["/x", parameter.partition("{")[0] + value]).removesuffix(
        "/" * (not value)
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), _texts), max_size=5), st.sampled_from("abc"), _texts)
def test_a_query_reads_what_it_wrote(pairs, name, value):
    query = Query()
    for key, text in pairs:
        query.append(key, text)
    assert sorted(query) == sorted(pairs)
    query.set(name, value)
    assert query.get_all(name.upper()) == [value]
    assert sorted(query) == sorted([(key, text) for key, text in pairs if key != name] + [(name, value)])
    query.remove(name)
    assert name not in query
    assert query.get(name) is None
