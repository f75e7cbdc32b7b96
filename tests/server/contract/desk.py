"""The desk over which the handlers of the behaviour suite and a test speak, and what handlers ask of an exchange."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from urllib.parse import parse_qs


class Desk:
    """What the handlers of one server report, the gates that they wait at, and the rules that they delegate by."""

    def __init__(self):
        self.rules = {}
        self._reports = deque()
        self._reported = asyncio.Event()
        self._gates = {}

    def report(self, name, **facts):
        """Leave facts, in values that JSON has, for a test."""
        self._reports.append((name, facts))
        self._reported.set()

    async def reported(self, name):
        """Wait for the next report of that name; give its facts."""
        while True:
            for report in self._reports:
                if report[0] == name:
                    self._reports.remove(report)
                    return report[1]
            self._reported.clear()
            await self._reported.wait()

    def gate(self, name):
        """Return the gate of that name, closed until a test opens it."""
        return self._gates.setdefault(name, asyncio.Event())


def desk_of(exchange):
    """Return the desk of the server that an exchange came to."""
    return exchange.items["desk"]


def asked(exchange, name, default=""):
    """Return what the request's query says of `name`; of the same type as the default."""
    query = parse_qs((exchange.target.query or b"").decode("ascii"), keep_blank_values=True)
    return type(default)(query.get(name, [default])[0])


def pairs(headers):
    """Give header pairs as text."""
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


async def as_json(exchange, **facts):
    """Answer with facts."""
    return await exchange.respond(200, json.dumps(facts), headers=[("content-type", "application/json")])
