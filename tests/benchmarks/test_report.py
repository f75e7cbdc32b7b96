"""The report: what a reader of the terminal, of the page and of the chart sees."""

import math
from xml.etree import ElementTree as ET

from benchmarks.cases import CASES
from benchmarks.report.chart import svg
from benchmarks.report.markdown import page
from benchmarks.report.tables import lost
from benchmarks.report.text import against_text, aims_text, case_text
from tests.benchmarks.found import finding, results

SVG = "{http://www.w3.org/2000/svg}"


def example():
    found = results(
        small={"nginx": (10, 11, 12), "aiohttp": (130, 131, 132), "hostler": (13, 14, 15)},
        delegated_1m={"nginx": 400, "hostler-delegate": 1000},
    )
    found.cases["small"].append(finding("small", "proxy.py", trouble="3 requests failed"))
    found.left_out.append("Caddy: caddy is not installed")
    return found


def test_a_case_in_the_terminal_has_figures_ratio_and_spread():
    lines = case_text(example(), CASES["small"]).splitlines()
    assert (
        lines[0]
        == "Small GET (small). 32 kept-alive connections, 10 request headers, 45 bytes in the answer."
    )
    row = next(line.split() for line in lines if line.startswith("hostler"))
    assert row == ["hostler", "14.0", "-", "-", "-", "1.27", "1.18..1.36"]
    assert "proxy.py FAILED: 3 requests failed" in lines


def test_the_aims_say_what_was_measured_and_whether_that_is_enough():
    rows = aims_text(example()).splitlines()
    assert rows[0].split()[-4:] == ["Python", "3.11.7", "of", "Debian"]
    assert next(row for row in rows if row.startswith("small GET, forwarded, over")).endswith("1.27 met")
    assert next(row for row in rows if row.startswith("1 MiB, delegated")).endswith("2.50 met")
    assert next(row for row in rows if row.startswith("ASGI")).endswith("not measured")


def test_the_page_says_what_was_run_and_on_what():
    text = page(example(), "benchmarks.svg")
    assert text.startswith("# Benchmarks\n")
    for line in (
        "- a machine",
        "- 3 rounds",
        "- hostler without a label: Python 3.11.7 (GCC 12, Debian's), hostler compiled",
        "- left out: Caddy: caddy is not installed",
        "![What each case costs, relative to its reference](benchmarks.svg)",
        "| hostler | 1.27 | - | - | - | 1.18..1.36 | 14.0 us |",
        "| proxy.py | - | - | - | - | - | failed: 3 requests failed |",
        "## 1 MiB answer, delegated",
    ):
        assert line in text.splitlines(), line
    assert "![" not in page(example(), None)


def test_the_page_says_which_cases_are_ours_to_lose():
    assert [(case.name, best.name) for case, _, best in lost(example())] == [("small", "nginx")]
    assert "| Small GET | processor time | nginx | 1.27 |" in page(example(), None)
    assert "In no case is a peer ahead of hostler." in page(results(small={"nginx": 10, "hostler": 9}), None)


def test_what_has_no_proxy_is_no_peer():
    found = results(delegated={"worker": 5, "nginx": 10, "hostler-delegate": 9})
    assert list(lost(found)) == []


def test_the_chart_has_a_bar_for_each_ratio_with_its_spread():
    root = ET.fromstring(svg(example()))
    bars = root.findall(f"{SVG}rect")
    assert [bar.get("class") for bar in bars] == ["bar", "bar", "bar ours", "bar", "bar ours"]
    assert len(root.findall(f"{SVG}path")) == len(bars)
    widths = [float(bar.get("width")) for bar in bars]
    assert math.isclose(widths[2] / widths[0], 14 / 11, rel_tol=0.01)
    texts = [item.text for item in root.findall(f"{SVG}text")]
    assert "1.27" in texts
    assert "11.91 →" in texts, "a bar that is too long is cut off, and says so"
    assert "processor time, nginx = 1; less is better" in texts
    assert "throughput, nginx = 1; more is better" in texts


def test_the_chart_has_the_cases_that_are_judged_or_all_where_none_is():
    titles = [">Small GET<", ">Forty headers<"]
    values = {"nginx": 10, "hostler": 14}
    both = svg(results(small=values, headers=values))
    assert [title in both for title in titles] == [True, False]
    assert titles[1] in svg(results(headers=values))


def test_the_chart_leaves_a_case_out_in_which_nothing_can_be_compared():
    assert "<rect" not in svg(results(small={"hostler": 9}))


def test_against_a_revision_the_report_is_a_ratio_for_each_of_ours():
    found = results(small={"hostler": (9, 10, 11), "hostler-abc1234": (19, 20, 22)})
    found.reference = "abc1234"
    rows = against_text(found).splitlines()
    assert rows[0].split()[-4:] == ["relative", "to", "abc1234", "least..most"]
    assert rows[1].split()[-2:] == ["0.50", "0.45..0.55"]
    assert len(rows) == 2
    assert "## Aims" not in page(found, None)
