"""Rehearsals: what becomes of a request, told without sending anything."""

from __future__ import annotations

import asyncio

import pytest

from hostler import Cluster, Config, Destination, HeaderMatch, HttpClient, Route, SessionAffinity, queue
from hostler.config.model import Mirror, WebProxy
from hostler.rehearsal.recording import make_offline_loop
from hostler.rehearsal.rehearsing import Asked, rehearse
from hostler.rehearsal.report import write_report
from hostler.server.base import ServerKind

A, B = Destination("http://10.0.0.1:8080", id="a"), Destination("https://b.example/base", id="b")
EVERYTHING = Route("/{**rest}", "c", id="all")


def led(method="GET", url="http://localhost/", *headers, config=None, server=ServerKind.USERMODE, **fields):
    """Lead a request through the proxy of a configuration, by default one with a route for everything."""
    if config is None:
        config = Config([EVERYTHING], [Cluster("c", fields.pop("destinations", [A]), **fields)])
    return rehearse(config, Asked.of(method, url, headers), server)


def report(*args, **rules):
    return write_report(led(*args, **rules))


class TestAsked:
    @pytest.mark.parametrize(
        ("url", "scheme", "server", "lines"),
        [
            ("http://h/p?q#f", "http", ("127.0.0.1", 80), "GET /p?q HTTP/1.1\r\nHost: h"),
            ("HTTPS://h.example", "https", ("127.0.0.1", 443), "GET / HTTP/1.1\r\nHost: h.example"),
            ("http://10.0.0.9:81?q", "http", ("10.0.0.9", 81), "GET /?q HTTP/1.1\r\nHost: 10.0.0.9:81"),
            ("http://[::1]:82/", "http", ("::1", 82), "GET / HTTP/1.1\r\nHost: [::1]:82"),
        ],
    )
    def test_of_a_url(self, url, scheme, server, lines):
        assert Asked.of("GET", url) == Asked(scheme, server, f"{lines}\r\n\r\n".encode())

    def test_headers_follow_and_host_may_be_one(self):
        asked = Asked.of("GET", "http://10.0.0.9/", ["x-a: b", "HOST:  shop.example"])
        assert asked.head == b"GET / HTTP/1.1\r\nx-a: b\r\nHOST: shop.example\r\n\r\n"

    @pytest.mark.parametrize(
        ("url", "header", "message"),
        [
            ("h/p", "a: b", "'h/p' is not a URL; write http://host/path"),
            ("ftp://h/", "a: b", "is not a URL"),
            ("http://a b/", "a: b", "not a host"),
            ("http://h:x/", "a: b", "not a port"),
            ("http://h/", "nonsense", "'nonsense' is not a header; write Name: value"),
            ("http://h/", "a: b\r\nc: d", "is not a header"),
            ("http://h/", "Content-Length: 5", "a request with a body is not explained"),
        ],
    )
    def test_what_is_none(self, url, header, message):
        with pytest.raises(ValueError, match=message):
            Asked.of("GET", url, [header])


class TestForwarded:
    def test_the_head_is_what_the_destination_would_get(self):
        found = led("GET", "http://shop.example/a%20b?q", "X-A: 1", "Connection: X-A", destinations=[B])
        ((cluster, sent),) = found.sent
        assert (cluster, sent.to) == ("c", "b.example, port 443, over TLS as b.example")
        assert sent.head == (
            b"GET /base/a%20b?q HTTP/1.1\r\nHost: b.example\r\nX-Forwarded-For: 127.0.0.1\r\n"
            b"X-Forwarded-Host: shop.example\r\nX-Forwarded-Proto: http\r\n\r\n"
        )
        assert found.outcome.status == 200

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
    def test_any_method_without_a_body(self, method):
        ((_, sent),) = led(method).sent
        assert sent.head.startswith(f"{method} / HTTP/1.1\r\n".encode())

    def test_an_offer_to_upgrade_goes_along(self):
        ((_, sent),) = led("GET", "http://h/", "Connection: Upgrade", "Upgrade: websocket").sent
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in sent.head

    def test_a_web_proxy_is_named_and_its_password_is_not(self):
        client = HttpClient(web_proxy=WebProxy("http://me:secret@10.0.0.7:3128"))
        text = report(http_client=client)
        assert "Sent to 10.0.0.1, port 8080, through the web proxy 10.0.0.7, port 3128 (cluster c):" in text
        assert "Proxy-Authorization: Basic ...\n" in text

    def test_a_unix_socket(self):
        assert "Sent to the Unix socket /run/app.sock (cluster c):" in report(
            destinations=["http+unix://%2Frun%2Fapp.sock/"]
        )

    def test_the_url_prefix_takes_its_part_of_the_path(self):
        config = Config([EVERYTHING], [Cluster("c", [A])], ["http://+:8080/shop"])
        text = report("GET", "http://h:8080/shop/7", config=config)
        assert "(The URL prefix takes /shop; routes match /7.)\n" in text
        assert "  GET /7 HTTP/1.1\n" in text
        assert "X-Forwarded-Prefix: /shop\n" in text

    def test_a_port_that_no_url_prefix_has_is_said(self):
        config = Config([EVERYTHING], [Cluster("c", [A])], ["http://+:8080/shop"])
        assert "(No URL prefix of the document has port 80: it is taken as if one had it.)" in report(
            config=config
        )
        assert "URL prefix" not in report()


class TestStages:
    def test_what_each_leaves_of_the_candidates(self):
        found = led(
            "GET",
            "http://h/",
            "Cookie: key=41c1ee230e9949d1",
            destinations=[A, B],
            affinity=SessionAffinity("key"),
        )
        visits = {visit.stage: visit for visit in found.visits}
        assert [one.id for one in visits["affinity"].before] == ["a", "b"]
        assert [one.id for one in visits["affinity"].after] == ["b"]
        assert visits["forward"].after is None
        text = write_report(found)
        assert "  affinity  a, b -> b\n" in text
        assert "  forward   sends it to b\n" in text
        assert "delegate" in text.partition("(not concerned: ")[2].partition(")")[0]

    def test_the_answer_has_what_stages_add(self):
        assert "set-cookie: key=489580109ac1745b" in report(destinations=[A], affinity=SessionAffinity("key"))

    def test_a_policy_that_raises(self, monkeypatch, tmp_path):
        (tmp_path / "broken_policy.py").write_text(
            "def make(*_):\n"
            "    def choose(exchange, candidates):\n"
            "        raise LookupError('lost')\n"
            "    return choose\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        text = report(destinations=[A, B], balance="broken_policy:make")
        assert "  balance  raises" in text
        assert "The answer is 500: " in text

    def test_a_stage_that_answers(self):
        config = Config(
            [Route("/{**rest}", "c", id="all", methods=["PUT"], cors_policy="Disable")], [Cluster("c", [A])]
        )
        asking = ("Origin: https://page.example", "Access-Control-Request-Method: PUT")
        found = led("OPTIONS", "http://h/", *asking, config=config)
        assert (found.route.id, found.sent) == ("all", [])
        assert "Stages:\n  cors  answers 204\n  (not reached: authorize, " in write_report(found)

    def test_a_copy_for_another_cluster_is_told_too(self):
        config = Config(
            [Route("/{**rest}", "c", id="all", mirror=Mirror("next"), transforms=[{"PathPrefix": "/v2"}])],
            [Cluster("c", [A]), Cluster("next", [B])],
        )
        found = led("GET", "http://h/7", config=config)
        assert {cluster: sent.head.partition(b" HTTP")[0] for cluster, sent in found.sent} == {
            "c": b"GET /v2/7",
            "next": b"GET /base/v2/7",
        }

    def test_what_it_asks_of_the_network_is_refused(self):
        async def connect():
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", 1)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.get_running_loop().getaddrinfo("localhost", 80)

        with asyncio.Runner(loop_factory=make_offline_loop) as runner:
            runner.run(connect())


class TestDelegated:
    config = Config([EVERYTHING], [Cluster("c", [queue("shop", "http://+:80/")])])

    def test_the_process_gets_the_head_as_it_is_handed_over(self):
        text = report("GET", "http://h/7", "X-Forwarded-For: 6.6.6.6", config=self.config)
        assert "  delegate  sends it to shop\n" in text
        head = text.partition("Sent to a process of the queue shop, under http://+:80/:\n")[2]
        assert head.startswith("  GET /7 HTTP/1.1\n  Host: h\n  X-Forwarded-For: 127.0.0.1\n")
        assert text.endswith("The process that takes it answers the client.\n")

    def test_http_sys_hands_over_what_came(self):
        text = report("GET", "http://h/7", "X-A: 1", config=self.config, server=ServerKind.HTTPSYS)
        head = text.partition("Sent to a process of the queue shop, under http://+:80/:\n")[2]
        assert head.startswith("  GET /7 HTTP/1.1\n  Host: h\n  X-A: 1\n\n")


class TestWithoutARoute:
    def test_what_the_server_refuses_by_itself(self):
        config = Config([EVERYTHING], [Cluster("c", [A])], ["http://localhost:8080/shop"])
        assert "answers 400 by itself: no URL prefix takes the host 'h'" in report(
            "GET", "http://h:8080/shop", config=config
        )
        assert "answers 404 by itself: no URL prefix takes /x" in report(
            "GET", "http://localhost:8080/x", config=config
        )
        assert "answers 400 by itself: the request target has a bad escape" in report("GET", "http://h/%zz")
        assert "answers 501 by itself" in report("CONNECT")

    @pytest.mark.logs_errors("matches the routes one and two equally well")
    def test_two_routes_of_one_rank(self):
        config = Config([Route("/{a}", "c", id="one"), Route("/{b}", "c", id="two")], [Cluster("c", [A])])
        found = led("GET", "http://h/x", config=config)
        assert found.route is None
        text = write_report(found)
        assert "  one  matches as well as two\n  two  matches as well as one\n" in text
        assert "HTTP/1.1 500 Internal Server Error" in text

    def test_a_path_with_several_readings(self):
        config = Config([Route("/admin/{**rest}", "c", id="admin"), EVERYTHING], [Cluster("c", [A])])
        found = led("GET", "http://h//admin/x", config=config)
        assert (found.route, found.sent, found.outcome.status) == (None, [], 400)
        assert "leads to route admin" in write_report(found)

    def test_a_cluster_that_is_missing(self):
        found = led(config=Config([EVERYTHING], []))
        assert (found.route.id, found.outcome.status) == ("all", 503)
        assert "Cluster: c, which the document does not have\n" in write_report(found)

    def test_a_cluster_without_destinations(self):
        text = report(destinations=[])
        assert "Cluster: c\n  no destinations\n" in text
        assert "  forward  answers 503\n" in text

    def test_many_routes_for_other_paths_are_counted(self):
        config = Config([EVERYTHING, *(Route(f"/other/{n}", "c") for n in range(1000))], [Cluster("c", [A])])
        text = report(config=config)
        assert "  all  WINS, with rest = ''\n  and 1000 routes for other hosts and paths\n" in text

    def test_a_document_without_routes(self):
        assert "  none: the document has no routes\n" in report(config=Config())


def test_a_route_that_fails_by_its_header_is_told_beside_the_one_that_wins():
    config = Config(
        [EVERYTHING, Route("/{**rest}", "c", id="red", headers=[HeaderMatch("X-Tenant", "red")])],
        [Cluster("c", [A])],
    )
    text = report("GET", "http://h/7", "X-Tenant: blue", config=config)
    assert "  red  no: header rule 1: X-Tenant is \"red\"\n  all  WINS, with rest = '7'\n" in text
    assert "  red  WINS" in report("GET", "http://h/7", "X-Tenant: red", config=config)


def test_control_characters_do_not_reach_the_terminal():
    assert "  X-A: \\x9b31m\n" in report("GET", "http://h/", "X-A: \x9b31m").replace("\\xc2", "")
