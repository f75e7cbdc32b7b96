"""Every contender that there can be, in the order of a round."""

from __future__ import annotations

from functools import partial
from typing import Final

from benchmarks.contenders import nginx, others, ours, python
from benchmarks.contenders.entry import Entry

__all__ = ["ROSTER"]

_PROXY: Final = "from hostler import Proxy, run"
"""What a program of one's own begins with."""

ROSTER: Final = {
    entry.name: entry
    for entry in (
        Entry("direct", "the destination, no proxy", None),
        Entry("worker", "the worker, no proxy", None),
        Entry("nginx", "nginx", nginx.forwarding),
        Entry("nginx-log", "nginx, access log", nginx.forwarding_with_log),
        Entry("haproxy", "HAProxy", others.haproxy),
        Entry("caddy", "Caddy", others.caddy),
        Entry("varnish", "Varnish", others.varnish),
        Entry("aiohttp", "aiohttp", python.aiohttp_proxy),
        Entry("starlette", "Starlette and httpx", python.starlette_proxy),
        Entry("proxy.py", "proxy.py", python.proxy_py),
        Entry("uvicorn", "uvicorn", python.uvicorn),
        Entry("hypercorn", "hypercorn", python.hypercorn, h2load=False),  # answers have no reason phrase
        Entry("granian", "granian", python.granian),
        Entry("hostler", "hostler", ours.forwarding, ours=True),
        Entry("hostler-asyncio", "hostler, asyncio's loop", ours.forwarding_on_asyncio, ours=True),
        Entry("hostler-stage", "hostler, coroutine stage", ours.forwarding_with_stage, ours=True),
        Entry("hostler-log", "hostler, access log", ours.forwarding_with_log, ours=True),
        Entry("hostler-delegate", "hostler, delegating", ours.delegating, ours=True),
        Entry("hostler-serve", "hostler, serving", ours.serving, ours=True),
        Entry("hostler-run", "hostler run", ours.run, ours=True),
        Entry("engine-nginx", "nginx, answering itself", nginx.destination),
        Entry(
            "engine-hostler", "hostler's transport on uvloop", partial(ours.engine, name="hostler"), ours=True
        ),
        Entry(
            "engine-hostler-asyncio",
            "hostler's transport on asyncio",
            partial(ours.engine, name="hostler-asyncio"),
            ours=True,
        ),
        Entry("engine-uvloop", "uvloop's TLS", partial(python.engine, name="uvloop")),
        Entry("engine-asyncio", "asyncio's TLS", partial(python.engine, name="asyncio")),
        Entry("import-asyncio", "import asyncio", partial(python.importing, package="asyncio")),
        Entry(
            "import-hostler", "import hostler", partial(ours.importing, statement="import hostler"), ours=True
        ),
        Entry("import-proxy", _PROXY, partial(ours.importing, statement=_PROXY), ours=True),
        Entry("import-uvicorn", "import uvicorn", partial(python.importing, package="uvicorn")),
        Entry("import-aiohttp", "import aiohttp", partial(python.importing, package="aiohttp")),
        Entry("run-asyncio", "a server of bare asyncio", python.asyncio_server),
    )
}
