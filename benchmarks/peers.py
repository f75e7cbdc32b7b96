"""The contenders: how each is configured and started, and which processes its requests go through."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from benchmarks import processes
from benchmarks.cases import LARGE_SIZE, SMALL_BODY
from benchmarks.processes import StartError, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.processes import Crew, Process

__all__ = ["ROSTER", "Contender", "Entry", "Field"]


@define(eq=False)
class Contender:
    """An entry that runs."""

    entry: Entry
    url: str
    proxy: Process | None
    worker: Process | None
    """Only where the worker is what is proxied: the nginx that serves as destination is nobody's cost."""

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.entry.name


_NGINX: Final = """\
{user}
daemon off;
worker_processes 1;
pid {directory}/{name}.pid;
error_log {directory}/{name}.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_temp_path {directory}/{name}-body;
    proxy_temp_path {directory}/{name}-proxy;
    fastcgi_temp_path {directory}/{name}-fastcgi;
    uwsgi_temp_path {directory}/{name}-uwsgi;
    scgi_temp_path {directory}/{name}-scgi;
    {content}
}}
"""

_NGINX_DESTINATION: Final = """\
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        default_type text/plain;
        location = /small {{ return 200 "{small}"; }}
        location = /large {{ alias {directory}/large.txt; }}
    }}
"""

_NGINX_PROXY: Final = """\
    upstream destination {{
        server {destination};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 3600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://destination;
            proxy_http_version 1.1;
            # of the sizes tried, these serve 1 MiB answers at the least cost
            proxy_buffers 16 32k;
            proxy_busy_buffers_size 64k;
            proxy_max_temp_file_size 0;
            proxy_set_header Connection "";
            proxy_set_header Host {destination};
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
"""

_HAPROXY: Final = """\
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
    http-reuse always
frontend entry
    bind 127.0.0.1:{port} backlog 2048
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto http
    default_backend destination
backend destination
    http-request set-header Host {destination}
    server one {destination} pool-max-conn 256
"""


@define(eq=False)
class Field:
    """Starts what the wanted contenders need."""

    crew: Crew
    missing: list[str] = field(factory=list)
    """What had to be left out, and why."""

    def contenders(self, wanted: set[str]) -> list[Contender]:
        """Start and return the wanted contenders that can run here, in the order of a round."""
        entries = [entry for entry in ROSTER if entry.name in wanted]
        started = {"destination": self._destination, "worker": self._worker}
        behind = {
            name: self._try(name, started[name]) for name in dict.fromkeys(item.behind for item in entries)
        }
        found = []
        for entry in entries:
            target = behind[entry.behind]
            if target is None:
                continue
            worker = target if entry.behind == "worker" else None
            if entry.start is None:
                found.append(Contender(entry, target.url, None, worker))
            elif (proxy := self._try(entry.name, entry.start, self, entry.name, target)) is not None:
                found.append(Contender(entry, proxy.url, proxy, worker))
        return found

    def _try(self, name: str, start: Callable[..., Process], *arguments: object) -> Process | None:
        try:
            process = start(*arguments)
            process.wait_until_listening()
        except StartError as error:
            self.missing.append(f"{name}: {error}")
            return None
        return process

    # -- what is behind the proxies -------------------------------------------------------------------------------

    def _destination(self) -> Process:
        (self.crew.directory / "large.txt").write_bytes(b"x" * LARGE_SIZE)
        small = SMALL_BODY.decode().replace("\n", "\\n")
        try:
            return self._run_nginx("destination", _NGINX_DESTINATION, small=small)
        except StartError as error:
            self.missing.append(f"nginx as the destination: {error}, a small server in Python stands in")
            return self._python("destination", "destination")

    def _worker(self) -> Process:
        return self._python("worker", "worker")

    # -- proxies --------------------------------------------------------------------------------------------------

    def nginx(self, name: str, behind: Process) -> Process:
        """Start nginx in front of `behind`."""
        return self._run_nginx(name, _NGINX_PROXY, destination=f"127.0.0.1:{behind.port}")

    def haproxy(self, name: str, behind: Process) -> Process:
        """Start HAProxy in front of `behind`."""
        program, port = _installed("haproxy"), free_port()
        configuration = self.crew.directory / f"{name}.cfg"
        configuration.write_text(_HAPROXY.format(port=port, destination=f"127.0.0.1:{behind.port}"))
        return self.crew.start(name, [program, "-db", "-f", str(configuration)], port)

    def aiohttp(self, name: str, behind: Process) -> Process:
        """Start the aiohttp proxy in front of `behind`."""
        if importlib.util.find_spec("aiohttp") is None:
            raise StartError("aiohttp is not installed")
        return self._python(name, "aiohttp", behind.url)

    def hostler(self, name: str, behind: Process) -> Process:
        """Start hostler in front of `behind`, without an access log."""
        return self._python(name, "forward", behind.url)

    def hostler_logged(self, name: str, behind: Process) -> Process:
        """Start hostler in front of `behind`, with an access log that goes to /dev/null."""
        return self._python(name, "forward-logged", behind.url, discard_output=True)

    def hostler_delegating(self, name: str, behind: Process) -> Process:
        """Start hostler delegating to the worker's queue."""
        return self._python(name, "delegate")

    def _run_nginx(self, name: str, content: str, **values: str) -> Process:
        program, port, directory = _installed("nginx"), free_port(), str(self.crew.directory)
        # as root, nginx's worker would be a user who cannot read the run's directory
        user = "user root;" if os.geteuid() == 0 else ""
        inner = content.format(port=port, directory=directory, **values)
        configuration = self.crew.directory / f"{name}.conf"
        configuration.write_text(_NGINX.format(user=user, directory=directory, name=name, content=inner))
        command = [program, "-e", str(self.crew.directory / f"{name}.log"), "-c", str(configuration)]
        return self.crew.start(name, command, port)

    def _python(self, name: str, role: str, *arguments: str, discard_output: bool = False) -> Process:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.children", role, str(port), *arguments]
        return self.crew.start(name, command, port, discard_output=discard_output)


def _installed(program: str) -> str:
    path = processes.find(program)
    if path is None:
        raise StartError(f"{program} is not installed")
    return path


@frozen
class Entry:
    """A contender that there can be."""

    name: str
    about: str
    behind: str
    """What answers: destination or worker."""

    peer: str
    """The contender that it is compared with."""

    start: Callable[[Field, str, Process], Process] | None
    """Starts the proxy; None when there is none, and the load goes straight to what answers."""


ROSTER: Final = (
    Entry("direct", "the destination, no proxy", "destination", "nginx", None),
    Entry("nginx", "nginx, forwarding", "destination", "nginx", Field.nginx),
    Entry("haproxy", "HAProxy, forwarding", "destination", "nginx", Field.haproxy),
    Entry("aiohttp", "aiohttp, forwarding", "destination", "nginx", Field.aiohttp),
    Entry("hostler", "hostler, forwarding", "destination", "nginx", Field.hostler),
    Entry("hostler-log", "hostler, forwarding, access log", "destination", "nginx", Field.hostler_logged),
    Entry("worker", "the worker, no proxy", "worker", "nginx-worker", None),
    Entry("nginx-worker", "nginx, forwarding to the worker", "worker", "nginx-worker", Field.nginx),
    Entry(
        "hostler-delegate", "hostler, delegating to it", "worker", "nginx-worker", Field.hostler_delegating
    ),
)
"""Every contender, in the order of a round."""
