"""What becomes of a destination whose name has addresses."""

from __future__ import annotations

import socket

import pytest

from hostler import Destination, Resolver, queue
from hostler.client.dns import DnsResolver
from hostler.config.model import AddressFamily

ADDRESSES = {
    "shop.example": ["10.0.0.2", "2001:db8::1", "10.0.0.1", "10.0.0.1", "fe80::1%eth0"],
    "health.example": ["10.9.9.9"],
}


async def look_up(host, port, *, family, type):  # noqa: A002 - as asyncio has it
    found = [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, type, 6, "", (address, port))
        for address in ADDRESSES.get(host, ())
    ]
    found = [one for one in found if family in {socket.AF_UNSPEC, one[0]}]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return found


async def resolve(destination, **settings):
    found = await DnsResolver(Resolver(**settings), look_up)(destination)
    return [(one.id, one.address, one.health, one.host) for one in found]


async def test_each_address_is_a_destination_with_the_names_authority():
    assert await resolve(Destination("http://shop.example:8080/base", id="a")) == [
        ("a[10.0.0.1]", "http://10.0.0.1:8080/base", None, "shop.example:8080"),
        ("a[10.0.0.2]", "http://10.0.0.2:8080/base", None, "shop.example:8080"),
        ("a[[2001:db8::1]]", "http://[2001:db8::1]:8080/base", None, "shop.example:8080"),
    ]


@pytest.mark.parametrize(
    ("family", "ids"),
    [
        (AddressFamily.INTER_NETWORK, ["a[10.0.0.1]", "a[10.0.0.2]"]),
        (AddressFamily.INTER_NETWORK_V6, ["a[[2001:db8::1]]"]),
    ],
)
async def test_one_family_of_addresses(family, ids):
    found = await resolve(Destination("http://shop.example", id="a"), address_family=family)
    assert [one[0] for one in found] == ids


async def test_a_host_of_its_own_stays_and_health_is_at_the_same_address():
    given = Destination(
        "https://shop.example",
        id="a",
        host="other.example",
        health="http://health.example:81/up",
        metadata={"zone": "b"},
        weight=3,
    )
    found = list(await DnsResolver(Resolver(), look_up)(given))
    assert (found[0].address, found[0].health, found[0].host) == (
        "https://10.0.0.1", "http://10.0.0.1:81/up", "other.example",
    )  # fmt: skip
    assert [(one.metadata["zone"], one.weight) for one in found] == [("b", 3)] * 3


@pytest.mark.parametrize(
    "given",
    [
        Destination("http://10.0.0.7:81", id="a"),
        Destination("http://[::1]", id="a"),
        Destination("http://localhost:81", id="a"),
        Destination("http+unix://%2Frun%2Fapp.sock", id="a"),
        queue("a", "http://*:80/"),
    ],
    ids=lambda given: given.address,
)
async def test_what_is_no_name_stays_as_it_is(given):
    assert list(await DnsResolver(Resolver(), look_up)(given)) == [given]


async def test_a_name_that_is_none_is_an_error():
    with pytest.raises(OSError, match="not known"):
        await resolve(Destination("http://nowhere.example", id="a"))


async def test_the_systems_resolver():
    (found,) = await DnsResolver(Resolver(address_family=AddressFamily.INTER_NETWORK))(
        Destination("http://127.1:81", id="a")  # which is looked up, though no server is asked
    )
    assert (found.id, found.address, found.host) == ("a[127.0.0.1]", "http://127.0.0.1:81", "127.1:81")
