"""The fake's requests: what HttpReceiveHttpRequest writes."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import NULL, URL, Program
from tests.server.httpsys.model.url import BadUrlError, cook

BASE = "http://localhost:8080"


def text(pointer, size):
    return ffi.unpack(pointer, size // 2) if size else ""


def known(request, name):
    names = [entry.lower() for entry in c.REQUEST_HEADERS]
    header = request.Headers.KnownHeaders[names.index(name.lower())]
    return None if header.pRawValue == NULL else ffi.unpack(header.pRawValue, header.RawValueLength)


def unknown(request):
    headers = request.Headers.pUnknownHeaders[0 : request.Headers.UnknownHeaderCount]
    return [
        (ffi.unpack(entry.pName, entry.NameLength), ffi.unpack(entry.pRawValue, entry.RawValueLength))
        for entry in headers
    ]


@pytest.mark.parametrize(("method", "number"), [("GET", 4), ("HEAD", 5), ("DELETE", 8), ("SEARCH", 19)])
def test_known_verbs_are_numbers(program, client, method, number):
    client.request(method, URL)
    request = program.take().request
    assert request.Verb == number
    assert request.pUnknownVerb == NULL
    assert request.UnknownVerbLength == 0xCDCD  # nobody may read it


@pytest.mark.parametrize("method", ["BREW", "get"])
def test_other_verbs_are_text(program, client, method):
    client.request(method, URL)
    request = program.take().request
    assert request.Verb == 1
    assert ffi.unpack(request.pUnknownVerb, request.UnknownVerbLength) == method.encode()


def test_the_url_comes_as_it_was_and_cooked(program, client):
    client.request("GET", f"{BASE}/a%20b/./x/../c%2Fd?q=%20")
    request = program.take().request
    cooked = request.CookedUrl
    assert ffi.unpack(request.pRawUrl, request.RawUrlLength) == b"/a%20b/./x/../c%2Fd?q=%20"
    assert text(cooked.pFullUrl, cooked.FullUrlLength) == f"{BASE}/a b/c/d?q=%20"
    assert text(cooked.pHost, cooked.HostLength) == "localhost:8080"
    assert text(cooked.pAbsPath, cooked.AbsPathLength) == "/a b/c/d"
    assert text(cooked.pQueryString, cooked.QueryStringLength) == "?q=%20"


def test_a_url_without_a_query_has_none(program, client):
    client.request("GET", URL)
    cooked = program.take().request.CookedUrl
    assert (cooked.QueryStringLength, cooked.pQueryString) == (0, NULL)


@pytest.mark.parametrize(
    ("target", "host", "full"),
    [
        (b"/", b"h", "http://h:80/"),
        (b"/%C3%A9", b"h:81", "http://h:81/\u00e9"),
        (b"/%E9", b"h", "http://h:80/\u00e9"),
        (b"http://other:82/x?y", b"h", "http://other:82/x?y"),
        (b"http://other", b"h", "http://other:80/"),
        (b"*", b"h", "http://h:80/*"),
        (b"/..", b"h", "http://h:80/"),
        (b"/a/b/..", b"[::1]", "http://[::1]:80/a/"),
        (b"/a?b?c", b"h", "http://h:80/a?b?c"),
    ],
)
def test_cooking(target, host, full):
    assert cook(target, host, tls=False, port=80).full == full


@pytest.mark.parametrize("target", [b"/%", b"/%zz", b"/%00", b"http://h?x", b"x", b"/%7f"])
def test_what_cannot_be_cooked(target):
    with pytest.raises(BadUrlError):
        cook(target, b"h", tls=False, port=80)


def test_headers_are_known_by_number_and_others_by_name(program, client):
    headers = [
        ("ACCEPT", "a"),
        ("accept", "b"),
        ("Cookie", "c=1"),
        ("cookie", "d=2"),
        ("X-One", "1"),
        ("x-one", "2"),
    ]
    client.request("GET", URL, headers)
    request = program.take().request
    assert known(request, "Accept") == b"a, b"
    assert known(request, "Cookie") == b"c=1; d=2"
    assert known(request, "Host") == b"localhost:8080"
    assert known(request, "Range") is None
    assert unknown(request) == [(b"X-One", b"1, 2")]
    assert (request.Headers.TrailerCount, request.Headers.pTrailers) == (0, NULL)


def test_an_empty_header_is_there(program, client):
    client.request("GET", URL, [("Accept", ""), ("X", "")])
    request = program.take().request
    assert known(request, "Accept") == b""
    assert unknown(request) == [(b"X", b"")]


def test_addresses_of_both_families(machine, program, client):
    client.request("GET", URL)
    address = ffi.cast("SOCKADDR_IN *", program.take().request.Address.pRemoteAddress)
    assert address.sin_family == 2
    assert bytes(ffi.buffer(address))[2:8] == (51000).to_bytes(2, "big") + bytes([192, 0, 2, 7])
    machine.client(local="::1").request("GET", URL)
    address = ffi.cast("SOCKADDR_IN6 *", program.take().request.Address.pLocalAddress)
    assert address.sin6_family == 23
    assert bytes(ffi.buffer(address))[2:4] == (8080).to_bytes(2, "big")
    assert bytes(ffi.buffer(address))[8:24] == bytes(15) + b"\1"


def test_tls_facts_come_with_tls_only(machine, program, client):
    client.request("GET", URL)
    request = program.take().request
    assert (request.pSslInfo, request.RequestInfoCount) == (NULL, 0)
    program.add("https://localhost:8443/", 9)
    machine.client(tls=True).request("GET", "https://localhost:8443/")
    request = program.take().request
    assert (request.pSslInfo.ConnectionKeySize, request.pSslInfo.pClientCertInfo) == (256, NULL)
    assert request.pRequestInfo[0].InfoType == 2
    protocol = ffi.cast("HTTP_SSL_PROTOCOL_INFO *", request.pRequestInfo[0].pInfo)
    assert protocol.CipherStrength == 256
    assert text(request.CookedUrl.pFullUrl, request.CookedUrl.FullUrlLength) == "https://localhost:8443/"


def test_a_client_certificate(machine, program):
    program.add("https://localhost:8443/", 9)
    machine.client(tls=True, certificate=b"DER").request("GET", "https://localhost:8443/")
    request = program.take().request
    given = request.pSslInfo.pClientCertInfo
    assert ffi.unpack(ffi.cast("char *", given.pCertEncoded), given.CertEncodedSize) == b"DER"
    connection = request.ConnectionId
    info = ffi.new("char[]", 64)
    certificate = ffi.cast("HTTP_SSL_CLIENT_CERT_INFO *", info)
    small = program.call(
        "HttpReceiveClientCertificate", connection, 0, certificate, 32, ffi.new("uint32_t *")
    )
    assert (small.code, certificate.CertEncodedSize) == (c.MORE_DATA, 3)
    enough = program.call(
        "HttpReceiveClientCertificate", connection, 0, certificate, 35, ffi.new("uint32_t *")
    )
    assert enough.code == c.OK
    assert ffi.unpack(ffi.cast("char *", certificate.pCertEncoded), 3) == b"DER"


def test_a_client_without_a_certificate(program, client):
    client.request("GET", URL)
    info, size = ffi.new("HTTP_SSL_CLIENT_CERT_INFO *"), ffi.new("uint32_t *")
    connection = program.take().request.ConnectionId
    assert program.call("HttpReceiveClientCertificate", connection, 0, info, 32, size).code == c.NOT_FOUND


def test_versions_and_identifiers(machine, program, client):
    client.request("GET", URL, version="1.0")
    first = program.take().request
    assert (first.Version.MajorVersion, first.Version.MinorVersion) == (1, 0)
    program.respond(first.RequestId)
    machine.client(http2=True).request("GET", URL)
    second = program.take().request
    assert (second.Version.MajorVersion, second.Version.MinorVersion) == (1, 1)
    assert second.Flags == c.HTTP2_REQUEST
    assert second.RequestId > 1 << 32
    machine.client(http3=True).request("GET", URL)
    third = program.take().request
    assert (third.Version.MajorVersion, third.Version.MinorVersion) == (1, 1)
    assert third.Flags == c.HTTP3_REQUEST
    assert second.ConnectionId != first.ConnectionId


def transfer_encoding(request):
    known = request.Headers.KnownHeaders[6]
    return ffi.string(known.pRawValue) if known.pRawValue != ffi.NULL else None


def test_a_streams_body_without_a_length_is_said_to_be_chunked(machine, program):
    client = machine.client(http2=True)
    client.request("GET", URL)
    assert transfer_encoding(program.take().request) is None
    client.request("POST", URL, body=b"abc")
    assert transfer_encoding(program.take().request) == b"chunked"
    client.request("POST", URL, [("Content-Length", "3")], body=b"abc")
    assert transfer_encoding(program.take().request) is None


@pytest.mark.parametrize(("version", "told"), [("2019", False), ("2022", True)])
def test_the_raw_connection_id_is_that_of_all_streams_where_windows_has_it(version, told):
    machine = Machine(version=version)
    program = Program(machine)
    client = machine.client(http2=True)
    calls = [client.request("GET", URL) for _ in range(2)]
    first, second = program.take().request, program.take().request
    assert first.ConnectionId != second.ConnectionId
    assert first.RawConnectionId == second.RawConnectionId
    assert bool(first.RawConnectionId) is told
    assert not any(call.reset for call in calls)
    program.close()
    machine.close()
