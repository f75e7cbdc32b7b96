"""Asking resolvers: at first, again, and whatever they do."""

from __future__ import annotations

import asyncio
import json

import pytest
from attrs import evolve

from hostler import Cluster, Config, Destination, Policies, Proxy, Resolver, Route, serving
from hostler import resolving as resolving_module
from hostler.fleet import Health
from hostler.resolving import MAX_FOUND, Resolving
from tests.client.peers import OK, answering, connected, destination, until

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(resolving_module, "RETRY_PERIOD", 0.02)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(resolving_module, "PATIENCE", 0.3)


class Answers:
    """A resolver that says what it is told to say, and counts who asks."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def __call__(self, destination):
        self.asked.append(destination.id)
        answer = self.answers[destination.id]
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, int):
            answer = [str(number) for number in range(answer)]
        return [
            one
            if not isinstance(one, str)
            else evolve(destination, id=f"{destination.id}[{one}]", address=f"http://{one}")
            for one in answer
        ]


def config_of(*names, period=60.0, **options):
    destinations = [Destination(f"http://{name}.example", id=name, **options) for name in names]
    return Config(
        clusters=[Cluster("c", destinations, resolver=Resolver(policy="test", refresh_period=period))]
    )


def resolving_of(answers):
    return Resolving(Policies(resolver={"Test": lambda _: answers}))


def ids(config):
    return [one.id for one in config.clusters[0].destinations]


async def test_what_is_listed_is_replaced_by_what_is_found():
    answers = Answers(a=["10.0.0.1", "10.0.0.2"], b=["10.0.0.3"])
    resolving, config = resolving_of(answers), config_of("a", "b")
    assert resolving.resolved(config) == config
    await resolving.learn(config)
    assert ids(resolving.resolved(config)) == ["a[10.0.0.1]", "a[10.0.0.2]", "b[10.0.0.3]"]
    await resolving.learn(config)
    assert answers.asked == ["a", "b"]


async def test_a_cluster_without_a_resolver_is_left_alone():
    resolving = resolving_of(Answers())
    for config in (Config(), Config(clusters=[Cluster("c", ["http://a"], resolver=Resolver(enabled=False))])):
        await resolving.learn(config)
        assert resolving.resolved(config) is config


async def test_another_weight_holds_at_once_for_what_was_found():
    answers = Answers(a=["10.0.0.1", "10.0.0.2"])
    resolving = resolving_of(answers)
    await resolving.learn(config_of("a"))
    found = resolving.resolved(config_of("a", weight=7)).clusters[0].destinations
    assert [(one.id, one.address, one.weight) for one in found] == [
        ("a[10.0.0.1]", "http://10.0.0.1", 7), ("a[10.0.0.2]", "http://10.0.0.2", 7),
    ]  # fmt: skip


async def test_of_two_destinations_with_one_id_the_first_stays():
    shared = [Destination("http://10.0.0.1", id="X")], [Destination("http://10.0.0.2", id="x")]
    resolving, config = resolving_of(Answers(a=shared[0], b=shared[1])), config_of("a", "b")
    await resolving.learn(config)
    (found,) = resolving.resolved(config).clusters[0].destinations
    assert found.address == "http://10.0.0.1"


@pytest.mark.logs_errors("the resolver failed", sometimes=True)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OSError("no such name"), "no such name"),
        (ValueError("broken"), "broken"),
        (None, "no answer within 0.3 s"),
        ([], "returned nothing"),
        ([1], "1, which is no Destination"),
        ([Destination("10.0.0.1", id="x")], "not an absolute http or https address"),
        ([Destination("http://10.0.0.1", id="x"), Destination("http://10.0.0.2", id="X")], "duplicate id"),
    ],
    ids=["fails", "raises", "hangs", "says nothing", "no destination", "no address", "twice"],
)
@pytest.mark.usefixtures("impatient")
async def test_a_resolver_that_fails_leaves_what_was_there(answer, words, caplog):
    answers = Answers(a=answer, b=["10.0.0.3"])
    resolving, config = resolving_of(answers), config_of("a", "b", period=0.02)
    await resolving.learn(config)
    assert ids(resolving.resolved(config)) == ["a", "b[10.0.0.3]"]
    assert f"cluster c, destination a was not found, what is listed stays: {words}" in caplog.text or (
        "destination a was not found, what is listed stays: " in caplog.text and words in caplog.text
    )
    answers.answers["a"] = ["10.0.0.1"]
    async with following(resolving, config) as applied:
        await until(lambda: applied)
        assert ids(resolving.resolved(config)) == ["a[10.0.0.1]", "b[10.0.0.3]"]
        answers.answers["a"] = answer
        count = len(answers.asked)
        await until(lambda: len(answers.asked) > count + 6)
        assert ids(resolving.resolved(config)) == ["a[10.0.0.1]", "b[10.0.0.3]"]
    assert caplog.text.count("http://10.0.0.1 stays: ") == 1
    assert caplog.text.count("the resolver failed") in {0, 2}  # each of the two times that it began to fail


class following:  # noqa: N801 - used as a function
    def __init__(self, resolving, config):
        self._resolving, self.config, self.applied = resolving, config, []

    async def __aenter__(self):
        async def apply(config):
            self.applied.append(config)

        self._task = asyncio.create_task(self._resolving.follow(lambda: self.config, apply))
        return self.applied

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.wait([self._task])


async def test_an_answer_that_is_another_one_is_applied_and_the_same_one_is_not():
    answers = Answers(a=["10.0.0.1"])
    resolving, config = resolving_of(answers), config_of("a", period=0.01)
    await resolving.learn(config)
    async with following(resolving, config) as applied:
        await until(lambda: len(answers.asked) > 3)
        assert applied == []
        answers.answers["a"] = ["10.0.0.2"]
        await until(lambda: applied)
        assert applied[0] is config
        assert ids(resolving.resolved(config)) == ["a[10.0.0.2]"]


async def test_nobody_is_asked_before_a_period_is_over():
    answers = Answers(a=["10.0.0.1"])
    resolving, config = resolving_of(answers), config_of("a")
    await resolving.learn(config)
    async with following(resolving, config):
        await asyncio.sleep(0.03)
    assert answers.asked == ["a"]


async def test_another_configuration_is_looked_at_when_it_is_in_force():
    answers = Answers(a=["10.0.0.1"], b=["10.0.0.2"])
    resolving = resolving_of(answers)
    follower = following(resolving, Config())
    async with follower as applied:
        await asyncio.sleep(0.01)
        follower.config = config_of("b")
        resolving.config_changed()
        await until(lambda: applied)
        assert ids(resolving.resolved(follower.config)) == ["b[10.0.0.2]"]
    assert list(resolving._answers) == [
        (Resolver(policy="test", refresh_period=60.0), "b", "http://b.example", None, None)
    ]


async def test_what_was_found_for_the_next_configuration_is_not_forgotten():
    answers = Answers(a=["10.0.0.1"], b=["10.0.0.2"])
    resolving = resolving_of(answers)
    async with following(resolving, config_of("a", period=0.01)):
        await resolving.learn(config_of("b"))
        count = len(answers.asked)
        await until(lambda: len(answers.asked) > count + 2)
        assert ids(resolving.resolved(config_of("b"))) == ["b[10.0.0.2]"]


async def test_of_very_many_destinations_some_are_used(caplog):
    answers = Answers(a=10_000)
    resolving, config = resolving_of(answers), config_of("a", period=0.01)
    await resolving.learn(config)
    assert len(ids(resolving.resolved(config))) == MAX_FOUND
    async with following(resolving, config):
        await until(lambda: len(answers.asked) > 3)
    assert caplog.text.count("is 10000 destinations, the first 1000 are used") == 1


@pytest.mark.logs_errors("what was found was not applied")
async def test_what_cannot_be_applied_does_not_end_the_following():
    answers = Answers(a=["10.0.0.1"])
    resolving, config = resolving_of(answers), config_of("a", period=0.01)
    tried = []

    async def apply(_):
        tried.append(1)
        answers.answers["a"] = [f"10.0.0.{len(tried) + 1}"]
        raise RuntimeError("no")

    task = asyncio.create_task(resolving.follow(lambda: config, apply))
    await until(lambda: len(tried) > 2)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.usefixtures("impatient")
async def test_many_that_hang_take_no_longer_than_one():
    names = [f"n{number}" for number in range(200)]
    resolving, config = resolving_of(Answers(**dict.fromkeys(names))), config_of(*names)
    async with asyncio.timeout(5):
        await resolving.learn(config)
    assert resolving.resolved(config) == config


# -- in a proxy -------------------------------------------------------------------------------------------------------


class Ports:
    """A resolver that makes destinations of ports."""

    def __init__(self, *ports):
        self.ports = ports

    async def __call__(self, destination):
        if not self.ports:
            raise OSError("no such name")
        return [
            evolve(destination, id=f"a[{port}]", address=f"http://127.0.0.1:{port}") for port in self.ports
        ]


def cluster_of(address="http://nowhere.invalid", *, period=0.01, **options):
    resolver = Resolver(policy="ports", refresh_period=period)
    return Cluster("c", [Destination(address, id="a", **options)], resolver=resolver)


def proxy_of(ports, cluster):
    return Proxy([Route("/{**rest}", "c")], [cluster], policies=Policies(resolver={"ports": lambda _: ports}))


def live(proxy):
    return {one.id: one for one in proxy.clusters[0].destinations}


async def fetch(url):
    async with connected(url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return await client.answer()


async def test_a_proxy_forwards_to_what_was_found_and_follows_it():
    async with destination(answering(OK)) as one, destination(answering(OK)) as other:
        ports = Ports(one.port)
        proxy = proxy_of(ports, cluster_of())
        config = proxy.config
        async with serving(proxy) as served:
            assert (await fetch(served.url)).body == b"ok"
            kept = live(proxy)[f"a[{one.port}]"]
            kept.passive = Health.UNHEALTHY
            ports.ports = (other.port, one.port)
            await until(lambda: len(live(proxy)) == 2)
            assert live(proxy)[f"a[{one.port}]"] is kept
            ports.ports = (other.port,)
            await until(lambda: len(live(proxy)) == 1)
            assert (await fetch(served.url)).body == b"ok"
            assert (one.connections, other.connections) == (1, 1)
            ports.ports = ()
            await asyncio.sleep(0.03)
            assert list(live(proxy)) == [f"a[{other.port}]"]
            assert proxy.config is config


async def test_an_update_keeps_what_was_found():
    async with destination(answering(OK)) as there:
        proxy = proxy_of(Ports(there.port), cluster_of(period=60.0))
        async with serving(proxy):
            kept = live(proxy)[f"a[{there.port}]"]
            proxy.update(evolve(proxy.config, clusters=[cluster_of(period=60.0, weight=5)]))
            assert live(proxy) == {f"a[{there.port}]": kept}
            assert kept.config.weight == 5
            assert proxy.config.clusters[0].destinations[0].id == "a"


async def test_what_is_not_found_at_the_start_is_used_as_it_is_listed(caplog):
    async with destination(answering(OK)) as there, destination(answering(OK)) as other:
        ports = Ports()
        proxy = proxy_of(ports, cluster_of(there.address))
        async with serving(proxy) as served:
            assert (await fetch(served.url)).body == b"ok"
            ports.ports = (other.port,)
            await until(lambda: list(live(proxy)) == [f"a[{other.port}]"])
            assert (await fetch(served.url)).body == b"ok"
        assert (there.connections, other.connections) == (1, 1)
    assert "cluster c, destination a was not found, what is listed stays: no such name" in caplog.text


async def test_names_that_flap_lose_no_request():
    async with destination(answering(OK)) as one, destination(answering(OK)) as other:
        ports = Ports(one.port)
        proxy = proxy_of(ports, cluster_of(period=0.001))
        async with serving(proxy) as served:
            for number in range(50):
                ports.ports = (other.port,) if number % 2 else (one.port,)
                assert (await fetch(served.url)).body == b"ok"
        assert one.connections
        assert other.connections


async def test_a_proxy_runs_again_in_another_event_loop():
    proxy = proxy_of(Ports(1), cluster_of())
    async with serving(proxy):
        assert list(live(proxy)) == ["a[1]"]

    async def again():
        async with serving(proxy):
            await asyncio.sleep(0.02)
            return list(live(proxy))

    assert await asyncio.to_thread(asyncio.run, again()) == ["a[1]"]


async def test_a_document_that_changes_keeps_what_was_found(tmp_path):
    def write(order):
        (tmp_path / "p.json").write_text(json.dumps({
            "ReverseProxy": {
                "Routes": {"r": {"ClusterId": "c", "Match": {"Path": "/{**r}"}, "Order": order}},
                "Clusters": {
                    "c": {
                        "Resolver": {"Enabled": True, "Policy": "ports"},
                        "Destinations": {"a": {"Address": "http://nowhere.invalid"}},
                    }
                },
            }
        }))  # fmt: skip

    write(1)
    policies = Policies(resolver={"ports": lambda _: Ports(1)})
    proxy = Proxy.from_file(tmp_path / "p.json", policies=policies)
    assert list(live(proxy)) == ["a"]
    async with serving(proxy):
        kept = live(proxy)
        assert list(kept) == ["a[1]"]
        write(2)
        proxy.reload()
        await until(lambda: proxy.config.routes[0].order == 2)
        assert live(proxy) == kept
