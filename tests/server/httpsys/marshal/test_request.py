"""Requests: what is in an HTTP_REQUEST is what our own parser gives for the same bytes."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.http.encode import encode_request
from hostler.http.h1 import RequestReader
from hostler.http.headers import Headers
from hostler.http.message import CHUNKED, Request
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import REQUEST_HEADERS, AuthStatus, AuthType, RequestInfoType, Verb
from hostler.server.httpsys.marshal.request import read_request, request_id
from tests.server.httpsys.marshal.native_requests import CLIENT, IDS, SERVER, NativeRequest, ten_headers

HOST = (b"Host", b"example.com")


def read(*args, **members):
    arrival = read_native(NativeRequest(*args, **members))
    assert arrival.refusal is None
    return arrival


def read_native(native):
    return read_request(native.pointer)  # which its owner must outlive


def refused(*args, **members):
    arrival = read_native(NativeRequest(*args, **members))
    assert (arrival.request.method, arrival.request.target, arrival.has_body) == ("GET", b"/", False)
    return arrival.refusal


class TestIdentity:
    def test_the_numbers_that_the_api_knows_it_by(self):
        high = 0xFE00_0000_8000_0001
        arrival = read(RequestId=high, ConnectionId=high + 1, UrlContext=high + 2)
        assert (arrival.id, arrival.connection, arrival.context) == (high, high + 1, high + 2)

    def test_addresses(self):
        arrival = read(client=CLIENT, server=SERVER)
        assert (arrival.client, arrival.server) == (CLIENT, SERVER)
        arrival = read(client=("2001:db8::7", 50123), server=("::1", 80))
        assert (arrival.client, arrival.server) == (("2001:db8::7", 50123), ("::1", 80))

    def test_nothing_is_known_of_its_security_when_there_is_none(self):
        arrival = read()
        assert (arrival.secure, arrival.tls, arrival.authenticated) == (False, None, None)

    def test_the_id_is_there_when_the_buffer_was_too_small_for_the_rest(self):
        buffer = ffi.new("char[]", 1024)
        ffi.memmove(buffer, b"\xff" * 1024, 1024)
        ffi.cast("HTTP_REQUEST *", buffer).RequestId = 0x8000_0000_0000_0042
        assert request_id(buffer) == 0x8000_0000_0000_0042
        assert request_id(ffi.cast("HTTP_REQUEST *", buffer)) == 0x8000_0000_0000_0042


class TestRequestLine:
    @pytest.mark.parametrize("verb", [verb for verb in Verb if verb > Verb.INVALID])
    def test_known_methods(self, verb):
        assert read(verb.name.encode()).request.method == verb.name

    @pytest.mark.parametrize("method", [b"PATCH", b"get", b"X", b"M-SEARCH", b"VERSION-CONTROL"])
    def test_unknown_methods(self, method):
        assert read(method).request.method == method.decode()

    @pytest.mark.parametrize("method", [b"", b"A B", b"A\r\nB", b"\xe9"])
    def test_what_is_no_method(self, method):
        assert refused(method).status == 400

    def test_a_method_that_could_not_be_read(self):
        assert refused(Verb=Verb.INVALID).status == 400
        assert refused(Verb=99).status == 400

    @pytest.mark.parametrize(
        "target", [b"/", b"/a%2Fb/../c?x=%20&y", b"*", b"http://example.com/a?b", b"/" + b"a" * 16000]
    )
    def test_the_target_is_what_the_client_wrote(self, target):
        assert read(target=target).request.target == target

    @pytest.mark.parametrize(
        ("version", "flags", "number", "http2"),
        [((1, 0), 0, 10, False), ((1, 1), 0, 11, False), ((1, 1), 4, 11, True), ((1, 1), 8, 11, True)],
    )
    def test_versions(self, version, flags, number, http2):
        """HTTP/2 and 3 are told by Flags; their Version is 1.1 (aspnetcore#35316)."""
        arrival = read(version=version, Flags=flags)
        assert (arrival.request.version, arrival.http2) == (number, http2)

    def test_a_version_before_1(self):
        assert refused(version=(0, 9)).status == 505


INVENTED = (b"Transfer-Encoding", b"chunked")


@pytest.mark.parametrize("http2", [4, 8])
class TestStreams:
    """HTTP/2 and 3: HTTP.sys adds Transfer-Encoding to a body without a length (aspnetcore#24984)."""

    @pytest.mark.parametrize("more", [0, 1])
    def test_what_is_added_is_dropped_and_says_that_there_is_a_body(self, http2, more):
        arrival = read(b"POST", headers=[HOST, INVENTED], Flags=http2 | more)
        assert arrival.request.headers.pairs() == [HOST]
        assert (arrival.request.framing, arrival.has_body) == (CHUNKED, True)

    def test_it_is_nothing_against_a_content_length(self, http2):
        arrival = read(b"POST", headers=[HOST, (b"Content-Length", b"5"), INVENTED], Flags=http2 | 1)
        assert arrival.request.headers.pairs() == [(b"Content-Length", b"5"), HOST]
        assert (arrival.request.framing, arrival.refusal) == (5, None)

    def test_without_a_body_there_is_none(self, http2):
        arrival = read(Flags=http2)
        assert (arrival.request.framing, arrival.has_body) == (0, False)


class TestHeaders:
    def test_known_ones_have_the_names_that_are_registered(self):
        values = [
            (name, b"value")
            for name in REQUEST_HEADERS
            if name not in {b"Content-Length", b"Transfer-Encoding"}
        ]
        assert read(headers=values).request.headers.pairs() == values

    def test_unknown_ones_follow_as_they_came(self):
        headers = [(b"x-second", b"2"), HOST, (b"X-First", b"1"), (b"ACCEPT", b"*/*"), (b"X-Second", b"3")]
        assert read(headers=headers).request.headers.pairs() == [
            (b"Accept", b"*/*"), HOST, (b"x-second", b"2"), (b"X-First", b"1"), (b"X-Second", b"3"),
        ]  # fmt: skip

    def test_repeated_ones_stay_apart(self):
        headers = read(headers=[HOST, (b"X-Tag", b"a"), (b"x-tag", b"b")]).request.headers
        assert headers.get_all("X-Tag") == ["a", "b"]
        assert headers.lines is None

    def test_ones_without_a_value(self):
        headers = read(headers=[HOST, (b"Accept", b""), (b"X-Empty", b"")]).request.headers
        assert (headers.get("accept"), headers.get("x-empty"), headers.get("cookie")) == ("", "", None)
        assert len(headers) == 3

    def test_bytes_are_kept(self):
        value = bytes(range(0x80, 0x100)) + b"\t\x01"
        assert read(headers=[HOST, (b"X-Bytes", value)]).request.headers.get_raw(b"x-bytes") == value

    def test_many_and_long_ones(self):
        headers = [
            HOST,
            *[(b"X-%d" % number, b"v" * number) for number in range(500)],
            (b"X-Long", b"v" * 65535),
        ]
        assert read(headers=headers).request.headers.pairs() == headers

    def test_none_at_all(self):
        headers = read(version=(1, 0), headers=[]).request.headers
        assert headers.pairs() == []
        assert len(headers) == 0

    @pytest.mark.parametrize("value", [b"a\r\nX-Smuggled: b", b"a\nb", b"a\rb", b"a\0b"])
    @pytest.mark.parametrize("name", [b"Referer", b"X-Other"])
    def test_one_that_would_break_a_head(self, name, value):
        assert refused(headers=[HOST, (name, value)]).status == 400

    def test_a_repeated_one_that_would_break_a_head(self):
        assert refused(headers=[HOST, (b"X-A", b"1"), (b"X-A", b"2\r\nX-B: 3")]).status == 400

    @pytest.mark.parametrize("name", [b"X Y", b"", b"X:", b"X\r\nY"])
    def test_a_name_that_is_none(self, name):
        assert refused(headers=[HOST, (name, b"value")]).status == 400

    def test_they_outlive_the_buffer(self):
        native = NativeRequest(b"BREW", b"/path", [HOST, (b"X-Name", b"value")])
        request = read_native(native).request
        for kept in native._kept:
            ffi.memmove(kept, b"\xff" * ffi.sizeof(kept), ffi.sizeof(kept)) if ffi.typeof(
                kept
            ).kind == "array" else None
        assert (request.method, request.target) == ("BREW", b"/path")
        assert request.headers.pairs() == [HOST, (b"X-Name", b"value")]


class TestFraming:
    def test_no_body(self):
        arrival = read()
        assert (arrival.request.framing, arrival.has_body) == (0, False)

    def test_a_body_by_length(self):
        arrival = read(b"POST", headers=[HOST, (b"Content-Length", b"42")], body=True)
        assert (arrival.request.framing, arrival.has_body) == (42, True)

    def test_an_empty_body_by_length(self):
        arrival = read(b"POST", headers=[HOST, (b"Content-Length", b"0")])
        assert (arrival.request.framing, arrival.has_body) == (0, False)

    def test_a_body_in_chunks(self):
        arrival = read(b"POST", headers=[HOST, (b"Transfer-Encoding", b"chunked")], body=True)
        assert (arrival.request.framing, arrival.has_body) == (CHUNKED, True)

    @pytest.mark.parametrize("version", [(2, 0), (3, 0)])
    def test_a_body_that_http2_does_not_announce(self, version):
        arrival = read(b"POST", version=version, body=True)
        assert (arrival.request.framing, arrival.has_body) == (CHUNKED, True)
        arrival = read(b"POST", headers=[HOST, (b"Content-Length", b"42")], version=version, body=True)
        assert arrival.request.framing == 42

    def test_a_length_of_nothing_is_believed(self):
        arrival = read(b"POST", headers=[HOST, (b"Content-Length", b"0")], body=True)
        assert (arrival.request.framing, arrival.has_body) == (0, False)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ([], 400),
            ([HOST, (b"Content-Length", b"five")], 400),
            ([HOST, (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], 400),
            ([HOST, (b"Transfer-Encoding", b"gzip, chunked")], 501),
            ([HOST, (b"Transfer-Encoding", b"gzip")], 400),
            # chunked for HTTP.sys, which delivers it with the Content-Length (aspnetcore#66720)
            ([HOST, (b"Transfer-Encoding", b"chunked,"), (b"Content-Length", b"5")], 400),
            ([HOST, (b"Transfer-Encoding", b"gzip, chunked"), (b"Content-Length", b"5")], 400),
        ],
    )
    def test_what_the_rules_refuse(self, headers, status):
        assert refused(b"POST", headers=headers).status == status

    def test_host_keep_alive_and_expectations(self):
        request = read(headers=[HOST, (b"Connection", b"close"), (b"Expect", b"100-continue")]).request
        assert (request.host, request.keep_alive, request.expect_continue) == (b"example.com", False, True)

    def test_upgrades_are_for_http_1_1(self):
        headers = [HOST, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
        assert read(headers=headers).request.upgrade == b"websocket"
        assert read(headers=headers, version=(1, 0)).request.upgrade is None
        assert read(headers=headers, Flags=4).request.upgrade is None


class TestSecurity:
    def test_https(self):
        ssl = ffi.new("HTTP_SSL_INFO *", {"ConnectionKeySize": 256, "ServerCertKeySize": 2048})
        arrival = read(pSslInfo=ssl)
        assert arrival.secure
        assert (arrival.tls.connection_bits, arrival.tls.certificate_bits) == (256, 2048)
        assert (arrival.tls.version, arrival.tls.client_certificate_negotiated) == ("", False)

    @pytest.mark.parametrize(
        ("bits", "version"),
        [(0x40, "TLSv1"), (0x100, "TLSv1.1"), (0x400, "TLSv1.2"), (0x1000, "TLSv1.3"), (0x2000, "TLSv1.3")],
    )
    def test_the_protocol(self, bits, version):
        ssl = ffi.new("HTTP_SSL_INFO *")
        protocol = ffi.new("HTTP_SSL_PROTOCOL_INFO *", (bits, 0x6610, 256, 0x800D, 384, 0xAE06, 255))
        timing = ffi.new("HTTP_REQUEST_TIMING_INFO *")
        native = NativeRequest(pSslInfo=ssl).infos(
            (RequestInfoType.REQUEST_TIMING, timing), (RequestInfoType.SSL_PROTOCOL, protocol)
        )
        tls = read_native(native).tls
        assert tls.version == version
        assert (tls.cipher, tls.cipher_bits, tls.hash, tls.hash_bits) == (0x6610, 256, 0x800D, 384)
        assert (tls.key_exchange, tls.key_exchange_bits) == (0xAE06, 255)

    def test_a_client_certificate(self):
        encoded = ffi.new("uint8_t[]", b"DER of a certificate")
        certificate = ffi.new("HTTP_SSL_CLIENT_CERT_INFO *", {"CertEncodedSize": 20, "pCertEncoded": encoded})
        ssl = ffi.new("HTTP_SSL_INFO *", {"SslClientCertNegotiated": 1, "pClientCertInfo": certificate})
        tls = read(pSslInfo=ssl).tls
        assert (tls.client_certificate, tls.client_certificate_negotiated) == (b"DER of a certificate", True)

    def test_a_client_certificate_that_is_not_at_hand(self):
        ssl = ffi.new("HTTP_SSL_INFO *", {"SslClientCertNegotiated": 1})
        ssl.pClientCertInfo = denied = ffi.new("HTTP_SSL_CLIENT_CERT_INFO *", {"CertDeniedByMapper": 1})
        assert denied
        assert read(pSslInfo=ssl).tls.client_certificate is None

    def test_who_it_is(self):
        package = ffi.new("char16_t[]", "Negotiate")
        info = ffi.new("HTTP_REQUEST_AUTH_INFO *")
        info.AuthStatus, info.AuthType = AuthStatus.SUCCESS, AuthType.NEGOTIATE
        info.AccessToken = ffi.cast("HANDLE", 0x1234)
        info.pPackageName, info.PackageNameLength = package, 18
        who = read_native(NativeRequest().infos((RequestInfoType.AUTH, info))).authenticated
        assert (who.succeeded, who.scheme, who.package) == (True, "Negotiate", "Negotiate")
        assert who.token == 0x1234

    def test_nobody_who_sends_no_credentials(self):
        info = ffi.new("HTTP_REQUEST_AUTH_INFO *", {"AuthStatus": AuthStatus.NOT_AUTHENTICATED})
        assert read_native(NativeRequest().infos((RequestInfoType.AUTH, info))).authenticated is None

    def test_why_it_is_not_known(self):
        info = ffi.new("HTTP_REQUEST_AUTH_INFO *")
        info.AuthStatus, info.AuthType, info.SecStatus = AuthStatus.FAILURE, 99, -2146893044
        who = read_native(NativeRequest().infos((RequestInfoType.AUTH, info))).authenticated
        assert (who.succeeded, who.scheme, who.code) == (False, "", 0x8009_030C)
        assert who.token == 0
        assert who.package == ""


TOKEN = st.text(string.ascii_letters + string.digits + "-_!#", min_size=1, max_size=12).map(str.encode)
VALUE = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30
).map(lambda text: text.encode("latin-1"))
FRAMING = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"}


@given(st.lists(st.tuples(st.one_of(TOKEN, st.sampled_from(REQUEST_HEADERS)), VALUE), max_size=20))
def test_headers_are_what_our_own_parser_would_give(headers):
    pairs, seen = [HOST], {b"host"}
    for name, value in headers:
        key = name.lower()
        if key not in FRAMING and not (key in IDS and key in seen):
            pairs.append((name, value))
            seen.add(key)
    ours = RequestReader().feed(encode_request(Request("GET", b"/", Headers(pairs))))
    theirs = read_native(NativeRequest(headers=pairs)).request
    known = [(name.lower(), value) for name, value in ours.headers.pairs() if name.lower() in IDS]
    unknown = [pair for pair in ours.headers.pairs() if pair[0].lower() not in IDS]
    arrived = theirs.headers.pairs()
    assert sorted((name.lower(), value) for name, value in arrived[: len(known)]) == sorted(known)
    assert arrived[len(known) :] == unknown
    assert (theirs.headers.lines is None) == (ours.headers.lines is None)
    if ours.headers.lines is not None:
        assert {key: ours.headers.get_raw(key) for key in ours.headers.lines} == {
            key: theirs.headers.get_raw(key) for key in theirs.headers.lines
        }
    for field in (
        "method",
        "target",
        "version",
        "framing",
        "host",
        "keep_alive",
        "expect_continue",
        "upgrade",
    ):
        assert getattr(theirs, field) == getattr(ours, field)


def test_a_browsers_request():
    usual = ten_headers()
    request = read(target=usual.target, headers=usual.headers).request
    assert request.headers.pairs() == usual.headers
    assert list(request.headers.lines.values()) == [b"%b: %b" % pair for pair in usual.headers]
