"""Files that HTTP.sys sends itself: which bytes, how framed, and that every one is closed in the end."""

import asyncio
import os
from pathlib import Path

import pytest

from hostler.errors import Reason
from hostler.outcome import Kind
from hostler.server.httpsys import library, sending
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.prefix import UrlPrefix
from tests.server.httpsys.model import memory
from tests.server.httpsys.model.machine import Pace
from tests.server.httpsys.model.port import FileObject
from tests.server.httpsys.served import URL, FakeProactor
from tests.server.httpsys.ways import RecordingPump, every_way, serving, turns

CONTENT = b"".join(b"%07d\n" % number for number in range(40_000))


class FileOfTheProcess(FileObject):
    """What a C runtime's descriptor stands for."""

    kind = "file"
    descriptor = -1


def _open():
    """Count the descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def windows(machine, monkeypatch):
    """A process whose descriptors have handles, as msvcrt.get_osfhandle gives them."""
    windows = machine.process()
    process = windows.of

    def handle(descriptor):
        thing = FileOfTheProcess(process)
        thing.descriptor = descriptor
        process.handles[descriptor] = thing
        return memory.handle(descriptor)

    close = sending.FilePart.close

    def closed(part):
        del process.handles[part._descriptor]
        close(part)

    monkeypatch.setattr(sending, "_os_handle", handle)
    monkeypatch.setattr(sending.FilePart, "close", closed)
    before = _open()
    yield windows
    assert "file" not in windows.alive()
    assert _open() == before


@pytest.fixture
def file(tmp_path):
    """A file that is open."""
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        yield file


def sending_file(file, *parts, length=None, around=(b"", b"")):
    """A handler that sends parts of a file, and something before and after each."""

    async def handler(exchange):
        await exchange.start(200, length=length)
        for part in parts:
            await exchange.write(around[0])
            await exchange.write_file(file, *part)
            await exchange.write(around[1])
        return await exchange.end()

    return handler


@every_way
@pytest.mark.parametrize("known", [True, False])
async def test_a_file_is_sent_from_its_handle(machine, windows, file, way, known):
    handler = sending_file(file, (), length=len(CONTENT) if known else None)
    async with serving(machine, handler, way, windows=windows):
        client = machine.client()
        for _ in range(2):
            assert (await client.request("GET", URL).response()).body == CONTENT
    assert file.tell() == 0


@every_way
@pytest.mark.parametrize("known", [True, False])
async def test_parts_of_a_file_go_between_other_pieces(machine, windows, file, way, known):
    parts = [(0, 8), (16, 24), (len(CONTENT) - 8, 8), (5, 0), (len(CONTENT),)]
    expected = b"".join(
        b"<" + CONTENT[start : start + (size[0] if size else len(CONTENT))] + b">" for start, *size in parts
    )
    handler = sending_file(file, *parts, length=len(expected) if known else None, around=(b"<", b">"))
    async with serving(machine, handler, way, windows=windows):
        assert (await machine.client().request("GET", URL).response()).body == expected


@pytest.mark.parametrize("version", ["1.0", "2"])
async def test_a_file_of_unknown_length_is_not_chunked_where_there_are_no_chunks(
    machine, windows, file, version
):
    async with serving(machine, sending_file(file, (8, 16)), windows=windows):
        if version == "2":
            call = machine.client(http2=True).request("GET", URL)
        else:
            call = machine.client().request("GET", URL, version="1.0")
        assert (await call.response()).body == CONTENT[8:24]


async def test_a_file_and_its_head_are_one_call(machine, windows, file):
    handler = sending_file(file, (0, 100), length=100)
    async with serving(machine, handler, windows=windows):
        await machine.client().request("GET", URL).response()
    assert machine.count("HttpSendHttpResponse") == 1
    assert machine.count("HttpSendResponseEntityBody") == 0


async def test_the_file_may_be_closed_when_it_is_written(machine, windows, tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)

    async def handler(exchange):
        await exchange.start(200, length=len(CONTENT))
        with path.open("rb") as file:
            exchange.stream.write_file(file, 0, len(CONTENT))
        return await exchange.end()

    async with serving(machine, handler, windows=windows):
        assert (await machine.client().request("GET", URL).response()).body == CONTENT


async def test_what_is_sent_counts(machine, windows, file):
    outcomes = []

    async def handler(exchange):
        outcomes.append(await sending_file(file, (0, 80), length=80)(exchange))
        return outcomes[0]

    async with serving(machine, handler, windows=windows):
        await machine.client().request("GET", URL).response()
    assert outcomes[0].bytes_sent == 80


async def test_head_gets_no_file(machine, windows, file):
    async with serving(machine, sending_file(file, (), length=len(CONTENT)), windows=windows):
        response = await machine.client().request("HEAD", URL).response()
    assert (response.body, response.header("content-length")) == (b"", b"%d" % len(CONTENT))


@pytest.mark.parametrize("part", [(0, len(CONTENT) + 1), (len(CONTENT) + 1, 0), (-1, 3), (8, len(CONTENT))])
@pytest.mark.logs_errors("failed in the handler")
async def test_a_file_that_is_too_short_is_a_mistake(machine, windows, file, part):
    told = asyncio.get_running_loop().create_future()

    async def handler(exchange):
        try:
            await sending_file(file, part)(exchange)
        except ValueError as error:
            told.set_result(str(error))
            raise

    async with serving(machine, handler, windows=windows):
        call = machine.client().request("GET", URL)
        assert "of a file that has 320000" in await told
        await call.over()
        assert call.reset


@pytest.mark.logs_errors("failed in the handler")
async def test_a_part_longer_than_the_content_length_breaks_the_response(machine, windows, file):
    async with serving(machine, sending_file(file, (0, 11), length=10), windows=windows):
        with pytest.raises(ConnectionResetError):
            await machine.client().request("GET", URL).response()


async def test_a_file_that_shrinks_on_the_way_breaks_the_response(machine, windows, file, tmp_path):
    async def handler(exchange):
        await exchange.start(200, length=len(CONTENT))
        await asyncio.sleep(0)
        assert exchange.stream.write_file(file, 0, len(CONTENT))
        os.truncate(tmp_path / "content", 100)
        return await exchange.end()

    async with serving(machine, handler, windows=windows):
        call = machine.client().request("GET", URL)
        await call.over()
        assert call.reset


@every_way
async def test_a_client_that_goes_away_in_a_file_has_it_closed(machine, windows, file, way):
    pump = RecordingPump()

    async def handler(exchange):
        exchange.stream.attach(pump)
        await exchange.start(200, length=2 * len(CONTENT))
        exchange.stream.attach(pump)
        exchange.stream.write_file(file, 0, len(CONTENT))
        await asyncio.sleep(0)
        exchange.stream.write_file(file, 0, len(CONTENT))
        await pump.until(lambda pump: pump.losses)
        exchange.stream.write_file(file, 0, 8)
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler, way, windows=windows):
        client = machine.client()
        client.request("GET", URL)
        client.paused = True
        await machine.until(lambda: client.unread > 1 << 16)
        await turns()
        client.disconnect()
        await pump.until(lambda pump: pump.losses)
    assert (pump.losses, pump.failure.reason) == (1, Reason.RESPONSE_BODY_CLIENT)


@pytest.mark.parametrize("pace", [Pace.AT_ONCE, Pace.HELD])
async def test_an_abort_has_files_closed_that_are_not_sent(machine, windows, file, pace):
    async def handler(exchange):
        machine.pace = pace
        await exchange.start(200, length=3 * len(CONTENT))
        exchange.stream.write_file(file, 0, len(CONTENT))
        await asyncio.sleep(0)
        exchange.stream.write_file(file, 0, len(CONTENT))
        exchange.stream.abort()
        return exchange.outcome(Kind.FAILED)

    async with serving(machine, handler, windows=windows):
        call = machine.client().request("GET", URL)
        await call.over()
        assert call.reset


@every_way
async def test_a_long_file_holds_the_handler_back(machine, windows, file, way):
    written = []

    async def handler(exchange):
        await exchange.start(200)
        for _ in range(5):
            await exchange.write_file(file)
            written.append(len(CONTENT))
        return await exchange.end()

    async with serving(machine, handler, way, windows=windows):
        client = machine.client()
        call = client.request("GET", URL)
        client.paused = True
        await machine.until(lambda: client.unread > 1 << 16)
        await turns(50)
        assert len(written) < 4
        client.paused = False
        assert (await call.response()).body == 5 * CONTENT


@pytest.mark.parametrize("completion", ["thread", "proactor"])
@pytest.mark.parametrize("cancelled", [True, False])
def test_files_that_wait_to_be_sent_are_closed_with_their_event_loop(
    machine, windows, file, cancelled, completion
):
    """The program ended without stopping its server, with files of a call under way, and others behind them."""
    tasks = []

    async def handler(exchange):
        tasks.append(asyncio.current_task())
        await exchange.start(200, length=4 * len(CONTENT))
        for _ in range(4):
            exchange.stream.write_file(file, 0, len(CONTENT))
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    async def main():
        loop._proactor = FakeProactor(windows, loop)
        options = ServerOptions(httpsys=HttpSysOptions(completion=completion))
        server = HttpSysServer(handler, options, windows=windows)
        await server.listen([UrlPrefix.parse(URL)])
        client = machine.client()
        client.paused = True
        client.request("GET", URL)
        await machine.until(lambda: client.unread > 1 << 16)
        await turns()
        return server

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(main())
    if cancelled:
        tasks[0].cancel()
        loop.run_until_complete(asyncio.wait(tasks))
    else:
        tasks[0]._log_destroy_pending = False
    loop.run_until_complete(loop._proactor.close())
    loop.close()
    if completion == "thread":
        server._port._thread.join(5)
    server._session.close()
    library.end(windows)


async def test_a_file_is_kept_with_its_response(machine, windows, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:100])

    async def handler(exchange):
        exchange.cache_response(60)
        await exchange.start(200, {"content-type": "text/plain"}, length=100)
        with (tmp_path / "file").open("rb") as file:
            await exchange.write_file(file)
        return await exchange.end()

    async with serving(machine, handler, windows=windows):
        for _ in range(2):
            assert (await machine.client().request("GET", URL).response()).body == CONTENT[:100]
        assert machine.cache.hits == 1


async def test_more_parts_of_files_than_a_call_takes_are_sent_all_the_same(machine, windows, tmp_path):
    (tmp_path / "file").write_bytes(b"x")

    async def handler(exchange):
        exchange.cache_response(60)
        await exchange.start(200, {"content-type": "text/plain"}, length=300)
        for _ in range(300):
            with (tmp_path / "file").open("rb") as file:
                await exchange.write_file(file)
        return await exchange.end()

    async with serving(machine, handler, windows=windows):
        response = await machine.client().request("GET", URL).response()
        assert (response.body, response.header("content-length")) == (b"x" * 300, b"300")
        assert machine.cache.entries == {}
