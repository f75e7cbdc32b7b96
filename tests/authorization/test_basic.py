"""Names and passwords: who is let in, and what an attacker can make the proxy do."""

from __future__ import annotations

import asyncio
import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from hostler.authorization import Denied, Granted
from hostler.authorization.basic import Basic, BusyError, Passwords
from hostler.config.access import BasicDefinition
from hostler.testing import FakeClock, exchange

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
USERS = {
    "alice": HASHER.hash("open: sesame"),
    "b\u00f6rje": HASHER.hash("\u043f\u0430\u0440\u043e\u043b\u044c"),
}
CHALLENGE = (("WWW-Authenticate", 'Basic realm="orders", charset="UTF-8"'),)


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


async def decide(*values, policy=None):
    policy = policy or Basic(BasicDefinition(USERS), "orders")
    return await policy(exchange(headers=[("Authorization", value) for value in values]))


@pytest.mark.parametrize(
    ("pair", "user"),
    [("alice:open: sesame", "alice"), ("b\u00f6rje:\u043f\u0430\u0440\u043e\u043b\u044c", "b\u00f6rje")],
)
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC "])
async def test_who_knows_a_password_is_let_in(scheme, pair, user):
    assert await decide(f"{scheme} {encoded(pair)}") == Granted(user)


@pytest.mark.parametrize(
    "pair",
    ["alice:open", "alice:", "alice:open: sesame ", "Alice:open: sesame", "bob:open: sesame", ":", "a:b"],
)
async def test_who_does_not_is_not(pair):
    denied = await decide(f"Basic {encoded(pair)}")
    assert (denied.status, denied.headers, denied.reason) == (401, CHALLENGE, "wrong name or password")


@pytest.mark.parametrize(
    "value",
    [
        "", "Basic", "Basic ", "Bearer abc", "Basic !", "Basic YWxpY2U", "Basic caf\xe9", f"Basic {encoded('alice')}",
        f"Basic {encoded(b'alice:' + bytes([0xFF]))}", f"Basic {encoded('alice:a' + chr(0))}", f"Basic {'A' * 30_000}",
        f"Basic {encoded('alice:' + 'x' * 1100)}", "Basic a b c", f"Basic {encoded('alice:x')}, Basic eA==",
    ],
    ids=lambda value: value[:24],
)  # fmt: skip
async def test_what_is_no_name_and_password(value):
    denied = await decide(value)
    assert (denied.status, denied.headers, denied.reason) == (401, CHALLENGE, "no name and password")


async def test_none_and_two():
    assert (await decide()).headers == CHALLENGE
    assert (await decide(*[f"Basic {encoded('alice:open: sesame')}"] * 2)).status == 400


class Verifier:
    """Checks passwords as Argon2 does, counts, and can be held up."""

    def __init__(self, right=b"right"):
        self.right = right
        self.checked = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, hashed, password):
        self.checked.append((hashed, password))
        assert self.open.wait(10)
        if password != self.right:
            raise VerifyMismatchError


@pytest.fixture
def verifier():
    verifier = Verifier()
    yield verifier
    verifier.open.set()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def passwords(verifier, clock):
    return Passwords({"alice": "hash-a", "bob": "hash-b"}, verify=verifier, clock=clock)


async def test_a_name_that_nobody_has_costs_as_much(passwords, verifier):
    assert not await passwords.check(b"nobody", b"right", "c")
    assert verifier.checked == [("hash-a", b"right")]


async def test_a_verdict_is_remembered_for_a_while(passwords, verifier, clock):
    for _ in range(3):
        assert await passwords.check(b"bob", b"right", "c")
        assert not await passwords.check(b"bob", b"wrong", "c")
    assert len(verifier.checked) == 2
    clock.advance(30)
    await passwords.check(b"bob", b"right", "c")
    await passwords.check(b"bob", b"wrong", "c")
    assert len(verifier.checked) == 3
    clock.advance(300)
    await passwords.check(b"bob", b"right", "c")
    assert len(verifier.checked) == 4


async def test_who_is_in_stays_in_while_others_guess(passwords, verifier, clock):
    assert await passwords.check(b"bob", b"right", "good")
    verifier.open.clear()
    flood = [asyncio.create_task(passwords.check(b"bob", b"%d" % n, f"c{n}")) for n in range(64)]
    await asyncio.sleep(0)
    for _ in range(4):
        clock.advance(200)
        assert await passwords.check(b"bob", b"right", "good")
    verifier.open.set()
    await asyncio.gather(*flood)


async def test_a_verdict_is_for_that_name_and_that_password(passwords, verifier):
    assert await passwords.check(b"alice", b"right", "c")
    assert not await passwords.check(b"alicer", b"ight", "c")
    assert not await passwords.check(b"nobody", b"right", "c")
    assert len(verifier.checked) == 3


async def test_the_same_password_many_times_at_once_is_checked_once(passwords, verifier):
    verifier.open.clear()
    asking = [asyncio.create_task(passwords.check(b"bob", b"right", "c")) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    verifier.open.set()
    assert await asyncio.gather(*asking[1:]) == [True] * 49
    assert len(verifier.checked) == 1


async def test_a_flood_of_one_client_leaves_room_for_others(passwords, verifier):
    assert await passwords.check(b"bob", b"right", "good")
    verifier.open.clear()
    flood = [asyncio.create_task(passwords.check(b"bob", b"%d" % n, "evil")) for n in range(200)]
    await asyncio.sleep(0)
    assert await passwords.check(b"bob", b"right", "good")  # remembered
    other = asyncio.create_task(passwords.check(b"alice", b"right", "good"))
    await asyncio.sleep(0)
    verifier.open.set()
    assert await other
    results = await asyncio.gather(*flood, return_exceptions=True)
    assert sum(isinstance(result, BusyError) for result in results) == 184


async def test_a_flood_of_many_clients_is_bounded(passwords, verifier):
    verifier.open.clear()
    flood = [asyncio.create_task(passwords.check(b"bob", b"%d" % n, f"c{n}")) for n in range(200)]
    await asyncio.sleep(0)
    verifier.open.set()
    results = await asyncio.gather(*flood, return_exceptions=True)
    assert sum(isinstance(result, BusyError) for result in results) == 136
    assert len(verifier.checked) == 64


async def test_who_finds_the_line_full_is_told_to_come_again(passwords, verifier):
    verifier.open.clear()
    flood = [asyncio.create_task(passwords.check(b"bob", b"%d" % n, f"c{n}")) for n in range(64)]
    await asyncio.sleep(0)
    denied = await decide(
        f"Basic {encoded('bob:right')}", policy=Basic(BasicDefinition(USERS), "r", passwords=passwords)
    )
    assert isinstance(denied, Denied)
    assert (denied.status, denied.headers) == (503, (("Retry-After", "1"),))
    verifier.open.set()
    await asyncio.gather(*flood)


async def test_the_event_loop_goes_on_while_a_password_is_checked(passwords, verifier):
    verifier.open.clear()
    checking = asyncio.create_task(passwords.check(b"bob", b"right", "c"))
    with ThreadPoolExecutor(1) as other:
        await asyncio.get_running_loop().run_in_executor(other, lambda: None)
    assert not checking.done()
    verifier.open.set()
    assert await checking
