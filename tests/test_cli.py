from __future__ import annotations

import json
import logging
import os
import platform
import socket
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import pytest

from hostler import WorkerPolicy, cli

GOOD = {
    "Urls": "http://localhost:8080/",
    "ReverseProxy": {
        "Routes": {"api": {"ClusterId": "c", "Match": {"Path": "/api/{**rest}"}}},
        "Clusters": {"c": {"Destinations": {"a": {"Address": "http://127.0.0.1:1/"}}}, "d": {}},
    },
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a document, and be where it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(document):
        (tmp_path / "proxy.json").write_text(document if isinstance(document, str) else json.dumps(document))
        return "proxy.json"

    return write


@pytest.fixture
def hostler(capsys):
    """Run the command; returns the exit status, what it printed, and what it complained about."""

    def run(*args):
        try:
            status = cli.main(args)
        except SystemExit as error:
            status = error.code
        return status, *capsys.readouterr()

    return run


# -- serve ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (
            ["--workers", "2", "--min-workers", "3"],
            "--min-workers: 3 is more than --workers, 2; use 2 or less, or raise --workers",
        ),
        (["--workers", "0", "--min-workers", "0"], "--min-workers is for worker processes; add --workers N"),
        (
            ["--workers", "0", "--idle-timeout", "5"],
            "--idle-timeout is for worker processes; add --workers N",
        ),
        (
            ["--workers", "2", "--crash-interval", "0"],
            "--crash-interval: 0.0 is not a number of seconds above 0",
        ),
        (
            ["--server", "usermode", "--workers", "2", "--min-workers", "0"],
            "workers that come and go with requests, or may fail only so often, need HTTP.sys, and this is the user-mode server; give their number alone, as in --workers 2 or workers=2",
        ),
    ],
)
def test_serve_refuses_workers_that_cannot_be(hostler, args, why):
    assert hostler("serve", "hostler.demo.apps:worker", *args) == (1, "", f"hostler: {why}\n")


@pytest.mark.parametrize(
    ("args", "policy"),
    [
        ([], WorkerPolicy.fixed(4)),
        (["--min-workers", "0"], WorkerPolicy(4)),
        (["--idle-timeout", "60"], WorkerPolicy(4, idle_timeout=60)),
        (["--min-workers", "4", "--max-crashes", "9"], WorkerPolicy(4, minimum=4, max_crashes=9)),
        (["--idle-timeout", "0", "--max-crashes", "0"], WorkerPolicy(4, idle_timeout=None, max_crashes=None)),
        (["--crash-interval", "60"], WorkerPolicy(4, crash_interval=60)),
    ],
)
def test_serve_has_the_workers_that_it_is_told(hostler, monkeypatch, args, policy):
    told = []
    monkeypatch.setattr(
        "hostler.commands.serve.run_service", lambda service, policy: told.append(policy) or 0
    )
    assert hostler("serve", "a:b", "--workers", "4", *args) == (0, "", "")
    assert told == [policy]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--httpsys", "MaxAccept=5"], '--httpsys: MaxAccept: unknown key "MaxAccept"; did you mean MaxAccepts?'),
        (["--httpsys", "maxaccepts=5", "--httpsys", "MaxAccepts=6"], "--httpsys: maxaccepts is given more than once; keep one"),
        (["--httpsys", "Timeouts.HeaderWait=soon"], '--httpsys: Timeouts.HeaderWait: "soon" is not a time; write "hh:mm:ss"'),
        (["--httpsys", "MaxAccepts=5"], "--httpsys is for HTTP.sys, and this is the user-mode server; leave it out"),
        (["--server", "httpsys", "--httpsys", "MaxAccepts=0"], "HttpSys.MaxAccepts: 0 is not a number of calls from 1 to 65535"),
        (["--server", "httpsys", "--httpsys", "Logging.Format=W3C"], "HttpSys.Logging.Directory: is missing and required"),
    ],
)  # fmt: skip
def test_serve_refuses_options_of_http_sys_that_cannot_be(hostler, args, why):
    status, out, err = hostler("serve", "hostler.demo.apps:worker", "--server", "usermode", *args)
    assert (status, out) == (1, "")
    assert err.startswith(f"hostler: {why}")


def test_options_of_http_sys_on_the_command_line_are_laid_over_the_documents(hostler, write, monkeypatch):
    told = []
    monkeypatch.setattr("hostler.commands.run.run_service", lambda service: told.append(service.options) or 0)
    path = write({**GOOD, "HttpSys": {"MaxAccepts": 5, "Timeouts": {"HeaderWait": "00:00:09"}}})
    args = ["--server", "httpsys", "--httpsys", "Timeouts.EntityBody=00:01:00", "--httpsys", "maxaccepts=6"]
    assert hostler("run", path, *args) == (0, "", "")
    (options,) = told
    assert options.httpsys.receives == 6
    assert (options.timeouts.header_wait, options.timeouts.entity_body) == (9, 60)


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_a_good_document(hostler, write):
    assert hostler("check", write(GOOD)) == (0, "proxy.json: ok, 1 route, 2 clusters\n", "")


def test_check_says_for_whom_options_of_http_sys_are(hostler, write):
    path = write({**GOOD, "HttpSys": {"MaxAccepts": 5}})
    assert hostler("check", path, "--server", "httpsys") == (0, "proxy.json: ok, 1 route, 2 clusters\n", "")
    status, out, err = hostler("check", path, "--server", "usermode")
    assert (status, out) == (1, "")
    assert err == (
        "hostler: proxy.json: line 1: HttpSys: is for HTTP.sys, and this is the user-mode server; leave it out, or check "
        "it with --server httpsys\n"
    )
    status, _, err = hostler("check", write({**GOOD, "HttpSys": {"MaxAccepts": 0}}), "--server", "httpsys")
    assert (status, err) == (
        1, "hostler: proxy.json: line 1: HttpSys.MaxAccepts: 0 is not a number of calls from 1 to 65535\n",
    )  # fmt: skip


def test_check_explains_a_request(hostler, write):
    path = write(GOOD)
    status, out, err = hostler(
        "check", path, "--explain", "GET", "http://localhost:8080/api/7", "-H", "X-A: 1"
    )
    assert (status, err) == (0, "")
    assert "  api  WINS, with rest = '7'\n" in out
    assert "Sent to 127.0.0.1, port 1 (cluster c):\n  GET /api/7 HTTP/1.1\n" in out
    assert "  X-A: 1\n" in out


def test_check_explains_that_no_route_takes_a_request(hostler, write):
    status, out, err = hostler("check", write(GOOD), "--explain", "GET", "http://localhost:8080/other")
    assert (status, err) == (1, "")
    assert "  api  no: path: /api/{**rest}\n" in out
    assert "  HTTP/1.1 404 Not Found\n" in out


def test_check_explains_no_request_by_a_document_that_is_wrong(hostler, write):
    status, out, err = hostler("check", write({"Urls": "nonsense"}), "--explain", "GET", "http://h/")
    assert (status, out) == (1, "")
    assert "Urls" in err


def test_check_refuses_to_explain_what_is_no_request(hostler, write):
    path = write(GOOD)
    status, _, err = hostler("check", path, "--explain", "GET", "localhost:8080/")
    assert (status, err) == (
        1,
        "hostler: --explain: 'localhost:8080/' is not a URL; write http://host/path\n",
    )
    status, _, err = hostler("check", path, "-H", "X-A: 1")
    assert (status, err) == (1, "hostler: --header is for --explain; add --explain METHOD URL\n")


def test_check_says_everything_at_once_with_paths_and_remedies(hostler, write):
    document = {
        "Urls": "http://localhost:8080:1/;http://localhost:0x/",
        "ReverseProxy": {
            "Routes": {"api": {"ClusterId": "c", "Match": {"Path": "/{"}}},
            "Clusters": {
                "c": {
                    "LoadBalancingPolicy": "RoundRobbin",
                    "Destinations": {
                        "q": {"Address": "http://*.com/", "Metadata": {"HttpSysDelegationQueue": "a/b"}},
                        "r": {"Address": "no address"},
                    },
                }
            },
        },
    }
    status, out, err = hostler("check", write(document))
    assert (status, out) == (1, "")
    lines = err.splitlines()
    assert [line.split(": ")[:4] for line in lines] == [
        ["hostler", "proxy.json", "line 1", "Urls"],
        ["hostler", "proxy.json", "line 1", "Urls"],
        ["hostler", "proxy.json", "line 1", "Clusters.c.Destinations.q.Address"],
        ["hostler", "proxy.json", "line 1", "Routes.api.Match.Path"],
        ["hostler", "proxy.json", "line 1", "Clusters.c.LoadBalancingPolicy"],
        ["hostler", "proxy.json", "line 1", "Clusters.c.Destinations.q.Metadata.HttpSysDelegationQueue"],
        ["hostler", "proxy.json", "line 1", "Clusters.c.Destinations.r.Address"],
    ]
    assert "did you mean RoundRobin?" in lines[4]


def test_check_refuses_prefixes_that_exclude_each_other(hostler, write):
    status, _, err = hostler("check", write({"Urls": "http://a:80/;http://A:80"}))
    assert status == 1
    assert "http://a:80/ is already registered" in err


def test_check_warns_of_https_without_a_certificate(hostler, write):
    status, _, err = hostler("check", write({**GOOD, "Urls": "https://localhost:5001"}))
    assert status == 0
    assert err.startswith(
        "hostler: proxy.json: line 1: warning: Urls: https://localhost:5001 has no certificate, and will not be listened "
        "on without --cert; add Kestrel.Certificates.Default"
    )
    endpoints = {"Endpoints": {"a": {"Url": "http://*:1"}, "b": {"Url": "https://*:2"}}}
    _, _, err = hostler("check", write({**GOOD, "Urls": "", "Kestrel": endpoints}))
    assert "warning: Kestrel.Endpoints.b: https://*:2/ has no certificate" in err
    assert len(err.splitlines()) == 1
    default = {"Certificates": {"Default": {"Path": "a.pem"}}}
    for document in (
        {"Urls": "https://*", "Kestrel": default},
        {"Urls": "", "Kestrel": {**endpoints, **default}},
    ):
        assert hostler("check", write({**GOOD, **document})) == (
            0,
            "proxy.json: ok, 1 route, 2 clusters\n",
            "",
        )


def test_check_says_what_is_wrong_with_endpoints(hostler, write):
    write(
        """{
  "ReverseProxy": { "Clusters": { "c": {} } },
  "Kestrel": {
    "Endpoints": {
      "a": { "Url": "http://localhost:5000/shop" },
      "b": { "Url": "https://*:443",
             "Protocols": "Http2" }
    }
  }
}
"""
    )
    status, _, err = hostler("check", "proxy.json")
    assert status == 1
    assert [line.split(": ")[2:4] for line in err.splitlines()] == [
        ["line 5", "Kestrel.Endpoints.a.Url"],
        ["line 7", "Kestrel.Endpoints.b.Protocols"],
    ]


@pytest.mark.parametrize(("urls", "status"), [("http://localhost:5000", 0), ("", 1)])
def test_check_knows_that_httpsys_has_no_kestrel(hostler, write, urls, status):
    endpoints = {"Endpoints": {"a": {"Url": "http://*:5000"}}}
    found, _, err = hostler(
        "check", "--server", "httpsys", write({**GOOD, "Urls": urls, "Kestrel": endpoints})
    )
    assert found == status
    assert "Kestrel: is not read by HTTP.sys, which listens where Urls say" in err


def test_config_hides_passwords(hostler, write, monkeypatch):
    monkeypatch.setenv("Kestrel__Certificates__Default__Password", "open sesame")
    certificate = {"Path": "a.pfx", "Password": "open sesame"}
    write(
        {
            **GOOD,
            "Urls": "",
            "Kestrel": {"Endpoints": {"a": {"Url": "https://*", "Certificate": certificate}}},
        }
    )
    _, out, err = hostler("config", "proxy.json")
    assert "sesame" not in out + err
    assert out.count('"Password": "***"') == 2


def test_warnings_are_printed_with_their_lines_and_do_not_fail(hostler, write):
    write(
        """{
  "Urls": "http://localhost:0/",
  "Kestrel": { "Endpoints": { "a": { "Url": "http://localhost:5000" } } },
  "ReverseProxy": {
    "Routes": {
      // the line of a comment counts
      "a": { "ClusterId": "nowhere", "Match": { "Path": "/x/{id}" } },
      "b": {
        "ClusterId": "nowhere",
        "Match": { "Path": "/X/{other}" }
      }
    }
  }
}
"""
    )
    status, out, err = hostler("check", "proxy.json")
    assert (status, out) == (0, "proxy.json: ok, 2 routes, 0 clusters\n")
    assert [line.split(": ")[2:5] for line in err.splitlines()] == [
        ["line 2", "warning", "Urls"],
        ["line 2", "warning", "Urls"],
        ["line 7", "warning", "Routes.a.ClusterId"],
        ["line 8", "warning", "Routes.b"],
        ["line 9", "warning", "Routes.b.ClusterId"],
    ]


def test_a_document_without_the_section_is_a_warning(hostler, write):
    status, _, err = hostler("check", write({"Logging": {}}))
    assert status == 0
    assert err.startswith('hostler: proxy.json: warning: there is no "ReverseProxy" section: ')


def test_no_control_character_is_printed_and_no_password(hostler, write):
    clusters = {
        "a\x1b[2J\u202e": {"Destinations": {"d": {"Address": "http://me:secret@h/", "Host": "me:secret@h"}}},
        "b": {"Destinations": {"d": {"Address": ["http://me:secret@" + "h" * 100]}}},
        "c": {"Destinations": {"d": {"Address": "http://me:se/cret@h/"}, "e": {"Address": "me:secret@h"}}},
        "e": {"HttpClient": {"WebProxy": {"Address": "http://me:secret@h:1x/"}}},
    }
    status, _, err = hostler(
        "check", write({"Urls": "http://me:secret@h/;me:secret@h", "ReverseProxy": {"Clusters": clusters}})
    )
    assert status == 1
    assert len(err.splitlines()) >= 8
    assert "secret" not in err
    assert "cret@" not in err
    assert all(line.isprintable() for line in err.splitlines())
    assert r"a\x1b[2J\u202e" in err


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * (100 << 20), "the file has more than 16 MiB"),
        ("[" * (15 << 20), "the document is not JSON that can be read"),
        (nested(600), "is not a YARP document"),
        ('{"Urls": ' + nested(600) + "}", "is not a string"),
        ('{"ReverseProxy": {"Routes": {"r": {"Order": ' + nested(600) + "}}}}", "is not an integer"),
    ],
    ids=["large", "brackets", "nested", "nested urls", "nested order"],
)
def test_hostile_files_end_soon_with_a_message(hostler, write, content, message):
    status, _, err = hostler("check", write(content))
    assert status == 1
    assert message in err


@pytest.mark.parametrize(
    "section",
    [
        {"Routes": {f"r{number}": {"Order": "x"} for number in range(20_000)}},
        {"Routes": {"r": {f"k{number}": 1 for number in range(50_000)}}},
        {"Routes": {"r": {"Orde" * 1_000_000: 1}}},
        {f"Routes:r{number}:Order": "x" for number in range(20_000)},
    ],
    ids=["wrong routes", "unknown keys", "a long key", "colons"],
)
def test_what_is_wrong_with_many_things_is_found_in_time_in_proportion(hostler, write, section):
    begin = time.process_time()
    assert hostler("check", write({"ReverseProxy": section}))[0] == 1
    assert time.process_time() - begin < 15  # it takes 2 s; once for each two of them would take minutes


def test_a_device_without_an_end_is_too_large(hostler):
    assert "more than 16 MiB" in hostler("check", "/dev/zero")[2]


@pytest.mark.parametrize(
    "pattern", ["a{{99999999999}}", "(" * 3000 + ")" * 3000, "(" * 490 + "a" + ")" * 490, "a{{1000}}" * 100]
)
def test_hostile_patterns_end_soon_with_a_message(hostler, write, pattern):
    route = {"ClusterId": "c", "Match": {"Path": f"/{{p:regex({pattern})}}"}}
    status, _, err = hostler(
        "check", write({"ReverseProxy": {"Routes": {"r": route}, "Clusters": {"c": {}}}})
    )
    assert status == 1
    assert "Routes.r.Match.Path: " in err
    assert len(err) < 1500


def test_check_for_http_sys_takes_https(hostler, write):
    path = write({**GOOD, "Urls": "https://localhost:5001"})
    assert hostler("check", path, "--server", "httpsys") == (0, "proxy.json: ok, 1 route, 2 clusters\n", "")


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('{"ReverseProxy": {]}', "hostler: proxy.json: line 1: column 19: not JSON: "),
        ({"ReverseProxy": {"Routes": {"r": {"Order": "x"}}}}, "hostler: proxy.json: line 1: Routes.r.Order: "),
        ({"ReverseProxy": {"Routes": {"r": {"Match": {"Path": "/{"}}}}}, "hostler: proxy.json: line 1: Routes.r.Match.Path: "),
    ],
)  # fmt: skip
def test_wrong_documents(hostler, write, command, document, message):
    status, out, err = hostler(command, write(document))
    assert (status, out) == (1, "")
    assert err.startswith(message)


@pytest.mark.parametrize("command", ["check", "run"])
def test_unreadable_documents(hostler, tmp_path, command):
    assert hostler(command, "nowhere.json") == (
        2,
        "",
        "hostler: nowhere.json cannot be read: No such file or directory\n",
    )
    assert hostler(command, str(tmp_path))[0] == 2


@pytest.mark.parametrize("command", ["check", "run"])
def test_the_module_of_a_policy_is_looked_for_here_or_in_a_directory(hostler, write, tmp_path, command):
    def document(policy):
        clusters = {"c": {"LoadBalancingPolicy": policy}}
        # with the port of an address that is not ours, `run` ends where it listens
        return {"Urls": "http://192.0.2.1:1/", "ReverseProxy": {"Clusters": clusters}}

    source = (
        "from hostler.stages.balance.even import first_alphabetical\ndef ours(_): return first_alphabetical\n"
    )
    (tmp_path / "policies_here.py").write_text(source)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "policies_there.py").write_text(source)
    unknown = "LoadBalancingPolicy"
    assert unknown not in hostler(command, write(document("policies_here:ours")))[2]
    assert unknown not in hostler(command, write(document("policies_there:ours")), "--app-dir", "inside")[2]
    assert (
        "there is no module 'policies_nowhere'"
        in hostler(command, write(document("policies_nowhere:ours")))[2]
    )


# -- config -----------------------------------------------------------------------------------------------------------


def test_config_prints_what_the_layers_come_to(hostler, write, tmp_path, monkeypatch):
    (tmp_path / "proxy.Staging.json").write_text('{"ReverseProxy": {"Routes": {"api": {"Order": 3}}}}')
    monkeypatch.setenv("URLS", "http://localhost:8081/")
    status, out, _err = hostler("config", write(GOOD), "--environment", "Staging")
    assert (status, json.loads(out)["Urls"]) == (0, "http://localhost:8081/")
    assert json.loads(out)["ReverseProxy"]["Routes"]["api"]["Order"] == 3
    _, out, _ = hostler("config", write(GOOD), "--environment", "Staging", "--origins")
    assert '"Order": 3  // proxy.Staging.json:1' in out
    assert '"Urls": "http://localhost:8081/",  // URLS' in out
    _, out, _ = hostler("config", write(GOOD), "--environment", "Staging", "--no-layers")
    assert json.loads(out) == GOOD


def test_config_prints_what_is_wrong_too(hostler, write):
    status, out, err = hostler(
        "config", write({"ReverseProxy": {"Routes": {"a": {"Order": "x", "Match": {"Path": "/"}}}}})
    )
    assert status == 1
    assert json.loads(out)["ReverseProxy"]["Routes"]["a"]["Order"] == "x"
    assert 'hostler: proxy.json: line 1: Routes.a.Order: "x" is not an integer' in err


@pytest.mark.parametrize("command", ["config", "check", "run"])
def test_what_cannot_be_read_is_named(hostler, write, tmp_path, command):
    write(GOOD)
    assert hostler(command, "proxy.json", "none.json") == (
        2, "", "hostler: none.json cannot be read: No such file or directory\n",
    )  # fmt: skip
    (tmp_path / "proxy.Production.json").write_text("{")
    status, _, err = hostler(command, "proxy.json")
    assert (status, err.splitlines()[0].partition(": not JSON")[0]) == (
        1, "hostler: proxy.Production.json: line 1: column 2",
    )  # fmt: skip


@pytest.mark.parametrize("command", ["config", "check", "run"])
def test_an_environment_that_is_no_name(hostler, write, command):
    status, _, err = hostler(command, write(GOOD), "--environment", "../etc")
    assert status == 1
    assert "hostler: environment: '../etc' is not the name of an environment" in err


# -- run --------------------------------------------------------------------------------------------------------------


def test_run_with_a_port_in_use(hostler, write):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, out, err = hostler("run", write(GOOD), "--url", f"http://127.0.0.1:{port}")
    assert (status, out) == (1, "")
    assert err == (
        f"hostler: cannot listen on http://127.0.0.1:{port}/: port {port} is in use; "
        "stop the program that has it, or choose another port\n"
    )


def test_run_with_https_and_no_certificate(hostler, write):
    status, out, err = hostler("run", write({**GOOD, "Urls": "https://localhost:0"}), "--server", "usermode")
    assert (status, out) == (1, "")
    assert "it has no certificate; give one with --cert FILE, as Kestrel.Certificates.Default, or with" in err


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--cert", "a.pem"], "--cert is for https, and no URL prefix is; add --url https://+:443/"),
        (["--client-certificates", "allow"], "--client-certificates is for https, and no URL prefix is; "),
        (["--key", "a.key"], "--key belongs to a certificate; add --cert FILE"),
        (["--key-password-file", "a.txt"], "--key-password-file belongs to a certificate; add --cert FILE"),
        (
            ["--client-ca", "ca.pem"],
            "--client-ca has no certificate to examine; add --client-certificates allow",
        ),
        (
            ["--cert", "a.pem", "--key-password-file", "missing.txt"],
            "--key-password-file: missing.txt cannot be read: No such file or directory",
        ),
    ],
)
def test_options_of_https_that_do_not_go_together(hostler, write, args, why):
    write(GOOD)
    for command in (("run", "proxy.json"), ("serve", "hostler.demo.apps:worker", "--workers", "0")):
        status, out, err = hostler(*command, "--server", "usermode", *args)
        assert (status, out) == (1, "")
        assert err.startswith(f"hostler: {why}")


def test_httpsys_has_its_own_certificates(hostler, write):
    status, _, err = hostler(
        "run", write(GOOD), "--server", "httpsys", "--url", "https://+:443", "--cert", "a.pem"
    )
    assert status == 1
    assert err.startswith(
        "hostler: --cert and what belongs to it are for the user-mode server, and this is HTTP.sys"
    )


# -- the server -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="it is there")
@pytest.mark.parametrize(
    "args",
    [
        ("run", "proxy.json"),
        ("serve", "hostler.demo.apps:worker", "--workers", "0"),
        ("serve", "hostler.demo.apps:worker", "--workers", "1"),
        ("serve", "hostler.demo.apps:worker", "--queue", "q", "--mode", "attach", "--workers", "0"),
        ("demo", "--once"),
    ],
    ids=" ".join,
)
def test_http_sys_where_there_is_none(hostler, write, args):
    write(GOOD)
    status, out, err = hostler(*args, "--server", "httpsys")
    assert (status, out) == (1, "")
    assert err.startswith("hostler: HTTP.sys is part of Windows, and this is ")
    assert "(--server usermode)" in err


@pytest.mark.parametrize("command", ["run", "check", "serve", "demo"])
def test_the_server_has_a_default_which_help_names(hostler, command):
    default = "httpsys" if sys.platform == "win32" else "usermode"
    _, out, _ = hostler(command, "--help")
    assert f"(default here: {default})" in " ".join(out.split())


# -- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compiled", "build"), [(True, "compiled"), (False, "pure")])
def test_the_version(hostler, monkeypatch, compiled, build):
    monkeypatch.setattr("hostler.http.heads.COMPILED", compiled)
    python = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
    assert hostler("--version") == (0, f"hostler {version('hostler')} ({build}) with {python}\n", "")


def test_the_compiled_part_can_be_turned_off():
    done = subprocess.run(
        [sys.executable, "-m", "hostler", "--version"],
        env={**os.environ, "HOSTLER_PURE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"hostler {version('hostler')} (pure) with ")


def test_a_copy_that_is_not_installed(hostler, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    status, out, err = hostler("--version")
    assert (status, out) == (1, "")
    assert err.startswith("hostler: this copy is not installed")


def test_python_m():
    done = subprocess.run(
        [sys.executable, "-m", "hostler", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"hostler {version('hostler')} (")


@pytest.mark.parametrize("args", [[], ["run"], ["check"], ["serve"], ["demo"], ["doctor"]])
def test_help(hostler, args):
    status, out, _ = hostler(*args, "--help")
    assert status == 0
    assert out.startswith(f"usage: {' '.join(['hostler', *args])} ")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["run"], "the following arguments are required: CONFIG"),
        (["run", "x", "--grace", "-1"], "argument --grace: '-1' is not a number of seconds; use 0 or more"),
        (["run", "x", "--grace", "long"], "argument --grace: 'long' is not a number of seconds"),
        (
            ["run", "x", "--url", "localhost"],
            "argument --url: 'localhost' is not a URL prefix: it has no ://",
        ),
        (["serve", "a:b", "--workers", "-1"], "argument --workers: '-1' is not a number of processes"),
        (
            ["serve", "a:b", "--min-workers", "two"],
            "argument --min-workers: 'two' is not a number of processes",
        ),
        (
            ["serve", "a:b", "--max-crashes", "-1"],
            "argument --max-crashes: '-1' is not a number of failures; use 1",
        ),
        (
            ["serve", "a:b", "--idle-timeout", "20m"],
            "argument --idle-timeout: '20m' is not a number of seconds",
        ),
        (
            ["serve", "a:b", "--httpsys", "MaxAccepts"],
            "argument --httpsys: 'MaxAccepts' is not KEY=VALUE; write it as in",
        ),
        (["run", "x", "--server", "iis"], "argument --server: invalid choice: 'iis'"),
        (["serve", "a:b", "--mode", "new"], "argument --mode: invalid choice: 'new'"),
    ],
)
def test_wrong_command_lines(hostler, args, message):
    status, _, err = hostler(*args)
    assert status == 2
    assert message in err


def test_an_interrupt_leaves_no_traceback(hostler, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("hostler.commands.check.execute", interrupted)
    assert hostler("check", "x") == (130, "", "")


def test_logging_is_as_it_was_afterwards(hostler):
    logger = logging.getLogger("hostler")
    before = list(logger.handlers), logger.level
    hostler("check", "nowhere.json")
    assert (logger.handlers, logger.level) == before


def test_several_prefixes_in_one_url_option_are_refused(hostler):
    status, _, errors = hostler(
        "serve", "worker_apps:app", "--url", "http://localhost:1/;http://localhost:2/"
    )
    assert status == 2
    assert "give each its own --url" in errors
