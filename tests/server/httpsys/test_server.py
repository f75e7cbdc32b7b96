"""Requests as the handler gets them: who asks, from where, for what, under which prefix; and what is refused."""

import asyncio
import base64
import logging

import pytest

from hostler.asgi.application import Application
from hostler.errors import ProtocolError
from hostler.outcome import Kind
from hostler.server.base import QueueMode
from hostler.server.httpsys.marshal.request import read_request
from hostler.server.options.authentication import Authentication, AuthScheme
from tests.server.httpsys.served import URL, served
from tests.server.httpsys.ways import every_way, serving, turns


class Seen:
    """A handler that keeps its exchanges, and answers with what `tell` makes of each."""

    def __init__(self, tell=lambda exchange: exchange.path):
        self.exchanges = []
        self._tell = tell

    async def __call__(self, exchange):
        self.exchanges.append(exchange)
        return await exchange.respond(200, str(self._tell(exchange)))


async def told(machine, tell, url=URL, method="GET", *, client=None, urls=(URL,), **options):
    """What a handler tells of one request."""
    async with serving(machine, Seen(tell), urls=urls):
        call = (client or machine.client()).request(method, url, **options)
        response = await call.response()
    assert response.status == 200
    return response.body.decode()


# -- what was asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "PATCH", "BREW",
                                    "M-SEARCH", "get"])  # fmt: skip
async def test_methods_known_and_unknown(machine, method):
    assert await told(machine, lambda exchange: exchange.request.method, method=method, length=0) == method


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_http_sys_wants_to_know_how_much_is_posted(machine, method):
    seen = Seen()
    async with serving(machine, seen):
        assert (await machine.client().request(method, URL).response()).status == 411
    assert not seen.exchanges


@every_way
async def test_headers_come_as_they_were_sent(machine, way):
    seen = Seen()
    sent = [("X-B", "2"), ("Accept", "text/html"), ("X-A", "1"), ("User-Agent", "test"), ("x-b", "3")]
    async with serving(machine, seen, way):
        await machine.client().request("GET", URL, [*sent, ("X-Umlaut", "\xe4")]).response()
    headers = seen.exchanges[0].request.headers
    assert [headers.get(name) for name in ("accept", "USER-AGENT", "x-a", "host")] == [
        "text/html", "test", "1", "localhost:8080",
    ]  # fmt: skip
    assert headers.get_all("x-b") == ["2, 3"]  # HTTP.sys makes one line of those of one name
    assert headers.get_raw(b"x-umlaut") == b"\xe4"
    assert [name for name, _ in headers.pairs() if name.startswith(b"X-")] == [
        b"X-B",
        b"X-A",
        b"X-Umlaut",
    ]


async def test_the_target_comes_as_it_was_sent(machine):
    tell = lambda exchange: (exchange.path, exchange.target.query, exchange.request.target)  # noqa: E731
    text = await told(machine, tell, URL + "a%20b%2Fc;d?e=%20&f")
    assert text == str(("/a b%2Fc;d", b"e=%20&f", b"/a%20b%2Fc;d?e=%20&f"))


async def test_an_absolute_target_names_the_host(machine):
    text = await told(
        machine, lambda exchange: (exchange.host, exchange.port, exchange.path),
        urls=["http://+:8080/"], host="other", target="http://named:8080/x",
    )  # fmt: skip
    assert text == str(("named", 8080, "/x"))


async def test_options_for_the_server_itself(machine):
    assert await told(machine, lambda exchange: exchange.path, method="OPTIONS", target="*") == "/"


@pytest.mark.parametrize(("version", "expected"), [("1.0", 10), ("1.1", 11)])
async def test_versions(machine, version, expected):
    assert await told(machine, lambda exchange: exchange.request.version, version=version) == str(expected)


async def test_http_2_is_told_by_the_streams_not_by_its_heads(machine):
    def tell(exchange):
        request = exchange.request
        return request.method, exchange.host, exchange.path, request.keep_alive, request.upgrade

    client = machine.client(http2=True)
    headers = [("connection", "upgrade"), ("upgrade", "raw")]
    text = await told(machine, tell, URL + "x", client=client, headers=headers)
    assert text == str(("GET", "localhost", "/x", True, None))


# -- who asks, and from where -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "local"),
    [(("192.0.2.7", 50123), "127.0.0.1"), (("2001:db8::7", 50124), "2001:db8::1"), (("::1", 50125), "::1")],
)
async def test_addresses(machine, remote, local):
    tell = lambda exchange: (exchange.client, exchange.server)  # noqa: E731
    client = machine.client(remote=remote, local=local)
    assert await told(machine, tell, client=client, urls=["http://+:8080/"]) == str((remote, (local, 8080)))


SECURE = "https://localhost:8443/"


async def test_https_is_told_with_what_is_known_of_it(machine):
    def tell(exchange):
        return exchange.scheme, exchange.port, exchange.tls.client_certificate, bool(exchange.tls.version)

    client = machine.client(tls=True)
    text = await told(machine, tell, SECURE, client=client, urls=[SECURE])
    assert text == str(("https", 8443, None, True))


async def test_http_is_told_with_nothing(machine):
    tell = lambda exchange: (exchange.scheme, exchange.tls, exchange.authenticated)  # noqa: E731
    assert await told(machine, tell) == str(("http", None, None))


async def test_an_asgi_application_is_told_of_tls(machine):
    scopes = []

    async def app(scope, receive, send):
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(machine, Application(app), urls=[URL, SECURE]):
        await machine.client().request("GET", URL).response()
        await machine.client(tls=True).request("GET", SECURE).response()
    assert "tls" not in scopes[0]["extensions"]
    tls = scopes[1]["extensions"]["tls"]
    assert tls["tls_version"] in {0x0303, 0x0304}
    assert (tls["client_cert_chain"], tls["server_cert"], tls["cipher_suite"]) == ([], None, None)


BASIC = {
    "authentication": Authentication(schemes=AuthScheme.BASIC),
    "urls": ["http://+:8080/"],
}
ALICE = ("Authorization", "Basic " + base64.b64encode(b"alice:secret").decode())


@pytest.mark.parametrize("ending", ["answered", "aborted", "host", "length"])
async def test_a_clients_access_token_is_closed_with_its_exchange(machine, ending):
    machine.passwords["alice"] = "secret"
    windows, open_tokens = machine.process(), []

    async def handler(exchange):
        open_tokens.append(windows.alive()["token"])
        assert exchange.authenticated.succeeded
        assert exchange.authenticated.scheme == "Basic"
        if ending == "aborted":
            exchange.stream.abort()
            return exchange.outcome(Kind.FAILED)
        return await exchange.respond(200)

    options = {
        "host": {"host": "bad_host^:8080"},
        "length": {"headers": [ALICE, ("Content-Length", "9" * 19)]},
    }
    async with serving(machine, handler, windows=windows, **BASIC):
        call = machine.client().request("GET", URL, **{"headers": [ALICE], **options.get(ending, {})})
        await call.over()
        await machine.until(lambda: "token" not in windows.alive())
        assert machine.count("CloseHandle") == 1
    assert open_tokens == ([1] if ending in {"answered", "aborted"} else [])


async def test_a_token_stays_open_while_a_handler_runs_whose_client_is_gone(machine):
    machine.passwords["alice"] = "secret"
    windows = machine.process()
    entered, go_on, tokens = asyncio.Event(), asyncio.Event(), []

    async def handler(exchange):
        entered.set()
        await exchange.channel().disconnected()
        await go_on.wait()
        tokens.append(windows.alive().get("token"))
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler, windows=windows, **BASIC):
        client = machine.client()
        client.request("GET", URL, headers=[ALICE])
        await entered.wait()
        client.disconnect()
        go_on.set()
        await machine.until(lambda: "token" not in windows.alive())
    assert tokens == [1]


# -- under which prefix -----------------------------------------------------------------------------------------------

PREFIXES = [URL, URL + "App/", URL + "app/deep/", "http://+:8081/other/"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080/x", ("", "/x")),
        ("http://localhost:8080/app", ("/app", "")),
        ("http://localhost:8080/APP/x", ("/APP", "/x")),
        ("http://localhost:8080/apple", ("", "/apple")),
        ("http://localhost:8080/app/deep/x", ("/app/deep", "/x")),
        ("http://localhost:8080/app/deeper", ("/app", "/deeper")),
        ("http://localhost:8081/other/x", ("/other", "/x")),
    ],
)
async def test_the_path_base_is_that_of_the_prefix(machine, url, expected):
    tell = lambda exchange: (exchange.path_base, exchange.path)  # noqa: E731
    assert await told(machine, tell, url, urls=PREFIXES) == str(expected)


@pytest.mark.parametrize("noted", [[], [URL + "app/"]])
async def test_who_attaches_places_requests_under_what_it_is_told(machine, noted):
    owner, helper = machine.process("owner"), machine.process("helper")
    tell = lambda exchange: (exchange.path_base, exchange.path)  # noqa: E731
    async with (
        served(owner, Seen(tell), queue=("jobs", QueueMode.CREATE), urls=[URL + "app/"]) as first,
        served(helper, Seen(tell), queue=("jobs", QueueMode.ATTACH), urls=noted),
    ):
        call = machine.client().request("GET", URL + "app/x")
        assert (await call.response()).body.decode() == str(("/app", "/x"))
        await first._receiver.stop()
        call = machine.client().request("GET", URL + "app/x")
        assert (await call.response()).body.decode() == str(("/app", "/x") if noted else ("", "/app/x"))


async def test_requests_that_wait_in_the_queue_are_placed_by_prefixes_told_right_after(machine):
    """Whoever joins and listens without a pause gets every request with the path base it means."""
    owner, helper = machine.process("owner"), machine.process("helper")
    tell = lambda exchange: (exchange.path_base, exchange.path)  # noqa: E731
    async with served(owner, Seen(), queue=("jobs", QueueMode.CREATE), urls=[URL + "app/"]) as first:
        await turns()
        await first._receiver.stop()
        call = machine.client().request("GET", URL + "app/x")
        async with served(helper, Seen(tell), queue=("jobs", QueueMode.ATTACH), urls=[URL + "app/"]):
            assert (await call.response()).body.decode() == str(("/app", "/x"))


# -- what is refused --------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize(
    "options",
    [
        {"host": "bad_host^:8080"},
        {"host": "localhost:8080", "target": "/a%2F..%2Fb"},
        {"headers": [("Content-Length", "1234567890123456789")]},
    ],
    ids=["host", "climbing", "length"],
)
async def test_what_is_no_request_is_answered_without_a_handler(machine, way, options):
    seen = Seen()
    async with serving(machine, seen, way, urls=["http://+:8080/"]):
        client = machine.client()
        response = await client.request("GET", URL, **options).response()
        assert (response.status, response.body) == (400, b"400 Bad Request\n")
        assert response.header("connection") == b"close"
        assert (await client.request("GET", URL + "next").response()).body == b"/next"
    assert len(seen.exchanges) == 1


@pytest.mark.parametrize("status", [400, 431, 501, 505])
async def test_the_status_is_that_of_the_rule_that_was_broken(machine, monkeypatch, status, caplog):
    def broken(native):
        monkeypatch.undo()
        arrival = read_request(native)
        arrival.refusal = ProtocolError("what it is", status)
        return arrival

    monkeypatch.setattr("hostler.server.httpsys.server.read_request", broken)
    caplog.set_level(logging.INFO, "hostler.server")
    async with serving(machine, Seen(), receives=1):
        assert (await machine.client().request("GET", URL).response()).status == status
        assert (await machine.client().request("GET", URL).response()).status == 200
    assert f"{status}: what it is" in caplog.text


# -- what the handler does --------------------------------------------------------------------------------------------


@every_way
async def test_a_handler_that_fails_is_a_500(machine, way, caplog):
    async def handler(exchange):
        if exchange.path == "/late":
            await asyncio.sleep(0)
        raise LookupError("a mistake")

    async with serving(machine, handler, way):
        client = machine.client()
        for path in ("early", "late"):
            response = await client.request("GET", URL + path).response()
            assert (response.status, response.body) == (500, b"500 Internal Server Error\n")
    assert caplog.text.count("LookupError: a mistake") == 2


async def test_a_handler_that_fails_under_way_breaks_the_response(machine, caplog):
    async def handler(exchange):
        await exchange.start(200, length=10)
        await exchange.write(b"12345")
        raise LookupError("a mistake")

    async with serving(machine, handler):
        with pytest.raises(ConnectionResetError):
            await machine.client().request("GET", URL).response()
    assert "a mistake" in caplog.text


@pytest.mark.parametrize("late", [False, True])
async def test_a_request_that_is_left_unanswered_is_a_500(machine, late, caplog):
    async def handler(exchange):
        if late:
            await asyncio.sleep(0)
        return exchange.outcome(Kind.RESPONDED)

    async with serving(machine, handler):
        assert (await machine.client().request("GET", URL).response()).status == 500
    assert "left it unanswered" in caplog.text


async def test_handlers_run_side_by_side(machine):
    gate = asyncio.Barrier(10)

    async def handler(exchange):
        await gate.wait()
        return await exchange.respond(200)

    async with serving(machine, handler, receives=2):
        calls = [machine.client().request("GET", URL) for _ in range(10)]
        for call in calls:
            assert (await call.response()).status == 200


async def test_a_handler_starts_at_once(machine):
    started, before = [], []

    async def handler(exchange):
        started.append(exchange)
        return await exchange.respond(200)

    async with serving(machine, handler, receives=1) as server:
        take = server._receiver._deliver

        def deliver(native):
            take(native)
            before.append(len(started))

        server._receiver._deliver = deliver
        await machine.client().request("GET", URL).response()
    assert before == [1]
