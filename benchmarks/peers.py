"""The contenders: how each is configured and started, and which processes its requests go through."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final

from attrs import define, field

from benchmarks import processes
from benchmarks.cases import LARGE_SIZE, SMALL_BODY
from benchmarks.processes import StartError, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.processes import Crew, Process

__all__ = ["ABOUT", "Contender", "Field"]

ABOUT: Final = {
    "direct": "the destination, no proxy",
    "nginx": "nginx, forwarding",
    "haproxy": "HAProxy, forwarding",
    "aiohttp": "aiohttp, forwarding",
    "hostler": "hostler, forwarding",
    "hostler-log": "hostler, forwarding, with an access log",
    "worker": "the worker, no proxy",
    "nginx-worker": "nginx, forwarding to the worker",
    "hostler-delegate": "hostler, delegating to the worker",
}
"""The contenders' names, in the order of a round, and what they are."""

PEER: Final = {"direct": None, "nginx": None, "haproxy": None, "aiohttp": None, "hostler": "nginx", "hostler-log": "nginx",
               "worker": None, "nginx-worker": None, "hostler-delegate": "nginx-worker"}  # fmt: skip


@define(eq=False)
class Contender:
    """One thing to measure."""

    name: str
    url: str
    proxy: Process | None
    worker: Process | None
    peer: str
    """The contender that it is compared with."""


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
    """Starts what the wanted contenders need; `missing` says what had to be left out, and why."""

    crew: Crew
    missing: list[str] = field(factory=list)
    stand_in: bool = False
    """The destination is not nginx."""

    def contenders(self, wanted: set[str]) -> list[Contender]:
        """Start and return the wanted contenders that can run here, in the order of a round."""
        destination = worker = None
        if wanted & {"direct", "nginx", "haproxy", "aiohttp", "hostler", "hostler-log"}:
            destination = self._up("the destination", self._destination)
        if wanted & {"worker", "nginx-worker", "hostler-delegate"}:
            worker = self._up("the worker", lambda: self._python("worker"))
        found: list[Contender] = []

        def add(name: str, peer: str, behind: Process | None, start: Callable[[Process], Process | None]) -> None:
            if name not in wanted or behind is None:
                return
            proxy = self._up(name, lambda: start(behind))
            if proxy is not None:
                alone = proxy is behind
                serves = worker if behind is worker else None
                found.append(Contender(name, proxy.url, None if alone else proxy, serves, peer))

        add("direct", "nginx", destination, lambda behind: behind)
        add("nginx", "nginx", destination, lambda behind: self._nginx_proxy("nginx", behind))
        add("haproxy", "nginx", destination, self._haproxy)
        add("aiohttp", "nginx", destination, self._aiohttp)
        add("hostler", "nginx", destination, lambda behind: self._python("forward", behind.url))
        add("hostler-log", "nginx", destination, lambda behind: self._logged(behind))
        add("worker", "nginx-worker", worker, lambda behind: behind)
        add("nginx-worker", "nginx-worker", worker, lambda behind: self._nginx_proxy("nginx-worker", behind))
        add("hostler-delegate", "nginx-worker", worker, lambda _: self._python("delegate"))
        return found
