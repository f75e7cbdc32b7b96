"""Proxies that delegate and receivers that answer, each in a process of the machine."""

from contextlib import asynccontextmanager

from attrs import define, field

from hostler.config.model import Cluster, Route, queue
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.outcome import Kind
from hostler.proxy import Proxy
from hostler.server.base import QueueMode
from hostler.server.httpsys.constants import CreateRequestQueueFlag
from hostler.server.httpsys.server import HttpSysServer
from hostler.server.prefix import UrlPrefix
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.served import served

FRONT = "http://localhost:8080/"
"""Where the proxy listens."""

BACK = "http://localhost:9090/"
"""Where the receiver listens too, and what is delegated under."""

Q = queue("q", BACK)


async def hello(exchange):
    """Say where a request arrived, and with what in its body."""
    body = (await exchange.read()).decode()
    return await exchange.respond(200, f"hello {exchange.path_base}|{exchange.path}|{body}")


def routed(*destinations, **cluster):
    """Make routes and clusters that send everything to these destinations."""
    return [Route("/{**rest}", "cluster", id="all")], [Cluster("cluster", destinations, **cluster)]


@define(eq=False)
class Front:
    """A proxy that runs, and what came of its exchanges."""

    machine: Machine
    windows: object
    proxy: Proxy
    server: HttpSysServer
    outcomes: list = field(factory=list)

    def request(self, method="GET", path="/", *arguments, **more):
        """Send a request on a connection of its own."""
        client = self.machine.client()
        return client.request(method, FRONT[:-1] + path, *arguments, **more)

    async def get(self, path="/"):
        """Ask, and read the answer."""
        return await self.request("GET", path).response()

    async def refused(self, path="/"):
        """Ask, expect a plain 503, and return the outcome's failure."""
        response = await self.get(path)
        assert (response.status, response.body) == (503, b"503 Service Unavailable\n")
        return self.failure

    @property
    def failure(self):
        """Why the last exchange failed."""
        outcome = self.outcomes[-1]
        assert outcome.kind is Kind.FAILED
        return outcome.failure

    @property
    def looked(self):
        """How often a queue was looked for, to delegate to it."""
        delegation = CreateRequestQueueFlag.DELEGATION
        return sum(
            call.function == "HttpCreateRequestQueue" and bool(call.arguments[3] & delegation)
            for call in self.windows.calls
        )

    def called(self, function):
        """How often the proxy's process called a function."""
        return sum(call.function == function for call in self.windows.calls)

    @property
    def handles(self):
        """How many queues the proxy's process has open, its own not counted."""
        return self.windows.alive()["queue handle"] - 1


@asynccontextmanager
async def delegating(machine, *destinations, windows=None, stages=(), proxy=None, **options):
    """Run a proxy on FRONT that has these destinations, behind `stages`."""
    windows = windows or machine.process("proxy")
    outcomes = []

    async def note(exchange, onward):
        outcome = await onward(exchange)
        outcomes.append(outcome)
        return outcome

    if proxy is None:
        proxy = Proxy(*routed(*destinations or [Q]), pipeline=(note, *stages, *DEFAULT_PIPELINE))
    front = Front(machine, windows, proxy, None, outcomes)
    async with served(windows, proxy, urls=(), **options) as front.server, proxy.lifespan(front.server):
        await front.server.listen(prefixes(FRONT))
        yield front
        await front.server.stop(5)


@asynccontextmanager
async def receiving(machine, handler=hello, *, windows=None, name="q", mode=QueueMode.CREATE, urls=(BACK,)):
    """Run a server that answers from a queue."""
    windows = windows or machine.process("receiver")
    async with served(windows, handler, urls=urls, queue=(name, mode)) as server:
        yield server


def prefixes(*urls):
    """Parse URL prefixes."""
    return [UrlPrefix.parse(url) for url in urls]
