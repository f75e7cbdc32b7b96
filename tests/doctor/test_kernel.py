"""HTTP.sys: what it can do, who may register what, which certificates are bound."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from attrs import evolve

from hostler.doctor.finding import Verdict
from hostler.doctor.kernel import examine_bindings, examine_httpsys
from hostler.server.httpsys.configuration.certificates import CertificateBinding, bind
from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
from hostler.server.httpsys.configuration.store import open_store
from tests.server.httpsys.model.machine import Machine

ONE, OTHER, THIRD = bytes(20), bytes(range(20)), bytes(range(20, 40))
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def of_httpsys(context):
    return {finding.what: finding for finding in examine_httpsys(context)}


def of_certificates(context):
    return {finding.what: finding for finding in examine_bindings(context, NOW)}


def test_a_new_windows_can_do_everything(on_windows, windows):
    findings = of_httpsys(on_windows())
    assert {finding.verdict for finding in findings.values()} == {Verdict.OK}
    assert windows.alive() == {}


@pytest.mark.parametrize(("queues", "verdict"), [((), Verdict.MISSING), (("shop",), Verdict.BROKEN)])
def test_a_windows_that_cannot_delegate_breaks_a_document_that_does(on_windows, queues, verdict):
    old = Machine(version="2016")
    findings = of_httpsys(evolve(on_windows(queues=queues), windows=old.process()))
    assert findings["delegation"].verdict is verdict
    assert findings["trailers"].verdict is Verdict.MISSING
    old.close()


def test_reservations_on_the_ports_of_the_document_are_named(machine, on_windows):
    machine.reserve({"http://+:80/": {"ann"}, "http://+:80/x/": {"ann"}, "http://+:8080/": {"ann"}})
    findings = of_httpsys(on_windows("http://localhost:80/"))
    assert findings["reservation of http://+:80/"].detail == "for MACHINE\\ann (register)"
    assert "reservation of http://+:80/x/" in findings
    assert "reservation of http://+:8080/" not in findings
    assert findings["URL reservations"].detail == "3 on this machine (hostler url list)"


@pytest.mark.parametrize(("server", "verdict"), [("usermode", Verdict.MISSING), ("httpsys", Verdict.BROKEN)])
def test_elsewhere_it_is_missing_unless_it_is_asked_for(in_user_mode, server, verdict):
    context = evolve(in_user_mode(), server=server)
    assert of_httpsys(context)["HTTP.sys"].verdict is verdict
    assert of_certificates(context)["certificates"].verdict is Verdict.MISSING


@pytest.fixture
def bound(machine, monkeypatch):
    """Bind certificates, which end when the values say."""

    def bind_all(**ends):
        machine.certificates = {"MY": {ONE, OTHER, THIRD}}
        stored = dict(zip((ONE, OTHER, THIRD), ends.values(), strict=False))
        monkeypatch.setattr("hostler.server.httpsys.configuration.stored.ends_of", lambda store: stored)
        with open_store(machine.process(administrator=True)) as store:
            for endpoint, thumbprint in zip(ends, (ONE, OTHER, THIRD), strict=False):
                bind(store, CertificateBinding(TlsEndpoint.parse(endpoint), thumbprint, UUID(int=7)))

    return bind_all


def test_certificates_that_end_soon_or_have_ended_are_said(on_windows, bound):
    bound(
        **{
            "0.0.0.0:443": datetime(2030, 1, 10, tzinfo=UTC),
            "example.com:443": datetime(2029, 12, 31, tzinfo=UTC),
            "[::]:443": datetime(2030, 2, 1, tzinfo=UTC),
        }
    )
    findings = of_certificates(on_windows())
    assert findings["certificate of 0.0.0.0:443"].verdict is Verdict.WARNING
    assert findings["certificate of 0.0.0.0:443"].detail == "ends on 2030-01-10"
    assert findings["certificate of example.com:443"].verdict is Verdict.BROKEN
    assert (
        "hostler cert bind example.com:443 THUMBPRINT --replace"
        in findings["certificate of example.com:443"].remedy
    )
    assert "certificate of [::]:443" not in findings
    assert findings["certificates"].detail == "3 bound on this machine (hostler cert list)"


@pytest.mark.parametrize(
    ("endpoint", "url", "served"),
    [
        ("0.0.0.0:443", "https://localhost:443/", True),
        ("example.com:443", "https://example.com:443/", True),
        ("example.com:443", "https://+:443/", True),
        ("example.com:443", "https://localhost:443/", False),
        ("0.0.0.0:8443", "https://localhost:443/", False),
    ],
)
def test_a_prefix_without_a_certificate_is_broken(on_windows, bound, endpoint, url, served):
    bound(**{endpoint: datetime(2031, 1, 1, tzinfo=UTC)})
    finding = of_certificates(on_windows(url)).get(f"certificate for {url}")
    assert (finding is None) == served
    if finding:
        assert finding.verdict is Verdict.BROKEN
        assert finding.remedy == "as an administrator: hostler cert bind 0.0.0.0:443 THUMBPRINT"
