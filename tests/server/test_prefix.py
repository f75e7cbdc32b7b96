"""URL prefixes: how they are written, which request they take, what they leave of its path."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostler.errors import PrefixError, ProtocolError
from hostler.server.prefix import Category, PrefixTable, UrlPrefix


def table(*texts):
    made = PrefixTable()
    for text in texts:
        made.add(UrlPrefix.parse(text))
    return made


def taker(made, host, path="/", *, port=80, local_ip="10.0.0.1", scheme="http"):
    found = made.match(scheme, host, port, local_ip, path)
    return found and str(found.prefix)


def split(made, path):
    found = made.match("http", "localhost", 80, "127.0.0.1", path)
    return found and (found.path_base, found.path)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "normalised"),
        [
            ("http://localhost:5000", "http://localhost:5000/"),
            ("http://localhost:5000/", "http://localhost:5000/"),
            ("http://+", "http://+:80/"),
            ("https://*", "https://*:443/"),
            ("http://*:8080/base", "http://*:8080/base/"),
            ("http://WWW.Example.com/Foo/", "http://www.example.com:80/Foo/"),
            ("http://www.example.com/foo?bar=baz", "http://www.example.com:80/foo?bar=baz/"),
            ("http://www.example.com/foo:bar", "http://www.example.com:80/foo:bar/"),
            ("http://h/base path", "http://h:80/base path/"),
            ("http://h//base", "http://h:80/base/"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/"),
            ("http://[::1]", "http://[::1]:80/"),
            ("http://[0:0:0:0:0:0:0:1]:65535", "http://[::1]:65535/"),
            ("http://bücher.example", "http://xn--bcher-kva.example:80/"),
            ("http://under_score", "http://under_score:80/"),
            ("http://localhost:0", "http://localhost:0/"),
            ("http://www.example.com./foo", "http://www.example.com:80/foo/"),
        ],
    )
    def test_a_prefix_is_normalised_and_its_text_parses_to_itself(self, text, normalised):
        prefix = UrlPrefix.parse(text)
        assert str(prefix) == normalised
        assert UrlPrefix.parse(normalised) == prefix

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("http://user:secret@h", "http://***@h"),
            ("http://user:se/cret@h", "http://***@h"),
            ("user:secret@h", "***@h"),
        ],
    )
    def test_an_error_names_no_password(self, text, shown):
        with pytest.raises(PrefixError) as caught:
            UrlPrefix.parse(text)
        assert str(caught.value) == (
            f"{shown!r} is not a URL prefix: it has a user; write it as http://host:port/path/"
        )

    @pytest.mark.parametrize(
        ("text", "reason", "remedy"),
        [
            ("", "no ://", "http://host:port/path/"),
            ("localhost:5000", "no ://", "http://host:port/path/"),
            ("HTTP://h", "scheme is 'HTTP'", "lower case"),
            ("ftp://h", "scheme is 'ftp'", "http:// or https://"),
            ("http://", "no host", "+ or *"),
            ("http:///x", "no host", "+ or *"),
            ("http://:80", "no host", "+ or *"),
            ("http://h:", "'' is not a port", "1 to 65535"),
            ("http://h:x", "'x' is not a port", "1 to 65535"),
            ("http://h:*", "'*' is not a port", "1 to 65535"),
            ("http://h:65536", "'65536' is not a port", "1 to 65535"),
            ("http://h:٣", "'٣' is not a port", "1 to 65535"),
            ("http://h:080", "'080' begins with a zero", "write 80"),
            ("http://::1:80", "more than one colon", "brackets"),
            ("http://[::1", "no IPv6 address in brackets", "[::1]:port"),
            ("http://[::1]80", "no IPv6 address in brackets", "[::1]:port"),
            ("http://[nine]", "no IPv6 address", "[::1]"),
            ("http://1.2.3.400", "no IPv4 address", "0 to 255"),
            ("http://*.example.com", "'*.example.com' is a pattern", "route"),
            ("http://a b", "'a b' is not a host name", "name, an address"),
            ("http://h?x", "'h?x' is not a host name", "name, an address"),
            ("http://..", "'..' is not a host name", "name, an address"),
            ("http://a..b", "'a..b' is not a host name", "name, an address"),
            ("http://" + "ü" * 80, "is not a host name", "name, an address"),
        ],
    )
    def test_an_error_names_the_text_the_reason_and_the_remedy(self, text, reason, remedy):
        with pytest.raises(PrefixError) as caught:
            UrlPrefix.parse(text)
        message = str(caught.value)
        assert message.startswith(f"{text!r} is not a URL prefix: ")
        assert reason in message
        assert remedy in message.partition("; ")[2]

    @given(st.text(alphabet="htps:/+*[].01a?@ ü"))
    def test_parsing_raises_nothing_but_prefix_errors_and_is_stable(self, rest):
        try:
            prefix = UrlPrefix.parse("http://" + rest)
        except PrefixError:
            return
        assert UrlPrefix.parse(str(prefix)) == prefix

    def test_prefixes_that_differ_by_case_are_equal(self):
        one, other = UrlPrefix.parse("http://H/Path"), UrlPrefix.parse("http://h/path/")
        assert one == other
        assert len({one, other}) == 1

    @pytest.mark.parametrize(
        ("host", "category", "addresses"),
        [
            ("+", Category.STRONG_WILDCARD, ("0.0.0.0", "::")),
            ("example.com", Category.HOST, ("0.0.0.0", "::")),
            ("localhost", Category.HOST, ("127.0.0.1", "::1")),
            ("192.168.1.5", Category.ADDRESS, ("192.168.1.5",)),
            ("[::1]", Category.ADDRESS, ("::1",)),
            ("0.0.0.0", Category.ADDRESS, ("0.0.0.0",)),
            ("*", Category.WEAK_WILDCARD, ("0.0.0.0", "::")),
        ],
    )
    def test_the_host_decides_the_category_and_the_addresses(self, host, category, addresses):
        prefix = UrlPrefix.parse(f"http://{host}:80/")
        assert prefix.category is category
        assert prefix.addresses() == addresses


class TestRegistration:
    def test_a_prefix_is_registered_once(self):
        made = table("http://h/Path")
        with pytest.raises(PrefixError, match="http://h:80/path/ is already registered"):
            made.add(UrlPrefix.parse("http://H:80/path/"))

    def test_the_same_path_may_be_in_each_category(self):
        assert len(table("http://+/a", "http://h/a", "http://10.0.0.1/a", "http://*/a", "http://h:81/a")) == 5

    def test_a_port_carries_one_scheme(self):
        made = table("http://h:443/")
        with pytest.raises(PrefixError, match="port 443 carries http already"):
            made.add(UrlPrefix.parse("https://other/"))

    def test_a_port_must_have_been_picked(self):
        with pytest.raises(PrefixError, match="has no port yet"):
            table("http://localhost:0")

    def test_what_is_removed_matches_no_more_and_frees_its_port(self):
        made = table("http://h/a", "http://h/", "https://x/")
        made.remove(UrlPrefix.parse("http://h/A/"))
        assert taker(made, "h", "/a") == "http://h:80/"
        made.remove(UrlPrefix.parse("http://h/"))
        assert taker(made, "h", "/a") is None
        made.add(UrlPrefix.parse("https://h:80/"))
        assert list(map(str, made)) == ["https://x:443/", "https://h:80/"]

    def test_what_is_not_registered_cannot_be_removed(self):
        with pytest.raises(PrefixError, match="is not registered"):
            table("http://h/").remove(UrlPrefix.parse("http://h/a"))

    def test_membership(self):
        made = table("http://h/a")
        assert UrlPrefix.parse("http://h/A") in made
        assert UrlPrefix.parse("http://h/b") not in made


class TestMatch:
    def test_the_categories_are_searched_in_order_until_one_has_a_match(self):
        """The example of the HTTP Server API's documentation."""
        made = table("http://+:80/vroot/", "http://adatum.com:80/", "http://*:80/")
        assert taker(made, "adatum.com", "/vroot/subdir/x") == "http://+:80/vroot/"
        assert taker(made, "adatum.com", "/default.htm") == "http://adatum.com:80/"
        assert taker(made, "other.com", "/x") == "http://*:80/"

    def test_an_earlier_category_beats_a_longer_path(self):
        made = table("http://h/", "http://*/a/b/c")
        assert taker(made, "h", "/a/b/c/d") == "http://h:80/"

    def test_an_address_takes_what_arrived_there_whatever_its_host(self):
        made = table("http://10.0.0.1/", "http://[fe80::1]/", "http://*/", "http://named/")
        assert taker(made, "any") == "http://10.0.0.1:80/"
        assert taker(made, "named") == "http://named:80/"
        assert taker(made, "any", local_ip="10.0.0.2") == "http://*:80/"
        assert taker(made, "any", local_ip="fe80::1%eth0") == "http://[fe80::1]:80/"

    def test_the_address_of_all_takes_every_address_of_its_family(self):
        made = table("http://0.0.0.0/", "http://10.0.0.1/")
        assert taker(made, "any", local_ip="10.0.0.1") == "http://10.0.0.1:80/"
        assert taker(made, "any", local_ip="10.0.0.2") == "http://0.0.0.0:80/"
        assert taker(made, "any", local_ip="::1") is None

    def test_localhost_takes_only_its_name(self):
        made = table("http://localhost/")
        assert taker(made, "localhost", local_ip="127.0.0.1") == "http://localhost:80/"
        assert taker(made, "127.0.0.1", local_ip="127.0.0.1") is None

    @pytest.mark.parametrize("host", ["*", "+", ""])
    def test_a_wildcard_is_no_name(self, host):
        assert taker(table("http://*/a", "http://+/b", "http://h/"), host, "/c") is None

    @pytest.mark.parametrize("text", ["http://*:80/", "http://h:80/"])
    def test_scheme_and_port_must_be_the_same(self, text):
        made = table(text)
        assert taker(made, "h") == text
        assert taker(made, "h", port=81) is None
        assert taker(made, "h", scheme="https") is None

    @pytest.mark.parametrize(
        ("path", "base"),
        [
            ("/", ""),
            ("/random", ""),
            ("/11", "/11"),
            ("/11/", "/11"),
            ("/11/1", "/11"),
            ("/11/2", "/11/2"),
            ("/11/2/3", "/11/2"),
            ("/111", ""),
            ("/2/3/random", "/2/3"),
            ("/2/33", "/2"),
            ("/2random", ""),
        ],
    )
    def test_the_longest_path_wins_by_whole_segments(self, path, base):
        made = table("http://*/", "http://*/11", "http://*/2/3", "http://*/2", "http://*/11/2")
        assert split(made, path) == (base, path[len(base) :])


class TestSplit:
    @pytest.mark.parametrize(
        ("prefix", "path", "expected"),
        [
            ("/", "/", ("", "/")),
            ("/", "", ("", "")),
            ("/", "///base", ("", "///base")),
            ("/basepath/", "/basepath", ("/basepath", "")),
            ("/basepath/", "/basepath/", ("/basepath", "/")),
            ("/basepath/", "/BasePath/SubPath", ("/BasePath", "/SubPath")),
            ("/basepath/", "/basepathx", None),
            ("/basepath/", "/", None),
            ("/basepath/", "", None),
            ("/base path/", "/base path/sub path", ("/base path", "/sub path")),
            ("/base", "///base/path1/path2", ("///base", "/path1/path2")),
            ("/base", "//base", ("//base", "")),
            ("/base", "///", None),
            ("/a/b", "//A//b", None),
            ("/a/b", "/a/b//c", ("/a/b", "//c")),
            ("/base", "/base/%2F", ("/base", "/%2F")),
            ("/i̇x", "/İx/İ", ("/İx", "/İ")),
        ],
    )
    def test_the_path_is_split_in_the_request_s_own_spelling(self, prefix, path, expected):
        assert split(table("http://*" + prefix), path) == expected

    @given(st.lists(st.sampled_from(["a", "A", "b", "", "c d"]), max_size=6).map(lambda s: "/" + "/".join(s)))
    def test_nothing_of_the_path_is_lost(self, path):
        base, rest = split(table("http://*/", "http://*/a", "http://*/a/b/a", "http://h/"), path)
        assert base + rest == path
        assert rest == "" or rest.startswith("/")


# -- Unix sockets and zones -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets are not on Windows")
def test_a_prefix_on_a_unix_socket():
    prefix = UrlPrefix.parse("http+unix://%2Frun%2Fapp.sock/Shop")
    assert (prefix.scheme, prefix.socket_path, prefix.path) == ("http", "/run/app.sock", "/Shop/")
    assert str(prefix) == "http+unix://%2Frun%2Fapp.sock/Shop/"
    assert UrlPrefix.parse(str(prefix)) == prefix
    assert UrlPrefix.parse("https+unix://%2Frun%2Fapp.sock").scheme == "https"


@pytest.mark.parametrize(
    "url", ["http+unix://app.sock/", "http+unix:///run/app.sock", "http+unix://%00abstract/"]
)
def test_a_unix_socket_has_an_absolute_path(url):
    with pytest.raises(PrefixError, match="does not name a socket by its absolute path"):
        UrlPrefix.parse(url)


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets are not on Windows")
def test_a_unix_socket_carries_one_scheme():
    made = PrefixTable()
    made.add(UrlPrefix.parse("http+unix://%2Fa/x/"))
    made.add(UrlPrefix.parse("https+unix://%2Fb/"))
    with pytest.raises(PrefixError, match="socket /a carries http already"):
        made.add(UrlPrefix.parse("https+unix://%2Fa/y/"))
    assert made.place("http", "any.example", ("/a", 0), "/x/y") == ("/x", "/y")
    with pytest.raises(ProtocolError):
        made.place("http", "any.example", ("/b", 0), "/x/y")


def test_an_address_with_a_zone():
    prefix = UrlPrefix.parse("http://[FE80::1%25eth0]:80/")
    assert str(prefix) == "http://[fe80::1%25eth0]:80/"
    assert prefix.addresses() == ("fe80::1%eth0",)
    made = PrefixTable()
    made.add(prefix)
    made.add(UrlPrefix.parse("http://[fe80::1%25eth1]:80/other/"))
    assert made.place("http", "x", ("fe80::1%eth0", 80), "/a") == ("", "/a")
    assert made.place("http", "x", ("fe80::1%eth1", 80), "/other/a") == ("/other", "/a")


@pytest.mark.parametrize(
    "host", ["[fe80::1%eth0]", "[fe80::1%25]", "[fe80::1%25a/b]", "[fe80::1%25a%25b]", "[::1%2]"]
)
def test_a_zone_is_written_behind_its_mark(host):
    with pytest.raises(PrefixError):
        UrlPrefix.parse(f"http://{host}:80/")
