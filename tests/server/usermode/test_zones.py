"""Listening on, and connecting to, link-local addresses: in a network of their own, where that may be made."""

import shutil
import subprocess
import sys

import pytest

from hostler import ListenError, serving

PROGRAM = """
import asyncio, hostler, httpx
from hostler.client.forwarder import Forwarder

async def answer(exchange):
    return await exchange.respond(200, f"{exchange.client[0]} {exchange.server[0]} {exchange.request.host.decode()}")

async def main():
    async with hostler.serving(answer, ["http://[fe80::1%25lo]:8080/"]) as there:
        assert there.url == "http://[fe80::1%25lo]:8080", there.url
        forwarder = Forwarder()
        async with hostler.serving(lambda exchange: forwarder.send(exchange, there.url)) as front:
            async with httpx.AsyncClient(trust_env=False) as http:
                print((await http.get(front.url)).text)
        forwarder.close()

asyncio.run(main())
"""

NETWORK = ["unshare", "--map-root-user", "--net"]


def can_make_network():
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    made = subprocess.run([*NETWORK, "true"], check=False, capture_output=True)
    return made.returncode == 0


@pytest.mark.skipif(not can_make_network(), reason="this user may not make networks")
def test_a_link_local_address_is_listened_on_and_forwarded_to():
    setup = 'ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec "$@"'
    done = subprocess.run(
        [*NETWORK, "sh", "-c", setup, "sh", sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stdout == "fe80::1%lo fe80::1%lo [fe80::1]:8080\n", done.stderr


async def test_an_interface_that_is_not_there_is_named():
    async def answer(exchange):
        raise AssertionError(exchange)

    with pytest.raises(ListenError, match="none0 is no network interface of this machine"):
        async with serving(answer, ["http://[fe80::1%25none0]:8080/"]):
            raise AssertionError("it listens")
