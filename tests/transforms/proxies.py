"""A proxy with transforms between a client and a destination, byte by byte."""

from __future__ import annotations

from contextlib import asynccontextmanager

from attrs import define, field

from hostler import Cluster, Proxy, Route, serving
from tests.client.peers import OK, Peer, connected, destination


@define(eq=False)
class Between:
    """A proxy, and what its destination was asked."""

    url: str
    proxy: Proxy
    heads: list = field(factory=list)
    there: object = None

    @property
    def host(self):
        return self.url.removeprefix("http://").rstrip("/")

    def connect(self):
        return connected(self.url)

    async def fetch(self, method="GET", path="/", headers="", body=b""):
        """Ask on a connection of its own."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}\r\n"
        async with self.connect() as client:
            client.send(head.encode("latin-1") + body)
            return await client.answer(method)


@asynccontextmanager
async def between(transforms, *answers, path="/{**rest}", script=None, address=None, **route):
    """Run a proxy with one route, in front of a destination that answers with `answers`, the last one for ever."""
    left = list(answers) or [OK]
    heads = []

    async def answer(peer: Peer):
        while True:
            heads.append((await peer.head()).decode("latin-1").removesuffix("\r\n\r\n").split("\r\n"))
            peer.send(left.pop(0) if len(left) > 1 else left[0])

    async with destination(script or answer) as there:
        config = Route(path, "c", id="r", transforms=transforms, **route)
        proxy = Proxy([config], [Cluster("c", [address or there.address])])
        async with serving(proxy, ["http://127.0.0.1:0/"]) as served:
            yield Between(served.url, proxy, heads, there)
