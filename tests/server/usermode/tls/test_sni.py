"""Which certificate, and which rule, a client gets by the host that it names."""

import ssl

import pytest

from hostler.errors import CertificateError
from hostler.server.options import TlsOptions
from hostler.server.usermode.tls.contexts import TlsContexts
from hostler.server.usermode.tls.names import HostNames
from tests.certificates import certificate, client_context
from tests.server.usermode.peers import Client
from tests.server.usermode.tls.clients import TlsClient, listening, visit
from tests.server.usermode.tls.test_handshake import authority_file

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("example.org", "exact"),
        ("example.org.", "exact"),
        ("www.example.org", "below"),
        ("a.b.example.org", "below"),
        ("x.deep.example.org", "deep"),
        ("deep.example.org", "below"),
        ("xn--bcher-kva.example", "idna"),
        ("badexample.org", "default"),
        (".example.org", "default"),
        ("org", "default"),
        ("", "default"),
    ],
)
def test_the_longest_match_prevails(host, found):
    names = {
        "Example.org": "exact",
        "*.example.org": "below",
        "*.deep.example.org": "deep",
        "bücher.example": "idna",
    }
    assert HostNames(names, "default").find(host) == found


def test_a_star_is_for_all_others():
    assert HostNames({"*": "any", "a": "a"}, "default").find("b") == "any"
    assert HostNames({"a": "a"}, None).find("b") is None


async def names_of(port, name, context=None):
    """Return the first name in the certificate that a client gets."""
    context = context or client_context()
    context.check_hostname = False
    async with await TlsClient.connect(port, context, name) as client:
        await client.shake_hands()
        return client.tls.getpeercert()["subjectAltName"][0][1]


@VERSIONS
async def test_clients_get_the_certificate_for_the_host_that_they_name(tmp_path, version):
    context = client_context()
    context.maximum_version = version
    tls = TlsOptions(
        certificate=certificate(tmp_path),
        sni={
            "a.example": TlsOptions(certificate=certificate(tmp_path, "a.example")),
            "*.b.example": TlsOptions(certificate=certificate(tmp_path, "*.b.example")),
        },
    )
    async with listening(tls) as (_, port):
        assert await names_of(port, "a.example", context) == "a.example"
        assert await names_of(port, "x.b.example", context) == "*.b.example"
        assert await names_of(port, "elsewhere.example", context) == "localhost"
        assert await names_of(port, None, context) == "localhost"


async def test_a_client_that_names_no_host_of_ours_is_told_so(tmp_path, caplog):
    tls = TlsOptions(sni={"a.example": TlsOptions(certificate=certificate(tmp_path, "a.example"))})
    async with listening(tls) as (server, port):
        assert (await visit(port, name="a.example"))[0] == 200
        for name in ("b.example", None):
            context = client_context()
            context.check_hostname = False
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                await visit(port, name=name, context=context)
        assert server.handshakes.failed == {"host": 2}


async def test_a_name_that_is_not_ascii_is_refused_without_a_traceback(tmp_path, capfd):
    tls = TlsOptions(certificate=certificate(tmp_path))
    async with listening(tls) as (server, port):
        async with await TlsClient.connect(port) as client, await Client.connect(port) as raw:
            await raw.send(client.hello().replace(b"localhost", b"\xff\xfe-latin1"))
            assert (await raw.rest())[:1] == b"\x15"
        assert server.handshakes.failed["host"] == 1
    assert capfd.readouterr().err == ""


@pytest.fixture
def guarded(tmp_path):
    """One host that wants certificates of its clients, beside others that do not."""
    ca = authority_file(tmp_path)
    guard = {"client_certificates": "RequireCertificate", "client_ca": ca}
    return TlsOptions(
        certificate=certificate(tmp_path, "localhost", "open.example"),
        sni={
            "guarded.example": TlsOptions(certificate=certificate(tmp_path, "guarded.example"), **guard),
            "too.example": TlsOptions(certificate=certificate(tmp_path, "too.example"), **guard),
        },
    )


@VERSIONS
async def test_hosts_may_ask_different_certificates_of_their_clients(tmp_path, guarded, version):
    anonymous, known = client_context(), client_context(certificate(tmp_path, "client@localhost"))
    anonymous.maximum_version = known.maximum_version = version
    async with listening(guarded) as (server, port):
        assert (await visit(port, name="open.example", context=anonymous))[1].split()[-1] == "False"
        assert (await visit(port, name="guarded.example", context=known))[1].split()[-1] == "True"
        assert (await visit(port, name="open.example", context=known))[1].split()[-1] == "False"
        with pytest.raises(ssl.SSLError):
            await visit(port, name="guarded.example", context=anonymous)
        assert server.handshakes.failed == {"client certificate": 1}


async def test_a_handshake_that_begins_anew_may_come_byte_by_byte(tmp_path, guarded):
    async with listening(guarded) as (_, port), await TlsClient.connect(port, name="open.example") as client:
        for byte in client.hello():
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
        await client.shake_hands()
        assert (await client.ask("open.example"))[0] == 200


@VERSIONS
async def test_a_request_for_a_host_with_another_rule_is_misdirected(tmp_path, guarded, version):
    known = client_context(certificate(tmp_path, "client@localhost"))
    known.maximum_version = version
    async with listening(guarded) as (_, port):
        assert (await visit(port, name="open.example", host="guarded.example"))[0] == 421
        assert (await visit(port, name="open.example", host="GUARDED.example.:443"))[0] == 421
        assert (await visit(port, name="open.example", host="localhost"))[0] == 200
        assert (await visit(port, name="guarded.example", host="open.example", context=known))[0] == 421
        assert (await visit(port, name="guarded.example", host="too.example", context=known))[0] == 200


@VERSIONS
async def test_a_session_carries_nobody_past_a_rule(tmp_path, guarded, version):
    """A session of a host that asks for nothing, offered where a certificate is asked for, and the other way round."""
    context = client_context()
    context.maximum_version = version
    context.check_hostname = False
    async with listening(guarded) as (server, port):
        _, _, session = await visit(port, name="open.example", context=context)
        with pytest.raises(ssl.SSLError):
            await visit(port, name="guarded.example", context=context, session=session)
        assert server.handshakes.failed == {"client certificate": 1}
        _, body, _ = await visit(port, name="open.example", context=context, session=session)
        assert body.split()[-2:] == ["True", "False"]


async def test_a_session_of_a_guarded_host_is_not_taken_up_elsewhere(tmp_path, guarded):
    known = client_context(certificate(tmp_path, "client@localhost"))
    known.check_hostname = False
    async with listening(guarded) as (_, port):
        _, body, session = await visit(port, name="guarded.example", context=known)
        assert body.split()[-2:] == ["False", "True"]
        _, body, _ = await visit(port, name="open.example", context=known, session=session)
        assert body.split()[-2:] == ["False", "False"]
        _, body, _ = await visit(port, name="guarded.example", context=known, session=session)
        assert body.split()[-2:] == ["True", "True"]


async def test_hosts_may_speak_different_versions(tmp_path):
    old, new = TlsOptions(protocols=["Tls12"]), TlsOptions(protocols=["Tls13"])
    tls = TlsOptions(
        certificate=certificate(tmp_path, "old.example", "new.example"),
        sni={"old.example": old, "new.example": new},
    )
    async with listening(tls) as (server, port):
        assert (await visit(port, name="old.example"))[1].startswith("TLSv1.2 ")
        assert (await visit(port, name="new.example"))[1].startswith("TLSv1.3 ")
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await visit(port, name="new.example", context=context)
        assert server.handshakes.failed == {"version": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TlsOptions(), "no certificate"),
        (TlsOptions(sni={"a.example": TlsOptions()}), "sni: a.example: there is no cert"),
    ],
)
def test_a_host_without_a_certificate_is_an_error(options, message):
    with pytest.raises(CertificateError, match=message):
        TlsContexts(options)
