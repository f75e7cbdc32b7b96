"""The `HttpSys` section: how it is read, laid over, put together and written."""

from __future__ import annotations

import pytest

from hostler.config.environment import Environment
from hostler.config.httpsys import HttpSys, HttpSysAuthentication, HttpSysLogging, HttpSysTimeouts, lay_over
from hostler.config.model import Config
from hostler.config.source import FileSource, InMemorySource
from hostler.config.union import unite
from hostler.config.yarp import dump, load
from hostler.steps import finish
from tests.config.yarp.documents import refused

DOCUMENT = {
    "HttpSys": {
        "MaxAccepts": 5,
        "Http503Verbosity": "Limited",
        "Enabled": False,
        "Timeouts": {"EntityBody": "00:01:00", "MinSendBytesPerSecond": 240},
        "Authentication": {"Schemes": ["Negotiate", "NTLM"], "EnableKerberosCredentialCaching": True},
        "Logging": {"Directory": "C:\\logs", "Fields": ["Date", "ClientIp"]},
    },
    "ReverseProxy": {"Clusters": {"c": {}}},
}
SECTION = HttpSys(
    max_accepts=5,
    http503_verbosity="Limited",
    active=False,
    timeouts=HttpSysTimeouts(entity_body=60.0, min_send_bytes_per_second=240),
    authentication=HttpSysAuthentication(
        schemes=("Negotiate", "NTLM"), enable_kerberos_credential_caching=True
    ),
    logging=HttpSysLogging(directory="C:\\logs", fields=("Date", "ClientIp")),
)


def test_it_is_read_and_written():
    config = load(DOCUMENT)
    assert config.httpsys == SECTION
    assert dump(config) == DOCUMENT
    assert load(dump(config)) == config


def test_it_may_be_missing_or_empty():
    for document in ({}, {"HttpSys": {}}, {"HttpSys": None}):
        config = load({**document, "ReverseProxy": {}})
        assert config.httpsys is None
        assert "HttpSys" not in dump(config)


def test_keys_and_values_are_read_as_everywhere():
    flat = {
        "httpsys:maxaccepts": "5",
        "HTTPSYS:Authentication:schemes": " negotiate,NTLM ",
        "HttpSys:Enabled": "FALSE",
    }
    section = load({**flat, "ReverseProxy": {}}).httpsys
    assert (section.max_accepts, section.active) == (5, False)
    assert section.authentication.schemes == ("negotiate", "NTLM")
    schemes = {"HttpSys": {"Authentication": {"Schemes": {"0": "Negotiate", "1": "NTLM"}}}}
    assert load({**schemes, "ReverseProxy": {}}).httpsys.authentication.schemes == ("Negotiate", "NTLM")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (5, "HttpSys: 5 is not an object; write {...}"),
        ({"MaxAccept": 5}, 'HttpSys.MaxAccept: unknown key "MaxAccept"; did you mean MaxAccepts?'),
        ({"Verbosity": "Full"}, 'HttpSys.Verbosity: unknown key "Verbosity"; did you mean Http503Verbosity?'),
        ({"MaxAccepts": "five"}, 'HttpSys.MaxAccepts: "five" is not an integer; write it without a fraction or an exponent'),
        ({"Enabled": "on"}, 'HttpSys.Enabled: "on" is neither true nor false; write one of them'),
        ({"Timeouts": {"EntityBody": "60s"}}, 'HttpSys.Timeouts.EntityBody: "60s" is not a time; write "hh:mm:ss", or "d.hh:mm:ss" from 24 hours on (a bare number is days)'),
        ({"Timeouts": {"Idle": "00:01:00"}}, 'HttpSys.Timeouts.Idle: unknown key "Idle"; remove it, or use one of DrainEntityBody, EntityBody, HeaderWait, IdleConnection, MinSendBytesPerSecond, RequestQueue'),
        ({"Logging": "C:\\logs"}, 'HttpSys.Logging: "C:\\\\logs" is not an object; write {...}'),
        ({"Authentication": {"Schemes": 3}}, "HttpSys.Authentication.Schemes: 3 is not a list; write [...]"),
        ({"UrlPrefixes": ["http://+:80/"]}, "HttpSys.UrlPrefixes: is not said here; write them in Urls, separated by ;"),
        ({"RequestQueueName": "q"}, "HttpSys.RequestQueueName: is not said here; give --queue to hostler serve"),
        ({"MaxRequestBodySize": 1}, "HttpSys.MaxRequestBodySize: is not said here; write MaxRequestBodySize in the routes"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_has_its_place(section, said):
    assert refused({"HttpSys": section}) == [said]


@pytest.mark.parametrize("name", ["HttpSyss", "HttSys", "Http_Sys"])
def test_the_name_of_the_section_is_guessed(name):
    assert refused({name: {}}) == [f'{name}: unknown section "{name}"; did you mean HttpSys?']


def test_a_section_of_others_is_left_alone():
    assert load({"Https": {}, "ReverseProxy": {}}) == Config()


# -- layers, several sources ------------------------------------------------------------------------------------------


def test_variables_and_the_environments_file_are_laid_over_it(tmp_path):
    path = tmp_path / "proxy.json"
    path.write_text('{"HttpSys": {"MaxAccepts": 5, "Timeouts": {"EntityBody": "00:01:00"}}}')
    (tmp_path / "proxy.Test.json").write_text('{"HttpSys": {"MaxAccepts": 6}}')
    environment = Environment.of("Test", {"HttpSys__Timeouts__HeaderWait": "00:00:30"})
    section = FileSource(path, environment).read().config.httpsys
    assert section == HttpSys(max_accepts=6, timeouts=HttpSysTimeouts(entity_body=60.0, header_wait=30.0))


def test_of_several_sources_one_may_have_it(tmp_path):
    first, second = (tmp_path / name for name in ("first.json", "second.json"))
    first.write_text('{"HttpSys": {"MaxAccepts": 5}, "ReverseProxy": {"Clusters": {}}}')
    second.write_text('{"ReverseProxy": {"Clusters": {}},\n"HttpSys": {"MaxAccepts": 6}}')
    read = [(path.name, FileSource(path).read()) for path in (first, second)]
    draft = finish(unite([read[0], ("memory", InMemorySource(Config()).read())]))
    assert (draft.config.httpsys, draft.problems) == (HttpSys(max_accepts=5), ())
    draft = finish(unite(read))
    assert draft.config.httpsys == HttpSys(max_accepts=5)
    (problem,) = draft.problems
    assert str(problem) == (
        f"{second}: line 2: HttpSys: {first} has this section too; keep one, for the server is one"
    )


def test_what_is_laid_over_changes_what_it_mentions():
    above = HttpSys(max_accepts=6, timeouts=HttpSysTimeouts(header_wait=1.0))
    below = HttpSys(max_accepts=5, bandwidth=1024, timeouts=HttpSysTimeouts(header_wait=2.0, entity_body=3.0))
    assert lay_over(below, above) == HttpSys(
        max_accepts=6, bandwidth=1024, timeouts=HttpSysTimeouts(header_wait=1.0, entity_body=3.0)
    )
    assert lay_over(None, above) is above
    assert lay_over(below, None) is below
    assert lay_over(None, None) is None
