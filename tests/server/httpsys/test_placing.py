"""Where the path base ends: at the prefix that HTTP.sys matched, in the request's own spelling (B3 of UrlPrefix)."""

import pytest

from hostler.errors import ProtocolError
from hostler.http.target import parse_target
from hostler.server.base import QueueMode
from hostler.server.httpsys.placing import Prefixes
from hostler.server.httpsys.queue import create_queue
from hostler.server.prefix import UrlPrefix
from tests.server.httpsys.served import served

SERVER = ("127.0.0.1", 80)


def prefix(path, host="localhost", port=80):
    return UrlPrefix.parse(f"http://{host}:{port}{path}")


def place(prefixes, path, context=0):
    """Place a request for `path` that carries `context`."""
    target = parse_target("GET", path.encode())
    return prefixes.placing(context).place("http", "localhost", SERVER, target.path)


def own(path):
    """Know one prefix of our own, by context 7."""
    prefixes = Prefixes()
    prefixes.own({7: prefix(path)})
    return prefixes


@pytest.mark.parametrize(
    ("given", "path", "expected"),
    [
        ("/", "/", ("", "/")),
        ("/", "/a/b", ("", "/a/b")),
        ("/", "//a", ("", "//a")),
        ("/base/", "/base", ("/base", "")),
        ("/base/", "/base/", ("/base", "/")),
        ("/base/", "/base/x/y", ("/base", "/x/y")),
        ("/base/", "/BASE/x", ("/BASE", "/x")),
        ("/Base/", "/bASE/x", ("/bASE", "/x")),
        ("/base/", "/based/x", ("", "/based/x")),
        ("/base/", "///base/path1/path2", ("///base", "/path1/path2")),
        ("/base/", "//base", ("//base", "")),
        ("/base/", "/other", ("", "/other")),
        ("/a/b/", "/a/b/c", ("/a/b", "/c")),
        ("/a/b/", "/a/bc", ("", "/a/bc")),
        ("/base path/", "/base%20path/sub%20path", ("/base path", "/sub path")),
        ("/base/", "/base/%2F", ("/base", "/%2F")),
        ("/base/", "/base/%252F", ("/base", "/%2F")),
        ("/base/", "/base%2Fx", ("", "/base%2Fx")),
        ("/a/b/", "/a%2fb/c", ("/a%2Fb", "/c")),
        ("/a/b/", "/a%5Cb/c", ("/a\\b", "/c")),
        ("/a/b/", "/a//b/c", ("/a//b", "/c")),
        ("/a/b/", "/%5C%2F/a/%2Fb", ("/\\%2F/a/%2Fb", "")),
        ("/a/b/", "/A%2FB//c", ("/A%2FB", "//c")),
        ("/a/b/", "/a%2Fb%2Fc", ("", "/a%2Fb%2Fc")),
        ("/a/b/", "/a%5Cb%5Cc", ("", "/a\\b\\c")),
        ("/a.b/", "/axb/c", ("", "/axb/c")),
        ("/stra\u00dfe/", "/stra%C3%9Fe/x", ("/stra\u00dfe", "/x")),
    ],
)
def test_a_request_is_placed_by_the_prefix_of_its_context(given, path, expected):
    assert place(own(given), path, 7) == expected


def test_of_several_prefixes_of_our_own_the_context_decides():
    prefixes = Prefixes()
    prefixes.own({1: prefix("/a/"), 2: prefix("/a/b/"), 3: prefix("/", "*")})
    assert [place(prefixes, "/a/b/c", context) for context in (1, 2, 3)] == [
        ("/a", "/b/c"), ("/a/b", "/c"), ("", "/a/b/c"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/2/3/random", ("/2/3", "/random")),
        ("/2/x", ("/2", "/x")),
        ("/11", ("/11", "")),
        ("/11/2/", ("/11/2", "/")),
        ("/1", ("", "/1")),
        ("/", ("", "/")),
    ],
)
def test_of_prefixes_that_others_registered_the_longest_decides(path, expected):
    prefixes = Prefixes()
    prefixes.note([prefix(each) for each in ("/", "/11/", "/2/3/", "/2/", "/11/2/")])
    assert place(prefixes, path, 99) == expected


def test_prefixes_that_others_registered_are_known_by_path_whatever_their_hosts():
    prefixes = Prefixes()
    prefixes.note([prefix("/a/", "one", 81)])
    prefixes.note([prefix("/a/b/", "*", 82), prefix("/A/", "two")])
    assert place(prefixes, "/a/b/c") == ("/a/b", "/c")
    assert place(prefixes, "/a/c") == ("/a", "/c")


def test_our_own_are_for_their_contexts_only():
    prefixes = own("/a/")
    assert place(prefixes, "/a/b", 8) == ("", "/a/b")


def test_without_any_the_whole_path_is_the_path():
    assert place(Prefixes(), "/a/b") == ("", "/a/b")


def test_the_last_list_of_our_own_counts():
    prefixes = own("/a/")
    prefixes.own({8: prefix("/b/")})
    assert place(prefixes, "/a/x", 7) == ("", "/a/x")
    assert place(prefixes, "/b/x", 8) == ("/b", "/x")


def test_a_target_without_a_path_is_the_root():
    prefixes = own("/")
    assert prefixes.placing(7).place("http", "", SERVER, parse_target("OPTIONS", b"*").path) == ("", "/")


def test_what_is_forwarded_begins_where_a_folded_path_base_ends():
    target = parse_target("GET", b"/A%2Fb//c%20d/e")
    base, path = own("/a/b/").placing(7).place("http", "localhost", SERVER, target.path)
    assert (base, path, target.forward_after(base)) == ("/A%2Fb", "//c d/e", b"//c%20d/e")


# -- on the machine ---------------------------------------------------------------------------------------------------


async def placed(exchange):
    return await exchange.respond(200, f"{exchange.path_base}|{exchange.path}")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("///baSe//ball//path1//path2", "///baSe//ball|//path1//path2"),
        ("/base%2fball//path1//path2", "/base%2Fball|//path1//path2"),
        ("/base%5cball//path1//path2", "/base\\ball|//path1//path2"),
        ("/base/%2Fball//path1//path2", "/base/%2Fball|//path1//path2"),
        ("/base/%5Cball//path1//path2", "/base/\\ball|//path1//path2"),
        ("/base/call/../ball//path1//path2", "/base/ball|//path1//path2"),
        ("/base/call/.%2e/ball//path1//path2", "/base/ball|//path1//path2"),
        # HTTP.sys takes the two slashes for one before the dots are gone: what it matched is no front of the path
        ("/base/call//../ball//path1//path2", "|/base/call/ball//path1//path2"),
    ],
)
async def test_path_bases_are_those_that_aspnet_has(machine, target, expected):
    """What its RequestTests (Request_WithPathBase) see on Windows; a bare backslash is refused here."""
    async with served(machine.process(), placed, urls=["http://localhost:80/base/ball/"]):
        response = await machine.client().request("GET", f"http://localhost{target}").response()
        assert response.body.decode() == expected


@pytest.mark.parametrize("mode", [None, QueueMode.CREATE, QueueMode.CREATE_OR_ATTACH])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost/a/b", b"/a|/b"),
        ("http://localhost/a/deep/b", b"/a/deep|/b"),
        ("http://localhost/A", b"/A|"),
        ("http://localhost/a%2Fdeep/b", b"/a%2Fdeep|/b"),
        ("http://localhost/a%5Cdeep/b", b"/a\\deep|/b"),
        ("http://localhost//a//deep/b", b"//a//deep|/b"),
        ("http://other/a/deep/b", b"|/a/deep/b"),
        ("http://localhost:81/a/b", b"|/a/b"),
    ],
)
async def test_what_the_machine_matched_is_where_the_path_base_ends(machine, mode, url, expected):
    there = create_queue(machine.process(), "q") if mode is QueueMode.CREATE_OR_ATTACH else None
    urls = ["http://localhost:80/a/", "http://localhost:80/a/deep/", "http://*:80/", "http://+:81/"]
    queue = None if mode is None else ("q", mode)
    async with served(machine.process(), placed, urls=urls, queue=queue):
        assert (await machine.client().request("GET", url).response()).body == expected
    if there is not None:
        there.close()


class TestAnotherHost:
    """Where a request belongs whose client, by a proxy's word, asked for another host than HTTP.sys has matched."""

    def place(self, prefixes, host, path):
        return prefixes.place("http", host, SERVER, path)

    def test_the_prefix_of_that_host_takes_it(self):
        prefixes = Prefixes()
        prefixes.own({1: prefix("/", "one"), 2: prefix("/shop/", "two")})
        assert self.place(prefixes, "two", "/shop/a") == ("/shop", "/a")
        assert self.place(prefixes, "one", "/shop/a") == ("", "/shop/a")

    def test_what_no_prefix_takes_is_refused(self):
        prefixes = Prefixes()
        prefixes.own({1: prefix("/", "one"), 2: prefix("/shop/", "two")})
        for host, path, status in (("three", "/", 400), ("two", "/", 404)):
            with pytest.raises(ProtocolError) as raised:
                self.place(prefixes, host, path)
            assert raised.value.status == status

    def test_prefixes_of_another_process_are_matched_by_path(self):
        prefixes = Prefixes()
        prefixes.note([prefix("/shop/", "two")])
        assert self.place(prefixes, "anything", "/shop/a") == ("/shop", "/a")
