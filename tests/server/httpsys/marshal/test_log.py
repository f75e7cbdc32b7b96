"""What HTTP.sys's log says of a response."""

import gc

import pytest

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import Verb
from hostler.server.httpsys.marshal.log import log_fields
from hostler.server.httpsys.marshal.request import read_request
from tests.server.httpsys.marshal.native_requests import NativeRequest

HOST = (b"Host", b"www.example.com:8080")


def logged(*args, status=200, **members):
    """Return the fields of a request and its response, as HTTP.sys reads them."""
    native = NativeRequest(*args, **members)
    data = log_fields(read_request(native.pointer), status)
    assert ffi.typeof(data) is ffi.typeof("HTTP_LOG_DATA *")
    gc.collect()
    return data, ffi.cast("HTTP_LOG_FIELDS_DATA *", data)


def text(fields, name):
    pointer, size = getattr(fields, name), getattr(fields, f"{name}Length")
    assert bool(pointer) == bool(size)
    raw = ffi.buffer(pointer, size)[:] if size else b""
    return raw.decode("utf-16-le" if name in {"UserName", "UriStem"} else "latin-1")


def test_all_that_is_known():
    data, fields = logged(
        b"POST",
        b"/caf%C3%A9/list?page=2&x=?",
        [
            HOST,
            (b"User-Agent", b"curl/8.0 (x)"),
            (b"Cookie", b"a=b"),
            (b"Referer", b"http://r/"),
            (b"Content-Length", b"0"),
        ],
        status=404,
    )
    assert data.Type == 0
    assert text(fields, "Method") == "POST"
    assert (text(fields, "UriStem"), text(fields, "UriQuery")) == ("/caf%C3%A9/list", "page=2&x=?")
    assert text(fields, "Host") == "www.example.com:8080"
    assert (text(fields, "UserAgent"), text(fields, "Cookie"), text(fields, "Referrer")) == (
        "curl/8.0 (x)", "a=b", "http://r/",
    )  # fmt: skip
    assert (text(fields, "ClientIp"), text(fields, "ServerIp"), fields.ServerPort) == (
        "192.0.2.7",
        "198.51.100.1",
        8080,
    )
    assert fields.ProtocolStatus == 404
    assert fields.MethodNum == Verb.POST


def test_what_is_not_known_is_absent():
    _, fields = logged(version=(1, 0), headers=[])
    for name in (
        "UserName",
        "UriQuery",
        "Host",
        "UserAgent",
        "Cookie",
        "Referrer",
        "ServerName",
        "ServiceName",
    ):
        assert text(fields, name) == ""
    assert (fields.Win32Status, fields.SubStatus) == (0, 0)


def test_a_method_that_http_sys_has_no_number_for():
    _, fields = logged(b"PATCH")
    assert (text(fields, "Method"), fields.MethodNum) == ("PATCH", Verb.UNKNOWN)


@pytest.mark.parametrize(
    ("target", "stem"),
    [
        (b"http://other.example:80/a/b?c", "/a/b"),
        (b"http://other.example", "/"),
        (b"*", "*"),
        (b"/a?u=http://x/", "/a"),
    ],
)
def test_the_stem_is_a_path(target, stem):
    _, fields = logged(target=target)
    assert text(fields, "UriStem") == stem


def test_ipv6():
    _, fields = logged(client=("2001:db8::7", 1), server=("::1", 443))
    assert (text(fields, "ClientIp"), text(fields, "ServerIp"), fields.ServerPort) == (
        "2001:db8::7",
        "::1",
        443,
    )


def test_texts_are_cut_where_their_lengths_end():
    data, fields = logged(
        target=b"/" + b"a" * 65000 + b"?" + b"q" * 500, headers=[HOST, (b"Cookie", b"c" * 65535)]
    )
    assert len(text(fields, "UriStem")) == 65534 // 2
    assert text(fields, "UriQuery") == "q" * 500
    assert text(fields, "Cookie") == "c" * 65534
    assert data
