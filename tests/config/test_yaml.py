"""Documents in YAML: what is read as what, and what is refused, by line."""

from __future__ import annotations

import itertools
import sys

import pytest

from hostler.config.files import read_layer
from hostler.config.source import FileSource
from hostler.config.yaml import read_yaml, read_yaml_places
from hostler.documents import examine
from hostler.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: b", {"a": "b"}),
        ("a: [x, y]\nb:\n- z\n", {"a": ["x", "y"], "b": ["z"]}),
        ("a:\nb: ~\nc: null\nd: ''\ne: 'null'", {"a": None, "b": None, "c": None, "d": "", "e": "null"}),
        ("a: no\nb: 1:30:00\nc: 007\nd: 1.10\ne: 2001-01-01", dict(zip("abcde", ["no", "1:30:00", "007", "1.10", "2001-01-01"], strict=True))),
        ("a: !!int 5\nb: !!str null\nc: !!null x", {"a": "5", "b": "null", "c": None}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("1: x\ntrue: y", {"1": "x", "true": "y"}),
        ("a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, B: 3}", {"a": {"b": "1", "c": "2"}, "d": {"B": "3", "c": "2"}}),
        ("a: {<<: [{b: 1}, {b: 2, c: 3}]}", {"a": {"b": "1", "c": "3"}}),
        ("", None),
        ("# nothing\n", None),
        ('{"a": ["x"]}', {"a": ["x"]}),
    ],
)  # fmt: skip
def test_what_is_read(text, value):
    assert read_yaml(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 2: column 1: not YAML: "),
        ("a: b\n  c: d", "line 2: column 4: not YAML: mapping values are not allowed in this context"),
        ("a: &x [*x]", "line 1: column 8: the alias *x is within what it stands for"),
        ("a: *x", "line 1: column 4: there is no anchor &x before this alias"),
        ("a: !!python/object:os.system x", "line 1: column 4: the tag tag:yaml.org,2002:python/object:os.system is not read"),
        ("a: !include b", "line 1: column 4: the tag !include is not read; remove it"),
        ("? [a]\n: b", "line 1: column 5: a key is an object, a list or an alias; write text"),
        ("---\na: 1\n---\nb: 2", "line 3: column 1: a second document begins here; keep one in a file"),
        ("a: {<<: b}", "line 1: column 9: << names no object; write *anchor"),
        ("[" * 1_000_000, "line 1: column 65: nests deeper than 64 levels"),
        ("a: \0", "not YAML: unacceptable character"),
    ],
)  # fmt: skip
def test_what_is_refused(text, said):
    with pytest.raises(ConfigError) as caught:
        read_yaml(text)
    assert str(caught.value).startswith(said)


def test_a_billion_laughs_are_refused():
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in itertools.pairwise(names)
    ]
    with pytest.raises(ConfigError, match=r"line 5: column \d+: aliases repeat more than 100,000 values"):
        read_yaml("\n".join(lines))


def test_merges_count_as_repeated_too():
    lines = ["a: &a {" + ", ".join(f"k{number}: x" for number in range(1000)) + "}"]
    lines += [f"m{number}: {{<<: *a}}" for number in range(60)]
    with pytest.raises(ConfigError, match="aliases repeat more than"):
        read_yaml("\n".join(lines))


def test_keys_that_appear_more_than_once():
    value, problems = read_yaml("ReverseProxy:\n  Routes:\n    a: {Order: 1, order: 2}\n    A: {}\n")
    assert value == {"ReverseProxy": {"Routes": {"a": {"Order": "1"}}}}
    assert [(problem.path, problem.line) for problem in problems] == [("Routes.a.order", 3), ("Routes.A", 4)]


def test_every_value_has_its_line():
    root = read_yaml_places("a.b:\n  - x\n  -\n    C: y\nd: &d {e: f}\ng: *d\n")
    found = root.members["a.b"]
    assert (found.line, found.is_list, found.members["[0]"].line) == (1, True, 2)
    assert found.members["[1]"].members["c"].line == 4
    assert root.members["g"].line == 6


DOCUMENT = """
Urls: http://localhost:8080/
ReverseProxy:
  Routes:
    shop:
      ClusterId: shop
      Order: -5
      Timeout: 0:05:00
      Match:
        Path: /shop/{**rest}
        Methods: [GET, POST]
      Metadata: {beta: yes, version: 1.10}
  Clusters:
    shop:
      HealthCheck: {Passive: {Enabled: true}}
      HttpRequest: {Version: 1.1}
      Destinations:
        a: {Address: "http://10.0.0.1/"}
"""


def test_a_document(tmp_path):
    path = tmp_path / "appsettings.yaml"
    path.write_text(DOCUMENT)
    config = FileSource(path).read().config
    [route] = config.routes
    assert (route.order, route.timeout, route.methods) == (-5, 300.0, ("GET", "POST"))
    assert route.metadata == {"beta": "yes", "version": "1.10"}
    [cluster] = config.clusters
    assert cluster.health_check.passive.enabled
    assert cluster.http_request.version == "1.1"
    assert config.urls == ("http://localhost:8080/",)


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".YAML"])
def test_what_is_wrong_has_its_line(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text(
        "ReverseProxy:\n  Routes:\n    r:\n      ClusterId: none\n      Order: first\n      Match: {Path: /}\n"
    )
    _, problems = examine([FileSource(path)])
    assert [(problem.source, problem.line, problem.path) for problem in problems] == [
        (str(path), 4, "Routes.r.ClusterId"),
        (str(path), 5, "Routes.r.Order"),
    ]


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = tmp_path / "a.yaml"
    path.write_text(DOCUMENT)
    with pytest.raises(ConfigError) as caught:
        read_layer(path)
    assert str(caught.value) == f'{path}: a document in YAML needs PyYAML: pip install "hostler[yaml]"'
