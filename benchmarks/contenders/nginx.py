"""nginx: in front of something, and as the destination. One process does the work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from benchmarks.cases import ANSWERS, SMALL_BODY
from benchmarks.contenders.entry import Command, program
from benchmarks.processes import raise_descriptor_limit

if TYPE_CHECKING:
    from benchmarks.contenders.entry import Setup

__all__ = ["destination", "forwarding", "forwarding_with_log"]

_FRAME: Final = """\
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {base}.pid;
error_log {base}.log error;
events {{ worker_connections {descriptors}; }}
http {{
    access_log {log};
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_max_body_size 0;
    client_body_temp_path {base}-body;
    proxy_temp_path {base}-proxy;
    fastcgi_temp_path {base}-fastcgi;
    uwsgi_temp_path {base}-uwsgi;
    scgi_temp_path {base}-scgi;
{content}
}}
"""

_DESTINATION: Final = """\
    server {{
        {listen}
        default_type text/plain;
        location / {{ root {files}; }}
        location ~ /small$ {{ return 200 "{small}"; }}
    }}
"""

_LISTEN_TLS: Final = """\
listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:sessions:16m;\
"""

_PROXY: Final = """\
    map $http_upgrade $connection_to_pass {{ default upgrade; "" ""; }}
    upstream behind {{
        server {behind};
        keepalive 8192;
        keepalive_requests 1000000000;
        keepalive_timeout 3600s;
    }}
    server {{
        {listen}
        proxy_http_version 1.1;
        # of the sizes tried, these serve 1 MiB answers at the least cost
        proxy_buffers 16 32k;
        proxy_busy_buffers_size 64k;
        proxy_max_temp_file_size 0;
        # as every contender: a body is passed on as it comes
        proxy_request_buffering off;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_to_pass;
        proxy_set_header Host {behind};
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
{locations}
    }}
"""


def forwarding(setup: Setup, log: str = "off") -> Command:
    """Forward; each route is a location."""
    prefixes = [f"/route-{number}/" for number in range(setup.routes)] or ["/"]
    locations = "\n".join(
        f"        location {prefix} {{ proxy_pass {setup.scheme_behind}://behind; }}" for prefix in prefixes
    )
    content = _PROXY.format(listen=_listen(setup), behind=setup.behind, locations=locations)
    return _command(setup, content, log)


def forwarding_with_log(setup: Setup) -> Command:
    """Forward, and write a line for each request."""
    return forwarding(setup, "/dev/null combined")


def destination(setup: Setup) -> Command:
    """Answer with files, all but the small answer, which needs none."""
    files = setup.directory / "files"
    if not files.exists():
        files.mkdir()
        for path, size in ANSWERS.items():
            with (files / path[1:]).open("wb") as file:
                file.truncate(size)
    small = SMALL_BODY.decode().replace("\n", "\\n")
    return _command(setup, _DESTINATION.format(listen=_listen(setup), files=files, small=small))


def _listen(setup: Setup) -> str:
    if setup.certificate:
        return _LISTEN_TLS.format(port=setup.port, certificate=setup.certificate)
    return f"listen 127.0.0.1:{setup.port} backlog=4096;"


def _command(setup: Setup, content: str, log: str = "off") -> Command:
    nginx, base = program("nginx"), setup.directory / setup.name
    text = _FRAME.format(
        # as root, nginx's worker would be a user who cannot read the run's directory
        user="user root;" if os.geteuid() == 0 else "",
        base=base,
        content=content,
        log=log,
        descriptors=raise_descriptor_limit(),
    )
    return Command((nginx, "-e", f"{base}.log", "-c", setup.write(".conf", text)))
