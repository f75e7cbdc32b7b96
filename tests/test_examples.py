"""Every file in examples/ runs as a reader would run it, but on free ports."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest

from tests.authorization.tokens import RSA, public, token
from tests.documentation import ROOT, Program, with_ports
from tests.wire.peers import free_port, program

EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir() if not path.name.startswith("__"))


class Answer(BaseHTTPRequestHandler):
    """Answers with its server's name and the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.paths.append(self.path)
        body = self.answer().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        """Return the answer's text."""
        return f"{self.server.name} {self.path}"

    def log_message(self, *_):
        """Say nothing."""


class Issuer(Answer):
    """Publishes the key of tokens."""

    def answer(self):
        return public(RSA).decode()


class Personal(Answer):
    """Answers with who asks, as a gateway has it, and whether a token came along."""

    def answer(self):
        return f"{self.headers.get_all('X-User')} {'Authorization' in self.headers}"


@contextmanager
def answering(name, answer=Answer):
    """Run a destination; gives its server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), answer) as server:
        server.name, server.daemon_threads, server.paths = name, True, []
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def until(condition):
    """Wait for what no event tells of."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path):
    """Start examples, and stop them in the end; their destinations are `one` and `two`."""
    running = []
    with answering("one") as one, answering("two") as two:

        def start(name, *arguments, **others):
            """Start an example; a directory is documents, of which the arguments say what to run."""
            servers = {"9001": one, "9002": two, **others}
            ports = {port: str(server.server_port) for port, server in servers.items()}
            example = ROOT / "examples" / name
            for path in example.iterdir() if example.is_dir() else [example]:
                text = with_ports(path.read_text(), {"9003": str(free_port()), **ports})
                (tmp_path / path.name).write_text(text)
            documents = arguments or ([name] if name.endswith(".json") else [])
            command = ["-m", "hostler", "run", *documents, "--url"] if documents else [name]
            running.append(Program([sys.executable, *command, "http://localhost:0/"], tmp_path))
            return running[-1]

        start.one, start.two, start.directory = one, two, tmp_path
        try:
            yield start
            for program in reversed(running):
                assert program.stop() == 0, program.output
        finally:
            for program in running:
                program.__exit__()


def check_both_ways(start, proxy):
    """Check that a proxy forwards and delegates."""
    start("worker.py").says("serving queue reports with 2 workers\n")
    url = proxy.url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert [client.get("/api/a?b=c").text for _ in range(4)] == ["one /api/a?b=c", "two /api/a?b=c"] * 2
        assert client.get("/reports/today").status_code == 200
        assert client.post("/reports/new", content=b"x" * 100_000).text.startswith(
            "/reports/new, answered by "
        )
        assert client.delete("/reports/today").status_code == 405
        assert client.get("/").status_code == 404
    # on connections of their own; the requests of one may stay with one process
    answers = [httpx.get(f"{url}/reports/today", trust_env=False).text for _ in range(6)]
    assert {answer.partition("process ")[0] for answer in answers} == {"/reports/today, answered by "}
    assert len({answer.partition("process ")[2] for answer in answers}) == 2
    proxy.says("GET .* /api/a\\?b=c 200 forwarded to http://127.0.0.1:")
    proxy.says("GET .* /reports/today 200 delegated to reports, 0 B in, ")


def check_proxy(start):
    check_both_ways(start, start("proxy.py"))


def check_worker(start):
    """Check that the worker waits for a proxy that comes later."""
    worker = start("worker.py")
    worker.says("serving queue reports with 2 workers\n")
    proxy = start("proxy.py")
    assert httpx.get(f"{proxy.url()}/reports/", trust_env=False).text.startswith(
        "/reports/, answered by process "
    )
    worker.says("GET .* /reports/ 200 responded, ")


def check_appsettings(start):
    check_both_ways(start, start("appsettings.json"))


def check_tenant_stage(start):
    url = start("tenant_stage.py").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        for tenant, name in [("red", "one"), ("blue", "two")] * 3:
            assert client.get("/", headers={"X-Tenant": tenant}).text == f"{name} /"
        assert client.get("/").status_code == 400
        assert client.get("/", headers={"X-Tenant": "green"}).status_code == 503


def check_direct(start):
    url = start("direct.py").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/a").text == "one /a"
        assert client.get("/a", headers={"Cookie": "a=b; version=next"}).text == "two /a"


def check_canary(start):
    url = start("canary.py").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        answers = [client.get("/a").text for _ in range(40)]
    assert (answers.count("one /a"), answers.count("two /a")) == (38, 2)


def check_sticky_sessions(start):
    url = start("sticky_sessions.py").url()
    with (
        httpx.Client(base_url=url, trust_env=False) as one,
        httpx.Client(base_url=url, trust_env=False) as other,
    ):
        assert [one.get("/a").text for _ in range(3)] == ["one /a"] * 3
        assert [other.get("/a").text for _ in range(3)] == ["two /a"] * 3
        assert (
            httpx.get(f"{url}/a", headers={"Cookie": ".Shop.Affinity=gone"}, trust_env=False).status_code
            == 503
        )


def check_blue_green(start):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEPLOY_KEY", "of the test")
        url = start("blue_green.py").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert {client.get("/a").text for _ in range(3)} == {"one /a"}
        assert client.post("/switch").status_code == 403
        assert client.post("/switch", headers={"X-Deploy-Key": "another"}).status_code == 403
        assert client.get("/a").text == "one /a"
        key = {"X-Deploy-Key": "of the test"}
        assert client.post("/switch", headers=key).text == "green is live\n"
        assert {client.get("/a").text for _ in range(3)} == {"two /a"}
        assert client.post("/switch", headers=key).text == "blue is live\n"
        assert client.get("/a").text == "one /a"


def check_jwt_gateway(start):
    with answering("orders", Personal) as orders, answering("issuer", Issuer) as issuer:
        url = start("jwt_gateway.py", **{"9001": orders, "9002": issuer}).url()
        with httpx.Client(base_url=url, trust_env=False) as client:

            def ask(path, *, forged="mallory", **claims):
                text = token(exp=int(time.time()) + 60, **claims)
                headers = {"Authorization": f"Bearer {text}", "X-User": forged}
                return client.get(path, headers=headers)

            assert ask("/orders/1", sub="alice").text == "['alice'] False"
            assert ask("/orders/1", sub="b\u00f6rje").text == "['b%C3%B6rje'] False"
            assert ask("/orders/1", scope="orders.write").status_code == 403
            assert ask("/orders/1", aud="billing").status_code == 401
            assert client.get("/orders/1").headers["www-authenticate"] == 'Bearer realm="hostler"'
            assert ask("/public/1").text == "None False"


def check_retry(start):
    url = start("retry.json").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert [client.get("/a").text for _ in range(3)] == ["one /a"] * 3


@contextmanager
def redis(directory):
    """Run Redis; gives something with its port."""
    port = free_port()
    command = [
        program("redis-server"),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        directory,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        until(lambda: can_connect(port))
        try:
            yield SimpleNamespace(server_port=port)
        finally:
            process.terminate()


def can_connect(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def check_rate_limit(start):
    with redis(start.directory) as server:
        proxies = [start("rate_limit.json", **{"6379": server}) for _ in range(2)]
        with httpx.Client(trust_env=False) as client:
            answers = [client.get(f"{proxy.url()}/a") for proxy in proxies * 4]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def check_mirror(start):
    url = start("mirror.json").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert [client.get(f"/{number}").text for number in range(3)] == ["one /0", "one /1", "one /2"]
    until(lambda: sorted(start.two.paths) == ["/0", "/1", "/2"])


def check_mounted(start):
    url = start("mounted.py").url()
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/health").json() == "well"
        assert client.get("/services/shop/a?b=c").text == "one /shop/a?b=c"
        assert client.get("/services/news/today").text == "two /news/today"
        assert client.get("/services/other").status_code == 404


def check_overlays(start):
    documents = ("appsettings.json", "reports.json")
    for arguments, name, post in [((), "one", 200), (("--environment", "Staging"), "two", 405)]:
        url = start("overlays", *documents, *arguments).url()
        assert httpx.get(f"{url}/shop/a", trust_env=False).text == f"{name} /shop/a"
        assert httpx.get(f"{url}/reports/a", trust_env=False).text == "one /reports/a"
        assert (httpx.post(f"{url}/shop/a", trust_env=False).status_code == 405) is (post == 405)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "ReverseProxy__Clusters__reports__Destinations__one__Address",
            f"http://127.0.0.1:{start.two.server_port}/",
        )
        proxy = start("overlays", *documents)
        proxy.says("INFO hostler.layers: .*: appsettings.json, reports.json, ReverseProxy__Clusters__reports")
        assert httpx.get(f"{proxy.url()}/reports/a", trust_env=False).text == "two /reports/a"


CHECKS = {
    "appsettings.json": check_appsettings,
    "blue_green.py": check_blue_green,
    "canary.py": check_canary,
    "direct.py": check_direct,
    "jwt_gateway.py": check_jwt_gateway,
    "mirror.json": check_mirror,
    "mounted.py": check_mounted,
    "overlays": check_overlays,
    "proxy.py": check_proxy,
    "rate_limit.json": check_rate_limit,
    "retry.json": check_retry,
    "sticky_sessions.py": check_sticky_sessions,
    "tenant_stage.py": check_tenant_stage,
    "worker.py": check_worker,
}


def test_every_example_has_a_test():
    assert sorted(CHECKS) == EXAMPLES


@pytest.mark.parametrize("name", CHECKS)
def test_an_example_does_what_it_says(name, start):
    CHECKS[name](start)
