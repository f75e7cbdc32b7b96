from __future__ import annotations

import pytest
from usermode_peers import options

from hostler.server.base import QueueMode
from hostler.server.usermode.directory import QueueDirectory
from hostler.server.usermode.loan import Loan
from hostler.server.usermode.rule import Lender, Rule

pytestmark = pytest.mark.usefixtures("runtime")

LOAN = Loan(None, b"", b"", ("", 0), ("", 0), False, None)


@pytest.fixture
async def lender():
    made = Lender(options(request_queue=0.05))
    yield made
    made.close()


async def test_a_rule_is_shared_without_regard_to_case(lender):
    rule = lender.open_rule("Reports", "http://*:80/A/")
    assert isinstance(rule, Rule)
    assert (rule.queue, rule.prefix) == ("Reports", "http://*:80/A/")
    assert lender.open_rule("REPORTS", "http://*:80/a/") is rule
    assert lender.open_rule("reports", "http://*:80/b/") is not rule
    assert lender.open_rule("other", "http://*:80/a/") is not rule


async def test_rules_for_one_queue_share_one_handle(lender):
    one = lender.open_rule("q", "http://*:80/a/")
    other = lender.open_rule("Q", "http://*:80/b/")
    assert one.target is other.target
    assert lender.open_rule("r", "http://*:80/a/").target is not one.target


async def test_a_rule_lives_until_it_was_given_back_as_often_as_it_was_opened(lender):
    rule = lender.open_rule("q", "http://*:80/")
    lender.open_rule("Q", "HTTP://*:80/")
    lender.close_rule(rule)
    assert lender.open_rule("q", "http://*:80/") is rule
    lender.close_rule(rule)
    lender.close_rule(rule)
    assert lender.open_rule("q", "http://*:80/") is not rule


async def test_a_handle_lives_as_long_as_the_last_of_its_rules(lender, runtime):
    one, other = (lender.open_rule("q", f"http://*:80/{path}/") for path in "ab")
    hold = QueueDirectory("q").open(QueueMode.CREATE)
    assert (await one.lend(LOAN)).status == 503  # it waited for a member, in vain
    assert len(list(runtime.glob("q/watch-*"))) == 1
    lender.close_rule(one)
    assert len(list(runtime.glob("q/watch-*"))) == 1
    lender.close_rule(other)
    assert not list(runtime.glob("q/watch-*"))
    hold.release()


async def test_a_reset_lets_go_and_the_next_request_opens_anew(lender, runtime):
    rule = lender.open_rule("q", "http://*:80/")
    hold = QueueDirectory("q").open(QueueMode.CREATE)
    rule.reset()
    for _ in range(2):
        assert "took the request" in (await rule.lend(LOAN)).detail
        assert list(runtime.glob("q/watch-*"))
        rule.reset()
        assert not list(runtime.glob("q/watch-*"))
    hold.release()


async def test_a_queue_that_nobody_holds_is_looked_for_with_each_request(lender):
    rule = lender.open_rule("q", "http://*:80/")
    assert "no process holds queue 'q'" in (await rule.lend(LOAN)).detail
    hold = QueueDirectory("q").open(QueueMode.CREATE)
    assert "took the request" in (await rule.lend(LOAN)).detail
    hold.release()
    assert "no process holds queue 'q'" in (await rule.lend(LOAN)).detail


@pytest.mark.parametrize("name", ["a/b", "", "x" * 300])
async def test_a_name_that_no_queue_can_have_is_a_failure_of_each_request(lender, name):
    assert (await lender.open_rule(name, "http://*:80/").lend(LOAN)).status == 503


async def test_a_runtime_directory_that_is_not_ours_is_a_failure_of_each_request(lender, runtime):
    runtime.mkdir(mode=0o755)
    runtime.chmod(0o755)
    assert (await lender.open_rule("q", "http://*:80/").lend(LOAN)).status == 503


async def test_closing_closes_every_handle_and_a_rule_may_still_be_given_back(lender, runtime):
    rules = [lender.open_rule(queue, "http://*:80/") for queue in "qr"]
    holds = [QueueDirectory(queue).open(QueueMode.CREATE) for queue in "qr"]
    for rule in rules:
        await rule.lend(LOAN)
    lender.close()
    assert not list(runtime.glob("*/watch-*"))
    for rule, hold in zip(rules, holds, strict=True):
        lender.close_rule(rule)
        hold.release()
