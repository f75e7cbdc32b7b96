"""The other process, for real: it serves on a model of its own, and says what it did."""

import os
import socket
from pathlib import Path

import pytest

from hostler.doctor.proof import other
from hostler.doctor.proof.clients import connect
from hostler.doctor.proof.errors import BrokenPromiseError
from hostler.doctor.proof.recording import Recorder
from hostler.doctor.proof.rig import OtherProcess
from hostler.server.base import QueueMode

ROOT = Path(__file__).parents[3]
ON_A_MODEL = """
from hostler.server.httpsys import api
from tests.server.httpsys.model.machine import Machine

machine = Machine()
machine.listen()
api.load = lambda: machine.process("other")
"""


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@pytest.fixture
def wanted(port):
    return OtherProcess("other", "q", QueueMode.CREATE, f"http://localhost:{port}/")


@pytest.fixture
def on_a_model(tmp_path, monkeypatch):
    """Have new processes of this Python find HTTP.sys: a model, each its own."""
    (tmp_path / "sitecustomize.py").write_text(ON_A_MODEL)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))


@pytest.mark.usefixtures("on_a_model")
async def test_it_answers_and_says_what_it_did(wanted, port):
    recorder = Recorder("here")
    async with other.start(wanted, recorder):
        client = await connect(recorder, 1, port)
        await client.ask("/shop", method="POST", body=b"tea")
        assert await client.answer() == (200, b"other /shop 3")
        await client.close()
    events = recorder.take()
    assert {event["process"] for event in events} == {"here", "other"}
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    calls = [event["call"] for event in events if event["process"] == "other" and "call" in event]
    assert calls[-1] == "HttpTerminate"
    assert {"HttpCreateRequestQueue", "HttpReceiveHttpRequest", "HttpSendHttpResponse"} <= set(calls)
    received = [event["received"] for event in events if "received" in event]
    assert [request["target"] for request in received] == ["/shop"]


@pytest.mark.usefixtures("on_a_model")
async def test_what_fails_here_ends_it(wanted):
    recorder = Recorder("here")
    with pytest.raises(ZeroDivisionError):
        async with other.start(wanted, recorder):
            raise ZeroDivisionError
    assert recorder.take()[-1]["call"] == "HttpTerminate"


async def test_one_that_cannot_serve_says_why(wanted):
    with pytest.raises(
        BrokenPromiseError, match=r"the other process: UnsupportedError: HTTP\.sys is part of"
    ):
        async with other.start(wanted, Recorder("here")):
            pass
