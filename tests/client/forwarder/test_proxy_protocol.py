"""Destinations that are told by the PROXY protocol whose a connection is."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from hostler import (
    Cluster,
    ConfigError,
    Destination,
    Endpoint,
    HttpClient,
    Proxy,
    Route,
    ServerOptions,
    TlsOptions,
    TrustedProxies,
    WebProxy,
    serving,
)
from hostler.client.forwarder import Forwarder
from hostler.client.probe import ProbeRequest
from hostler.http.proxy_protocol import ProxyHeaderReader
from tests.certificates import certificate


class Seen:
    """A destination that answers with the client in the header, and which connection it is."""

    def __init__(self):
        self.headers = []

    async def answer(self, reader, writer):
        parser, found, data = ProxyHeaderReader(), None, b""
        number = len(self.headers)
        while piece := await reader.read(65536):
            if found is None:
                found = parser.feed(piece)
                if found is None:
                    continue
                header, piece = found
                self.headers.append(header)
            data += piece
            while b"\r\n\r\n" in data:
                data = data.partition(b"\r\n\r\n")[2]
                body = f"{header.client} {number}".encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()


@asynccontextmanager
async def destination():
    seen = Seen()
    server = await asyncio.start_server(seen.answer, "127.0.0.1", 0)
    async with server:
        seen.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield seen


class Front:
    """A proxy of one destination."""

    def __init__(self, version, address):
        self.forwarder = Forwarder(HttpClient(proxy_protocol=version))
        self.serving = serving(lambda exchange: self.forwarder.send(exchange, address))

    async def __aenter__(self):
        return (await self.serving.__aenter__()).url

    async def __aexit__(self, *error):
        await self.serving.__aexit__(*error)
        self.forwarder.close()


@pytest.fixture
def client():
    return lambda: httpx.AsyncClient(trust_env=False, timeout=20)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_connection_is_used_again_for_the_same_client_and_never_for_another(version, client):
    async with destination() as seen, Front(version, seen.address) as url, client() as one, client() as other:
        said = [(await who.get(url)).text for who in (one, other, one, other)]
    assert said[0] == said[2]
    assert said[1] == said[3]
    assert said[0].split()[-1] != said[1].split()[-1]
    assert [header.client[0] for header in seen.headers] == ["127.0.0.1", "127.0.0.1"]
    assert seen.headers[0].client != seen.headers[1].client
    assert seen.headers[0].server[1] == httpx.URL(url).port


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_probe_is_from_nobody_but_the_proxy(version):
    async with destination() as seen:
        forwarder = Forwarder(HttpClient(proxy_protocol=version))
        answer = await forwarder.probe(ProbeRequest(seen.address.rstrip("/"), "/health"), 5)
        forwarder.close()
    assert answer.status == 200
    assert seen.headers[0].client is None


async def test_the_header_is_in_front_of_tls(tmp_path, client):
    async def answer(exchange):
        return await exchange.respond(200, f"{exchange.tls is not None} {exchange.client == exchange.peer}")

    url = "https://127.0.0.1:0/"
    options = ServerOptions(
        tls=TlsOptions(certificate=certificate(tmp_path)),
        endpoints={url: Endpoint(proxy_protocol=True)},
        trusted_proxies=TrustedProxies(networks=["127.0.0.1"]),
    )
    settings = HttpClient(proxy_protocol="v2", dangerous_accept_any_server_certificate=True)
    async with serving(answer, [url], options=options) as there:
        routes, clusters = (
            [Route("/{**rest}", "c")],
            [Cluster("c", [Destination(there.url)], http_client=settings)],
        )
        async with serving(Proxy(routes, clusters)) as front, client() as http:
            assert (await http.get(front.url)).text == "True False"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"proxy_protocol": "v3"}, 'unknown version "v3" of the PROXY protocol; use "v1" or "v2"'),
        ({"proxy_protocol": "v1", "web_proxy": WebProxy("http://a:1")}, "would be for the web proxy"),
        ({"proxy_protocol": "v1", "max_connections_per_server": 1}, "each connection is one client's"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, why):
    cluster = Cluster("c", [Destination("http://127.0.0.1:1")], http_client=HttpClient(**settings))
    with pytest.raises(ConfigError, match=why):
        Proxy([Route("/{**rest}", "c")], [cluster])
