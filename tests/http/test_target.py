"""Request targets: how they are read, what is refused, what a destination receives."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hostler.errors import ProtocolError
from hostler.http.target import encode_path, join, parse_host, parse_target


def get(raw):
    return parse_target("GET", raw)


class TestForms:
    def test_origin_form(self):
        target = get(b"/where?q=now")
        assert (target.path, target.query, target.authority) == ("/where", b"q=now", None)
        assert (target.raw_path, target.forward_path) == (b"/where", b"/where")

    def test_an_empty_query_is_not_the_same_as_none(self):
        assert (get(b"/a").query, get(b"/a?").query) == (None, b"")

    def test_the_first_question_mark_begins_the_query(self):
        assert get(b"/a?b?c=/../d").query == b"b?c=/../d"

    @pytest.mark.parametrize(
        ("raw", "path", "authority"),
        [
            (b"http://example.com/a/b?q", "/a/b", b"example.com"),
            (b"HTTPS://Example.com:8443/?q", "/", b"Example.com:8443"),
            (b"http://[::1]:80/a%20b?q", "/a b", b"[::1]:80"),
        ],
    )
    def test_absolute_form(self, raw, path, authority):
        target = get(raw)
        assert (target.path, target.authority, target.query) == (path, authority, b"q")

    def test_absolute_form_without_a_path_is_the_root(self):
        target = get(b"http://example.com")
        assert (target.path, target.raw_path, target.query) == ("/", b"/", None)

    def test_options_about_the_server(self):
        for raw in (b"*", b"http://example.com"):
            target = parse_target("OPTIONS", raw)
            assert (target.path, target.raw_path, target.forward_path) == ("", b"*", b"*")

    def test_options_about_a_resource(self):
        assert parse_target("OPTIONS", b"/a").path == "/a"

    def test_authority_form(self):
        target = parse_target("CONNECT", b"example.com:443")
        assert (target.path, target.raw_path, target.authority) == ("", b"", b"example.com:443")

    @pytest.mark.parametrize(
        ("method", "raw"),
        [
            ("GET", b""),
            ("GET", b"*"),
            ("OPTIONS", b"*?q"),
            ("OPTIONS", b"**"),
            ("GET", b"example.com:443"),
            ("GET", b"a/b"),
            ("GET", b"?q"),
            ("GET", b"ftp://example.com/"),
            ("GET", b"http:/example.com/"),
            ("GET", b"http:///a"),
            ("GET", b"http://:80/a"),
            ("GET", b"http://user@example.com/"),
            ("GET", b"http://example.com:port/"),
            ("GET", b"http://example.com?query"),
            ("GET", b"http://example.com/%"),
            ("CONNECT", b"/"),
            ("CONNECT", b"example.com"),
            ("CONNECT", b":443"),
            ("CONNECT", b"http://example.com/"),
        ],
    )
    def test_what_is_no_target_for_its_method_is_a_bad_request(self, method, raw):
        with pytest.raises(ProtocolError) as caught:
            parse_target(method, raw)
        assert caught.value.status == 400


class TestRefusals:
    @pytest.mark.parametrize("place", [b"/a%b", b"/%b/..", b"/a?%b", b"http://h/%b"])
    @pytest.mark.parametrize(
        "bad", [b"\0", b"\t", b"\r", b"\n", b" ", b"\x1f", b"\x7f", b"\x80", b"\xff", b"#", b"\xc3\xa4"]
    )
    def test_bare_controls_spaces_high_bytes_and_fragments(self, place, bad):
        with pytest.raises(ProtocolError, match="not legal"):
            get(place % bad)

    @pytest.mark.parametrize("escape", [b"%", b"%4", b"%4g", b"%zz", b"%u0041", b"%%41", b"% 41", b"%-1"])
    def test_escapes_that_are_none(self, escape):
        with pytest.raises(ProtocolError):
            get(b"/a" + escape)

    @pytest.mark.parametrize("escape", [b"%00", b"%0a", b"%0D", b"%1F", b"%7f"])
    def test_escaped_controls_in_the_path(self, escape):
        with pytest.raises(ProtocolError, match="bad escape"):
            get(b"/a" + escape)

    def test_the_query_s_escapes_are_not_looked_at(self):
        assert get(b"/a?x=100%&y=%0D%0A&z=\\").query == b"x=100%&y=%0D%0A&z=\\"

    def test_a_bare_backslash(self):
        with pytest.raises(ProtocolError):
            get(b"/a\\b")

    @pytest.mark.parametrize(
        "path",
        [b"/a/..%2fb", b"/%2e%2e%5Cb", b"/a%2F..", b"/a%5c.%2e%5cb", b"/.%2fb", b"/%2e%2Fb", b"/a%5c.", b"/.%2F..",
         b"/a%2F./b", b"/..%252Fb", b"/..%252fb", b"/.%255cb", b"/%252e%252E%2fb", b"/..;x=1%2fb", b"/a%2f.;"],
    )  # fmt: skip
    def test_a_dot_segment_beside_an_escaped_slash_or_backslash(self, path):
        with pytest.raises(ProtocolError, match="beside an escaped slash or backslash"):
            get(path)

    @pytest.mark.parametrize(
        "path", [b"/a..%2fb", b"/...%2fb", b"/.a%5cb", b"/a%2f/b.", b"/%252e%252e/b", b"/..;/b"]
    )
    def test_what_looks_only_like_one(self, path):
        assert get(path).forward_path == path


class TestPath:
    @pytest.mark.parametrize(
        ("raw", "path"),
        [
            (b"/base%20path/sub%20path", "/base path/sub path"),
            (b"/%41%7e%3b", "/A~;"),
            (b"/gr%C3%B6%C3%9fe", "/größe"),
            (b"/a%2Fb%2fc", "/a%2Fb%2Fc"),
            (b"/%252F", "/%2F"),
            (b"/%25", "/%"),
            (b"/a%5Cb", "/a\\b"),
            (b"/%ff", "/\udcff"),
            (b"/%C0%AF", "/\udcc0\udcaf"),
            (b"/a+b", "/a+b"),
            (b"//a//b/", "//a//b/"),
            (b"/a..b%2Fc", "/a..b%2Fc"),
            (b'/<"^`{|}>[]', '/<"^`{|}>[]'),
        ],
    )
    def test_it_is_decoded_once(self, raw, path):
        assert get(raw).path == path

    @pytest.mark.parametrize(
        ("raw", "path"),
        [
            (b"/a/b/c/./../../g", "/a/g"),
            (b"/a/./b", "/a/b"),
            (b"/a/.", "/a/"),
            (b"/a/..", "/"),
            (b"/a/b/..", "/a/"),
            (b"/..", "/"),
            (b"/.", "/"),
            (b"/../../a", "/a"),
            (b"/a/%2e%2E/b", "/b"),
            (b"/a/.%2e/%2e/b", "/b"),
            (b"/a//../b", "/a/b"),
            (b"/...", "/..."),
            (b"/.a/..b", "/.a/..b"),
            (b"/.well-known/x", "/.well-known/x"),
            (b"/x/%20/../y%20", "/x/y "),
        ],
    )
    def test_dot_segments_are_removed_after_decoding(self, raw, path):
        assert get(raw).path == path


class TestForwardPath:
    @pytest.mark.parametrize(
        "raw", [b"/a/b", b"/%41%7e%3b%2f%5c", b"/%252F", b"/gr%C3%B6%c3%9fe", b"//a/", b"/.a"]
    )
    def test_what_needs_no_normalising_stays_the_client_s_bytes(self, raw):
        target = get(raw)
        assert target.forward_path == target.raw_path == raw

    @pytest.mark.parametrize(
        ("raw", "forward"),
        [
            (b"/a/../%2f%41/./x%20y", b"/%2f%41/x%20y"),
            (b"/a/%2e%2e/b", b"/b"),
            (b"/{a}|b%20", b"/%7Ba%7D%7Cb%20"),
            (b'/"/../<', b"/%3C"),
            (b"/a/..", b"/"),
        ],
    )
    def test_dot_segments_go_and_illegal_characters_are_escaped(self, raw, forward):
        target = get(raw)
        assert target.forward_path == forward
        assert target.raw_path == raw

    @pytest.mark.parametrize(
        ("raw", "base", "rest"),
        [
            (b"/a/b", "", b"/a/b"),
            (b"/base%20path/sub%20path", "/base path", b"/sub%20path"),
            (b"/base", "/base", b""),
            (b"/base/", "/base", b"/"),
            (b"///base/path1/path2", "///base", b"/path1/path2"),
            (b"/a/b/c/d", "/a/b", b"/c/d"),
            (b"/x/../a%2Fb/c", "/a%2Fb", b"/c"),
        ],
    )
    def test_the_path_base_is_cut_from_its_front(self, raw, base, rest):
        target = get(raw)
        assert target.path.startswith(base)
        assert target.forward_after(base) == rest


class TestEncodePath:
    def test_yarp_s_set_stays(self):
        kept = "/!$&'()*+,-./0123456789:;=@ABCXYZ_abcxyz~"
        assert encode_path(kept) == kept.encode()

    @pytest.mark.parametrize(
        ("path", "encoded"),
        [
            ("", b""),
            ("/a b", b"/a%20b"),
            ("/100%", b"/100%25"),
            ("/größe", b"/gr%C3%B6%C3%9Fe"),
            ("/a%2Fb", b"/a%2Fb"),
            ("/a%2fb", b"/a%252fb"),
            ("/a\\b?c#d", b"/a%5Cb%3Fc%23d"),
            ("/\udcff", b"/%FF"),
            ('/[]{}|^"<>`', b"/%5B%5D%7B%7D%7C%5E%22%3C%3E%60"),
        ],
    )  # fmt: skip
    def test_everything_else_is_escaped_but_an_escaped_slash(self, path, encoded):
        assert encode_path(path) == encoded


class TestJoin:
    @pytest.mark.parametrize(
        ("base", "path", "query", "target"),
        [
            (b"/", b"/a", None, b"/a"),
            (b"", b"/a", None, b"/a"),
            (b"/base", b"/a", None, b"/base/a"),
            (b"/base/", b"/a", None, b"/base/a"),
            (b"/base/", b"/", None, b"/base/"),
            (b"/base/", b"", None, b"/base/"),
            (b"/base", b"", None, b"/base"),
            (b"/", b"", None, b"/"),
            (b"", b"", None, b"/"),
            (b"", b"", b"q", b"/?q"),
            (b"/", b"//a", None, b"//a"),
            (b"/", b"/a", b"x=%2F&y", b"/a?x=%2F&y"),
            (b"/base/", b"/a", b"", b"/base/a?"),
            (b"/base/", b"*", None, b"*"),
        ],
    )
    def test_destination_then_path_then_query(self, base, path, query, target):
        assert join(base, path, query) == target


class TestHost:
    @pytest.mark.parametrize(
        ("value", "host", "port"),
        [
            (b"Example.COM", "example.com", None),
            (b"example.com:8080", "example.com", 8080),
            (b"example.com:", "example.com", None),
            (b"example.com:0080", "example.com", 80),
            (b"127.0.0.1:80", "127.0.0.1", 80),
            (b"[::1]", "[::1]", None),
            (b"[::1]:443", "[::1]", 443),
            (b"[0:0:0:0:0:0:0:1]", "[::1]", None),
            (b"[2001:DB8::1]", "[2001:db8::1]", None),
            (b"under_score.example", "under_score.example", None),
            (b"Secret.example.", "secret.example", None),
            (b"secret.example.:8080", "secret.example", 8080),
            (b"127.0.0.1.", "127.0.0.1", None),
            (b"xn--bcher-kva.example", "xn--bcher-kva.example", None),
            (b"", "", None),
        ],
    )
    def test_a_host_and_its_port(self, value, host, port):
        assert parse_host(value) == (host, port)

    @pytest.mark.parametrize(
        "value",
        [b"a b", b" a", b"a,b", b"user@a", b"user:pw@a", b"a:b", b"a:-1", b"a:+1", b"a:65536", b"a:000080", b"a:80:80",
         b":80", b"::1", b"[::1", b"[]", b"[::1]80", b"[::1]:x", b"[fe80::1%25eth0]", b"[v1.x]", b"a/b", b"a?b", b"a#b",
         b"a\\b", b"a\0", b"a\xff", b"b\xc3\xbccher", b"a%41", b"[1.2.3.4]", b"[\xff]", b"a" * 256, b".", b".:80", b"a..", b"a..b", b"[::1]."],
    )  # fmt: skip
    def test_anything_else_is_a_bad_request(self, value):
        with pytest.raises(ProtocolError) as caught:
            parse_host(value)
        assert caught.value.status == 400

    @given(st.binary(max_size=20) | st.text("a.:[]0@%", max_size=12).map(str.encode))
    def test_nothing_but_protocol_errors(self, value):
        try:
            host, port = parse_host(value)
        except ProtocolError:
            return
        again = host if port is None else f"{host}:{port}"
        assert parse_host(again.encode()) == (host, port)


PIECES = st.sampled_from(
    [b"/", b"/", b".", b"..", b"%2e", b"%2E", b"%2f", b"%5c", b"%25", b"%C3%A4", b"%ff", b"a", b"B", b"?", b"{", b"~", b";",
     b"%20", b"//"]
)  # fmt: skip
PATHS = st.lists(PIECES, max_size=12).map(lambda pieces: b"/" + b"".join(pieces))


def parsed(raw):
    try:
        return get(raw)
    except ProtocolError:
        return None


@given(st.sampled_from(["GET", "OPTIONS", "CONNECT"]), st.binary(max_size=30) | PATHS)
def test_parsing_raises_nothing_but_protocol_errors(method, raw):
    with contextlib.suppress(ProtocolError):
        parse_target(method, raw)


@given(PATHS)
@example(b"/a/%2e%2e/../b")
def test_no_dot_segment_is_left_and_no_spelling_of_one_is_forwarded(raw):
    target = parsed(raw)
    if target is not None:
        assert not {".", ".."} & set(target.path.split("/"))
        again = get(target.forward_path)
        assert (again.path, again.forward_path) == (target.path, target.forward_path)


@given(PATHS)
def test_what_is_matched_and_what_is_forwarded_have_the_same_segments(raw):
    target = parsed(raw)
    if target is not None:
        assert target.path.count("/") == target.forward_path.count(b"/")
        segments = target.path.split("/")
        for depth in range(1, len(segments)):
            base = "/".join(segments[:depth])
            rest = target.forward_after(base)
            assert rest.count(b"/") == target.path[len(base) :].count("/")
            assert target.forward_path.endswith(rest)


@given(PATHS)
def test_encoding_what_was_decoded_is_stable(raw):
    target = parsed(raw)
    if target is not None:
        encoded = encode_path(target.path)
        again = get(encoded)
        assert again.path == target.path
        assert encode_path(again.path) == encoded


@given(st.text(st.characters(exclude_characters="/\\%", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_a_segment_of_any_text_survives(segment):
    if segment not in {".", ".."}:
        assert get(encode_path("/" + segment)).path == "/" + segment
