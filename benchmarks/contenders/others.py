"""HAProxy, Caddy and Varnish: one thread of each does the work where that can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.contenders.entry import Command, program

if TYPE_CHECKING:
    from benchmarks.contenders.entry import Setup

__all__ = ["caddy", "haproxy", "varnish"]

_HAPROXY: Final = """\
global
    nbthread 1
    maxconn 9000
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
    timeout tunnel 1h
    http-reuse always
frontend entry
    bind 127.0.0.1:{port} backlog 4096{tls}
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto {scheme}
    default_backend behind
backend behind
    http-request set-header Host {behind}
    server one {behind} pool-max-conn 9000{tls_behind}
"""

_CADDY: Final = """\
{{
    admin off
    auto_https off
    log {{
        level ERROR
    }}
}}
{scheme}://127.0.0.1:{port} {{
    bind 127.0.0.1
    {tls}
    reverse_proxy {scheme_behind}://{behind} {{
        header_up Host {{upstream_hostport}}
        transport http {{
            keepalive_idle_conns_per_host 8192
            {tls_behind}
        }}
    }}
}}
"""

_VARNISH: Final = """\
vcl 4.1;
backend default {{ .host = "{host}"; .port = "{port}"; }}
sub vcl_recv {{
    # a proxy, not a cache: every request goes to the backend
    set req.http.X-Forwarded-Host = req.http.Host;
    set req.http.X-Forwarded-Proto = "http";
    set req.http.Host = "{host}:{port}";
    return (pass);
}}
"""


def haproxy(setup: Setup) -> Command:
    """Forward by HAProxy."""
    text = _HAPROXY.format(
        port=setup.port,
        scheme=setup.scheme,
        tls=f" ssl crt {setup.certificate} ssl-min-ver TLSv1.2" if setup.certificate else "",
        behind=setup.behind,
        tls_behind=" ssl verify none" if setup.tls_behind else "",
    )
    path = setup.write(".cfg", text)
    return Command((program("haproxy"), "-db", "-f", path))


def caddy(setup: Setup) -> Command:
    """Forward by Caddy, on one of Go's processors, as the others run on one thread."""
    text = _CADDY.format(
        port=setup.port,
        scheme=setup.scheme,
        tls=f"tls {setup.certificate} {setup.certificate}" if setup.certificate else "",
        behind=setup.behind,
        scheme_behind=setup.scheme_behind,
        tls_behind="tls_insecure_skip_verify" if setup.tls_behind else "",
    )
    path = setup.write(".caddy", text)
    environment = {
        "GOMAXPROCS": "1",
        "XDG_DATA_HOME": str(setup.directory),
        "XDG_CONFIG_HOME": str(setup.directory),
    }
    return Command((program("caddy"), "run", "--config", path, "--adapter", "caddyfile"), environment)


def varnish(setup: Setup) -> Command:
    """Forward by Varnish, which passes everything and keeps nothing."""
    host, _, port = setup.behind.partition(":")
    path = setup.write(".vcl", _VARNISH.format(host=host, port=port))
    directory = str(setup.directory / setup.name)
    return Command((
        program("varnishd"), "-F", "-a", f"127.0.0.1:{setup.port}", "-f", path, "-n", directory, "-j", "none",
        "-s", "malloc,64m", "-p", "thread_pools=1", "-T", "none",
    ))  # fmt: skip
