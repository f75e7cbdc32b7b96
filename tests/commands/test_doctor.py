"""`hostler doctor`."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def document(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOSTLER_RUNTIME_DIR", str(tmp_path / "run"))

    def write(urls, **destination):
        cluster = {"Destinations": {"d": {"Address": "http://localhost:1/", **destination}}}
        text = {"Urls": urls, "ReverseProxy": {"Clusters": {"c": cluster}}}
        (tmp_path / "a.json").write_text(json.dumps(text))
        return "a.json"

    return write


def test_a_machine_on_which_nothing_is_broken(hostler, document):
    path = document("http://localhost:0/", Metadata={"HttpSysDelegationQueue": "shop"})
    status, out, err = hostler("doctor", path, "--server", "usermode")
    assert (status, err) == (0, "")
    assert out.startswith("hostler ")
    for line in ("Installation", "Event loop", "Limits", "Document", "URL prefixes", "Queues", "HTTP.sys"):
        assert f"\n{line}\n" in out
    assert "  ok       document: a.json can be used\n" in out
    assert "           -> start what serves it, for one: hostler serve MODULE:APP --queue shop\n" in out


def test_what_is_broken_makes_the_status_1(hostler, document):
    path = document("https://localhost:5001/;nonsense")
    status, out, _ = hostler("doctor", path, "--server", "usermode", "--json")
    findings = json.loads(out)["findings"]
    assert status == 1
    broken = [finding for finding in findings if finding["verdict"] == "broken"]
    assert [finding["concern"] for finding in broken] == ["Document", "Certificates"]
    assert "nonsense" in broken[0]["detail"]


@pytest.mark.parametrize(("server", "status"), [("usermode", 1), ("httpsys", 0)])
def test_a_section_for_httpsys_is_broken_where_check_says_so(hostler, document, server, status):
    path = document("http://localhost:5000/")
    text = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps({**text, "HttpSys": {"MaxConnections": 10}}))
    found, _, complaint = hostler("check", path, "--server", server)
    assert found == status
    _, out, _ = hostler("doctor", path, "--server", server, "--json")
    problems = [item["detail"] for item in json.loads(out)["findings"] if item["what"] == "problem"]
    assert [f"hostler: {problem}\n" for problem in problems] == ([complaint] if complaint else [])


def test_without_a_document_it_is_the_default_that_is_looked_at(hostler):
    status, out, _ = hostler("doctor", "--server", "usermode")
    assert status in {0, 1}
    assert "looking at what http://localhost:5000/ needs" in out


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [(None, 2, "hostler: a.json cannot be read: "), ("[", 1, "hostler: a.json: ")],
)
def test_what_is_no_document_is_said_as_check_says_it(
    hostler, tmp_path, monkeypatch, content, status, message
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    found, out, err = hostler("doctor", "a.json")
    assert (found, out) == (status, "")
    assert err.startswith(message)
