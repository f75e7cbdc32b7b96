"""Running a service until a signal, in this process; with real workers that is in end_to_end/test_workers.py."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hostler import ServerOptions, TlsOptions
from hostler.loaders import HandlerLoader
from hostler.processes.foreground import run_until_stopped
from hostler.processes.loop import run_loop
from hostler.server.prefix import UrlPrefix
from hostler.service import Service, parse_prefixes
from tests.certificates import certificate


def test_a_handler_runs_until_it_is_stopped(capsys):
    class Signalled:
        """A handler that is asked to stop as soon as it has started."""

        async def __call__(self, exchange):
            raise NotImplementedError

        stopped = False

    async def main():
        async with anyio.create_task_group() as group:

            async def stop_when_it_listens():
                while "listening on" not in (seen := capsys.readouterr().out):
                    await checkpoint()
                assert UrlPrefix.parse(seen.split()[-1]).port
                os.kill(os.getpid(), signal.SIGTERM)

            group.start_soon(stop_when_it_listens)
            return await run_until_stopped(
                Service(loader=HandlerLoader(Signalled()), prefixes=parse_prefixes(["http://127.0.0.1:0/"]))
            )

    assert run_loop(main) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGHUP")
def test_certificates_are_read_again_on_hangup(tmp_path, caplog, capsys):
    """A handler that cannot be reloaded is not stopped by SIGHUP where there are certificates."""
    caplog.set_level(logging.INFO, "hostler.reload")
    options = ServerOptions(tls=TlsOptions(certificate=certificate(tmp_path)))

    async def handler(exchange):
        raise NotImplementedError

    async def main():
        service = Service(
            loader=HandlerLoader(handler), prefixes=parse_prefixes(["https://127.0.0.1:0/"]), options=options
        )
        serving = asyncio.create_task(run_until_stopped(service))
        while "listening on" not in capsys.readouterr().out:
            await checkpoint()
        os.kill(os.getpid(), signal.SIGHUP)
        while "it was read" not in caplog.text:
            await checkpoint()
        assert not serving.done()
        os.kill(os.getpid(), signal.SIGTERM)
        return await serving

    assert run_loop(main) == 0
