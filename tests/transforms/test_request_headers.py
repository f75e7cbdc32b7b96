"""Transforms of a request's headers, Host among them: what the destination's head says (YARP's rows)."""

from __future__ import annotations

import pytest

from hostler.client.address import DestinationAddress
from hostler.client.web_proxy import HttpProxy, in_absolute_form
from hostler.config.transforms import request_transform
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.security import Tls
from hostler.transforms.requests import forwarded_request
from tests.transforms.making import OFF, arrived, sent, sent_headers, transformed

HOST = "Host: there:81"


@pytest.mark.parametrize(
    ("transforms", "came", "expected"),
    [
        ([{"RequestHeader": "X-A", "Set": "1"}], [], ["X-A: 1"]),
        ([{"RequestHeader": "X-A", "Set": "1"}], ["x-a: 0", "B: 2", "X-a: 3"], ["B: 2", "X-A: 1"]),
        ([{"RequestHeader": "X-A", "Set": ""}], ["X-A: 0"], ["X-A: "]),
        ([{"RequestHeader": "X-A", "Append": "1"}], [], ["X-A: 1"]),
        ([{"RequestHeader": "X-A", "Append": "3"}], ["x-a: 1", "x-a: 2"], ["X-A: 1", "X-A: 2", "X-A: 3"]),
        ([{"requestheader": "X-A", "APPEND": "ü"}], [], ["X-A: Ã¼"]),
        ([{"RequestHeaderRouteValue": "X-A", "Set": "v"}], ["X-A: 0"], ["X-A: value"]),
        ([{"RequestHeaderRouteValue": "X-A", "Append": "V"}], ["X-A: 0"], ["X-A: 0", "X-A: value"]),
        ([{"RequestHeaderRouteValue": "X-A", "Set": "unknown"}], ["X-A: 0"], ["X-A: 0"]),
        ([{"RequestHeaderRemove": "x-a"}], ["X-A: 0", "B: 1", "X-A: 2"], ["B: 1"]),
        ([{"RequestHeadersCopy": "false"}], ["A: 1", "Cookie: c"], []),
        ([{"RequestHeadersCopy": "True"}], ["A: 1"], ["A: 1"]),
        ([{"RequestHeadersAllowed": "a; C ;"}], ["A: 1", "B: 2", "c: 3"], ["A: 1", "c: 3"]),
        ([{"RequestHeadersAllowed": "Alt-Svc;Proxy-Authorization"}], ["alt-svc: x"], ["alt-svc: x"]),
        (
            [{"RequestHeadersAllowed": "a"}, {"RequestHeader": "B", "Set": "1"}],
            ["A: 1", "B: 2"],
            ["A: 1", "B: 1"],
        ),
        (
            [{"RequestHeadersCopy": "false"}, {"RequestHeader": "A", "Append": "2"}],
            ["A: 1"],
            ["A: 1", "A: 2"],
        ),
    ],
)
async def test_headers_are_copied_and_changed(transforms, came, expected):
    exchange_lines = await sent_headers(transforms, *came, target="/value", template="/{v}")
    assert exchange_lines == [HOST, *expected]


@pytest.mark.parametrize(
    ("transforms", "expected"),
    [
        ([], "there:81"),
        ([{"RequestHeaderOriginalHost": "true"}], "here:8080"),
        ([{"RequestHeaderOriginalHost": "false"}], "there:81"),
        ([{"RequestHeader": "Host", "Set": "other:1"}], "other:1"),
        ([{"RequestHeader": "host", "Set": "other"}, {"RequestHeaderOriginalHost": "false"}], "other"),
        ([{"RequestHeaderOriginalHost": "true"}, {"RequestHeader": "Host", "Set": "other"}], "other"),
        ([{"RequestHeaderOriginalHost": "true"}, {"RequestHeaderRemove": "Host"}], "there:81"),
        ([{"RequestHeaderRouteValue": "Host", "Set": "v"}], "value"),
        ([{"RequestHeadersCopy": "false"}, {"RequestHeader": "Host", "Set": "other"}], "other"),
        ([{"RequestHeadersAllowed": "Host"}], "here:8080"),
        ([request_transform(lambda context: context.headers.set("Host", "code"))], "code"),
    ],
)
async def test_host_is_the_destinations_unless_a_transform_says_otherwise(transforms, expected):
    lines = await sent_headers(transforms, host="here:8080", target="/value", template="/{v}")
    assert lines == [f"Host: {expected}"]


async def test_what_frames_the_message_or_manages_the_connection_is_the_proxys_own():
    came = ["Content-Length: 2", "Connection: x-hop", "X-Hop: 1", "TE: trailers", "Expect: 100-continue"]
    for transforms in (
        [{"RequestHeadersCopy": "false"}],
        [{"RequestHeadersAllowed": "Content-Length;Connection;TE;Transfer-Encoding;Upgrade"}],
        [{"RequestHeaderRemove": "Content-Length"}, {"RequestHeaderRemove": "Connection"}],
    ):
        lines = await sent_headers(transforms, *came, method="POST")
        assert lines == [HOST, "Content-Length: 2", "Expect: 100-continue"]


async def test_a_body_in_chunks_stays_in_chunks():
    lines = await sent_headers([{"RequestHeadersCopy": "false"}], "Transfer-Encoding: chunked", method="POST")
    assert lines == [HOST, "Transfer-Encoding: chunked"]


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "connection", "Upgrade", "TE"])
async def test_a_function_that_would_break_the_message_fails_its_request(name):
    context = await transformed(
        [request_transform(lambda context: context.headers.add(name, "1"))], arrived()
    )
    with pytest.raises(ProtocolError, match=name):
        forwarded_request(context, DestinationAddress.parse("http://there"))


@pytest.mark.logs_errors("a transform of the request failed")
async def test_a_function_that_raises_fails_its_request():
    def fail(_):
        raise ZeroDivisionError("oh")

    failure = await transformed([request_transform(fail)], arrived())
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.status) == (Reason.REQUEST_CREATION, 502)
    assert "oh" in failure.detail


async def test_a_client_certificate_is_passed_on_and_never_the_clients_own_word():
    transforms = [OFF, {"ClientCert": "X-Client-Cert"}]
    exchange = arrived("x-client-cert: forged")
    assert (await sent(transforms, exchange))[1:] == [HOST]
    exchange = arrived("x-client-cert: forged")
    exchange.tls = Tls(client_certificate=b"\0DER")
    assert (await sent(transforms, exchange))[1:] == [HOST, "X-Client-Cert: AERFUg=="]


async def test_a_web_proxy_is_told_who_asks():
    proxy = HttpProxy.parse("http://me:secret@proxy:3128")
    address = in_absolute_form(DestinationAddress.parse("http://there:81/base"), proxy)
    request = forwarded_request(await transformed([OFF, {"PathPrefix": "/v1"}], arrived()), address)
    assert request.target == b"http://there:81/base/v1/"
    assert request.headers.get("Proxy-Authorization") == "Basic bWU6c2VjcmV0"
