"""Believing proxies in front."""

import pytest

from hostler import TrustedProxies
from hostler.server.placing import place_anew
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.stages.trusted import TrustProxies
from hostler.testing import FakeStream, exchange

PROXY = ("10.0.0.2", 40000)
CLIENT = "203.0.113.9"
CLIENT_HEADERS = [("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", "https")]


class Placed(FakeStream):
    """The stream of a server with these URL prefixes."""

    def __init__(self, *prefixes):
        super().__init__(b"")
        self.placing = PrefixTable()
        for prefix in prefixes or ("http://*:80/",):
            self.placing.add(UrlPrefix.parse(prefix))


async def arrive(*headers, trusted=None, prefixes=(), target="/", peer=PROXY, host="backend", **options):
    """Return what stages behind see of a request, None where it was answered in front of them."""
    seen = []

    async def handler(exchange):
        seen.append(exchange)
        return await exchange.respond(200)

    made = exchange("GET", target, headers=headers, client=peer, host=host, stream=Placed(*prefixes))
    stage = TrustProxies(trusted or TrustedProxies(networks=["10.0.0.0/8"], **options), place_anew)
    await stage(made, handler)
    if not seen:
        assert made.stream.response.status == 400
        assert made.peer == made.client == peer
        return None
    return seen[0]


async def test_a_trusted_proxy_says_whom_a_request_is_from_and_how_it_came():
    seen = await arrive(*CLIENT_HEADERS)
    assert (seen.client, seen.peer) == ((CLIENT, 0), PROXY)
    assert (seen.scheme, seen.host, seen.port) == ("https", "backend", 443)


async def test_a_port_is_kept():
    assert (await arrive(("X-Forwarded-For", f"{CLIENT}:4711"))).client == (CLIENT, 4711)


@pytest.mark.parametrize("peer", ["192.0.2.1", "::10.0.0.2", "fd00::1", ""])
async def test_nobody_else_says_anything(peer):
    seen = await arrive(*CLIENT_HEADERS, ("X-Forwarded-Host", "other"), peer=(peer, 5), hosts=["*"])
    assert (seen.client, seen.peer, seen.scheme, seen.host) == ((peer, 5), (peer, 5), "http", "backend")
    assert "x-forwarded-for" not in seen.request.headers


@pytest.mark.parametrize("family", ["x-forwarded", "forwarded"])
async def test_the_other_family_is_never_looked_at(family):
    said = {"x-forwarded": ("Forwarded", f"for={CLIENT}"), "forwarded": ("X-Forwarded-For", CLIENT)}
    seen = await arrive(said[family], trusted=TrustedProxies(networks=["10.0.0.2"], headers=family))
    assert seen.client == PROXY
    assert list(seen.request.headers) == [("Host", "backend")]


async def test_forwarded_is_believed_where_it_is_the_family():
    trusted = TrustedProxies(networks=["10.0.0.2"], headers="forwarded", hosts=["example.org"])
    seen = await arrive(
        ("Forwarded", 'for=1.1.1.1, for="[2001:db8::1]:4711";proto=https;host=Example.org'),
        ("X-Forwarded-For", "192.0.2.77"),
        trusted=trusted,
    )
    assert (seen.client, seen.scheme, seen.host, seen.port) == (
        ("2001:db8::1", 4711),
        "https",
        "example.org",
        443,
    )


async def test_one_proxy_is_believed_by_default_whatever_the_list_says_in_front():
    assert (await arrive(("X-Forwarded-For", f"192.0.2.77, 10.0.0.3, {CLIENT}"))).client == (CLIENT, 0)
    assert (await arrive(("X-Forwarded-For", f"{CLIENT}, 10.0.0.3"))).client == ("10.0.0.3", 0)


async def test_a_limit_lets_that_many_trusted_ones_speak():
    chain = f"192.0.2.77, {CLIENT}, 10.0.0.4, 10.0.0.3"
    assert (await arrive(("X-Forwarded-For", chain), limit=2)).client == ("10.0.0.4", 0)
    assert (await arrive(("X-Forwarded-For", chain), limit=3)).client == (CLIENT, 0)
    assert (await arrive(("X-Forwarded-For", chain), limit=4)).client == (CLIENT, 0)
    assert (await arrive(("X-Forwarded-For", chain), limit=None)).client == (CLIENT, 0)


async def test_a_second_line_is_the_end_of_the_same_list():
    seen = await arrive(("X-Forwarded-For", "192.0.2.77"), ("x-forwarded-for", CLIENT))
    assert seen.client == (CLIENT, 0)
    assert seen.header_values(b"x-forwarded-for") == []


@pytest.mark.parametrize("end", ["", "unknown", "_hidden"])
async def test_a_proxy_that_hides_its_client_is_the_last(end):
    seen = await arrive(
        ("X-Forwarded-For", f"{CLIENT}, {end}, 10.0.0.3" if end else "10.0.0.3"),
        ("X-Forwarded-Proto", "https"),
        limit=None,
    )
    assert (seen.client, seen.scheme) == (("10.0.0.3", 0), "https")


async def test_what_cannot_be_read_ends_the_way_at_the_last_good_hop():
    assert (await arrive(("X-Forwarded-For", f"{CLIENT}, 10.0.0.300, 10.0.0.3"), limit=None)).client == (
        "10.0.0.3",
        0,
    )
    seen = await arrive(("X-Forwarded-For", "\xff\xfe"), ("X-Forwarded-Proto", "https"))
    assert (seen.client, seen.peer, seen.scheme) == (PROXY, PROXY, "http")


async def test_a_scheme_alone_is_believed():
    seen = await arrive(("X-Forwarded-Proto", "https"))
    assert (seen.client, seen.scheme, seen.port) == (PROXY, "https", 443)


async def test_a_port_that_host_names_stays():
    assert (await arrive(*CLIENT_HEADERS, host="backend:8080")).port == 8080


async def test_the_scheme_of_the_nearest_proxy_stands_where_the_ones_in_front_say_none():
    seen = await arrive(("X-Forwarded-For", f"{CLIENT}, 10.0.0.3"), ("X-Forwarded-Proto", "https"), limit=2)
    assert (seen.client, seen.scheme) == ((CLIENT, 0), "https")


async def test_a_unix_sockets_peer_is_trusted_where_it_is_named():
    seen = await arrive(*CLIENT_HEADERS, peer=("", 0), trusted=TrustedProxies(networks=["unix"]))
    assert (seen.client, seen.peer) == ((CLIENT, 0), ("", 0))


async def test_what_another_process_has_said_stands():
    stream = FakeStream(b"")
    stream.placing = None
    made = exchange(headers=CLIENT_HEADERS, client=PROXY, stream=stream)

    async def handler(exchange):
        return await exchange.respond(200)

    await TrustProxies(TrustedProxies(networks=["10.0.0.2"]), place_anew)(made, handler)
    assert made.client == PROXY
    assert made.header_values(b"x-forwarded-for") == [CLIENT.encode()]


class TestHost:
    async def test_host_stays_without_hosts_that_are_allowed(self):
        seen = await arrive(*CLIENT_HEADERS, ("X-Forwarded-Host", "example.org"))
        assert (seen.host, seen.request.host) == ("backend", b"backend")

    async def test_an_allowed_host_is_the_one_that_was_asked_for(self):
        seen = await arrive(
            *CLIENT_HEADERS, ("X-Forwarded-Host", "WWW.example.org:8443"), hosts=["*.example.org"]
        )
        assert (seen.host, seen.port, seen.scheme) == ("www.example.org", 8443, "https")
        assert list(seen.request.headers) == [("Host", "WWW.example.org:8443")]
        assert seen.request.host == b"WWW.example.org:8443"

    async def test_any_other_is_passed_over(self):
        seen = await arrive(*CLIENT_HEADERS, ("X-Forwarded-Host", "example.com"), hosts=["*.example.org"])
        assert (seen.client, seen.host) == ((CLIENT, 0), "backend")

    async def test_the_url_prefix_is_the_one_of_the_host(self):
        prefixes = ("http://backend:80/", "http://example.org:80/shop/")
        seen = await arrive(
            ("X-Forwarded-Host", "example.org"),
            ("X-Forwarded-For", CLIENT),
            hosts=["*"],
            prefixes=prefixes,
            target="/Shop/cart%2Fs?q=1",
        )
        assert (seen.path_base, seen.path) == ("/Shop", "/cart%2Fs")
        assert seen.place_reading("/shop/x") == ("/shop", "/x")
        assert seen.place_reading("/x") is None

    @pytest.mark.parametrize("host", ["a b", "a,b@c", "[::1", "a:b", "\xff", "a/b"])
    async def test_what_is_no_host_is_rejected(self, host):
        assert await arrive(*CLIENT_HEADERS, ("X-Forwarded-Host", host), hosts=["*"]) is None

    async def test_a_host_that_no_url_prefix_takes_is_rejected(self):
        assert (
            await arrive(
                *CLIENT_HEADERS,
                ("X-Forwarded-Host", "example.org"),
                hosts=["*"],
                prefixes=("http://backend:80/",),
            )
            is None
        )

    async def test_the_host_goes_with_its_hop(self):
        said = ("X-Forwarded-For", f"{CLIENT}, 10.0.0.3"), ("X-Forwarded-Host", "outer, inner")
        assert (await arrive(*said, hosts=["*"])).host == "inner"
        assert (await arrive(*said, hosts=["*"], limit=2)).host == "outer"
        assert (await arrive(*said, hosts=["inner"], limit=2)).host == "inner"
