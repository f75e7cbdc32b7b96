"""Certificates that a document names."""

import datetime as dt

import pytest

from hostler import Certificate, TlsOptions
from hostler.doctor.certificates import examine_certificates
from hostler.doctor.finding import Verdict
from tests.certificates import certificate

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def look(context):
    return [
        (each.what, each.verdict, each.detail, each.remedy)
        for each in examine_certificates(context, NOW.timestamp())
    ]


def test_without_https_none_is_needed(in_user_mode):
    ((_, verdict, detail, _),) = look(in_user_mode("http://localhost:5000/"))
    assert (verdict, detail) == (Verdict.OK, "none is needed: nothing is to listen on https")


def test_https_without_one_is_broken(in_user_mode):
    ((_, verdict, detail, remedy),) = look(in_user_mode("https://localhost:5001/"))
    assert (verdict, detail) == (Verdict.BROKEN, "there is none for https://localhost:5001/")
    assert "hostler dev-cert" in remedy


@pytest.mark.parametrize(
    ("ends", "verdict", "remedy"),
    [
        (dt.datetime(2027, 6, 1, tzinfo=dt.UTC), Verdict.OK, ""),
        (dt.datetime(2026, 6, 20, tzinfo=dt.UTC), Verdict.WARNING, "renew it: it ends within 30 days"),
    ],
)
def test_names_and_the_end_are_said(in_user_mode, tmp_path, ends, verdict, remedy):
    own = certificate(tmp_path, "a.test", "*.b.test", not_after=ends)
    tls = (TlsOptions(certificate=own),)
    expected = (own.path, verdict, f"for a.test, *.b.test, until {ends:%Y-%m-%d} 00:00 UTC", remedy)
    assert look(in_user_mode("https://localhost:5001/", tls=tls)) == [expected]


def test_what_cannot_be_used_is_broken(in_user_mode, tmp_path):
    own = certificate(tmp_path, "a.test", not_after=NOW - dt.timedelta(days=1))
    missing = str(tmp_path / "missing.pem")
    tls = TlsOptions(certificate=own, sni={"b.test": TlsOptions(certificate=Certificate(path=missing))})
    found = look(in_user_mode("https://localhost:5001/", tls=(tls, tls)))
    assert found == [
        (own.path, Verdict.BROKEN, "it ended on 2026-05-31 00:00 UTC", "renew it"),
        (missing, Verdict.BROKEN, "there is no such file", "correct the path, or put the file there"),
    ]


def test_names_that_a_certificate_is_not_for_are_warned_of(in_user_mode, tmp_path):
    own = certificate(tmp_path, "a.test", "*.b.test")
    given = TlsOptions(certificate=own)
    tls = TlsOptions(certificate=own, sni={"*.b.test": given, "c.test": given, "d.test": TlsOptions()})
    found = look(in_user_mode("https://localhost:5001/", tls=(tls,)))
    assert [(verdict, detail.partition("UTC")[2]) for _, verdict, detail, _ in found] == [
        (Verdict.OK, ""),
        (Verdict.WARNING, ", and not for c.test, whose clients get it"),
        (Verdict.OK, ""),
    ]
