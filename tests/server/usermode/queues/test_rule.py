from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from hostler.errors import Reason
from hostler.server.base import QueueMode
from hostler.server.usermode.queues import lender as lender_module
from hostler.server.usermode.queues import member as member_module
from hostler.server.usermode.queues.directory import QueueDirectory
from hostler.server.usermode.queues.loan import LentConnection, Loan
from hostler.server.usermode.queues.packets import (
    MAX_PACKET,
    Close,
    Data,
    Done,
    GiveBack,
    Leaving,
    Lend,
    Open,
)
from hostler.server.usermode.queues.rule import Rule, delegation_rules
from tests.server.usermode.peers import bare_member, eventually, lendable, options, shared

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture
def loan():
    with socket.socket() as sock:
        yield Loan(LentConnection(shared(sock), ("", 0), ("", 0), False), b"", b"")


@pytest.fixture
async def rules():
    made = delegation_rules(options(request_queue=0.05))
    yield made
    made.close_all()


async def lent(rule, loan):
    """Lend, and return what became of it."""
    await rule.lend(loan)
    return loan.result()


def again(loan):
    """Return the next loan on the same connection."""
    return Loan(loan.connection, loan.data, loan.headers)


async def test_a_rule_is_shared_without_regard_to_case(rules):
    rule = rules.open("Reports", "http://*:80/A/")
    assert isinstance(rule, Rule)
    assert (rule.queue, rule.prefix) == ("Reports", "http://*:80/A/")
    assert rules.open("REPORTS", "http://*:80/a/") is rule
    assert rules.open("reports", "http://*:80/b/") is not rule
    assert rules.open("other", "http://*:80/a/") is not rule


async def test_rules_for_one_queue_share_one_handle(rules):
    one = rules.open("q", "http://*:80/a/")
    other = rules.open("Q", "http://*:80/b/")
    assert one.target is other.target
    assert rules.open("r", "http://*:80/a/").target is not one.target


async def test_a_rule_lives_until_it_was_given_back_as_often_as_it_was_opened(rules):
    rule = rules.open("q", "http://*:80/")
    rules.open("Q", "HTTP://*:80/")
    rules.close(rule)
    assert rules.open("q", "http://*:80/") is rule
    rules.close(rule)
    rules.close(rule)
    assert rules.open("q", "http://*:80/") is not rule


async def test_a_handle_lives_as_long_as_the_last_of_its_rules(rules, runtime, loan):
    one, other = (rules.open("q", f"http://*:80/{path}/") for path in "ab")
    handle = QueueDirectory("q").open(QueueMode.CREATE)
    assert (await lent(one, again(loan))).status == 503  # it waited for a member, in vain
    assert len(list(runtime.glob("q/watch-*"))) == 1
    rules.close(one)
    assert len(list(runtime.glob("q/watch-*"))) == 1
    rules.close(other)
    assert not list(runtime.glob("q/watch-*"))
    handle.release()


async def test_a_reset_lets_go_and_the_next_request_opens_anew(rules, runtime, loan):
    rule = rules.open("q", "http://*:80/")
    handle = QueueDirectory("q").open(QueueMode.CREATE)
    rule.reset()
    for _ in range(2):
        assert "took the request" in (await lent(rule, again(loan))).detail
        assert list(runtime.glob("q/watch-*"))
        rule.reset()
        assert not list(runtime.glob("q/watch-*"))
    handle.release()


async def test_a_queue_that_nobody_holds_is_looked_for_with_each_request(rules, loan):
    rule = rules.open("q", "http://*:80/")
    assert "no process holds queue 'q'" in (await lent(rule, again(loan))).detail
    handle = QueueDirectory("q").open(QueueMode.CREATE)
    assert "took the request" in (await lent(rule, again(loan))).detail
    handle.release()
    assert "no process holds queue 'q'" in (await lent(rule, again(loan))).detail


@contextlib.asynccontextmanager
async def forgiving(grace, **limits):
    """A rule of a queue that may be restarted, and was there when it was looked for."""
    rules = delegation_rules(options(queue_restart=grace, **limits))
    rule = rules.open("q", "http://*:80/")
    try:
        yield rule
    finally:
        rules.close_all()


@pytest.mark.parametrize("killed", [False, True])
async def test_requests_wait_for_a_queue_that_is_restarted(killed):
    async with forgiving(20) as rule, lendable() as (_, sock):
        loan = loan_on(sock)
        with bare_member() as connected:
            peer = await connected_by(connected, rule, loan)
            if killed:
                peer.link.close()
        await eventually(lambda: not rule.target._members)
        lending = asyncio.ensure_future(lent(rule, again(loan)))
        await eventually(lambda: rule.target._waiting)
        with bare_member() as connected:
            assert len(await answered(await connected(), lending)) == 1


async def connected_by(connected, rule, loan):
    """Have a member answer once; returns the lender that it has then."""
    lending = asyncio.ensure_future(lent(rule, loan))
    peer = await connected()
    await answered(peer, lending)
    return peer


async def test_requests_wait_for_a_queue_that_is_gone_within_its_limits_and_no_longer_than_the_grace():
    async with forgiving(0.1, queue_limit=1) as rule, lendable() as (_, sock), lendable() as (_, other):
        loan = loan_on(sock)
        with bare_member() as connected:
            await connected_by(connected, rule, loan)
        waiting = asyncio.ensure_future(lent(rule, again(loan)))
        await eventually(lambda: rule.target._waiting)
        assert "is full" in (await lent(rule, loan_on(other))).detail
        assert "no process holds queue 'q'" in (await waiting).detail
        # and from then on it is a queue that is not there
        assert (
            "no process holds queue 'q'" in (await asyncio.wait_for(lent(rule, loan_on(other)), 0.09)).detail
        )


async def test_a_queue_that_never_was_there_is_not_waited_for(loan):
    async with forgiving(20) as rule:
        assert "no process holds queue 'q'" in (await asyncio.wait_for(lent(rule, loan), 5)).detail


@pytest.mark.parametrize("name", ["a/b", "", "x" * 300])
async def test_a_name_that_no_queue_can_have_is_a_failure_of_each_request(rules, name, loan):
    assert (await lent(rules.open(name, "http://*:80/"), loan)).status == 503


async def test_a_runtime_directory_that_is_not_ours_is_a_failure_of_each_request(rules, runtime, loan):
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)
    assert (await lent(rules.open("q", "http://*:80/"), loan)).status == 503


async def test_closing_closes_every_handle_and_a_rule_may_still_be_given_back(rules, runtime, loan):
    opened = [rules.open(queue, "http://*:80/") for queue in "qr"]
    holds = [QueueDirectory(queue).open(QueueMode.CREATE) for queue in "qr"]
    for rule in opened:
        await lent(rule, again(loan))
    rules.close_all()
    assert not list(runtime.glob("*/watch-*"))
    for rule, handle in zip(opened, holds, strict=True):
        rules.close(rule)
        handle.release()


# -- members, on bare links -------------------------------------------------------------------------------------------


def loan_on(sock, data=b"GET / HTTP/1.1\r\n\r\n", headers=b""):
    connection = LentConnection(shared(sock), ("127.0.0.1", 1), ("127.0.0.1", 2), False)
    return Loan(connection, data, headers)


@pytest.fixture
async def rule(rules):
    return rules.open("q", "http://*:80/")


@pytest.fixture
async def patient():
    """A rule of a queue whose requests may wait."""
    rules = delegation_rules(options(queue_limit=1))
    yield rules.open("q", "http://*:80/")
    rules.close_all()


async def answered(peer, lending, **done):
    """Have the member answer what was lent; returns the packets that came before it."""
    before = []
    while not isinstance(packet := await peer.next(), Lend):
        before.append(packet)
    peer.link.send(Done(packet.loan, 200, **done))
    assert (await lending).status == 200
    return before


async def test_the_second_request_on_a_connection_travels_without_its_descriptor(rule):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            assert await answered(peer, lending) == [
                Open(loan.connection.number, ("127.0.0.1", 1), ("127.0.0.1", 2))
            ]
            for _ in range(3):
                assert await answered(peer, asyncio.ensure_future(lent(rule, again(loan)))) == []
            assert len(peer.descriptors) == 1
            loan.connection.close()
            assert await peer.next() == Close(loan.connection.number)


@pytest.mark.parametrize("done", [{"keep_alive": False}, {"reason": Reason.REQUEST_CANCELED}])
async def test_a_copy_that_the_member_closed_is_not_lent_again(rule, done):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            assert len(await answered(peer, lending, **done)) == 1
            assert len(await answered(peer, asyncio.ensure_future(lent(rule, again(loan))))) == 1
            assert len(peer.descriptors) == 2


async def test_a_member_keeps_only_so_many_copies(rule, monkeypatch):
    monkeypatch.setattr(member_module, "MAX_IDLE_COPIES", 2)
    with bare_member() as connected:
        async with contextlib.AsyncExitStack() as stack:
            socks = [(await stack.enter_async_context(lendable()))[1] for _ in range(4)]
            loans = [loan_on(sock) for sock in socks]
            lending = asyncio.ensure_future(lent(rule, loans[0]))
            peer = await connected()
            await answered(peer, lending)
            for loan in loans[1:]:
                await answered(peer, asyncio.ensure_future(lent(rule, loan)))
            opened = []
            for loan in loans:
                before = await answered(peer, asyncio.ensure_future(lent(rule, again(loan))))
                opened.append(any(isinstance(packet, Open) for packet in before))
            assert opened == [False, False, True, True]
            # where there is room again, the next one stays
            loans[0].connection.close()
            await answered(peer, asyncio.ensure_future(lent(rule, again(loans[3]))))
            assert not await answered(peer, asyncio.ensure_future(lent(rule, again(loans[3]))))


async def test_a_copy_whose_client_went_away_while_it_was_lent_is_counted_once(rule):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            await peer.next()
            packet = await peer.next()
            loan.connection.close()
            assert await peer.next() == Close(loan.connection.number)
            peer.link.send(Done(packet.loan, 200, keep_alive=False))
            await lending
            (known,) = rule.target._members.values()
            assert not known._copies


async def test_a_request_that_was_given_back_goes_to_the_member_again_after_a_moment(patient, monkeypatch):
    monkeypatch.setattr(member_module, "BACK_OFF_INTERVAL", 0.01)
    with bare_member() as connected:
        async with lendable() as (_, sock):
            lending = asyncio.ensure_future(lent(patient, loan_on(sock)))
            peer = await connected()
            assert isinstance(await peer.next(), Open)
            peer.link.send(GiveBack((await peer.next()).loan))
            assert len(await answered(peer, lending)) == 1


async def test_a_member_that_gave_back_is_lent_what_it_has_a_copy_of(patient):
    with bare_member() as connected:
        async with lendable() as (_, sock), lendable() as (_, other):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(patient, loan))
            peer = await connected()
            await answered(peer, lending)
            refused = asyncio.ensure_future(lent(patient, loan_on(other)))
            await peer.next()
            peer.link.send(GiveBack((await peer.next()).loan))
            await eventually(lambda: patient.target._waiting)
            assert not await answered(peer, asyncio.ensure_future(lent(patient, again(loan))))
            refused.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await refused


async def test_a_request_that_was_given_back_goes_to_another_member(patient):
    with bare_member() as first, bare_member() as second:
        async with lendable() as (_, sock):
            lending = asyncio.ensure_future(lent(patient, loan_on(sock)))
            peers = [await first(), await second()]
            await eventually(lambda: any(len(peer.packets) == 2 for peer in peers))
            peers.sort(key=lambda peer: not peer.packets)
            await peers[0].next()
            peers[0].link.send(GiveBack((await peers[0].next()).loan))
            assert len(await answered(peers[1], lending)) == 1


async def test_a_member_that_leaves_gets_nothing_after_it_gave_back(rule, monkeypatch):
    monkeypatch.setattr(lender_module, "RETRY_INTERVAL", 0.01)
    monkeypatch.setattr(member_module, "BACK_OFF_INTERVAL", 0.01)
    with bare_member() as connected:
        async with lendable() as (_, sock):
            lending = asyncio.ensure_future(lent(rule, loan_on(sock)))
            peer = await connected()
            await peer.next()
            withdraw()
            peer.link.send(Leaving())
            lend = await peer.next()
            await asyncio.sleep(0.02)
            assert not peer.losses  # it has not everything back
            peer.link.send(GiveBack(lend.loan))
            assert (await lending).status == 503
            await eventually(lambda: peer.losses)
            assert peer.packets == []


async def test_a_member_that_leaves_is_hung_up_on_at_once_when_it_has_nothing_lent(rule):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            await answered(peer, lending)
            (holder,) = loan.connection.holders
            withdraw()
            peer.link.send(Leaving())
            await eventually(lambda: peer.losses)
            assert holder.link.closed
            assert not loan.connection.holders


def withdraw():
    """Have no lender connect any more, as a member does before it says that it leaves."""
    for path in QueueDirectory("q").members():
        path.unlink()


async def test_a_member_that_hangs_up_before_it_answered_is_replaced(patient):
    async with lendable() as (_, sock):
        with bare_member() as first:
            lending = asyncio.ensure_future(lent(patient, loan_on(sock)))
            peer = await first()
            await peer.next()
            with bare_member() as second:
                peer.link.close()
                assert len(await answered(await second(), lending)) == 1


async def test_of_equals_the_member_that_has_the_connection_is_asked(patient):
    with bare_member() as first, bare_member() as second:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(patient, loan))
            peers = [await first(), await second()]
            await eventually(lambda: any(len(peer.packets) == 2 for peer in peers))
            peers.sort(key=lambda peer: not peer.packets)
            await answered(peers[0], lending)
            for _ in range(5):
                assert not await answered(peers[0], asyncio.ensure_future(lent(patient, again(loan))))


@pytest.mark.logs_errors("the link with process .* is closed")
async def test_a_member_that_opens_a_connection_is_hung_up_on(rule):
    near, far = socket.socketpair()
    with near, bare_member() as connected:
        async with lendable() as (_, sock):
            lending = asyncio.ensure_future(lent(rule, loan_on(sock)))
            peer = await connected()
            await peer.next()
            peer.link.open(Open(1, ("", 0), ("", 0)), far.fileno())
            far.close()
            await eventually(lambda: peer.losses)
            near.settimeout(5)
            assert near.recv(1) == b""
            lending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lending


async def test_the_numbers_of_loans_begin_anew_and_leave_out_those_under_way(patient):
    with bare_member() as connected:
        async with lendable() as (_, sock), lendable() as (_, other):
            lending = asyncio.ensure_future(lent(patient, loan_on(sock)))
            peer = await connected()
            await peer.next()
            first = await peer.next()
            (known,) = patient.target._members.values()
            known._last = 0xFFFFFFFE
            numbers = []
            loan = loan_on(other)
            for _ in range(3):
                following = asyncio.ensure_future(lent(patient, again(loan)))
                while not isinstance(packet := await peer.next(), Lend):
                    pass
                numbers.append(packet.loan)
                peer.link.send(Done(packet.loan, 200))
                await following
            assert first.loan == 1
            assert numbers == [0xFFFFFFFF, 2, 3]
            peer.link.send(Done(first.loan, 200))
            await lending


async def test_of_a_request_that_is_too_large_nothing_is_sent(rule):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            await answered(peer, lending)
            large = loan_on(sock, bytes(300_000), bytes(MAX_PACKET))
            assert "larger than" in (await lent(rule, large)).detail
            await answered(peer, asyncio.ensure_future(lent(rule, again(loan))))
            assert not any(isinstance(packet, Data) for packet in peer.packets)


async def test_a_request_whose_client_goes_away_while_it_waits_ends_at_once_and_makes_room(patient):
    handle = QueueDirectory("q").open(QueueMode.CREATE)
    try:
        async with lendable() as (_, sock), lendable() as (_, other):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(patient, loan))
            await eventually(lambda: patient.target._waiting)
            assert "is full" in (await lent(patient, loan_on(other))).detail
            sock.close()
            loan.connection.close()
            assert (await lending).reason is Reason.REQUEST_CANCELED
            following = asyncio.ensure_future(lent(patient, loan_on(other)))
            with bare_member() as connected:
                assert len(await answered(await connected(), following)) == 1
    finally:
        handle.release()


async def test_a_process_that_is_out_of_descriptors_fails_the_request_and_no_more(rule, monkeypatch):
    with bare_member() as connected:
        async with lendable() as (_, sock):
            loan = loan_on(sock)
            lending = asyncio.ensure_future(lent(rule, loan))
            peer = await connected()
            await answered(peer, lending)

            def full(*_):
                raise OSError(24, "too many open files")

            other = loan_on(sock)
            with monkeypatch.context() as patch:
                patch.setattr(member_module.Link, "open", full)
                assert "too many" in (await lent(rule, other)).detail
            assert not other.connection.holders
            assert not await answered(peer, asyncio.ensure_future(lent(rule, again(loan))))
