"""A proxy's sources: what is loaded, refused, applied, and asked again; and who is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from hostler.config.environment import Environment
from hostler.config.events import ConfigEvent, ConfigEventKind
from hostler.config.httpsys import HttpSys
from hostler.config.model import Cluster, Config, Route
from hostler.config.source import FileSource, InMemorySource
from hostler.errors import ConfigError, Problem, Severity
from hostler.filters import Filters
from hostler.policies import Policies
from hostler.sources import Sources

LOADED, LOAD_FAILED = ConfigEventKind.LOADED, ConfigEventKind.LOAD_FAILED
APPLIED, APPLY_FAILED = ConfigEventKind.APPLIED, ConfigEventKind.APPLY_FAILED


def routes(*names):
    return Config([Route(f"/{name}", "c", id=name) for name in names])


CLUSTERS = Config(clusters=[Cluster("c")])


class Database:
    """A source of a user's: says what it is told to, or raises it."""

    def __init__(self, *says, name="database"):
        self.name = name
        self.says = list(says)
        self.asked = 0
        self.hint = asyncio.Queue()

    async def load(self):
        self.asked += 1
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    async def changes(self):
        while True:
            hint = await self.hint.get()
            if isinstance(hint, Exception):
                raise hint
            yield


class Target:
    """What a configuration comes in force in."""

    def __init__(self, config, fails=None):
        self.config = config
        self.fails = fails
        self.changed = asyncio.Event()

    async def apply(self, config, before):
        if self.fails is not None:
            raise self.fails
        if before is not self.config:
            return False
        self.config = config
        self.changed.set()
        return True


@asynccontextmanager
async def followed(sources, target):
    following = asyncio.create_task(sources.follow(lambda: target.config, target.apply))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait([following])


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def sources_of(*sources, **options):
    return Sources(sources, Policies(), **options)


def names(config):
    return [route.id for route in config.routes]


# -- the first time ---------------------------------------------------------------------------------------------------


async def test_what_all_sources_say_is_one_configuration():
    sources = sources_of(InMemorySource(CLUSTERS), Database(routes("a")), urls=["http://u/"])
    assert not sources.can_be_read
    config = await sources.load()
    assert (names(config), config.clusters, config.urls) == (["a"], CLUSTERS.clusters, ("http://u/",))
    assert sources.names == "memory, database"


def test_what_needs_no_event_loop_is_read_at_once(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"Urls": "http://a/", "ReverseProxy": {}}))
    sources = sources_of(InMemorySource(CLUSTERS), FileSource(tmp_path / "a.json"))
    assert sources.can_be_read
    assert sources.read() == Config(clusters=CLUSTERS.clusters, urls=["http://a/"])
    assert sources.find_server() == Config(urls=("http://a/",))


async def test_the_first_time_a_source_that_cannot_be_read_is_an_error():
    with pytest.raises(LookupError, match="no database"):
        await sources_of(Database(LookupError("no database"))).load()
    with pytest.raises(ConfigError) as caught:
        await sources_of(Database(Config([Route("/{", "c", id="a")])), InMemorySource(CLUSTERS)).load()
    assert str(caught.value).startswith("database: Routes.a.Match.Path: ")


async def test_a_validator_finds_more_and_a_filter_may_have_mended_it_before():
    def named(config):
        for route in config.routes:
            if "team" not in route.metadata:
                yield Problem(f"Routes.{route.id}.Metadata", "has no team; say whose it is")
        yield Problem("Urls", "are few", Severity.WARNING)

    async def owned(route, cluster):
        return evolve(route, path="/mended", metadata={"team": "shop"})

    said = InMemorySource(Config([Route("/{", "c", id="a")], [Cluster("c")]))
    with pytest.raises(ConfigError) as caught:
        await sources_of(said, validators=[named]).load()
    assert [problem.path for problem in caught.value.problems][:2] == [
        "Routes.a.Match.Path",
        "Routes.a.Metadata",
    ]
    config = await sources_of(said, validators=[named], filters=Filters((), [owned])).load()
    assert config.routes[0].path == "/mended"


def test_the_layers_are_named_when_there_are_some_that_nobody_named(tmp_path, caplog):
    caplog.set_level("INFO", "hostler.layers")
    path = tmp_path / "a.json"
    path.write_text('{"ReverseProxy": {}}')
    sources_of(FileSource(path, Environment.of("X", {}))).read()
    assert "prevails" not in caplog.text
    (tmp_path / "a.X.json").write_text("{}")
    sources_of(FileSource(path, Environment.of("X", {"Urls": "http://u/"}))).read()
    assert f"prevails: {path}, {tmp_path}/a.X.json, Urls" in caplog.text


# -- following --------------------------------------------------------------------------------------------------------


async def test_only_the_source_that_changed_is_loaded_again(caplog):
    caplog.set_level("INFO", "hostler.reload")
    database, other = Database(routes("a"), routes("a", "b")), Database(CLUSTERS, name="other")
    sources = sources_of(database, other)
    target = Target(await sources.load())
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await target.changed.wait()
    assert names(target.config) == ["a", "b"]
    assert (database.asked, other.asked) == (2, 1)
    assert "database, other was applied: 2 routes, 1 cluster" in caplog.text


@pytest.mark.parametrize(
    "wrong", [LookupError("it is down"), OSError("it is down"), ConfigError([Problem("", "it is down")])]
)
async def test_a_source_that_fails_counts_with_what_it_said_and_is_asked_again(caplog, wrong):
    database = Database(routes("a"), wrong, wrong, wrong, routes("b"))
    memory = InMemorySource(CLUSTERS)
    sources = sources_of(database, memory, retry=0.01)
    target = Target(await sources.load())
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await until(lambda: database.asked == 2)
        memory.update(Config([Route("/m", "c", id="m")], [Cluster("c")]))
        await until(lambda: names(target.config) == ["b", "m"])
    assert caplog.text.count("it is down") <= 2  # the message, and its traceback if it is nobody's own
    assert caplog.text.count("database was not applied, the previous configuration stays in force") == 1


async def test_a_document_with_mistakes_says_all_of_them_once_and_others_go_on(tmp_path, caplog):
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps({"ReverseProxy": {"Routes": {"a": {"ClusterId": "c", "Match": {"Path": "/a"}}}}})
    )
    memory = InMemorySource(CLUSTERS)
    sources = sources_of(FileSource(path, interval=0.002), memory, retry=0.01)
    target = Target(sources.read())
    async with followed(sources, target):
        path.write_text('{"ReverseProxy": {"Routes": {"a": {"Order": "x", "Match": {"Path": "/{"}}}}}')
        await until(lambda: "Routes.a.Order" in caplog.text)
        memory.update(Config([Route("/m", "c", id="m")], [Cluster("c")]))
        await target.changed.wait()
        assert names(target.config) == ["a", "m"]
        await asyncio.sleep(0.05)
    assert caplog.text.count("Routes.a.Order") == 1
    assert caplog.text.count("Routes.a.Match.Path") == 1


async def test_what_is_asked_for_is_said_again(tmp_path, caplog):
    path = tmp_path / "a.json"
    path.write_text('{"ReverseProxy": {}}')
    sources = sources_of(FileSource(path, interval=60))
    target = Target(sources.read())
    sources.reload()  # nobody follows it yet
    async with followed(sources, target):
        path.write_text("{")
        for count in (1, 2):
            sources.reload()
            await until(lambda count=count: caplog.text.count("was not applied") == count)
    assert names(target.config) == []


async def test_a_source_that_tells_of_no_changes_is_asked_from_time_to_time(caplog):
    class Silent(Database):
        async def changes(self):
            return
            yield

    database = Silent(routes("a"), routes("a"), routes("b"))
    sources = sources_of(database, InMemorySource(CLUSTERS), retry=0.001)
    target = Target(await sources.load())
    async with followed(sources, target):
        await until(lambda: names(target.config) == ["b"])


async def test_a_source_whose_changes_fail_is_asked_again(caplog):
    database = Database(routes("a"), routes("b"))
    sources = sources_of(database, InMemorySource(CLUSTERS), retry=0.001)
    target = Target(await sources.load())
    async with followed(sources, target):
        database.hint.put_nowait(LookupError("the connection is lost"))
        await until(lambda: names(target.config) == ["b"])
    assert "database: waiting for changes failed; it is asked again" in caplog.text
    assert "the connection is lost" in caplog.text


async def test_what_the_program_put_in_force_meanwhile_prevails(caplog):
    database = Database(routes("a"), routes("b"))
    sources = sources_of(database, InMemorySource(CLUSTERS))
    target = Target(await sources.load())
    load = database.load

    async def slowly():
        target.config = routes("own")
        return await load()

    database.load = slowly
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await until(lambda: "put another configuration in force meanwhile" in caplog.text)
    assert names(target.config) == ["own"]


# -- listeners --------------------------------------------------------------------------------------------------------


async def test_listeners_hear_what_became_of_each_configuration(caplog):
    events = []

    def broken(event):
        raise LookupError("a bug in a listener")

    error = OSError("it is down")
    database = Database(routes("a"), error, Config([Route("/{", id="b")]), routes("c"))
    sources = sources_of(database, InMemorySource(CLUSTERS), listeners=[broken, events.append])
    target = Target(await sources.load())
    sources.applied(target.config)
    async with followed(sources, target):
        for count in (3, 5, 7):
            database.hint.put_nowait(None)
            await until(lambda count=count: len(events) == count)
    assert [(event.kind, event.config and names(event.config)) for event in events] == [
        (LOADED, ["a"]), (APPLIED, ["a"]),
        (LOAD_FAILED, None),
        (LOADED, ["b"]), (APPLY_FAILED, ["b"]),
        (LOADED, ["c"]), (APPLIED, ["c"]),
    ]  # fmt: skip
    assert events[2] == ConfigEvent(LOAD_FAILED, None, "database", error)
    assert "Routes.b.Match.Path" in str(events[4].error)
    assert "a bug in a listener" in caplog.text


async def test_a_configuration_that_cannot_be_applied_is_refused(caplog):
    events = []
    database = Database(routes("a"), routes("b"))
    sources = sources_of(database, InMemorySource(CLUSTERS), listeners=[events.append])
    target = Target(await sources.load(), fails=LookupError("a bug in a policy"))
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await until(lambda: events[-1].kind is APPLY_FAILED)
    assert names(target.config) == ["a"]
    assert "a bug in a policy" in caplog.text


async def test_what_fails_at_the_start_is_told_too():
    events = []
    with pytest.raises(LookupError):
        await sources_of(Database(LookupError("down")), listeners=[events.append]).load()
    with pytest.raises(ConfigError):
        sources_of(InMemorySource(Config([Route("/{", id="a")])), listeners=[events.append]).read()
    assert [event.kind for event in events] == [LOAD_FAILED, LOADED, APPLY_FAILED]


# -- a user's mistakes ------------------------------------------------------------------------------------------------


async def test_a_source_that_hangs_fails_and_holds_up_no_other(monkeypatch, caplog):
    monkeypatch.setattr("hostler.sources.LOAD_TIMEOUT", 0.01)
    database, memory = Database(routes("a")), InMemorySource(CLUSTERS)
    sources = sources_of(database, memory)
    target = Target(await sources.load())

    async def hang():
        await asyncio.Event().wait()

    database.load = hang
    async with followed(sources, target):
        database.hint.put_nowait(None)
        memory.update(Config([Route("/m", "c", id="m")], [Cluster("c")]))
        await until(lambda: names(target.config) == ["a", "m"])
        await until(lambda: "it was not loaded within 0.01 seconds" in caplog.text)


async def test_a_source_that_times_out_by_itself_says_so_itself():
    with pytest.raises(TimeoutError, match="the database has its own limit"):
        await sources_of(Database(TimeoutError("the database has its own limit"))).load()


async def test_a_source_that_loads_something_else():
    with pytest.raises(TypeError, match="it loaded None; return a Config"):
        await sources_of(Database(None)).load()


def test_a_validator_that_raises_is_a_problem_and_the_traceback_is_logged(caplog):
    def broken(config):
        yield Problem("Urls", "are few", Severity.WARNING)
        raise LookupError("a bug in a validator")

    with pytest.raises(
        ConfigError, match=r"the validator .*broken raised LookupError\('a bug in a validator'\)"
    ):
        sources_of(InMemorySource(CLUSTERS), validators=[broken]).read()
    assert "Traceback" in caplog.text


async def test_options_of_http_sys_that_cannot_be_followed_are_said(caplog):
    database = Database(routes("a"), evolve(routes("a"), httpsys=HttpSys(max_accepts=5)))
    sources = sources_of(database, InMemorySource(CLUSTERS))
    target = Target(await sources.load())
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await target.changed.wait()
        await until(lambda: "HttpSys has changed" in caplog.text)
    assert "keeps the options that it began with; restart it" in caplog.text


async def test_urls_that_cannot_be_followed_are_said_when_they_come_in_force(tmp_path, caplog):
    database = Database(routes("a"), evolve(routes("a"), urls=["http://u/"]), Config([Route("/{", id="b")]))
    sources = sources_of(database, InMemorySource(CLUSTERS))
    target = Target(await sources.load())
    async with followed(sources, target):
        database.hint.put_nowait(None)
        await target.changed.wait()
        database.hint.put_nowait(None)
        await until(lambda: "was not applied" in caplog.text)
    assert caplog.text.count("Urls are http://u/ now and were none") == 1


async def test_a_layer_that_comes_later_is_named(tmp_path, caplog):
    caplog.set_level("INFO", "hostler.layers")
    path = tmp_path / "a.json"
    path.write_text('{"ReverseProxy": {}}')
    sources = sources_of(FileSource(path, Environment.of("X", {}), interval=0.002))
    target = Target(sources.read())
    async with followed(sources, target):
        (tmp_path / "a.X.json").write_text("{}")
        await target.changed.wait()
    assert f"prevails: {path}, {tmp_path}/a.X.json" in caplog.text
