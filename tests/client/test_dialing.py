"""Connecting to a host by name: which address is tried when, and that nothing is left over."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hostler.client import dialing
from hostler.client.dialing import MAX_ATTEMPTS, dial, in_turns, is_literal, race

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def silent():
    """An address that answers no connection: its backlog is full."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        for filling in (first, second):
            filling.setblocking(False)
            filling.connect_ex(full.getsockname())
        yield V4, full.getsockname()


def closed():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return V4, sock.getsockname()


@pytest.mark.parametrize(
    ("host", "literal"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("2001:db8::1", True),
        ("localhost", False),
        ("example.com", False),
        ("1", False),
        ("a\0", False),
    ],
)
def test_a_literal_address_is_not_looked_up(host, literal):
    assert is_literal(host) is literal


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        ([], []),
        ([(V4, 1)], [(V4, 1)]),
        ([(V6, 1), (V6, 2), (V4, 3)], [(V6, 1), (V4, 3), (V6, 2)]),
        ([(V4, 1), (V4, 2), (V6, 3), (V6, 4)], [(V4, 1), (V6, 3), (V4, 2), (V6, 4)]),
    ],
)
def test_families_take_turns_and_the_resolvers_first_stays_first(given, tried):
    assert list(in_turns(given)) == tried


async def test_an_address_that_refuses_is_followed_at_once(listening):
    connected = await race([closed(), (V4, listening.getsockname())], "there", delay=60)
    with connected:
        assert connected.getpeername() == listening.getsockname()


async def test_an_address_that_is_silent_is_followed_after_the_delay(listening, silent):
    connected = await race([silent, (V4, listening.getsockname())], "there", delay=0.01)
    with connected:
        assert connected.getpeername() == listening.getsockname()


async def test_the_first_address_is_not_raced_with_when_it_answers(listening, monkeypatch):
    tried = []
    attempt = dialing._attempt
    monkeypatch.setattr(dialing, "_attempt", lambda *address: tried.append(address) or attempt(*address))
    there = V4, listening.getsockname()
    (await race([there, closed(), closed()], "there")).close()
    assert tried == [there]


async def test_one_address_that_refuses_is_its_own_error():
    there = closed()
    with pytest.raises(ConnectionRefusedError, match=r"refused.* \(127\.0\.0\.1\)"):
        await race([there], "there")


async def test_several_that_refuse_are_one_error_that_names_each():
    with pytest.raises(OSError, match=r"none of the 2 addresses of there .*refused \(127.*refused \(::1"):
        await race([closed(), (V6, ("::1", closed()[1][1]))], "there")


async def test_of_very_many_addresses_some_are_tried():
    with pytest.raises(OSError, match=f"none of the {MAX_ATTEMPTS} addresses"):
        await race([closed()] * 10_000, "there")


async def test_whoever_gives_up_leaves_no_attempt_behind(silent):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await race([silent] * 3, "there", delay=0.01)


async def test_a_name_is_looked_up(listening):
    with await dial("localhost", listening.getsockname()[1]) as connected:
        assert connected.getpeername() == listening.getsockname()


@pytest.mark.parametrize("name", ["nowhere.invalid", "x" * 70 + ".invalid"])
async def test_a_name_that_is_none_is_an_error(name):
    with pytest.raises((OSError, UnicodeError)):
        await dial(name, 80)
