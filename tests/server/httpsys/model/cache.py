"""The kernel's response cache: what it keeps of what applications send, whom it answers with that, what drops it.

An answer is offered with the HttpSendHttpResponse that has a HTTP_CACHE_POLICY. It is kept under its cooked URL, the
query included, and answers requests before they come to a queue.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from attrs import define, field

from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.codes import Win32
from tests.server.httpsys.model.log import write_line
from tests.server.httpsys.model.reply import Head, Reply

if TYPE_CHECKING:
    from tests.server.httpsys.model.connection import Pairs
    from tests.server.httpsys.model.exchange import Request
    from tests.server.httpsys.model.machine import Machine
    from tests.server.httpsys.model.queue import Queue
    from tests.server.httpsys.model.routing import Registration

NO_CACHE, USER_INVALIDATES, TIME_TO_LIVE = range(3)
"""HTTP_CACHE_POLICY_TYPE."""

RECURSIVE = 1
_LARGEST = 262144
_URL = re.compile(r"(https?)://([^/]+):(\d+)(/[^?]*)(\?.*)?")


@define(eq=False)
class Entry:
    """An answer that is kept."""

    registration: Registration
    """What took the request that it was the answer to."""
    head: Head
    body: bytes
    ends: float | None
    """When it is dropped; None: when it is flushed."""
    log: dict[str, Any] | None


@define(eq=False)
class ResponseCache:
    """The responses that a machine keeps."""

    machine: Machine
    names_by_prefix: bool = False
    """Whether names have the host of the URL prefix that took the request, such as +, in place of the request's own."""
    entries: dict[str, Entry] = field(factory=dict, init=False)
    hits: int = field(default=0, init=False)

    def offer(self, request: Request, policy: tuple[int, int], flags: int, head: Head, body: bytes,
              log: dict[str, Any] | None) -> None:  # fmt: skip
        """Keep an answer, unless the request, the answer or the policy is against it: it is sent all the same."""
        kind, seconds = policy
        if kind == NO_CACHE or (kind == TIME_TO_LIVE and not seconds):
            return
        # source: "Kernel Mode Cache": the entire response must be provided in a single call to HttpSendHttpResponse
        if flags & c.MORE or not _plain_get(request) or not _keepable(head, body):
            return
        # guess: neither an upgraded connection nor one that ends with its answer is a thing to be kept
        if flags & (c.OPAQUE | c.DISCONNECT):
            return
        registration = self._registration(request)
        if registration is None:
            return
        if any(name.lower() == b"transfer-encoding" for name, _ in head.headers):
            self.machine.defect(f"{request.url.full} is kept with chunks of the application's own")
        # source: HTTP_CACHE_POLICY: SecondsToLive counts for HttpCachePolicyTimeToLive only
        ends = self.machine.now + seconds if kind == TIME_TO_LIVE else None
        kept = Head(head.status, head.reason, list(head.headers))
        self.entries[self._name(request, registration)] = Entry(registration, kept, body, ends, log)

    def _registration(self, request: Request) -> Registration | None:
        found = self.machine.registry.find(request.url, request.channel.local[1], request.channel.local[0])
        # guess: what was delegated is answered by another queue's process, and kept for nobody
        return None if isinstance(found, int) or found.group.queue is not request.queue else found

    def _name(self, request: Request, registration: Registration) -> str:
        # source: "netsh http show cachestate", whose output has http://localhost:80/iisstart.htm of IIS' site on *:80
        # guess: no page says that of every prefix whose host is a wildcard; tests have the prefix' host too
        url, prefix = request.url, registration.prefix
        host = f"{prefix.host}:{prefix.port}" if self.names_by_prefix else url.host.lower()
        return f"{url.scheme}://{host}{url.path}{url.query}"

    def answer(self, request: Request, registration: Registration) -> bool:
        """Answer a request with what is kept; returns whether there is something."""
        name = self._name(request, registration)
        entry = self.entries.get(name)
        # guess: with its URL prefix, what was kept under it goes
        if entry is None or entry.registration is not registration:
            return False
        if entry.ends is not None and entry.ends <= self.machine.now:
            del self.entries[name]
            return False
        # source: "Kernel Mode Cache": requests that require authentication are not served from the cache
        # guess: what a request must not have to be kept, it must not have to be answered either, but for a range
        if not _plain_get(request, ranges=True):
            return False
        # source: aspnet/Caching#86: the cache cannot vary by anything
        # guess: Accept, Accept-Encoding, Cache-Control and Cookie of a request are of no interest either
        self.hits += 1
        self._answer(request, entry)
        return True

    def _answer(self, request: Request, entry: Entry) -> None:
        head = Head(entry.head.status, entry.head.reason, list(entry.head.headers))
        body = entry.body
        wanted = _value(request.headers, b"range")
        if _not_modified(request, head):
            # source: "Kernel Mode Cache": the time in Last-Modified is used for cache control verification
            head, body = Head(304, b"Not Modified", head.headers), b""
        elif wanted is not None and (span := re.fullmatch(rb"bytes=(\d+)-(\d*)", wanted)):
            # source: HttpSysServer#167: ranges are served from the cache, with a second Content-Length where the
            # application gave one
            first, last = int(span[1]), min(int(span[2] or len(body) - 1), len(body) - 1)
            if head.get(b"content-length") is not None:
                self.machine.defect(f"a part of {request.url.full} has two Content-Lengths")
                head.headers = [pair for pair in head.headers if pair[0].lower() != b"content-length"]
            head.headers.append((b"Content-Range", b"bytes %d-%d/%d" % (first, last, len(body))))
            head, body = Head(206, b"Partial Content", head.headers), body[first : last + 1]
        request.gone = True
        reply = request.reply = Reply(request, head, 0, len(body))
        reply.begin()
        reply.write(body)
        reply.end(0, [])
        # source: "Kernel Mode Cache": the configuration applies to what is served from the cache, its log included
        write_line(request, entry.log)

    def flush(self, queue: Queue, url: str, flags: int) -> None:
        """Drop the answer that a URL had, or all below it (HttpFlushResponseCache); raises Win32."""
        parts = _URL.fullmatch(url)
        if parts is None or flags & ~RECURSIVE:
            raise Win32(c.INVALID_PARAMETER)
        scheme, host, port, path, _ = parts.groups()
        # source: HttpFlushResponseCache: the URL, or a valid prefix of it, must have been added for this queue
        # guess: a URL that was not is ERROR_INVALID_PARAMETER, the one code that the page names
        if not any(
            (prefix.scheme, prefix.port) == (scheme, int(port))
            and prefix.host in {host.lower(), "+", "*"}
            and f"{path}/".lower().startswith(prefix.path.lower())
            and entry.group.queue is queue
            for prefix, entry in self.machine.registry.registrations.items()
        ):
            raise Win32(c.INVALID_PARAMETER)
        whole = f"{scheme}://{host.lower()}:{port}{path}{parts[5] or ''}"
        # source: HttpFlushResponseCache: HTTP_FLUSH_RESPONSE_FLAG_RECURSIVE takes hierarchical descendants too
        # guess: without it the query counts, with it what has a query is a descendant of what has none
        below = tuple(whole.rstrip("/") + mark for mark in "/?") if flags & RECURSIVE else ()
        for name in list(self.entries):
            if name == whole or name.startswith(below or "\0"):
                del self.entries[name]


def _value(headers: Pairs, wanted: bytes) -> bytes | None:
    return next((value.strip() for name, value in headers if name.lower() == wanted), None)


def _plain_get(request: Request, *, ranges: bool = False) -> bool:
    """Whether a request is of the kind that the cache takes part in."""
    # source: "Kernel Mode Cache": GET, received whole, without a body; no Translate: f, no Expect but 100-continue,
    # no Authorization, no Range, no If-Range
    headers = request.headers
    if request.method != b"GET" or not request.body_over or request.body_size:
        return False
    if (_value(headers, b"translate") or b"").lower() == b"f" or _value(
        headers, b"authorization"
    ) is not None:
        return False
    if (_value(headers, b"expect") or b"100-continue").lower() != b"100-continue":
        return False
    return ranges or (_value(headers, b"range") is None and _value(headers, b"if-range") is None)


def _keepable(head: Head, body: bytes) -> bool:
    """Whether an answer is one that the cache keeps."""
    # source: "Kernel Mode Cache": UriMaxUriBytes is 256 KB by default
    size = len(body) + sum(len(name) + len(value) + 4 for name, value in head.headers)
    # source: aspnetcore#23367, and ASP.NET's ResponseCachingTests: a Content-Type is needed since Windows 8, 206 is not
    # kept, every other status is, 304 among them, which then answers everybody
    if size > _LARGEST or head.get(b"content-type") is None or head.status == 206:
        return False
    # source: "Kernel Mode Cache": Last-Modified, where there is one, must have the correct syntax
    modified = head.get(b"last-modified")
    return modified is None or _time(modified) is not None


def _time(value: bytes) -> float | None:
    try:
        return parsedate_to_datetime(value.decode("latin-1")).timestamp()
    except ValueError:
        return None


def _not_modified(request: Request, head: Head) -> bool:
    since, modified = _value(request.headers, b"if-modified-since"), head.get(b"last-modified")
    if since is None or modified is None:
        return False
    asked, has = _time(since), _time(modified)
    return asked is not None and has is not None and has <= asked
