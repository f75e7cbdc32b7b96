"""An encrypted connection, record by record."""

import asyncio
import ssl
from itertools import pairwise

import pytest

from hostler.tls import transport
from tests.tls.key_updates import key_updates
from tests.tls.peers import connected

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
LARGE = bytes(range(256)) * (1 << 14)


@VERSIONS
async def test_bytes_go_both_ways(tmp_path, version):
    async with connected(tmp_path, version=version) as (ours, peer):
        await peer.send(peer.records(b"hello"))
        await ours.until(lambda: ours.received == b"hello")
        ours.transport.write(b"good ")
        ours.transport.writelines([b"day", b"!"])
        assert await peer.read(9) == b"good day!"


async def test_the_records_of_one_read_arrive_as_one_piece(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        await peer.send(peer.records(*[b"x"] * 500))
        await ours.until(lambda: len(ours.received) == 500)
        assert len(ours.pieces) < 10


async def test_records_arrive_that_come_byte_by_byte(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        for byte in peer.records(b"hello", b"world"):
            await peer.send(bytes((byte,)))
        await ours.until(lambda: ours.received == b"helloworld")


@VERSIONS
async def test_empty_records_are_nothing(tmp_path, version):
    async with connected(tmp_path, version=version) as (ours, peer):
        await peer.send(peer.records(b"", b"a", b"", b"b"))
        await ours.until(lambda: ours.received == b"ab")
        ours.transport.write(b"")
        ours.transport.write(b"c")
        assert await peer.read(1) == b"c"


async def test_nothing_arrives_while_reading_is_paused(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        ours.on_data = lambda data: ours.transport.pause_reading()
        await peer.send(peer.records(b"first"))
        await ours.until(lambda: ours.received)
        sending = asyncio.ensure_future(peer.send(peer.records(LARGE) + peer.goodbye()))
        await asyncio.sleep(0)
        assert (ours.received, ours.events) == (b"first", [])
        ours.on_data = lambda data: None
        ours.transport.resume_reading()
        await ours.until(lambda: ours.events == ["eof"])
        assert ours.received == b"first" + LARGE
        await sending


async def test_the_end_comes_behind_what_came_before_it_however_often_reading_pauses(tmp_path):
    loop = asyncio.get_running_loop()

    def rest(data):
        ours.transport.pause_reading()
        loop.call_soon(ours.transport.resume_reading)

    async with connected(tmp_path) as (ours, peer):
        ours.on_data = rest
        await peer.send(peer.records(b"a", b"b") + peer.goodbye())
        peer.socket.close()
        await ours.until(lambda: "eof" in ours.events)
        assert (ours.received, ours.events) == (b"ab", ["eof"])


async def test_a_large_write_arrives_whole_and_in_order(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        ours.transport.write(LARGE)
        ours.transport.write(b"tail")
        ours.transport.write(bytearray(LARGE))
        assert await peer.read(2 * len(LARGE) + 4) == LARGE + b"tail" + LARGE


async def test_of_a_large_write_little_is_encrypted_ahead(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        ours.transport.write(LARGE)
        ours.transport.write(LARGE)
        assert ours.events == ["pause"]
        assert len(LARGE) < ours.transport.get_write_buffer_size() <= 2 * len(LARGE)
        assert ours.transport._raw.get_write_buffer_size() <= 1 << 19
        assert await peer.read(2 * len(LARGE)) == LARGE + LARGE
        await ours.until(lambda: ours.events[-1] == "resume")
        assert ours.events.count("resume") == ours.events.count("pause") == 1
        assert ours.transport.get_write_buffer_size() == 0


@pytest.mark.parametrize("end", ["close", "write_eof"])
async def test_what_was_written_is_sent_before_the_end(tmp_path, end):
    async with connected(tmp_path) as (ours, peer):
        ours.transport.write(LARGE)
        getattr(ours.transport, end)()
        ours.transport.write(b"too late")
        assert await peer.read(2 * len(LARGE)) == LARGE
        assert peer.tls.read(1) == b""  # by close_notify


async def test_the_other_side_may_go_on_after_ours_has_ended(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        ours.transport.write_eof()
        assert await peer.read(1) == b""
        await peer.send(peer.records(b"more"))
        await ours.until(lambda: ours.received == b"more")
        await peer.send(peer.goodbye())
        await ours.until(lambda: ours.events == ["eof"])


async def test_what_came_before_our_end_is_not_lost(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        ours.on_data = lambda data: ours.transport.write_eof()
        await peer.send(peer.records(b"a") + peer.records(b"b")[:10])
        await ours.until(lambda: ours.received == b"a")
        assert await peer.read(1) == b""


@VERSIONS
async def test_an_end_without_close_notify_is_an_end(tmp_path, version):
    async with connected(tmp_path, version=version) as (ours, peer):
        await peer.send(peer.records(b"all"))
        peer.socket.close()
        await ours.until(lambda: "eof" in ours.events)
        assert ours.received == b"all"


async def test_what_was_tampered_with_ends_the_connection(tmp_path):
    async with connected(tmp_path) as (ours, peer):
        good, bad = peer.records(b"good"), bytearray(peer.records(b"bad"))
        bad[-1] ^= 1
        await peer.send(good + bad)
        await ours.until(lambda: "lost: SSLError" in ours.events)
        assert ours.received == b"good"
        with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
            await peer.read(1)


async def test_an_alert_ends_the_connection(tmp_path):
    async with connected(tmp_path, version=ssl.TLSVersion.TLSv1_2) as (ours, peer):
        await peer.send(b"\x17\x03\x03\x00\x05wrong")
        await ours.until(lambda: "lost: SSLError" in ours.events)


async def test_after_an_abort_nothing_is_sent(tmp_path):
    async with connected(tmp_path) as (ours, _):
        ours.transport.write(LARGE)
        ours.transport.abort()
        ours.transport.write(b"too late")
        assert ours.transport.is_closing()
        assert not ours.transport._waiting


async def test_many_small_records_leave_others_their_turn(tmp_path):
    turns = []

    async def others():
        while len(ours.received) < total:
            turns.append(len(ours.received))
            await asyncio.sleep(0)

    total = 100_000
    async with connected(tmp_path) as (ours, peer):
        sending = asyncio.ensure_future(peer.send(peer.records(*[b"x"] * total)))
        await others()
        await sending
        assert max(after - before for before, after in pairwise(turns)) < 25_000


async def test_others_have_their_turn_between_slices_of_one_read(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "SHARE", 0.0)
    total = 20_000
    async with connected(tmp_path) as (ours, peer):
        sending = asyncio.ensure_future(peer.send(peer.records(*[b"x"] * total) + peer.goodbye()))
        await ours.until(lambda: ours.events == ["eof"])
        await sending
        assert ours.received == b"x" * total
        assert max(map(len, ours.pieces)) < 200


async def test_what_waits_for_its_turn_waits_for_whoever_has_paused(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "SHARE", 0.0)
    loop = asyncio.get_running_loop()

    def rest(data):
        ours.transport.pause_reading()
        loop.call_soon(ours.transport.resume_reading)

    async with connected(tmp_path) as (ours, peer):
        ours.on_data = rest
        sending = asyncio.ensure_future(peer.send(peer.records(*[b"x"] * 5000, LARGE) + peer.goodbye()))
        await ours.until(lambda: ours.events == ["eof"])
        await sending
        assert ours.received == b"x" * 5000 + LARGE


async def test_a_peer_may_change_its_key(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    async with connected(tmp_path) as (ours, peer):
        await peer.send(key_updates(tmp_path / "keys", 300))
        ours.transport.write(b"still here")
        assert await peer.read(10) == b"still here"
        assert not ours.is_lost


async def test_a_peer_that_does_nothing_but_change_its_key_is_sent_away(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    async with connected(tmp_path) as (ours, peer):
        await peer.send(key_updates(tmp_path / "keys", 4000))
        await ours.until(lambda: ours.is_lost)
        assert ours.events == ["lost: ConnectionAbortedError"]
