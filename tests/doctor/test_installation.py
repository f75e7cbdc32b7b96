"""What is installed."""

from importlib.metadata import PackageNotFoundError

import pytest

from hostler.doctor import installation
from hostler.doctor.context import Context
from hostler.doctor.finding import Verdict


def found():
    return {finding.what: finding for finding in installation.examine_installation(Context())}


def test_an_extra_that_is_there_has_its_versions():
    assert found()["extra yaml"].detail.startswith("PyYAML ")


def test_an_extra_that_is_not_there_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "version", missing)
    finding = found()["extra limits"]
    assert (finding.verdict, finding.remedy) == (Verdict.MISSING, 'pip install "hostler[limits]"')


def test_an_extra_that_cannot_be_imported_is_broken(monkeypatch):
    def broken(name):
        raise ImportError("libyaml.so is missing")

    monkeypatch.setattr(installation, "import_module", broken)
    finding = found()["extra yaml"]
    assert (finding.verdict, finding.detail) == (
        Verdict.BROKEN,
        "PyYAML cannot be imported: libyaml.so is missing",
    )


@pytest.mark.parametrize("compiled", [True, False])
def test_whether_heads_are_compiled(monkeypatch, compiled):
    monkeypatch.setattr(installation, "COMPILED", compiled)
    monkeypatch.delenv("HOSTLER_PURE", raising=False)
    assert (found()["heads of HTTP/1.1"].verdict is Verdict.OK) == compiled


def test_why_they_are_not(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(installation, "COMPILED", False)
    monkeypatch.setenv("HOSTLER_PURE", "1")
    assert found()["heads of HTTP/1.1"].remedy == "unset HOSTLER_PURE"
    monkeypatch.delenv("HOSTLER_PURE")
    monkeypatch.setattr(installation, "import_module", missing)
    finding = found()["heads of HTTP/1.1"]
    assert finding.detail == "read and written in Python: No module named 'hostler.http._heads'"
    assert "HOSTLER_REQUIRE_COMPILED=1 pip install" in finding.remedy
