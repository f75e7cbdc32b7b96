"""What HTTP.sys is asked about a client's connection, and the codes that streams are reset with."""

import asyncio
import struct

import pytest

from hostler.errors import UnsupportedError
from hostler.windows.errors import Win32Error
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.served import URL
from tests.server.httpsys.ways import every_way, serving

HTTPS = "https://localhost:8443/"
BOTH = {"urls": [URL, HTTPS]}


def asking(question, read=False):
    """A handler that asks for something, and what it got; an error is a thing to get too."""
    got = []

    async def handler(exchange):
        if read:
            await exchange.read()
        try:
            got.append(await question(exchange.connection))
        except (OSError, RuntimeError, UnsupportedError) as error:
            got.append(error)
        return await exchange.respond(200)

    return handler, got


async def ask(machine, question, url=URL, *, way=None, read=False, client=None, method="GET", **options):
    handler, got = asking(question, read)
    async with serving(machine, handler, way, **BOTH):
        await (client or machine.client()).request(method, url, **options).response()
    return got[0]


# -- the connection


@every_way
async def test_what_tcp_has_measured(machine, way):
    found = await ask(machine, lambda connection: connection.tcp(), way=way)
    assert (found.round_trip, found.min_round_trip, found.age) == (0.025, 0.02, 1.5)
    assert (found.bytes_received, found.bytes_sent, found.segment_size) == (300, 5000, 1460)


@pytest.mark.parametrize(("name", "chose"), [("localhost", True), ("", False)])
async def test_the_name_that_the_client_asked_for(machine, name, chose):
    machine.server_name = name
    found = await ask(machine, lambda connection: connection.server_name(), HTTPS)
    assert (found.host, found.chose_certificate) == (name, chose)


@pytest.mark.parametrize("hello", [b"\x16\x03\x01", b"\x16" * 2048, b"\x16" * 5000])
async def test_a_client_hello_of_any_size(machine, hello):
    machine.client_hello = hello
    assert await ask(machine, lambda connection: connection.client_hello(), HTTPS) == hello


async def test_what_there_is_not_is_none(machine):
    for question in ("server_name", "client_hello", "quic", "client_certificate"):
        assert await ask(machine, lambda connection, name=question: getattr(connection, name)()) is None
    assert await ask(machine, lambda connection: connection.client_hello(), HTTPS) is None


async def test_what_quic_has_measured(machine):
    fields = struct.pack(
        "<QIIII3Q3IH2x6QII8QI", 1, 0b1010, 25_000, 20_000, 90_000, 1, 2, 3, 4, 5, 6, 1472, 100, 90, 7, 2, 9000, 8000, 3,
        1, 80, 4, 5, 1, 7000, 6000, 2, 50, 0,
    )  # fmt: skip
    machine.quic_statistics = fields
    found = await ask(machine, lambda connection: connection.quic(), client=machine.client(http3=True))
    assert (found.round_trip, found.min_round_trip, found.max_round_trip) == (0.025, 0.02, 0.09)
    assert (found.path_mtu, found.resumed, found.retried) == (1472, True, True)
    assert (found.packets_sent, found.packets_lost, found.bytes_sent) == (100, 5, 9000)
    assert (found.congestion_events, found.persistent_congestion_events) == (3, 1)
    assert (found.packets_received, found.packets_reordered, found.packets_dropped) == (80, 4, 5)
    assert (found.bytes_received, found.decryption_failures) == (7000, 2)


@pytest.mark.parametrize("version", ["2016", "2019"])
async def test_an_older_windows_knows_less(version):
    machine = Machine(version=version)
    assert (await ask(machine, lambda connection: connection.tcp()) is None) == (version == "2016")
    assert await ask(machine, lambda connection: connection.client_hello(), HTTPS) is None
    machine.close()


async def test_what_windows_refuses_is_an_error(machine):
    windows = machine.process()
    windows.fail("HttpQueryRequestProperty", 1450)
    handler, got = asking(lambda connection: connection.tcp())
    async with serving(machine, handler, windows=windows):
        await machine.client().request("GET", URL).response()
    assert isinstance(got[0], Win32Error)
    assert "HttpQueryRequestProperty TCP_INFO_V1" in str(got[0])


# -- the client's certificate


@every_way
@pytest.mark.parametrize("size", [3, 5000])
async def test_a_client_that_is_asked_late(machine, way, size):
    machine.negotiates_certificates = False
    client = machine.client(certificate=b"D" * size)
    found = await ask(
        machine, lambda connection: connection.client_certificate(), HTTPS, way=way, client=client
    )
    assert found == b"D" * size


async def test_a_client_that_was_asked_before_is_not_asked_again(machine):
    client = machine.client(certificate=b"DER", http2=True)
    assert (
        await ask(machine, lambda connection: connection.client_certificate(), HTTPS, client=client) == b"DER"
    )
    assert machine.count("HttpReceiveClientCertificate") == 0


async def test_a_client_that_has_none(machine):
    machine.negotiates_certificates = False
    assert await ask(machine, lambda connection: connection.client_certificate(), HTTPS) is None


@pytest.mark.parametrize("certificate", [b"DER", None])
async def test_a_client_is_asked_once_for_a_request(machine, certificate):
    """As ASP.NET does (aspnetcore#34012); a stage and a handler may each want to know."""
    machine.negotiates_certificates = False

    async def twice(connection):
        first = await connection.client_certificate()
        assert await connection.client_certificate() == first
        return first

    assert await ask(machine, twice, HTTPS, client=machine.client(certificate=certificate)) == certificate
    assert machine.count("HttpReceiveClientCertificate") == 1


async def test_an_unread_body_stands_in_the_way(machine):
    machine.negotiates_certificates = False
    options = {"method": "POST", "body": b"body", "client": machine.client(certificate=b"DER")}
    found = await ask(machine, lambda connection: connection.client_certificate(), HTTPS, **options)
    assert isinstance(found, RuntimeError)
    assert "a body that nobody has read" in str(found)
    options["client"] = machine.client(certificate=b"DER")
    found = await ask(
        machine, lambda connection: connection.client_certificate(), HTTPS, read=True, **options
    )
    assert found == b"DER"


async def test_http_2_cannot_be_asked_late(machine):
    machine.negotiates_certificates = False
    client = machine.client(certificate=b"DER", http2=True)
    found = await ask(machine, lambda connection: connection.client_certificate(), HTTPS, client=client)
    assert isinstance(found, UnsupportedError)
    assert "clientcertnegotiation=enable" in str(found)
    assert machine.count("HttpReceiveClientCertificate") == 0


async def test_a_question_that_is_broken_off(machine):
    machine.negotiates_certificates = False
    windows = machine.process()
    windows.fail("HttpReceiveClientCertificate", 995)
    handler, got = asking(lambda connection: connection.client_certificate())
    async with serving(machine, handler, windows=windows, **BOTH):
        await machine.client().request("GET", HTTPS).response()
    assert isinstance(got[0], ConnectionResetError)


# -- resets


@pytest.mark.parametrize(
    ("kind", "code", "seen"),
    [("http2", None, 2), ("http2", 11, 11), ("http3", None, 0x102), ("http3", 0x10C, 0x10C)],
)
async def test_a_stream_is_reset_with_a_code(machine, kind, code, seen):
    async with serving(machine, lambda exchange: exchange.reset(code)):
        call = machine.client(**{kind: True}).request("GET", URL)
        await call.over()
        assert (call.reset, call.reset_code) == (True, seen)


async def test_a_connection_of_http_1_is_reset_without_one(machine):
    async with serving(machine, lambda exchange: exchange.reset(11)):
        call = machine.client().request("GET", URL)
        await call.over()
        assert call.reset
        assert machine.count("HttpSetRequestProperty") == 0


async def test_a_windows_without_codes_resets_with_its_own():
    machine = Machine(version="2019")
    async with serving(machine, lambda exchange: exchange.reset(11)):
        call = machine.client(http2=True).request("GET", URL)
        await call.over()
        assert (call.reset, call.reset_code) == (True, 8)
    machine.close()


async def test_a_code_that_cannot_be_set_resets_all_the_same(machine, caplog):
    caplog.set_level("INFO", "hostler.server.httpsys")
    windows = machine.process()
    windows.fail("HttpSetRequestProperty", 87)
    async with serving(machine, lambda exchange: exchange.reset(11), windows=windows):
        call = machine.client(http2=True).request("GET", URL)
        await call.over()
        assert (call.reset, call.reset_code) == (True, 8)
    assert "HttpSetRequestProperty: error 87" in caplog.text


@pytest.mark.logs_errors("failed in the handler")
async def test_an_answer_that_breaks_is_reset_as_an_error_and_no_cancellation(machine):
    async def handler(exchange):
        await exchange.start(200)
        await exchange.write(b"begun")
        raise ValueError

    async with serving(machine, handler):
        call = machine.client(http2=True).request("GET", URL)
        await call.over()
        assert (call.reset, call.reset_code) == (True, 2)


async def test_over_quic_there_is_no_tcp(machine):
    client = machine.client(http3=True)
    assert await ask(machine, lambda connection: connection.tcp(), client=client) is None


@pytest.mark.parametrize("question", ["tcp", "client_certificate"])
async def test_of_a_client_that_is_gone_nothing_can_be_asked(machine, question, caplog):
    """A handler that does so has not failed."""
    machine.negotiates_certificates = False
    caplog.set_level("INFO", "hostler.server")
    asked, gone, got = asyncio.Event(), asyncio.Event(), []

    async def handler(exchange):
        asked.set()
        await gone.wait()
        try:
            await getattr(exchange.connection, question)()
        except OSError as error:
            got.append(type(error))
            raise

    async with serving(machine, handler, **BOTH):
        client = machine.client()
        client.request("GET", HTTPS)
        await asked.wait()
        client.disconnect()
        gone.set()
        await machine.until(lambda: got)
    assert got == [ConnectionResetError]
    assert "GET /: " in caplog.text
    assert "failed in the handler" not in caplog.text
