"""Programs whose output nobody reads go on, and stop when they are told to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.end_to_end.programs import HERE, TIMEOUT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals of Unix")

REQUEST = b"GET /" + b"x" * 200 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ANSWERS = 2000


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def answered(port, count):
    """Make requests on one connection until so many have been answered."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)  # it has no way to say that it listens
            else:
                break
        for _ in range(count):
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
        writer.close()
        await writer.wait_closed()


async def test_a_log_that_nobody_reads_stops_neither_requests_nor_the_end():
    port = free_port()
    reader, writer = os.pipe()
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hostler", "serve", "worker_apps:app", "--workers", "0", "--url",
        f"http://127.0.0.1:{port}/", cwd=HERE, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    try:
        await answered(port, ANSWERS)  # ten times what a pipe holds
        program.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(program.communicate(), TIMEOUT)
    finally:
        os.close(reader)
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert (program.returncode, errors) == (0, b"")


@pytest.mark.parametrize(
    "arguments",
    [("serve", "worker_apps:app", "--workers", "0", "--url", "http://127.0.0.1:0/"), ("--help",)],
    ids=["serve", "help"],
)
async def test_a_reader_that_is_gone_is_no_reason_for_a_traceback(arguments):
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hostler", *arguments, cwd=HERE,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    await program.stdout.readline()
    program._transport.get_pipe_transport(1).close()
    if "serve" in arguments:
        program.send_signal(signal.SIGTERM)
    errors = await asyncio.wait_for(program.stderr.read(), TIMEOUT)
    await program.wait()
    assert b"Traceback" not in errors
    assert program.returncode in {0, -signal.SIGTERM}


async def test_a_command_that_only_says_something_waits_for_its_reader(tmp_path):
    wrong = ",".join(f'"r{number}":{{"Match":{{"Path":"/{{"}}}}' for number in range(9000))
    document = tmp_path / "wrong.json"
    document.write_text('{"ReverseProxy":{"Routes":{' + wrong + "}}}")
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hostler", "check", str(document),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    said = []
    while line := await asyncio.wait_for(program.stderr.readline(), TIMEOUT):
        said.append(line)
        if len(said) == 1:
            await asyncio.sleep(0.2)  # a reader that takes its time, and a megabyte behind it
    assert await program.wait() == 1
    assert len(b"".join(said)) > 1 << 20
    assert sum(b".Match.Path: " in line for line in said) == 9000
