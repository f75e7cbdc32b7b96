"""Clients of a proof, on the model: what they sent is sent again, and what they heard must be there to hear."""

import re

from hostler.doctor.proof.structures import bytes_of
from tests.server.httpsys.model.http1 import Http1Connection

_VARIES = re.compile(rb"(?im)^(date|server): .*?\r\n")
"""Headers whose values are not a matter of behaviour."""


class Client:
    """A client's end of a connection; the model's wire."""

    waiting = 0

    def __init__(self, machine, event):
        self._machine = machine
        self._heard = b""
        self._end = None
        self._left = False
        remote, local = ("127.0.0.1", event["port"]), ("127.0.0.1", event["to"])
        with machine.step():
            self._connection = Http1Connection(machine, self, remote, local)

    # -- the wire

    def send(self, data):
        """Hear something; who has left answers with a reset."""
        self._heard += data
        if self._left and not self._connection.gone:
            self._connection.lost()

    def close(self):
        self._end = "end"

    def reset(self):
        self._end = "reset"

    def resume(self):
        """Nothing is held back here."""

    # -- what a client did

    def do(self, event):
        """Do what the client did; returns what it should have heard, and what it did hear when that is otherwise."""
        does = event["does"]
        if does == "hear":
            return self._hear(event)
        with self._machine.step():
            if does == "send":
                self._connection.feed(bytes_of(event["data"]))
            elif does == "reset":
                self._connection.lost()
            else:
                self._left = does == "close"
                self._connection.eof()
        return None

    def _hear(self, event):
        unit = event["unit"]
        if unit in {"end", "reset"}:
            return None if self._end == unit else (unit, self._end or "an open connection")
        expected = bytes_of(event["data"])
        if unit == "head":
            head, end, rest = self._heard.partition(b"\r\n\r\n")
            heard, self._heard = head + end, rest
            expected, heard = _normal(expected), _normal(heard)
        else:
            heard, self._heard = self._heard[: len(expected)], self._heard[len(expected) :]
        return None if heard == expected else (expected, heard)


def _normal(head):
    """Leave out of a head what differs from one day, or machine, to the next; headers in order of their names."""
    first, *lines = _VARIES.sub(b"", head).split(b"\r\n")
    return [first, *sorted(line.lower() for line in lines if line)]


class Http2Client:
    """A client with HTTP/2, whose requests and answers are values."""

    def __init__(self, machine, event):
        self._client = machine.client(remote=("127.0.0.1", event["port"]), http2=True, tls=True)
        self._calls = {}

    def do(self, event):
        """Do what the client did; returns what it should have heard, and what it did hear when that is otherwise."""
        number = event["request_number"]
        if event["does"] == "ask":
            url = f"https://localhost:{event['to']}{event['target']}"
            body = bytes_of(event["data"]) or None
            self._calls[number] = self._client.request(event["method"], url, body=body)
            return None
        call = self._calls.pop(number)
        trailers = [[name.decode().lower(), value.decode()] for name, value in call.trailers]
        heard = (call.status, bytes(call.body), trailers, call.reset_code)
        expected = (event["status"], bytes_of(event["data"]), event["trailers"], event["reset"])
        return None if heard == expected else (expected, heard)
