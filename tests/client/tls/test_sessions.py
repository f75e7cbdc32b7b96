"""Which TLS sessions are resumed, by connections to real servers."""

from __future__ import annotations

import ssl

import pytest

from hostler import Destination, HttpClient
from hostler.client.tls.contexts import tls_context
from hostler.client.tls.sessions import LOOK_INTERVAL, MAX_LOOKS, MAX_SESSIONS, Sessions
from hostler.fleet import LiveDestination
from tests.certificates import authority, certificate, server_context
from tests.client.peers import destination, front


class Tls:
    """A connection, as far as its session is asked for."""

    def __init__(self, session=None, *, resumed=False):
        self._session = session
        self.session_reused = resumed
        self.looks = 0

    @property
    def session(self):
        self.looks += 1
        return self._session

    @session.setter
    def session(self, session):
        self._session = session


class Session:
    """A session that can be resumed, or not yet."""

    def __init__(self, *, has_ticket=True):
        self.has_ticket = has_ticket
        self.id = b""


def peer(name="localhost"):
    return None, "127.0.0.1", 443, name


def test_a_session_is_that_of_the_newest_connection_once_its_ticket_has_come():
    sessions, first, second = Sessions(), Tls(Session()), Tls(Session(has_ticket=False))
    assert sessions.find(peer()) is None
    sessions.note(peer(), first)
    assert sessions.find(peer()) is first.session
    sessions.note(peer(), second)
    assert sessions.find(peer()) is first.session
    second.session = Session()
    assert sessions.find(peer()) is second.session


def test_a_session_is_for_one_name_alone_and_can_be_forgotten():
    sessions = Sessions()
    sessions.note(peer("a.example"), Tls(Session()))
    assert sessions.find(peer("b.example")) is None
    sessions.forget(peer("a.example"))
    assert sessions.find(peer("a.example")) is None


def test_a_connection_that_has_resumed_a_session_is_not_asked_for_another():
    """Each question costs memory that CPython does not give back."""
    sessions, first, second = Sessions(), Tls(Session()), Tls(Session(), resumed=True)
    sessions.note(peer(), first)
    taken = sessions.find(peer())
    sessions.note(peer(), second)
    assert [sessions.find(peer()) for _ in range(3)] == [taken] * 3
    assert (first.looks, second.looks) == (1, 0)


def test_a_peer_that_gives_no_tickets_is_asked_now_and_then():
    now = 0.0
    sessions, looks = Sessions(lambda: now), 0
    for _ in range(3 * MAX_LOOKS):
        tls = Tls(Session(has_ticket=False))
        sessions.note(peer(), tls)
        assert sessions.find(peer()) is None
        looks += tls.looks
    assert looks == MAX_LOOKS
    now += LOOK_INTERVAL
    tls = Tls(Session())
    sessions.note(peer(), tls)
    assert sessions.find(peer()) is not None
    assert tls.looks == 1


def test_there_are_so_many_sessions_and_no_more():
    sessions = Sessions()
    for number in range(MAX_SESSIONS + 1):
        sessions.note(peer(f"{number}.example"), Tls(Session()))
    assert sessions.find(peer("0.example")) is None
    assert sessions.find(peer("1.example")) is not None


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def there(tmp_path, request):
    """The context of a destination that has two names."""
    context = server_context(certificate(tmp_path, "localhost", "other.example"))
    context.maximum_version = ssl.TLSVersion[request.param]
    return context


def resuming(resumed):
    async def script(peer):
        resumed.append(peer.writer.get_extra_info("ssl_object").session_reused)
        await peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await peer.drain()

    return script


def trusting():
    context = tls_context(HttpClient())
    authority().configure_trust(context)
    return context


async def test_a_new_connection_resumes_the_session_of_the_one_before(there):
    resumed = []
    async with (
        destination(resuming(resumed), context=there) as peers,
        front(f"https://localhost:{peers.port}", context=trusting()) as proxy,
    ):
        for _ in range(3):
            assert (await proxy.fetch()).body == b"ok"
    assert resumed == [False, True, True]


async def test_no_session_is_resumed_for_another_name_or_by_another_cluster(there):
    resumed = []
    context = trusting()
    async with destination(resuming(resumed), context=there) as peers:
        for host in (None, "other.example", None):
            live = LiveDestination("a", Destination(f"https://localhost:{peers.port}", host=host))
            async with front(live, context=context) as proxy:
                assert (await proxy.fetch()).body == b"ok"
    assert resumed == [False, False, False]


async def test_a_session_that_the_destination_has_forgotten_is_no_failure(tmp_path, there):
    """It restarted, say, with other keys for its tickets."""
    resumed, context = [], trusting()
    async with (
        destination(resuming(resumed), context=there) as before,
        destination(resuming(resumed), context=server_context(certificate(tmp_path))) as after,
        front(f"https://localhost:{before.port}", context=context) as proxy,
        front(f"https://localhost:{after.port}", context=context) as restarted,
    ):
        assert (await proxy.fetch()).body == b"ok"
        session = proxy.forwarder._tls.sessions.find((None, "localhost", before.port, "localhost"))
        assert session is not None
        sessions = restarted.forwarder._tls.sessions
        sessions.note((None, "localhost", after.port, "localhost"), Tls(session))
        assert (await restarted.fetch()).body == b"ok"
    assert resumed == [False, False]
