"""The limit of descriptors."""

import pytest

from hostler.doctor.descriptors import examine_descriptors, judge
from hostler.doctor.finding import Verdict


@pytest.mark.parametrize(
    ("soft", "hard", "verdict", "clients"),
    [
        (1024, 1 << 20, Verdict.OK, 32736),
        (1024, 4096, Verdict.OK, 2016),
        (1024, 1024, Verdict.WARNING, 480),
        (1 << 20, 1 << 20, Verdict.OK, 524256),
        (16, 16, Verdict.WARNING, 0),
    ],
)
def test_the_limit_that_a_server_takes_is_judged(soft, hard, verdict, clients):
    finding = judge(soft, hard)
    assert finding.verdict is verdict
    assert f"room for {clients} clients at once" in finding.detail
    assert ("LimitNOFILE=65536" in finding.remedy) == (verdict is Verdict.WARNING)


def test_this_machine_has_one(in_user_mode):
    assert [finding.what for finding in examine_descriptors(in_user_mode())] == ["descriptor limit"]
