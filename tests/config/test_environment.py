"""The name of the environment, and the variables that are layers of a configuration."""

from __future__ import annotations

import pytest

from hostler.config.environment import Environment
from hostler.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "variables", "name"),
    [
        (None, {}, "Production"),
        (None, {"ASPNETCORE_ENVIRONMENT": "a"}, "a"),
        (None, {"ASPNETCORE_ENVIRONMENT": "a", "DOTNET_ENVIRONMENT": "d"}, "d"),
        (None, {"DOTNET_ENVIRONMENT": "d", "HOSTLER_ENVIRONMENT": "h"}, "h"),
        (None, {"HOSTLER_ENVIRONMENT": "", "DOTNET_ENVIRONMENT": "d"}, "d"),
        ("given", {"HOSTLER_ENVIRONMENT": "h"}, "given"),
    ],
)
def test_what_the_environment_is_called(given, variables, name):
    assert Environment.of(given, variables).name == name


@pytest.mark.parametrize("name", ["../secrets", "a/b", "a\\b", "..", "a b", "a\nb", "C:x", "\0"])
def test_a_name_that_leads_out_of_the_directory_is_refused(name):
    with pytest.raises(ConfigError, match="is not the name of an environment"):
        Environment.of(name, {})


@pytest.mark.parametrize(
    ("variables", "value"),
    [
        (
            {"ReverseProxy__Routes__shop__Order": "1"},
            {"ReverseProxy": {"Routes": {"shop": {"Order": "1"}}}},
        ),
        (
            {"REVERSEPROXY:ROUTES:SHOP:ORDER": "1"},
            {"REVERSEPROXY": {"ROUTES": {"SHOP": {"ORDER": "1"}}}},
        ),
        (
            {
                "reverseproxy__routes__r__match__methods__0": "GET",
                "ReverseProxy__Routes__r__Match__Methods__1": "PUT",
            },
            {"ReverseProxy": {"Routes": {"r": {"Match": {"Methods": {"1": "PUT", "0": "GET"}}}}}},
        ),
        ({"URLS": "http://a/"}, {"URLS": "http://a/"}),
        ({"AllowedHosts": "*"}, {"AllowedHosts": "*"}),
        (
            {"Policies__Timeouts__short__Timeout": ""},
            {"Policies": {"Timeouts": {"short": {"Timeout": ""}}}},
        ),
    ],
)
def test_variables_that_are_a_layer(variables, value):
    [layer] = Environment.of(None, {**variables, "PATH": "/bin", "HOME": "/"}).variables.layers()
    assert layer.value == value
    assert layer.problems == ()
    assert layer.origin.name == ", ".join(sorted(variables))


@pytest.mark.parametrize(
    "name",
    ["ReverseProxy", "POLICIES", "Kestrel", "Urls__0", "Logging__LogLevel__Default", "MYURLS", "_URLS"],
)
def test_other_variables_are_left_alone(name):
    assert Environment.of(None, {name: "x"}).variables.layers() == ()


@pytest.mark.parametrize(
    ("variables", "urls"),
    [
        ({"ASPNETCORE_URLS": "http://a/"}, "http://a/"),
        ({"ASPNETCORE_URLS": "http://a/", "DOTNET_URLS": "http://d/"}, "http://d/"),
        ({"aspnetcore_urls": "http://a/"}, "http://a/"),
    ],
)
def test_where_aspnet_would_listen(variables, urls):
    environment = Environment.of(None, variables)
    [layer] = environment.host_variables.layers()
    assert layer.value == {"Urls": urls}
    assert environment.variables.layers() == ()


def test_variables_that_contradict_each_other():
    variables = {"ReverseProxy__Routes__a": "x", "ReverseProxy__Routes__a__Order": "1", "Urls": "http://a/"}
    [layer] = Environment.of(None, variables).variables.layers()
    [problem] = layer.problems
    assert problem.message.endswith(": ReverseProxy__Routes__a, ReverseProxy__Routes__a__Order")
    assert "keep one" in problem.message


def test_every_value_stands_in_its_variable():
    variables = {"Urls": "http://a/", "ReverseProxy__Routes__a.b__Order": "1"}
    [layer] = Environment.of(None, variables).variables.layers()
    place = layer.origin.read_places().members["reverseproxy"].members["routes"].members["a.b"]
    assert place.members["order"].source == "ReverseProxy__Routes__a.b__Order"
