"""The `TrustedProxies` section: how it is read, put together and written."""

from __future__ import annotations

import json

from hostler.config.environment import Environment
from hostler.config.model import Config
from hostler.config.source import FileSource
from hostler.config.trusted import TrustedSection, lay_over
from hostler.config.union import unite
from hostler.config.yarp import dump, load
from hostler.config.yarp.document import Parsed, build
from hostler.steps import finish
from tests.config.yarp.documents import refused

DOCUMENT = {
    "TrustedProxies": {
        "Networks": ["10.0.0.0/8", "unix"],
        "Headers": "Forwarded",
        "ForwardLimit": 2,
        "AllowedHosts": ["example.org"],
    }
}
SECTION = TrustedSection(
    networks=("10.0.0.0/8", "unix"), headers="Forwarded", forward_limit=2, allowed_hosts=("example.org",)
)


def test_a_section_is_read_and_written():
    config = load(DOCUMENT)
    assert config.trusted_proxies == SECTION
    assert dump(config)["TrustedProxies"] == DOCUMENT["TrustedProxies"]
    assert load(dump(config)) == config


def test_nothing_is_said_without_it():
    assert load({}).trusted_proxies is None
    assert "TrustedProxies" not in dump(Config())


def test_an_unknown_key_is_a_problem():
    (problem,) = refused({"TrustedProxies": {"Networks": ["unix"], "KnownNetworks": ["::1"]}})
    assert "KnownNetworks" in problem


def test_a_section_with_a_typing_error_is_a_problem():
    (problem,) = refused({"TrustedProxys": {}})
    assert "did you mean TrustedProxies?" in problem


def test_variables_say_it_too(tmp_path):
    document = tmp_path / "appsettings.json"
    document.write_text("{}")
    variables = {"TrustedProxies__Networks": "10.0.0.0/8, unix", "TrustedProxies__ForwardLimit": "2"}
    loaded = FileSource(document, environment=Environment.of(variables=variables)).read()
    assert loaded.config.trusted_proxies == TrustedSection(networks=("10.0.0.0/8", "unix"), forward_limit=2)


def test_two_documents_may_not_both_have_it(tmp_path):
    said = []
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(DOCUMENT))
        said.append((name, FileSource(tmp_path / name).read()))
    draft = finish(unite(said))
    assert [problem.path for problem in draft.problems if "has this section too" in problem.message] == [
        "TrustedProxies"
    ]


def test_a_section_is_laid_over_another_key_by_key():
    over = lay_over(SECTION, TrustedSection(networks=("::1",), headers="X-Forwarded"))
    assert over == TrustedSection(
        networks=("::1",), headers="X-Forwarded", forward_limit=2, allowed_hosts=("example.org",)
    )
    assert lay_over(None, SECTION) is lay_over(SECTION, None) is SECTION


def test_what_has_aspnet_believe_everybody_is_not_obeyed_with_a_warning(tmp_path):
    document = tmp_path / "appsettings.json"
    document.write_text("{}")
    for variable in (
        "ASPNETCORE_FORWARDEDHEADERS_ENABLED",
        "FORWARDEDHEADERS_ENABLED",
        "dotnet_ForwardedHeaders_Enabled",
    ):
        loaded = FileSource(document, environment=Environment.of(variables={variable: "True"})).read()
        assert [problem.path for problem in loaded.problems if "not obeyed" in problem.message] == [
            "ForwardedHeaders_Enabled"
        ]
    _, problems = finish(build(Parsed({"ForwardedHeaders_Enabled": "false", "ReverseProxy": {}})))
    assert not any("not obeyed" in problem.message for problem in problems)
