"""Delegation rules: shared by queue and prefix, counted, and open no longer than somebody has them."""

import pytest

from hostler.errors import PrefixError, Reason
from hostler.outcome import Kind
from hostler.server.base import QueueMode
from hostler.server.httpsys.constants import ServerProperty
from hostler.windows.constants import ErrorCode
from tests.server.httpsys.delegating import BACK, FRONT, receiving
from tests.server.httpsys.served import served

OTHER = f"{BACK}other/"


class Sender:
    """A server on FRONT that delegates every request by `rule`."""

    def __init__(self):
        self.rule = None
        self.outcomes = []

    async def __call__(self, exchange):
        self.outcomes.append(await exchange.delegate(self.rule))
        return self.outcomes[-1]


@pytest.fixture
def sender():
    return Sender()


@pytest.fixture
def windows(machine):
    return machine.process("sender")


@pytest.fixture
async def server(windows, sender):
    async with served(windows, sender, urls=[FRONT]) as server:
        yield server


@pytest.fixture
async def receiver(machine, server):
    async with receiving(machine, urls=[BACK, OTHER]) as receiver:
        yield receiver


@pytest.fixture
def get(machine):
    """Make a request, and return its status."""

    async def get(path="/"):
        return (await machine.client().request("GET", FRONT[:-1] + path).response()).status

    return get


def handles(windows):
    """Count the queues that are open to be delegated to."""
    return windows.alive()["queue handle"] - 1


async def test_a_rule_says_what_it_was_opened_for(server):
    rule = server.open_rule("Q", "http://LOCALHOST:9090/App/")
    assert (rule.queue, rule.prefix) == ("Q", "http://LOCALHOST:9090/App/")


async def test_to_open_a_rule_opens_nothing(server, windows):
    before = len(windows.calls)
    server.close_rule(server.open_rule("nobody", BACK))
    assert len(windows.calls) == before


async def test_what_is_no_prefix_is_refused(server):
    with pytest.raises(PrefixError, match="localhost"):
        server.open_rule("q", "localhost")


@pytest.mark.parametrize(
    ("queue", "prefix", "same"),
    [
        ("q", BACK, True),
        ("Q", BACK, True),
        ("q", "http://LOCALHOST:9090/", True),
        ("q", OTHER, False),
        ("r", BACK, False),
    ],
)
async def test_rules_are_shared_by_queue_and_prefix_without_case(server, queue, prefix, same):
    assert (server.open_rule("q", BACK) is server.open_rule(queue, prefix)) is same


async def test_letters_are_compared_one_by_one(server):
    assert server.open_rule("straße", BACK) is not server.open_rule("STRASSE", BACK)
    assert server.open_rule("ÖL", BACK) is server.open_rule("öl", BACK)


async def test_the_last_one_to_give_a_rule_back_closes_the_handle(server, receiver, windows, sender, get):
    sender.rule = server.open_rule("q", BACK)
    again = server.open_rule("q", BACK)
    assert await get() == 200
    server.close_rule(again)
    assert handles(windows) == 1
    assert await get() == 200
    server.close_rule(sender.rule)
    assert handles(windows) == 0


async def test_a_queue_is_open_until_its_last_prefix_goes(server, receiver, windows, sender, get):
    one, two = server.open_rule("q", BACK), server.open_rule("Q", OTHER)
    for rule in (one, two):
        sender.rule = rule
        assert await get() == 200
    assert handles(windows) == 1
    server.close_rule(one)
    assert handles(windows) == 1
    assert await get() == 200
    server.close_rule(two)
    assert handles(windows) == 0


async def test_a_rule_can_be_opened_again(server, receiver, windows, sender, get):
    for _ in range(3):
        sender.rule = server.open_rule("q", BACK)
        assert (await get(), handles(windows)) == (200, 1)
        server.close_rule(sender.rule)
        assert handles(windows) == 0


async def test_a_rule_that_was_given_back_delegates_nothing_and_opens_nothing(
    server, receiver, windows, sender, get
):
    sender.rule = server.open_rule("q", BACK)
    server.close_rule(sender.rule)
    assert (await get(), handles(windows)) == (503, 0)
    (outcome,) = sender.outcomes
    assert (outcome.kind, outcome.failure.reason) == (Kind.FAILED, Reason.NO_AVAILABLE_DESTINATIONS)
    assert outcome.failure.detail == (
        "queue q left the configuration while the request was under way (a reload or an update), and HTTP.sys has let "
        "go of it; another request follows the routes that are in force"
    )


async def test_giving_a_rule_back_too_often_takes_it_from_nobody(server, receiver, windows, sender, get):
    stale = server.open_rule("q", BACK)
    server.close_rule(stale)
    sender.rule = server.open_rule("q", BACK)
    server.close_rule(stale)
    assert await get() == 200
    assert handles(windows) == 1


async def test_a_reset_is_for_every_rule_on_the_queue(server, receiver, windows, sender, get):
    one, two = server.open_rule("q", BACK), server.open_rule("q", OTHER)
    sender.rule = one
    assert await get() == 200
    two.reset()
    assert handles(windows) == 0
    assert await get() == 200


async def test_a_reset_of_what_is_not_open_changes_nothing(server, receiver, windows, sender, get):
    sender.rule = server.open_rule("q", BACK)
    sender.rule.reset()
    sender.rule.reset()
    assert (await get(), handles(windows)) == (200, 1)


@pytest.mark.parametrize("code", [2, 5, 6, 87, 6807])
async def test_a_rule_that_windows_will_not_end_is_closed_all_the_same(
    server, receiver, windows, sender, get, code
):
    sender.rule = server.open_rule("q", BACK)
    assert await get() == 200
    windows.fail(
        "HttpSetUrlGroupProperty", code, when=lambda group, number, *_: number == ServerProperty.DELEGATION
    )
    server.close_rule(sender.rule)
    assert handles(windows) == 0
    sender.rule = server.open_rule("q", BACK)
    assert await get() == 200


async def test_a_failure_is_the_queues_and_so_for_every_prefix(server, receiver, windows, sender, get):
    windows.fail("HttpCreateRequestQueue", ErrorCode.ERROR_ACCESS_DENIED)
    for prefix in (BACK, OTHER):
        sender.rule = server.open_rule("q", prefix)
        assert await get() == 503
    server.close_rule(server.open_rule("q", BACK))
    assert await get() == 503


async def test_a_failure_goes_with_the_last_rule(server, receiver, windows, sender, get):
    windows.fail("HttpCreateRequestQueue", ErrorCode.ERROR_ACCESS_DENIED)
    sender.rule = server.open_rule("q", BACK)
    assert await get() == 503
    server.close_rule(sender.rule)
    sender.rule = server.open_rule("q", BACK)
    assert await get() == 200


async def test_a_server_that_stops_closes_what_rules_have_open(server, receiver, windows, sender, get):
    sender.rule = server.open_rule("q", BACK)
    assert await get() == 200
    await server.stop(5)
    assert windows.alive() == {}
    sender.rule.reset()
    server.close_rule(sender.rule)
    server.close_rule(sender.rule)


@pytest.mark.parametrize("step", ["HttpInitialize", "HttpCreateRequestQueue", "HttpSetUrlGroupProperty"])
async def test_a_step_of_opening_that_fails_leaves_nothing_open(server, receiver, windows, sender, get, step):
    sender.rule, before = server.open_rule("q", BACK), windows.alive()
    windows.fail(step, ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
    assert (await get(), handles(windows)) == (503, 0)
    assert windows.alive()["HttpInitialize"] == before["HttpInitialize"]
    assert sender.outcomes[0].failure.cause.function == step
    sender.rule.reset()
    assert (await get(), handles(windows)) == (200, 1)


@pytest.mark.parametrize("step", ["HttpInitialize", "HttpCreateServerSession", "HttpCreateUrlGroup"])
async def test_a_server_that_attached_makes_a_group_for_its_rules(machine, sender, get, step):
    windows = machine.process("attached")
    async with receiving(machine, name="front", urls=[FRONT]) as owner, receiving(machine):
        await owner._receiver.stop()
        async with served(windows, sender, urls=[], queue=("front", QueueMode.ATTACH)) as server:
            sender.rule = server.open_rule("q", BACK)
            before = windows.alive()
            windows.fail(step, ErrorCode.ERROR_NO_SYSTEM_RESOURCES)
            assert await get() == 503
            assert sender.outcomes[0].failure.cause.function == step
            after = windows.alive()
            assert all(
                after.get(kind) == before.get(kind) for kind in ("HttpInitialize", "session", "url group")
            )
            server.close_rule(sender.rule)
