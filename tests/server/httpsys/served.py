"""A server on the machine of the tests, with either completion port."""

import asyncio
import threading
from contextlib import asynccontextmanager

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.options import ServerOptions
from hostler.server.options.httpsys import HttpSysOptions
from hostler.server.prefix import UrlPrefix

URL = "http://localhost:8080/"


class FakeProactor:
    """What a Proactor event loop has inside, over the fake's completion ports; put it at `loop._proactor`."""

    def __init__(self, windows, loop):
        self.windows = windows
        self._loop = loop
        self._handle = windows.kernel.CreateIoCompletionPort(ffi.cast("HANDLE", -1), ffi.NULL, 0, 0)
        self._iocp = int(ffi.cast("uintptr_t", self._handle))
        self._cache = {}
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self):
        entries, count = ffi.new("OVERLAPPED_ENTRY[]", 1), ffi.new("uint32_t *")
        kernel = self.windows.kernel
        while True:
            if kernel.GetQueuedCompletionStatusEx(self._handle, entries, 1, count, 5000, 0):
                if entries[0].lpCompletionKey:
                    return
                address = int(ffi.cast("uintptr_t", entries[0].lpOverlapped))
                if self._loop.is_closed():
                    return
                self._loop.call_soon_threadsafe(self._poll, address, entries[0].dwNumberOfBytesTransferred)

    def _poll(self, address, size):
        entry = self._cache.pop(address, None)
        if entry is not None:
            future, overlapped, _, callback = entry
            if not future.done():
                future.set_result(callback(size, 0, overlapped))

    async def close(self):
        """Do what a Proactor does when its loop closes: cancel all, wait until nothing is left."""
        for future, *_ in list(self._cache.values()):
            future.cancel()
        while self._cache:  # noqa: ASYNC110 - as the Proactor polls
            await asyncio.sleep(0.001)
        self.windows.kernel.PostQueuedCompletionStatus(self._handle, 0, 7, ffi.NULL)
        self._thread.join()
        self.windows.kernel.CloseHandle(self._handle)


@asynccontextmanager
async def served(
    windows, handler, *, completion="thread", urls=(URL,), queue=None, grace=5, receives=3, **options
):
    """Serve a handler on the fake, stop it at the end."""
    loop = asyncio.get_running_loop()
    proactor = loop._proactor = FakeProactor(windows, loop) if completion == "proactor" else None
    own = HttpSysOptions(completion=completion, receives=receives, **options)
    server = HttpSysServer(handler, ServerOptions(httpsys=own), windows=windows)
    try:
        if queue is not None:
            await server.join(*queue)
        await server.listen([UrlPrefix.parse(url) for url in urls])
        yield server
    finally:
        try:
            await server.stop(grace)
        finally:
            if proactor is not None:
                await proactor.close()
            loop._proactor = None
