"""Documents in TOML."""

from __future__ import annotations

import pytest

from hostler.config.environment import Environment
from hostler.config.source import FileSource
from hostler.config.toml import read_toml
from hostler.documents import examine
from hostler.errors import ConfigError

DOCUMENT = """
Urls = "http://localhost:8080/"

[ReverseProxy.Routes.shop]
ClusterId = "shop"
Order = -5
Timeout = 00:05:00
Match = { Path = "/shop/{**rest}", Methods = ["GET", "POST"] }

[ReverseProxy.Clusters.shop]
HealthCheck.Passive.Enabled = true

[ReverseProxy.Clusters.shop.Destinations]
a = { Address = "http://10.0.0.1/" }
"""


def test_a_document(tmp_path):
    path = tmp_path / "appsettings.toml"
    path.write_text(DOCUMENT)
    config = FileSource(path).read().config
    [route] = config.routes
    assert (route.order, route.timeout, route.methods) == (-5, 300.0, ("GET", "POST"))
    assert config.clusters[0].health_check.passive.enabled
    assert config.urls == ("http://localhost:8080/",)


def test_what_is_wrong_has_its_path(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[ReverseProxy.Routes.r]\nClusterId = "none"\nOrder = "first"\nMatch.Path = "/"\n')
    _, problems = examine([FileSource(path)])
    assert [(problem.source, problem.line, problem.path) for problem in problems] == [
        (str(path), None, "Routes.r.Order"),
        (str(path), None, "Routes.r.ClusterId"),
    ]


def test_keys_that_are_equal_but_for_case():
    value, problems = read_toml("[ReverseProxy.Routes.a]\nOrder = 1\norder = 2\n[[x]]\nb = 1\nB = 2\n")
    assert value == {"ReverseProxy": {"Routes": {"a": {"Order": 1}}}, "x": [{"b": 1}]}
    assert [problem.path for problem in problems] == ["Routes.a.order", "x[0].B"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = x\n", "line 1: column 5: not TOML: Invalid value"),
        ("a = 1\na = 2\n", "line 2: column 6: not TOML: Cannot overwrite a value"),
        ("a = ", "not TOML: Invalid value (at end of document)"),
        ("a = '", "not TOML: "),
        (".".join("a" * 5000) + " = 1", "the document is not TOML that can be read: "),
        ("a = " + "[" * 5000, "the document is not TOML that can be read: "),
    ],
)
def test_what_is_refused(text, said):
    with pytest.raises(ConfigError) as caught:
        read_toml(text)
    assert str(caught.value).startswith(said)


def test_times_without_quotes_are_text():
    assert read_toml("a = 00:00:01.5\nb = 2001-02-03")[0] == {"a": "00:00:01.500000", "b": "2001-02-03"}


def test_of_several_layers_the_one_that_says_it_is_named(tmp_path):
    path, over = tmp_path / "a.toml", tmp_path / "a.Production.toml"
    path.write_text('[ReverseProxy.Routes.r]\nOrder = 1\nMatch.Methods = ["GET", "x"]\nMatch.Path = "/"\n')
    over.write_text("[ReverseProxy.Routes.r]\nOrder = 1.5\n")
    _, problems = examine([FileSource(path, Environment.of(None, {}))])
    assert [(problem.source, problem.path) for problem in problems] == [
        (str(path), "Routes.r.Match.Methods[1]"),
        (str(path), "Routes.r.ClusterId"),
        (str(over), "Routes.r.Order"),
    ]
