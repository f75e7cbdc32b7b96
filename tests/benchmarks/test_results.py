"""What a run found: ratios, and the way to JSON and back."""

import json
import math

import pytest

from benchmarks.aims import AIMS
from benchmarks.cases import CASES
from benchmarks.figures import COST, RATE
from benchmarks.results import Finding, Results
from tests.benchmarks.found import finding, results

SMALL = CASES["small"]


def test_a_ratio_is_relative_to_the_median_of_the_reference():
    found = results(small={"nginx": (10, 20, 12), "hostler": (18, 24, 21)})
    ratio = found.ratio(SMALL, found.finding("small", "hostler"), COST)
    assert (ratio.median, ratio.least, ratio.most) == (21 / 12, 18 / 12, 24 / 12)


def test_nothing_is_compared_with_a_contender_that_failed():
    found = results(small={"hostler": 20})
    found.cases["small"].append(finding("small", "nginx", 10, trouble="3 requests failed"))
    assert math.isnan(found.ratio(SMALL, found.finding("small", "hostler"), COST).median)
    assert math.isnan(found.value("small", "nginx"))


def test_what_was_not_measured_is_not_a_number():
    found = results(small={"nginx": 10})
    assert math.isnan(found.value("small", "hostler"))
    assert math.isnan(found.value("small", "nginx", RATE))
    assert math.isnan(found.value("post", "nginx"))


def test_with_a_revision_each_of_ours_is_compared_with_itself():
    found = results(
        small={"hostler": 10, "hostler-abc1234": 20}, stage={"hostler-stage": 30, "hostler-stage-abc1234": 40}
    )
    found.reference = "abc1234"
    assert found.ratio(SMALL, found.finding("small", "hostler"), COST).median == 0.5
    assert found.ratio(SMALL, found.finding("small", "hostler-abc1234"), COST).median == 1
    assert found.ratio(CASES["stage"], found.finding("stage", "hostler-stage"), COST).median == 0.75


def test_json_has_what_there_is_to_know_and_null_for_the_rest():
    found = results(small={"nginx": (10.0, 12.0), "hostler": math.nan})
    found.left_out.append("Caddy: caddy is not installed")
    text = found.to_json()
    assert json.loads(text)["cases"]["small"][1]["figures"]["processor time"]["median"] is None
    again = Results.from_json(text)
    assert again.to_json() == text
    assert again.value("small", "nginx") == 11
    assert math.isnan(again.value("small", "hostler"))


def test_a_finding_without_a_visit_has_no_figures():
    assert math.isnan(Finding.of("nginx", "nginx", [], "", ours=False).spread(COST).median)


def aim(text):
    return next(item for item in AIMS if text in item.text)


@pytest.mark.parametrize(("ours", "met"), [(15, True), (15.1, False)])
def test_an_aim_is_met_up_to_its_limit(ours, met):
    assert aim("small GET, forwarded, over").met(results(small={"nginx": 10, "hostler": ours})) is met


def test_an_aim_can_be_in_the_peers_disfavour():
    found = results(small={"aiohttp": 41, "hostler": 10})
    assert aim("aiohttp").measured(found) == 4.1
    assert aim("aiohttp").met(found)


def test_an_aim_can_be_a_difference():
    found = results(stage={"nginx": 10, "hostler": 13, "hostler-stage": 13.5})
    assert aim("coroutine stage").measured(found) == pytest.approx(0.05)


def test_an_aim_can_follow_what_the_small_get_has():
    post = aim("POST")
    found = results(small={"nginx": 10, "hostler": 15}, post={"nginx": 10, "hostler": 16})
    assert post.wanted(found) == "at most 1.50"
    assert post.met(found) is False
    assert post.met(results(post={"nginx": 10, "hostler": 16})) is None


def test_an_aim_is_judged_for_each_python():
    builds = {
        "": "Python 3.13.0 (GCC, x), hostler compiled",
        "debian-3.11.2": "Python 3.11.2 (GCC, Debian's), hostler compiled",
    }
    found = results(
        builds,
        small={"nginx": 10, "hostler": 16, "hostler-debian-3.11.2": 13, "hostler-debian-3.11.2-pure": 20},
    )
    forwarded, pure = aim("small GET, forwarded, over"), aim("pure")
    assert (forwarded.met(found, ""), forwarded.met(found, "debian-3.11.2")) == (False, True)
    assert (pure.met(found, ""), pure.met(found, "debian-3.11.2")) == (None, True)


def test_without_a_compiled_part_the_pure_aim_is_about_what_there_is():
    found = results({"": "Python 3.11.7 (GCC, x), hostler pure"}, small={"nginx": 10, "hostler": 24})
    assert aim("pure").measured(found) == 2.4
