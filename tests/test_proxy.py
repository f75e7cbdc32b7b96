"""The whole proxy: configuration in, answers out, also while the configuration changes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest

import hostler
from hostler import (
    Cluster,
    Config,
    ConfigError,
    Destination,
    Forwarder,
    HeaderMatch,
    HealthCheck,
    HttpClient,
    HttpRequest,
    InMemorySource,
    Kind,
    PassiveHealthCheck,
    Policies,
    Problem,
    Proxy,
    QueryMatch,
    QueryMatchMode,
    QueueMode,
    Route,
    SessionAffinity,
    UnsupportedError,
    serving,
)
from hostler.config.definitions import Definitions, RetryDefinition
from hostler.default_pipeline import DEFAULT_PIPELINE
from hostler.fleet import Health
from hostler.server.usermode.server import UserModeServer
from hostler.stages import affinity, balance, delegate, forward, passive_health
from hostler.stages.forward import SENDER

pytestmark = pytest.mark.usefixtures("runtime")


def naming(name):
    """Make a destination that answers with its name."""

    async def handler(exchange):
        return await exchange.respond(200, name, headers=[("x-path", exchange.path)])

    return handler


@asynccontextmanager
async def running(proxy, **options):
    """Serve a proxy, with a client for it."""
    async with serving(proxy, **options) as served, httpx.AsyncClient(base_url=served.url) as client:
        yield client


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - another process's or task's doing
            await asyncio.sleep(0.002)


EVERYTHING = Route("/{**rest}", "c", id="all")


# -- routing ----------------------------------------------------------------------------------------------------------


async def test_headers_and_the_query_choose_a_route_and_leave_a_plain_head_plain():
    plain = []

    async def note(exchange, onward):
        plain.append(exchange.plain is not None)
        return await onward(exchange)

    async with serving(naming("a")) as a, serving(naming("b")) as b:
        proxy = Proxy(
            [
                Route("/{**rest}", "a", id="all"),
                Route("/{**rest}", "b", id="red", headers=[HeaderMatch("X-Tenant", "red")]),
                Route(
                    "/{**rest}",
                    "b",
                    id="beta",
                    query_parameters=[QueryMatch("beta", mode=QueryMatchMode.EXISTS)],
                ),
            ],
            [Cluster("a", [a.url]), Cluster("b", [b.url])],
            pipeline=[note, *DEFAULT_PIPELINE],
        )
        async with running(proxy) as client:
            assert (await client.get("/")).text == "a"
            assert (await client.get("/", headers={"x-tenant": "Red"})).text == "b"
            assert (await client.get("/?beta=1")).text == "b"
            assert (await client.get("/?beta=")).text == "a"
    assert plain == [True] * 4


async def test_a_request_goes_to_the_cluster_of_its_route():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        proxy = Proxy(
            [Route("/a/{**rest}", "A"), Route("/b/{**rest}", "b", methods=["GET"])],
            [Cluster("a", [a.url]), Cluster("B", [f"{b.url}/base/"])],
        )
        async with running(proxy) as client:
            assert (await client.get("/a/1")).text == "a"
            got = await client.get("/b/2")
            assert (got.text, got.headers["x-path"]) == ("b", "/base/b/2")


async def test_what_no_route_takes_is_404():
    async with running(Proxy([Route("/a", "c")])) as client:
        got = await client.get("/b")
        assert (got.status_code, got.text) == (404, "404 Not Found\n")


async def test_another_method_is_405_with_allow():
    async with running(Proxy([Route("/a", "c", methods=["GET", "put"])])) as client:
        got = await client.post("/a")
        assert (got.status_code, got.headers["allow"]) == (405, "GET, PUT")


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (2, "r0 and r1"),
        (3, "r0, r1 and r2"),
        (10, "r0, r1, r2, r3, r4, r5, r6, r7, r8 and r9"),
        (11, "r0, r1, r2, r3, r4, r5, r6, r7, r8, r9 and others"),
    ],
)
async def test_routes_that_match_equally_are_500(caplog, count, named):
    routes = [Route(f"/a/{{x{number}}}", "c", id=f"r{number}") for number in range(count)]
    async with running(Proxy(routes)) as client:
        assert (await client.get("/a/1")).status_code == 500
    assert f"/a/1 matches the routes {named} equally well" in caplog.text


@pytest.mark.parametrize("cluster_id", ["missing", None])
async def test_a_route_without_a_cluster_is_503(cluster_id, caplog):
    async with running(Proxy([Route("/a", cluster_id, id="r")])) as client:
        assert (await client.get("/a")).status_code == 503
    assert f"route r: unknown cluster {cluster_id!r}" in caplog.text


async def test_a_cluster_without_destinations_is_503():
    async with running(Proxy([EVERYTHING], [Cluster("c")])) as client:
        assert (await client.get("/")).status_code == 503


async def test_hosts_are_told_apart():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        proxy = Proxy(
            [Route("/", "a", id="a", hosts=["a.example"]), Route("/", "b", id="b", hosts=["*.b.example"])],
            [Cluster("a", [a.url]), Cluster("b", [b.url])],
        )
        async with running(proxy) as client:
            for host, name in (("A.example", "a"), ("x.b.example", "b")):
                assert (await client.get("/", headers={"host": host})).text == name
            assert (await client.get("/", headers={"host": "c.example"})).status_code == 404


async def test_a_host_is_the_same_with_the_dot_of_the_root():
    async with serving(naming("secret")) as secret, serving(naming("all")) as everything:
        proxy = Proxy(
            [Route("/", "secret", hosts=["secret.example"]), Route("/", "all", id="all")],
            [Cluster("secret", [secret.url]), Cluster("all", [everything.url])],
        )
        async with running(proxy) as client:
            for host in ("secret.example", "Secret.Example.", "secret.example.:80"):
                assert (await client.get("/", headers={"Host": host})).text == "secret"


WAYS_AROUND = (
    "//admin/s",
    "/x/..//admin/s",
    "/admin%2fs",
    "/x/..;/admin/s",
    "/admin%5Cs",
    "/x/%252e%252e/admin/s",
)


async def guard(exchange, onward):
    if exchange.route.id == "admin":
        return await exchange.respond(403)
    return await onward(exchange)


def guarded(destination, **options):
    return Proxy(
        [Route("/admin/{**rest}", "c", id="admin"), Route("/{**rest}", "c", id="rest")],
        [Cluster("c", [destination])],
        pipeline=[guard, *hostler.DEFAULT_PIPELINE],
        **options,
    )


async def asked(url, path):
    """Ask for a path exactly as it is written; gives the status."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port.strip("/")))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1])


async def test_a_guarded_route_cannot_be_walked_around():
    lines = []
    async with (
        serving(naming("all")) as destination,
        serving(guarded(destination.url), write_line=lines.append) as served,
    ):
        assert await asked(served.url, "/admin/s") == 403
        for path in WAYS_AROUND:
            lines.clear()
            assert await asked(served.url, path) == 400
            await until(lambda: lines)
            assert "it is '/admin/s' and leads to route admin; its destination may read it so" in lines[0]
        assert await asked(served.url, "/.%2fadmin/s") == 400
        for path in ("/x//y", "/x%2fy", "/x;y/z", "/100%25"):
            assert await asked(served.url, path) == 200


async def test_ambiguous_paths_go_through_where_that_is_asked_for(tmp_path):
    async with serving(naming("all")) as destination:
        proxy = guarded(destination.url, dangerous_allow_ambiguous_paths=True)
        async with serving(proxy) as served:
            assert [await asked(served.url, path) for path in WAYS_AROUND] == [200] * len(WAYS_AROUND)


async def test_a_proxy_is_a_handler_that_can_be_called():
    async with serving(naming("a")) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])])

        async def handler(exchange):
            if exchange.path == "/own":
                return await exchange.respond(200, "own")
            outcome = await proxy(exchange)
            assert outcome.kind is Kind.FORWARDED
            return outcome

        async with running(handler) as client:
            assert (await client.get("/own")).text == "own"
            assert (await client.get("/other")).text == "a"
        for cluster in proxy.clusters:
            cluster.equipment[SENDER].close()


# -- stages and policies ----------------------------------------------------------------------------------------------


async def test_a_stage_of_ones_own_narrows_answers_and_adds():
    async def by_tenant(exchange, onward):
        tenant = exchange.request.headers.get("x-tenant")
        if tenant is None:
            return await exchange.respond(400, "x-tenant is missing")
        exchange.on_response(lambda headers: headers.append((b"x-tenant", tenant.encode())))
        exchange.narrow(lambda destination: destination.config.metadata.get("tenant") == tenant)
        return await onward(exchange)

    async with serving(naming("a")) as a, serving(naming("b")) as b:
        destinations = [
            Destination(a.url, metadata={"tenant": "a"}),
            Destination(b.url, metadata={"tenant": "b"}),
        ]
        proxy = Proxy(
            [EVERYTHING],
            [Cluster("c", destinations)],
            pipeline=[by_tenant, affinity, balance, passive_health, delegate, forward],
        )
        async with running(proxy) as client:
            assert (await client.get("/")).status_code == 400
            for name in "abab":
                got = await client.get("/", headers={"x-tenant": name})
                assert (got.text, got.headers["x-tenant"]) == (name, name)
            got = await client.get("/", headers={"x-tenant": "c"})
            assert (got.status_code, got.headers["x-tenant"]) == (503, "c")


async def test_candidates_of_another_cluster_are_balanced_and_delegated_too(caplog):
    async def widen(exchange, onward):
        exchange.candidates = proxy.clusters[1].available
        return await onward(exchange)

    async with serving(naming("a")) as a, serving(naming("b")) as b:
        proxy = Proxy(
            [EVERYTHING, Route("/other/{**rest}", "other")],
            [
                Cluster("c", [a.url], balance="RoundRobin"),
                Cluster("other", [a.url, b.url]),
            ],
            pipeline=[widen, *DEFAULT_PIPELINE],
        )
        async with running(proxy) as client:
            assert [(await client.get("/")).text for _ in range(4)] == ["a", "b", "a", "b"]
    assert not caplog.records  # which would say that no stage chose


@pytest.mark.parametrize("queue", [None, "q"], ids=["forwarded", "delegated"])
async def test_a_client_cannot_have_dropped_what_a_stage_says_of_it(queue):
    async def there(exchange):
        return await exchange.respond(200, repr(exchange.request.headers.get_all("x-user")))

    def name(exchange, onward):
        exchange.request.headers.set("X-User", "alice")
        return onward(exchange)

    async with serving(there, [] if queue else ["http://127.0.0.1:0/"], queue=queue) as served:
        address = served.url if queue is None else hostler.queue("q", "http://*:80/")
        proxy = Proxy([EVERYTHING], [Cluster("c", [address])], pipeline=[name, *DEFAULT_PIPELINE])
        async with running(proxy) as client:
            for headers in (
                {},
                {"Connection": "close, X-User"},
                {"Connection": "x-user", "X-User": "mallory"},
            ):
                assert (await client.get("/", headers=headers)).text == "['alice']"


async def test_a_stages_frame_lasts_as_long_as_the_bodies():
    order = []

    async def bracket(exchange, onward):
        order.append("in")
        try:
            return await onward(exchange)
        finally:
            order.append("out")

    async def slow(exchange):
        await exchange.start(200)
        for piece in range(3):
            await exchange.write(b"%d" % piece)
            order.append(f"piece {piece}")
        return await exchange.end()

    async with serving(slow) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])], pipeline=[bracket, balance, forward])
        async with running(proxy) as client:
            assert (await client.get("/")).text == "012"
            await until(lambda: order[-1] == "out")
    assert order == ["in", "piece 0", "piece 1", "piece 2", "out"]


async def test_a_stages_lifespan_brackets_the_serving():
    events = []

    class Stage:
        def __init__(self, name):
            self.name = name

        async def __call__(self, exchange, onward):
            return await onward(exchange)

        @asynccontextmanager
        async def lifespan(self):
            events.append(f"{self.name} in")
            yield
            events.append(f"{self.name} out")

    async with running(Proxy([EVERYTHING], pipeline=[Stage("a"), Stage("b"), forward])) as client:
        assert events == ["a in", "b in"]
        assert (await client.get("/")).status_code == 503
    assert events == ["a in", "b in", "b out", "a out"]


async def test_a_stage_that_breaks_is_500_and_the_next_request_is_served(caplog):
    async def broken(exchange, onward):
        if exchange.path == "/broken":
            raise LookupError("a bug")
        return await onward(exchange)

    async with serving(naming("a")) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])], pipeline=[broken, balance, forward])
        async with running(proxy) as client:
            assert (await client.get("/broken")).status_code == 500
            assert (await client.get("/")).text == "a"
    assert "LookupError: a bug" in caplog.text


class Last:
    """Takes the destination whose id comes last."""

    def __init__(self, balancing):
        pass

    def __call__(self, exchange, candidates, /):
        return max(candidates, key=lambda candidate: candidate.id)


@pytest.mark.parametrize(
    ("name", "policies"),
    [("FirstAlphabetical", None), ("mine", Policies(balance={"Mine": Last})), (f"{__name__}:Last", None)],
)
async def test_balancing_by_name_by_a_policy_of_ones_own_and_by_import(name, policies):
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        cluster = Cluster("c", {"1": a.url, "2": b.url}, balance=name)
        async with running(Proxy([EVERYTHING], [cluster], policies=policies)) as client:
            expected = "a" if name == "FirstAlphabetical" else "b"
            assert {(await client.get("/")).text for _ in range(4)} == {expected}


async def test_round_robin_goes_round():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        cluster = Cluster("c", [a.url, b.url], balance="RoundRobin")
        async with running(Proxy([EVERYTHING], [cluster])) as client:
            assert [(await client.get("/")).text for _ in range(4)] == ["a", "b", "a", "b"]


async def test_the_destinations_of_the_best_priority_take_all_by_weight():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        destinations = {
            "spare": Destination(a.url, priority=1),
            "light": Destination(a.url, weight=1),
            "heavy": Destination(b.url, weight=3),
        }
        proxy = Proxy([EVERYTHING], [Cluster("c", destinations, balance="RoundRobin")])
        async with running(proxy) as client:
            assert [(await client.get("/")).text for _ in range(4)] == ["b", "a", "b", "b"]
            proxy.destination("c", "light").disable()
            assert [(await client.get("/")).text for _ in range(2)] == ["b", "b"]
            proxy.destination("c", "heavy").disable()
            assert [(await client.get("/")).text for _ in range(2)] == ["a", "a"]


async def test_affinity_keeps_a_client_where_it_was():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        cluster = Cluster("c", [a.url, b.url], balance="RoundRobin", affinity=SessionAffinity("key"))
        async with running(Proxy([EVERYTHING], [cluster])) as client:
            first = await client.get("/")
            assert "key=" in first.headers["set-cookie"]
            client.cookies.set("key", first.cookies["key"])
            again = [await client.get("/") for _ in range(4)]
            assert {got.text for got in again} == {first.text}
            assert not any("set-cookie" in got.headers for got in again)


@pytest.mark.parametrize(("policy", "name"), [("Cookie", "set-cookie"), ("CustomHeader", "key")])
async def test_sealed_keys_outlive_the_proxy_that_wrote_them(tmp_path, policy, name):
    keys = tmp_path / "sealing.keys"
    keys.write_text("A" * 43 + "=")
    keys.chmod(0o600)
    affinity = SessionAffinity(
        "key", policy=policy, failure_policy="Return503Error", sealing_key_file=str(keys)
    )
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        cluster = Cluster("c", [a.url, b.url], balance="RoundRobin", affinity=affinity)
        async with running(Proxy([EVERYTHING], [cluster])) as client:
            await client.get("/")
            client.cookies.clear()
            second = await client.get("/")
            key = second.headers[name].partition(";")[0]
        assert second.text == "b"
        async with running(Proxy([EVERYTHING], [cluster])) as client:
            header = "cookie" if policy == "Cookie" else "key"
            again = [await client.get("/", headers={header: key}) for _ in range(4)]
            assert {(got.status_code, got.text) for got in again} == {(200, "b")}
            assert not any(name in got.headers for got in again)
            key = key[:-8] + key[-8:].swapcase()
            tampered = await client.get("/", headers={header: key})
            assert tampered.status_code == 503
            assert name not in tampered.headers


@pytest.mark.parametrize("statuses", [(), (503,)], ids=["no connection", "a refused answer"])
async def test_a_session_begins_where_a_request_that_was_tried_again_was_answered(statuses):
    async with serving(naming("b")) as b, serving(refusing) as busy:
        cluster = Cluster(
            "c",
            {"1": busy.url if statuses else "http://127.0.0.1:1", "2": b.url},
            balance="FirstAlphabetical",
            affinity=SessionAffinity("key"),
        )
        definitions = Definitions(retries={"again": RetryDefinition(statuses=statuses, budget_percent=100)})
        route = Route("/{**rest}", "c", retry_policy="again")
        async with running(Proxy([route], [cluster], definitions=definitions)) as client:
            first = await client.get("/")
            assert (first.text, len(first.headers.get_list("set-cookie"))) == ("b", 1)
            again = await client.get("/", headers={"cookie": first.headers["set-cookie"].partition(";")[0]})
            assert (again.text, again.headers.get_list("set-cookie")) == ("b", [])


async def refusing(exchange):
    return await exchange.respond(503)


async def test_passive_health_takes_a_dead_destination_out():
    async with serving(naming("b")) as b:
        cluster = Cluster(
            "c",
            {"dead": "http://127.0.0.1:1", "live": b.url},
            balance="FirstAlphabetical",
            health_check=HealthCheck(passive=PassiveHealthCheck()),
        )
        proxy = Proxy([EVERYTHING], [cluster])
        async with running(proxy) as client:
            statuses = [(await client.get("/")).status_code for _ in range(30)]
            assert statuses[0] == 502
            assert statuses[-1] == 200
            assert proxy.clusters[0].destinations[0].passive is Health.UNHEALTHY


async def test_requests_in_flight_are_counted_while_they_are():
    go, arrived = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(exchange):
        arrived.release()
        await go.wait()
        return await exchange.respond(200)

    async with serving(slow) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])])
        (destination,) = proxy.clusters[0].destinations
        async with running(proxy) as client:
            asked = [asyncio.create_task(client.get("/")) for _ in range(5)]
            for _ in asked:
                await arrived.acquire()
            assert destination.in_flight == 5
            go.set()
            await asyncio.gather(*asked)
            await until(lambda: destination.in_flight == 0)


async def test_the_count_goes_back_when_a_client_goes_away():
    arrived, never = asyncio.Event(), asyncio.Event()

    async def slow(exchange):
        arrived.set()
        await never.wait()

    async with serving(slow, grace=0.01) as there:
        proxy = Proxy(
            [EVERYTHING], [Cluster("c", [there.url], http_request=HttpRequest(activity_timeout=0.2))]
        )
        (destination,) = proxy.clusters[0].destinations
        async with running(proxy) as client:
            asking = asyncio.create_task(client.get("/"))
            await arrived.wait()
            assert destination.in_flight == 1
            asking.cancel()
            await until(lambda: destination.in_flight == 0)


# -- direct forwarding ------------------------------------------------------------------------------------------------


async def test_direct_forwarding_needs_no_routes():
    forwarder = Forwarder(HttpClient(max_connections_per_server=1))

    async def handler(exchange):
        return await forwarder.send(exchange, f"{there.url}/base")

    async with serving(naming("a")) as there, running(handler) as client:
        got = await client.get("/x")
        assert (got.text, got.headers["x-path"]) == ("a", "/base/x")
        forwarder.close()


# -- delegation -------------------------------------------------------------------------------------------------------


async def test_a_queue_is_delegated_to_and_a_destination_beside_it_forwarded_to():
    async def worker(exchange):
        return await exchange.respond(200, b"worker " + await exchange.read())

    async with serving(worker, [], queue="q"), serving(naming("a")) as there:
        proxy = Proxy(
            [Route("/q/{**rest}", "q"), Route("/a", "a")],
            [Cluster("q", [hostler.queue("q", "http://*:80/")]), Cluster("a", [there.url])],
        )
        async with running(proxy) as client:
            assert (await client.post("/q/1", content=b"body")).text == "worker body"
            assert (await client.get("/a")).text == "a"


async def test_a_queue_that_nobody_holds_is_503():
    proxy = Proxy([EVERYTHING], [Cluster("c", [hostler.queue("nobody", "http://*:80/")])])
    async with running(proxy) as client:
        assert (await client.get("/")).status_code == 503


async def test_rules_are_opened_and_closed_with_the_configuration():
    queues = {name: Cluster(name, [hostler.queue(name, "http://*:80/")]) for name in "ab"}
    routes = [Route("/a", "a"), Route("/b", "b")]

    async with serving(naming("worker a"), [], queue="a"), serving(naming("worker b"), [], queue="b"):
        proxy = Proxy(routes, [queues["a"]])
        async with running(proxy) as client:
            assert (await client.get("/a")).text == "worker a"
            assert (await client.get("/b")).status_code == 503
            (destination,) = proxy.clusters[0].destinations
            rule = destination.rule

            proxy.update(Config(routes, list(queues.values())))
            assert (await client.get("/a")).text == "worker a"
            assert (await client.get("/b")).text == "worker b"
            assert destination.rule is rule

            proxy.update(Config(routes, [queues["b"]]))
            assert (await client.get("/a")).status_code == 503
            assert (await client.get("/b")).text == "worker b"


class HoldingStage:
    """A stage that keeps an exchange until it is let go."""

    def __init__(self):
        self.arrived, self.released = 0, asyncio.Event()

    async def __call__(self, exchange, onward):
        self.arrived += 1
        await self.released.wait()
        return await onward(exchange)


@pytest.mark.parametrize("requests", [1, 3])
async def test_a_request_under_way_is_delegated_though_its_queue_leaves_the_configuration(requests, runtime):
    held = HoldingStage()
    config = Config([EVERYTHING], [Cluster("c", [hostler.queue("a", "http://*:80/")])])
    async with serving(naming("worker a"), [], queue="a"):
        proxy = Proxy.from_config(config, pipeline=[held, *DEFAULT_PIPELINE])
        async with running(proxy) as client:
            under_way = [asyncio.create_task(client.get("/")) for _ in range(requests)]
            await until(lambda: held.arrived == requests)
            proxy.update(Config([], []))
            held.released.set()
            assert [(await request).text for request in under_way] == ["worker a"] * requests
            assert not list((runtime / "a").glob("watch-*"))
            assert (await client.get("/")).status_code == 404


async def test_a_request_under_way_goes_where_its_destination_leads_by_now():
    held = HoldingStage()
    first = hostler.queue("a", "http://*:80/", id="d")
    async with serving(naming("worker a"), [], queue="a"), serving(naming("forwarded")) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [first])], pipeline=[held, *DEFAULT_PIPELINE])
        async with running(proxy) as client:
            under_way = asyncio.create_task(client.get("/"))
            await until(lambda: held.arrived)
            proxy.update(Config([EVERYTHING], [Cluster("c", [Destination(there.url, id="d")])]))
            held.released.set()
            assert (await under_way).text == "forwarded"


async def test_a_configuration_that_the_server_cannot_delegate_for_changes_nothing(monkeypatch):
    def refuse(self, queue, prefix):
        if queue == "b":
            raise UnsupportedError("no delegation here")
        return opened(self, queue, prefix)

    opened = UserModeServer.open_rule
    monkeypatch.setattr(UserModeServer, "open_rule", refuse)
    queues = {name: Cluster(name, [hostler.queue(name, "http://*:80/")]) for name in "ab"}
    async with serving(naming("worker a"), [], queue="a"), serving(naming("forwarded")) as there:
        before = Config([EVERYTHING], [Cluster("c", {"d": there.url})])
        proxy = Proxy.from_config(before)
        async with running(proxy) as client:
            with pytest.raises(UnsupportedError, match="no delegation here"):
                proxy.update(Config([Route("/", "a")], list(queues.values())))
            assert (await client.get("/")).text == "forwarded"
            assert proxy.config.routes == before.routes
            proxy.update(Config([Route("/", "a")], [queues["a"]]))
            assert (await client.get("/")).text == "worker a"


async def test_a_destination_may_become_a_queue_and_back():
    async with serving(naming("forwarded")) as there, serving(naming("delegated"), [], queue="q"):
        plain = Config([EVERYTHING], [Cluster("c", {"d": there.url})])
        queued = Config([EVERYTHING], [Cluster("c", {"d": hostler.queue("q", "http://*:80/")})])
        proxy = Proxy.from_config(plain)
        async with running(proxy) as client:
            for config, text in ((plain, "forwarded"), (queued, "delegated"), (plain, "forwarded")):
                proxy.update(config)
                assert (await client.get("/")).text == text


async def test_a_queue_that_is_reset_is_found_again():
    proxy = Proxy([EVERYTHING], [Cluster("c", [hostler.queue("q", "http://*:80/")])])
    async with running(proxy) as client:
        for name in ("first", "second"):
            async with serving(naming(name), [], queue="q", mode=QueueMode.CREATE):
                proxy.reset_queue("Q", "HTTP://*:80/")
                assert (await client.get("/")).text == name
        proxy.reset_queue("unknown", "http://*:80/")


async def test_without_a_delegate_stage_a_queue_is_not_forwarded_to(caplog):
    proxy = Proxy(
        [EVERYTHING], [Cluster("c", [hostler.queue("q", "http://127.0.0.1:1/")])], pipeline=[forward]
    )
    async with running(proxy) as client:
        assert (await client.get("/")).status_code == 502
    assert "no `delegate` stage" in caplog.text


# -- another configuration --------------------------------------------------------------------------------------------


async def test_an_update_is_in_force_for_the_next_request():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        proxy = Proxy([EVERYTHING], [Cluster("c", {"d": a.url})])
        async with running(proxy) as client:
            assert (await client.get("/")).text == "a"
            proxy.update(Config([EVERYTHING], [Cluster("c", {"d": b.url})]))
            assert (await client.get("/")).text == "b"
            proxy.update(Config([Route("/only", "c")], [Cluster("c", {"d": b.url})]))
            assert (await client.get("/")).status_code == 404


BROKEN = {
    "a template": Config([Route("/{", "c")]),
    "a policy": Config((), [Cluster("c", balance="Nonsense")]),
    "an import": Config((), [Cluster("new"), Cluster("c", balance="no.such:thing")]),
    "a queue's prefix": Config((), [Cluster("c", [hostler.queue("q", "HTTP://*.a/")])]),
    "a queue's name": Config((), [Cluster("c", [hostler.queue("a/b", "http://*:80/")])]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_an_update_that_is_wrong_changes_nothing(broken):
    async with serving(naming("a")) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])])
        async with running(proxy) as client:
            before, clusters = proxy.config, proxy.clusters
            with pytest.raises(ConfigError):
                proxy.update(broken)
            assert (proxy.config, proxy.clusters) == (before, clusters)
            assert (await client.get("/")).text == "a"


def test_a_proxy_cannot_begin_with_what_is_wrong():
    with pytest.raises(ConfigError) as caught:
        Proxy([Route("/{", "c")], [Cluster("c", ["nonsense"], balance="Nonsense")])
    assert len(caught.value.problems) == 3


async def test_health_and_counts_of_a_destination_survive_an_update():
    async with serving(naming("a")) as there:

        def config(**more):
            return Config([EVERYTHING], [Cluster("c", {"D": there.url}, **more)])

        proxy = Proxy.from_config(config())
        (before,) = proxy.clusters[0].destinations
        before.passive, before.in_flight = Health.UNHEALTHY, 3
        proxy.update(config(balance="Random", health_check=HealthCheck(passive=PassiveHealthCheck())))
        (after,) = proxy.clusters[0].destinations
        assert after is before
        assert (after.passive, after.in_flight) == (Health.UNHEALTHY, 3)


async def test_an_exchange_under_way_keeps_what_it_began_with():
    go, arrived = asyncio.Event(), asyncio.Event()

    async def slow(exchange):
        arrived.set()
        await go.wait()
        return await exchange.respond(200, "old")

    async with serving(slow) as old, serving(naming("new")) as new:
        proxy = Proxy([EVERYTHING], [Cluster("c", {"d": old.url})])
        async with running(proxy) as client:
            asking = asyncio.create_task(client.get("/"))
            await arrived.wait()
            http_client = HttpClient(max_connections_per_server=7)
            proxy.update(Config([EVERYTHING], [Cluster("c", {"e": new.url}, http_client=http_client)]))
            assert (await client.get("/")).text == "new"
            proxy.update(Config())
            go.set()
            assert (await asking).text == "old"


async def test_an_exchange_that_is_still_in_a_stage_during_an_update_is_forwarded_and_leaves_nothing_open():
    go, arrived = asyncio.Event(), asyncio.Event()

    async def wait(exchange, onward):
        arrived.set()
        await go.wait()
        return await onward(exchange)

    async with serving(naming("old")) as old:
        connections = old.server._context.connections
        proxy = Proxy([EVERYTHING], [Cluster("c", [old.url])], pipeline=[wait, balance, forward])
        async with running(proxy) as client:
            asking = asyncio.create_task(client.get("/"))
            await arrived.wait()
            proxy.update(Config())
            go.set()
            assert (await asking).text == "old"
            await until(lambda: not connections)


async def test_connections_to_what_is_gone_are_closed_and_to_what_stays_are_kept():
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        clusters = [Cluster("a", [a.url]), Cluster("b", [b.url])]
        routes = [Route("/a", "a"), Route("/b", "b")]
        proxy = Proxy(routes, clusters)
        async with running(proxy) as client:
            await asyncio.gather(client.get("/a"), client.get("/b"))
            kept = set(b.server._context.connections)
            proxy.update(Config(routes, clusters[1:]))
            await until(lambda: not a.server._context.connections)
            assert (await client.get("/b")).text == "b"
            assert b.server._context.connections == kept
        await until(lambda: not b.server._context.connections)


# -- a file -----------------------------------------------------------------------------------------------------------


def document(address, **cluster):
    routes = {"all": {"ClusterId": "c", "Match": {"Path": "/{**rest}"}}}
    return json.dumps(
        {
            "ReverseProxy": {
                "Routes": routes,
                "Clusters": {"c": {"Destinations": {"d": {"Address": address}}, **cluster}},
            }
        }
    )


def following(path, policies=None):
    proxy = Proxy.from_file(path, policies=policies)
    proxy._sources._sources[0]._interval = 0.005
    return proxy


async def test_a_proxy_follows_its_file(tmp_path):
    path = tmp_path / "appsettings.json"
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        path.write_text(document(a.url))
        proxy = following(path)
        async with running(proxy) as client:
            assert (await client.get("/")).text == "a"
            before = proxy.config
            path.write_text(document(b.url))
            await until(lambda: proxy.config is not before)
            assert (await client.get("/")).text == "b"


class Held:
    """A document's source that has said what is in the file, and waits before it is taken any further."""

    def __init__(self, proxy, monkeypatch):
        self.read = asyncio.Event()
        self.go_on = asyncio.Event()
        source = proxy._sources._sources[0]
        self._load_source = source.load
        monkeypatch.setattr(source, "load", self._load)

    async def _load(self):
        loaded = await self._load_source()
        self.read.set()
        await self.go_on.wait()
        return loaded


async def test_the_last_of_several_changes_is_taken_also_when_it_comes_while_another_is_read(
    tmp_path, monkeypatch
):
    path = tmp_path / "appsettings.json"
    async with serving(naming("a")) as a, serving(naming("b")) as b, serving(naming("c")) as c:
        path.write_text(document(a.url))
        proxy = following(path)
        held = Held(proxy, monkeypatch)
        async with running(proxy) as client:
            path.write_text(document(b.url))
            await held.read.wait()
            path.write_text(document(c.url, Metadata={"a": "longer file"}))
            assert (await client.get("/")).text == "a"
            held.go_on.set()
            await until(lambda: proxy.config.clusters[0].destinations[0].address == c.url)
            assert (await client.get("/")).text == "c"


async def test_an_update_prevails_over_a_file_that_was_being_read(tmp_path, monkeypatch, caplog):
    path = tmp_path / "appsettings.json"
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        path.write_text(document(a.url))
        proxy = following(path)
        held = Held(proxy, monkeypatch)
        async with running(proxy) as client:
            path.write_text(document(a.url, Metadata={"a": "longer file"}))
            await held.read.wait()
            proxy.update(Config([EVERYTHING], [Cluster("c", [b.url])]))
            held.go_on.set()
            await until(lambda: "another configuration in force meanwhile" in caplog.text)
            assert (await client.get("/")).text == "b"


class Breaking:
    """A policy that cannot be made."""

    def __init__(self, balancing):
        raise LookupError("a bug in a policy")


async def test_a_broken_file_keeps_the_old_configuration_and_a_mended_one_is_taken(tmp_path, caplog):
    path = tmp_path / "appsettings.json"
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        path.write_text(document(a.url))
        proxy = following(path, Policies(balance={"Breaking": Breaking}))
        async with running(proxy) as client:
            for broken, why in (
                ("{", "was not applied"),
                (document("nonsense"), "Clusters.c.Destinations.d.Address"),
                (document(a.url, LoadBalancingPolicy="no.such:thing"), "there is no module 'no'"),
                (document(a.url, LoadBalancingPolicy="Breaking"), "a bug in a policy"),
            ):
                caplog.clear()
                path.write_text(broken)
                await until(lambda why=why: why in caplog.text)
                assert "the previous configuration stays in force" in caplog.text
                assert (await client.get("/")).text == "a"
            before = proxy.config
            path.write_text(document(b.url))
            await until(lambda: proxy.config is not before)
            assert (await client.get("/")).text == "b"


def test_a_file_that_cannot_be_used_is_the_callers_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Proxy.from_file(tmp_path / "none.json")
    (tmp_path / "wrong.json").write_text(document("nonsense"))
    with pytest.raises(ConfigError):
        Proxy.from_file(tmp_path / "wrong.json")


async def test_the_layers_and_the_other_documents_are_followed_too(tmp_path, monkeypatch):
    monkeypatch.setenv("HOSTLER_ENVIRONMENT", "Staging")
    path, other, over = (tmp_path / name for name in ("a.json", "b.json", "a.Staging.json"))
    clusters = {"Clusters": {"d": {"Destinations": {"d": {"Address": "http://127.0.0.1:1/"}}}}}
    async with serving(naming("a")) as a, serving(naming("b")) as b:
        path.write_text(document(a.url))
        other.write_text(json.dumps({"ReverseProxy": clusters}))
        proxy = Proxy.from_file(path, other)
        for source in proxy._sources._sources:
            source._interval = 0.005
        async with running(proxy) as client:
            assert (await client.get("/")).text == "a"
            over.write_text(json.dumps({"ReverseProxy:Clusters:C:Destinations": {"d": {"Address": b.url}}}))
            await until(lambda: proxy.config.clusters[0].destinations[0].address == b.url)
            assert (await client.get("/")).text == "b"
            other.write_text(
                json.dumps(
                    {
                        "ReverseProxy": {
                            "Routes": {"x": {"ClusterId": "d", "Match": {"Path": "/x"}}},
                            **clusters,
                        }
                    }
                )
            )
            await until(lambda: len(proxy.config.routes) == 2)
            over.unlink()
            await until(lambda: proxy.config.clusters[0].destinations[0].address == a.url)
            assert (await client.get("/")).text == "a"


class Late:
    """A source that can be read in an event loop only."""

    name = "late"

    def __init__(self, config):
        self.config = config

    async def load(self):
        await asyncio.sleep(0)
        return self.config

    async def changes(self):
        await asyncio.Event().wait()
        yield


async def test_what_cannot_be_read_at_once_is_loaded_before_the_first_request():
    async with serving(naming("a")) as a:
        late = Late(Config([EVERYTHING], [Cluster("c", [a.url])]))
        proxy = Proxy.from_sources([late], urls=["http://127.0.0.1:0/"])
        assert proxy.config == Config(urls=["http://127.0.0.1:0/"])
        for _ in range(2):
            async with running(proxy) as client:
                assert (await client.get("/")).text == "a"


async def test_a_source_that_is_wrong_keeps_a_proxy_from_starting():
    proxy = Proxy.from_sources([Late(Config([Route("/{", "c", id="r")]))])
    with pytest.raises(ConfigError, match=r"late: Routes\.r\.Match\.Path"):
        async with running(proxy):
            pass


async def test_filters_have_the_last_word_before_the_checks_each_time():
    async def found(cluster):
        return attrs.evolve(cluster, destinations=[address])

    async with serving(naming("a")) as a, serving(naming("b")) as b:
        address = a.url
        source = InMemorySource(Config([EVERYTHING], [Cluster("c", ["nonsense"])]))
        proxy = Proxy.from_sources([source], cluster_filters=[found])
        async with running(proxy) as client:
            assert (await client.get("/")).text == "a"
            address = b.url
            before = proxy.config
            source.update(source.config)
            await until(lambda: proxy.config is not before)
            assert (await client.get("/")).text == "b"


def test_a_validator_has_a_say_in_every_update():
    def none_at_all(config):
        for route in config.routes:
            yield Problem(f"Routes.{route.id}", "is one too many")

    heard = []
    proxy = Proxy.from_sources([InMemorySource(Config())], validators=[none_at_all], listeners=[heard.append])
    with pytest.raises(ConfigError, match="is one too many"):
        proxy.update(Config([EVERYTHING]))
    assert [event.kind.value for event in heard] == ["loaded", "applied"]


async def test_a_proxy_runs_once_at_a_time():
    proxy = Proxy()
    async with running(proxy):
        with pytest.raises(RuntimeError, match="runs already"):
            async with running(proxy):
                pass
    async with running(proxy) as client:
        assert (await client.get("/")).status_code == 404


async def test_a_proxy_that_was_stopped_forwards_again_when_it_runs_again():
    """And keeps its connections, as it did the first time."""
    async with serving(naming("a")) as there:
        proxy = Proxy([EVERYTHING], [Cluster("c", [there.url])])
        for _ in range(2):
            async with running(proxy) as client:
                assert (await client.get("/")).text == "a"
                before = set(there.server._context.connections)
                assert (await client.get("/")).text == "a"
                assert there.server._context.connections == before
                assert len(before) == 1
            await until(lambda: not there.server._context.connections)


def test_a_document_gets_all_its_mistakes_at_once(tmp_path):
    path = tmp_path / "yarp.json"
    path.write_text(
        """
        {"ReverseProxy": {
          "Routes": {"a": {"ClusterId": "c", "Timeout": "00:00:00", "Match": {"Path": "/{", "Method": ["GET"]}}},
          "Clusters": {"c": {"LoadBalancingPolicy": "RoundRobbin", "Destinations": {"d": {"Adress": "http://a"}}}}
        }}
        """
    )
    with pytest.raises(ConfigError) as caught:
        Proxy.from_file(path)
    assert [problem.path for problem in caught.value.problems] == [
        "Routes.a.Match.Method",
        "Routes.a.Match.Path",
        "Routes.a.Timeout",
        "Clusters.c.Destinations.d.Adress",
        "Clusters.c.Destinations.d.Address",
        "Clusters.c.LoadBalancingPolicy",
    ]


def test_what_is_live_is_found_by_its_id():
    proxy = Proxy([Route("/{**rest}", "Shop", id="All")], [Cluster("Shop", {"A": "http://127.0.0.1:1"})])
    assert [route.id for route in proxy.routes] == ["All"]
    assert proxy.route("all") is proxy.routes[0]
    assert proxy.route("ALL").cluster is proxy.cluster("shop") is proxy.clusters[0]
    assert proxy.destination("shop", "a") is proxy.clusters[0].destinations[0]


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda proxy: proxy.route("al"), "there is no route 'al'; there is 'All'"),
        (lambda proxy: proxy.cluster("shops"), "there is no cluster 'shops'; there is 'Shop'"),
        (lambda proxy: proxy.destination("shop", "b"), "there is no destination 'b'; there is 'A'"),
    ],
)
def test_what_there_is_not_is_an_error_that_says_what_there_is(look, message):
    proxy = Proxy([Route("/{**rest}", "Shop", id="All")], [Cluster("Shop", {"A": "http://127.0.0.1:1"})])
    with pytest.raises(LookupError, match=message):
        look(proxy)


def test_what_was_unhealthy_when_a_proxy_stopped_is_not_so_for_ever():
    checks = HealthCheck(PassiveHealthCheck(), available_destinations_policy="HealthyAndUnknown")
    proxy = Proxy([EVERYTHING], [Cluster("c", {"a": "http://127.0.0.1:9"}, health_check=checks)])
    seen = []

    async def run():
        async with running(proxy):
            destination = proxy.destination("c", "a")
            seen.append(destination.passive)
            proxy.cluster("c").set_passive(destination, Health.UNHEALTHY)
            assert not proxy.cluster("c").available

    for _ in range(2):
        asyncio.run(run())  # each in an event loop of its own, which ends with its timers
    assert seen == [Health.UNKNOWN, Health.UNKNOWN]


async def test_a_server_that_keeps_no_responses_says_so_of_the_routes_that_want_it(caplog):
    proxy = Proxy(
        [Route("/a", "c", id="kept", response_caching=True), Route("/b", "c", id="other")],
        [Cluster("c", ["http://127.0.0.1:9"])],
    )
    async with running(proxy):
        pass
    assert "Routes.kept.ResponseCaching: does nothing here" in caplog.text
    assert "Routes.other" not in caplog.text
