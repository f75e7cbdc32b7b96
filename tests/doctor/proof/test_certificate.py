"""The proof's own certificate: made and bound, and both removed again, or named with what removes them."""

import pytest

from hostler.doctor.proof import certificate
from hostler.doctor.proof.certificate import bound_certificate, run_powershell
from hostler.doctor.proof.errors import NotTriedError
from hostler.server.httpsys.configuration.certificates import bindings
from hostler.server.httpsys.configuration.store import open_store
from tests.server.httpsys.model.machine import Machine

THUMBPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
REMOVE = f"Remove-Item Cert:\\LocalMachine\\My\\{THUMBPRINT} -DeleteKey"


class PowerShell:
    """Windows' store of certificates, as far as PowerShell is asked about it."""

    def __init__(self, machine, fails=""):
        self._store = machine.certificates.setdefault("MY", set())
        self.fails = fails

    @property
    def certificates(self):
        return {thumbprint.hex().upper() for thumbprint in self._store}

    def __call__(self, command):
        verb = "Remove-Item" if command.startswith("Remove-Item") else "New-SelfSignedCertificate"
        if verb == self.fails:
            return False, f"\n{verb} : Access is denied.\nAt line:1 char:1"
        if verb == "Remove-Item":
            assert command == REMOVE
            self._store.remove(bytes.fromhex(THUMBPRINT))
            return True, ""
        self._store.add(bytes.fromhex(THUMBPRINT))
        return True, f"{THUMBPRINT}\n"


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    assert (machine.defects, machine.alive()) == ([], {})
    machine.close()


def bound(windows):
    with open_store(windows) as store:
        return [(str(binding.endpoint), binding.thumbprint.hex().upper()) for binding in bindings(store)]


def test_it_is_there_while_the_context_lasts(machine):
    windows, powershell, left = machine.process(administrator=True), PowerShell(machine), []
    with bound_certificate(windows, 8443, left, powershell):
        assert powershell.certificates == {THUMBPRINT}
        assert bound(windows) == [("0.0.0.0:8443", THUMBPRINT)]
    assert (powershell.certificates, bound(windows), left) == (set(), [], [])


def test_it_goes_also_when_something_fails(machine):
    windows, powershell, left = machine.process(administrator=True), PowerShell(machine), []
    with pytest.raises(KeyboardInterrupt), bound_certificate(windows, 8443, left, powershell):
        raise KeyboardInterrupt
    assert (powershell.certificates, bound(windows), left) == (set(), [], [])


def test_who_may_not_make_one_does_not_try(machine):
    windows, powershell, left = machine.process(), PowerShell(machine, "New-SelfSignedCertificate"), []
    with (
        pytest.raises(NotTriedError, match="takes an administrator: New-SelfSignedCertificate : Access is"),
        bound_certificate(windows, 8443, left, powershell),
    ):
        pass
    assert left == []


def test_who_may_not_bind_one_leaves_none(machine):
    windows, powershell, left = machine.process(administrator=True), PowerShell(machine), []
    windows.fail("HttpSetServiceConfiguration", 5)
    with (
        pytest.raises(NotTriedError, match=r"cannot be bound.*ERROR_ACCESS_DENIED"),
        bound_certificate(windows, 8443, left, powershell),
    ):
        pass
    assert (powershell.certificates, left) == (set(), [])


def test_what_cannot_be_removed_is_named_with_the_command_that_does(machine):
    windows, powershell, left = machine.process(administrator=True), PowerShell(machine, "Remove-Item"), []
    windows.fail("HttpDeleteServiceConfiguration", 5)
    with bound_certificate(windows, 8443, left, powershell):
        pass
    binding, item = left
    assert binding.startswith("what is bound to 0.0.0.0:8443 (HttpDeleteServiceConfiguration")
    assert binding.endswith("remove it with: netsh http delete sslcert ipport=0.0.0.0:8443")
    assert item == f"a certificate (Remove-Item : Access is denied.); remove it with: {REMOVE}"


def test_a_powershell_that_says_something_else_is_not_believed(machine):
    with (
        pytest.raises(NotTriedError, match="'hello'"),
        bound_certificate(machine.process(), 8443, [], lambda _: (True, "hello")),
    ):
        pass


def test_without_powershell_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    succeeded, said = run_powershell(certificate._MAKE)
    assert not succeeded
    assert "powershell.exe" in said
