"""A proof on the model of HTTP.sys: its TCP side is real, and other processes are processes of the machine."""

import asyncio
from contextlib import asynccontextmanager

from hostler.doctor.proof.document import to_json
from hostler.doctor.proof.http2 import Answer
from hostler.doctor.proof.other import answering
from hostler.doctor.proof.proof import PROMISES, prove
from hostler.doctor.proof.recording import Recorder
from hostler.doctor.proof.rig import Rig
from tests.server.httpsys.model.machine import Machine


class ModelSurroundings:
    """What is around a process of a machine."""

    def __init__(self, machine):
        self._machine = machine
        self.left = []

    @asynccontextmanager
    async def start(self, other, recorder):
        """Have another process of the machine serve; its clock is everybody's."""
        own = Recorder(other.name)
        async with answering(Rig(self._machine.process(other.name), own, self), other):
            yield
        recorder.add(own.own())

    @asynccontextmanager
    async def https(self, windows, port):
        """Do nothing: TLS is a mark on a connection there."""
        yield

    async def http2(self, port):
        """Connect a client without a socket."""
        return ModelHttp2Client(self._machine, port)


class ModelHttp2Client:
    """`hostler.doctor.proof.http2.Http2Client`, on the model."""

    def __init__(self, machine, to):
        self.port = 40001
        self._to = to
        self._client = machine.client(remote=("127.0.0.1", self.port), http2=True, tls=True)

    async def ask(self, requests):
        calls = [
            self._client.request(method, f"https://localhost:{self._to}{target}", body=body or None)
            for method, target, body in requests
        ]
        return [await self._answer(call) for call in calls]

    @staticmethod
    async def _answer(call):
        await call.over()
        trailers = [(name.decode().lower(), value.decode()) for name, value in call.trailers]
        return Answer(call.status, bytes(call.body), trailers, call.reset_code)

    async def close(self):
        self._client.disconnect()


@asynccontextmanager
async def proving_machine(**options):
    """Give a machine whose clients are real; at the end nothing must be left, and nothing have been done wrong."""
    machine = Machine(**options)
    machine.listen()
    try:
        yield machine
        assert machine.defects == []
        assert machine.alive() == {}
    finally:
        machine.close()


MADE = {"hostler": "of this tree", "system": {"name": "the model of hostler's tests"}}


async def prove_on_model(promises=PROMISES, **options):
    """Make a proof on the model; returns its attempts."""
    attempts = []
    async with proving_machine(**options) as machine:
        await prove(machine.process("here"), ModelSurroundings(machine), attempts.append, promises)
    return attempts


if __name__ == "__main__":
    print(to_json(MADE, asyncio.run(prove_on_model())), end="")  # noqa: T201 - the sample of tests/doctor/replay/
