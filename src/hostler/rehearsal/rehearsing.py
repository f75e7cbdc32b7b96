"""Leading a request through a proxy, from its head to the answer, and noting what becomes of it."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from hostler.client.forwarder import Forwarder
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.errors import ProtocolError
from hostler.fleet.delegation import DestinationRules
from hostler.http.h1 import RequestReader
from hostler.http.target import parse_host
from hostler.proxy import Proxy
from hostler.rehearsal.recording import (
    RecordingConnector,
    RecordingRules,
    RecordingStream,
    Sent,
    make_offline_loop,
)
from hostler.rehearsal.watching import Visit, Watched
from hostler.routing.verdicts import Question, Verdict, judge
from hostler.server.base import ServerKind
from hostler.server.check import urls_of
from hostler.server.placing import make_exchange
from hostler.server.prefix import PrefixTable, UrlPrefix
from hostler.stages.forward import SENDER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.config.model import Config
    from hostler.contract import Address
    from hostler.exchange import Exchange
    from hostler.fleet import LiveRoute
    from hostler.outcome import Outcome

__all__ = ["Asked", "Rehearsal", "rehearse"]

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?", re.IGNORECASE
)
_CLIENT: Final = ("127.0.0.1", 50000)
_PATIENCE: Final = 1.0
"""Seconds that what goes on behind the answer may take."""

_BODY: Final = frozenset({"content-length", "transfer-encoding"})


@frozen
class Asked:
    """The request that is asked about."""

    scheme: str
    server: Address
    """Where it arrives."""

    head: bytes

    @classmethod
    def of(cls, method: str, url: str, headers: Iterable[str] = ()) -> Asked:
        """Make the request that a client sends for a URL; a header is `Name: value`. Raises ValueError for what is none."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError(f"{url!r} is not a URL; write http://host/path")
        lines = [_header(text) for text in headers]
        names = {name.lower() for name, _ in lines}
        if names & _BODY:
            raise ValueError(
                "a request with a body is not explained; leave out Content-Length and Transfer-Encoding"
            )
        if "host" not in names:
            lines.insert(0, ("Host", found["authority"]))
        target = found["target"]
        target = target if target.startswith("/") else "/" + target
        scheme = found["scheme"].lower()
        try:
            host, port = parse_host(found["authority"].encode())
        except ProtocolError as error:
            raise ValueError(f"{url!r}: {error}") from None
        text = "".join(
            f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", *(f"{n}: {v}" for n, v in lines), "")
        )
        local_ip = host.strip("[]") if re.fullmatch(r"[0-9.]+|\[.*\]", host) else _CLIENT[0]
        return cls(scheme, (local_ip, port or (443 if scheme == "https" else 80)), text.encode())


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name or "\r" in text or "\n" in text:
        raise ValueError(f"{text!r} is not a header; write Name: value")
    return name, value.strip(" \t")


@define(eq=False)
class Rehearsal:
    """What became of a request."""

    asked: Asked
    refusal: ProtocolError | None = None
    """Why the server answers by itself, without asking any route."""

    is_placed: bool = True
    """Whether one of the configuration's URL prefixes has the request's port, where it has any."""

    exchange: Exchange | None = None
    verdicts: list[Verdict[LiveRoute]] = field(factory=list)
    pipeline: tuple[str, ...] = ()
    visits: list[Visit] = field(factory=list)
    sent: list[tuple[str, Sent]] = field(factory=list)
    """What would have gone out: the cluster's id, and the request."""

    stream: RecordingStream | None = None
    outcome: Outcome | None = None
    error: Exception | None = None
    """What a stage raised."""

    @property
    def route(self) -> LiveRoute | None:
        """The route that wins."""
        return None if self.exchange is None else self.exchange.route


class _Placing:
    """Places a request under the URL prefixes of a configuration; at the root where none has its port."""

    def __init__(self, urls: Iterable[str], port: int) -> None:
        self._table = PrefixTable()
        for url in urls:
            prefix = UrlPrefix.parse(url)
            if prefix.port == port:
                self._table.add(prefix)

    @property
    def has_prefixes(self) -> bool:
        return len(self._table) > 0

    def place(self, scheme: str, host: str, server: Address, path: str) -> tuple[str, str]:
        """Return (path base, path), as a server does; raises ProtocolError as it does."""
        return self._table.place(scheme, host, server, path) if self.has_prefixes else ("", path)


def rehearse(config: Config, asked: Asked, server: ServerKind) -> Rehearsal:
    """Lead a request through the proxy of a configuration; raises ConfigError for one that has problems."""
    with asyncio.Runner(loop_factory=make_offline_loop) as runner:
        return runner.run(_rehearse(config, asked, server))


async def _rehearse(config: Config, asked: Asked, server: ServerKind) -> Rehearsal:
    rehearsal = Rehearsal(asked)
    urls = urls_of(config, server)
    placing = _Placing(urls, asked.server[1])
    rehearsal.is_placed = placing.has_prefixes or not urls
    stages = tuple(Watched(stage, rehearsal.visits) for stage in DEFAULT_PIPELINE)
    rehearsal.pipeline = tuple(stage.name for stage in stages)
    proxy = Proxy.from_config(config, pipeline=stages)
    stream = rehearsal.stream = RecordingStream(
        asked.head,
        lambda sent: rehearsal.sent.append(("", sent)),
        hands_over_what_came=server is ServerKind.HTTPSYS,
    )
    try:
        request = RequestReader().feed(asked.head)
        assert request is not None
        exchange = make_exchange(request, stream, placing, _CLIENT, asked.server, asked.scheme)
    except ProtocolError as error:
        rehearsal.refusal = error
        return rehearsal
    rehearsal.exchange = exchange
    question = Question(exchange.method, exchange.host, exchange.port, exchange.path or "/", exchange)
    rehearsal.verdicts = judge(proxy.table, question)
    await _run(proxy, exchange, rehearsal)
    return rehearsal


async def _run(proxy: Proxy, exchange: Exchange, rehearsal: Rehearsal) -> None:
    rules = DestinationRules(RecordingRules())
    rules.apply(rules.open(proxy.clusters))
    senders = []
    for cluster in proxy.clusters:
        record = partial(_note, rehearsal, cluster.id)
        sender = Forwarder(
            cluster.config.http_client,
            cluster.config.http_request,
            connector=partial(RecordingConnector, record),
        )
        cluster.equipment[SENDER] = sender
        senders.append(sender)
    try:
        rehearsal.outcome = await proxy(exchange)
    except Exception as error:  # noqa: BLE001 - whatever a policy raises is told
        rehearsal.error = error
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # what goes on behind the answer, such as a copy for another cluster
            await asyncio.wait(others, timeout=_PATIENCE)
        for sender in senders:
            sender.close()


def _note(rehearsal: Rehearsal, cluster: str, sent: Sent) -> None:
    rehearsal.sent.append((cluster, sent))
