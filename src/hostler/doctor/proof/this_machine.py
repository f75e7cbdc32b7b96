"""What is around this process, for real: other processes, certificates, TLS."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from attrs import define, field

from hostler.doctor.proof import other
from hostler.doctor.proof.certificate import bound_certificate
from hostler.doctor.proof.http2 import connect_http2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from hostler.doctor.proof.http2 import Http2Client
    from hostler.doctor.proof.recording import Recorder
    from hostler.doctor.proof.rig import OtherProcess
    from hostler.server.httpsys.api import Windows

__all__ = ["ThisMachine"]


@define(eq=False)
class ThisMachine:
    """`hostler.doctor.proof.rig.Surroundings`."""

    left: list[str] = field(factory=list)
    """What could not be removed, each with the command that removes it."""

    def start(self, process: OtherProcess, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Have a process serve while the context lasts."""
        return other.start(process, recorder)

    @asynccontextmanager
    async def https(self, windows: Windows, port: int) -> AsyncIterator[None]:
        """Have a certificate for a port while the context lasts; raises NotTriedError."""
        with bound_certificate(windows, port, self.left):
            yield

    async def http2(self, port: int) -> Http2Client:
        """Connect to a port with HTTP/2 over TLS; raises NotTriedError, BrokenPromiseError."""
        return await connect_http2(port)
