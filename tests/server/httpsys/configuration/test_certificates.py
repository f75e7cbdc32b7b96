"""Bound certificates, as records of the machine's configuration."""

from uuid import UUID

import pytest
from attrs import evolve

from hostler.server.httpsys.configuration.certificates import CertificateBinding, bind, bindings, find, remove
from hostler.server.httpsys.configuration.endpoint import TlsEndpoint
from hostler.server.httpsys.configuration.store import open_store
from hostler.server.httpsys.constants import SslFlag
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error

ONE, OTHER = bytes(range(20)), bytes(range(20, 40))
APP = UUID("12345678-9abc-def0-1122-334455667788")
ENDPOINTS = [
    "0.0.0.0:443",
    "127.0.0.1:8443",
    "[::]:443",
    "[2001:db8::1]:443",
    "example.com:443",
    "example.com:8443",
]


def binding(endpoint, thumbprint=ONE, **changes):
    return CertificateBinding(TlsEndpoint.parse(endpoint), thumbprint, APP, **changes)


@pytest.fixture(autouse=True)
def stored(machine):
    machine.certificates = {"MY": {ONE, OTHER}, "WEBHOSTING": {ONE}}


def test_every_binding_is_listed_as_it_was_made_addresses_first(store):
    made = [binding(endpoint) for endpoint in ENDPOINTS]
    for one in reversed(made):
        bind(store, one)
    listed = list(bindings(store))
    assert sorted(map(str, listed)) == sorted(map(str, made))
    assert [one.endpoint.address is None for one in listed] == [False] * 4 + [True] * 2


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_binding_is_found_replaced_and_removed_by_its_endpoint(store, endpoint):
    made = binding(endpoint, store="WebHosting", flags=SslFlag.NEGOTIATE_CLIENT_CERT)
    bind(store, made)
    assert find(store, made.endpoint) == made
    assert find(store, evolve(made.endpoint, port=1)) is None
    bind(store, binding(endpoint, OTHER), replace=True)
    assert find(store, made.endpoint) == binding(endpoint, OTHER)
    remove(store, made.endpoint)
    assert list(bindings(store)) == []


def test_an_older_windows_replaces_by_removing_and_binding(machine):
    windows = machine.process(administrator=True, missing={"HttpUpdateServiceConfiguration"})
    with open_store(windows) as store:
        bind(store, binding("0.0.0.0:443"))
        bind(store, binding("0.0.0.0:443", OTHER), replace=True)
        assert list(bindings(store)) == [binding("0.0.0.0:443", OTHER)]


def test_an_older_windows_keeps_what_is_bound_when_it_refuses_another(machine):
    windows = machine.process(administrator=True, missing={"HttpUpdateServiceConfiguration"})
    bound = binding("0.0.0.0:443", flags=SslFlag.NEGOTIATE_CLIENT_CERT)
    with open_store(windows) as store:
        bind(store, bound)
        with pytest.raises(Win32Error) as error:
            bind(store, binding("0.0.0.0:443", bytes(20)), replace=True)
        assert error.value.code == ErrorCode.ERROR_NO_SUCH_LOGON_SESSION
        assert list(bindings(store)) == [bound]


@pytest.mark.parametrize(
    ("change", "replace", "code"),
    [
        ({}, False, ErrorCode.ERROR_ALREADY_EXISTS),
        ({"thumbprint": bytes(20)}, True, ErrorCode.ERROR_NO_SUCH_LOGON_SESSION),
        ({"store": "Elsewhere"}, True, ErrorCode.ERROR_NO_SUCH_LOGON_SESSION),
        ({"endpoint": TlsEndpoint("0.0.0.0", 444)}, True, ErrorCode.ERROR_FILE_NOT_FOUND),
        ({"thumbprint": b"short"}, True, ErrorCode.ERROR_INVALID_PARAMETER),
    ],
)
def test_what_windows_refuses(store, change, replace, code):
    bind(store, binding("0.0.0.0:443"))
    with pytest.raises(Win32Error) as error:
        bind(store, evolve(binding("0.0.0.0:443"), **change), replace=replace)
    assert error.value.code == code
    assert list(bindings(store)) == [binding("0.0.0.0:443")]
