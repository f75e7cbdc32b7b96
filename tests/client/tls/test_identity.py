"""Whom destinations are taken for and what they are shown: names, authorities, client certificates."""

from __future__ import annotations

import ssl
from shutil import move

import pytest
from attrs import evolve

from hostler import Cluster, Destination, Forwarder, HttpClient, Policies, Proxy, Route, serving
from hostler.client.probe import ProbeRequest
from hostler.client.tls import following
from hostler.client.tls.contexts import tls_context
from hostler.errors import CertificateError, ConfigError
from hostler.tls.stamps import PATIENCE
from tests.certificates import authority, certificate, server_context
from tests.client.peers import OK, answering, connected, destination, front


@pytest.fixture
def ca(tmp_path):
    """A file with the tests' authority."""
    path = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    return str(path)


def demanding(own):
    """Return the context of a destination that demands certificates of the tests' authority."""
    context = server_context(own)
    context.verify_mode = ssl.CERT_REQUIRED
    authority().configure_trust(context)
    return context


def naming(names, shown):
    """Return a script that notes what each connection asked for, and which certificate it was shown."""

    async def script(peer):
        tls = peer.writer.get_extra_info("ssl_object")
        shown.append((tls.getpeercert() or {}).get("subjectAltName"))
        names.append(tls.asked)
        while True:
            await peer.head()
            peer.send(OK)

    return script


def noting(context):
    """Have each connection know the name that it was asked for."""

    def note(tls, name, _):
        tls.asked = name

    context.sni_callback = note
    return context


async def test_a_certificate_authority_stands_in_place_of_the_systems(tmp_path, ca):
    async with destination(answering(OK), context=server_context(certificate(tmp_path))) as there:
        address = f"https://localhost:{there.port}"
        async with front(address, client=HttpClient(certificate_authority=ca)) as proxy:
            assert (await proxy.fetch()).body == b"ok"
        async with front(address) as proxy:
            assert (await proxy.fetch()).status == 502


async def test_a_client_certificate_is_shown_to_who_demands_one_and_by_probes_too(tmp_path, ca):
    own = certificate(tmp_path, "proxy.example")
    client = HttpClient(certificate_authority=ca, client_certificate=own)
    async with destination(answering(OK), context=demanding(certificate(tmp_path))) as there:
        address = f"https://localhost:{there.port}"
        async with front(address, client=client) as proxy:
            assert (await proxy.fetch()).body == b"ok"
            assert (await proxy.forwarder.probe(ProbeRequest(address, "/"), 5)).status == 200


async def test_the_name_that_is_asked_for_is_that_of_the_host_and_none_shares_connections(tmp_path, ca):
    """Of the destination, or of what a transform has made of Host, as .NET's SocketsHttpHandler has it."""
    names, shown = [], []
    own = certificate(tmp_path, "a.example", "b.example", "localhost")
    async with destination(naming(names, shown), context=noting(server_context(own))) as there:
        cluster = Cluster(
            "c",
            {"d": Destination(f"https://127.0.0.1:{there.port}", host="localhost")},
            http_client=HttpClient(certificate_authority=ca),
        )
        routes = [
            Route(
                "/original/{**rest}", "c", transforms=[{"RequestHeaderOriginalHost": "true"}], id="original"
            ),
            Route("/{**rest}", "c", id="plain"),
        ]
        async with (
            serving(Proxy(routes, [cluster]), ["http://127.0.0.1:0/"]) as served,
            connected(served.url) as client,
        ):
            for path, host in [
                ("/", "a.example"), ("/original/", "a.example"), ("/original/", "b.example"), ("/", "b.example"),
                ("/original/", "a.example"),
            ]:  # fmt: skip
                client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert (await client.answer()).body == b"ok"
            client.send(b"GET /original/ HTTP/1.1\r\nHost: c.example\r\n\r\n")
            assert (await client.answer()).status == 502
    assert names == ["localhost", "a.example", "b.example"]


async def test_clusters_with_the_same_address_and_other_certificates_share_nothing(tmp_path, ca):
    names, shown = [], []
    context = noting(demanding(certificate(tmp_path)))
    async with destination(naming(names, shown), context=context) as there:
        clusters = [
            Cluster(
                name,
                {"d": Destination(f"https://localhost:{there.port}")},
                http_client=HttpClient(
                    certificate_authority=ca, client_certificate=certificate(tmp_path, f"{name}.example")
                ),
            )
            for name in ("a", "b")
        ]
        routes = [Route(f"/{name}/{{**rest}}", name) for name in ("a", "b")]
        async with (
            serving(Proxy(routes, clusters), ["http://127.0.0.1:0/"]) as served,
            connected(served.url) as client,
        ):
            for name in ("a", "b", "a", "b"):
                client.send(f"GET /{name}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert (await client.answer()).body == b"ok"
    assert shown == [(("DNS", "a.example"),), (("DNS", "b.example"),)]


async def test_files_that_change_are_for_new_connections(tmp_path, ca):
    names, shown = [], []
    own = certificate(tmp_path, "proxy.example")
    client = HttpClient(certificate_authority=ca, client_certificate=own)
    async with (
        destination(naming(names, shown), context=noting(demanding(certificate(tmp_path)))) as there,
        front(f"https://localhost:{there.port}", client=client) as proxy,
    ):
        for _ in range(2):
            assert (await proxy.fetch()).body == b"ok"
        proxy.forwarder.renew(0.0)
        assert (await proxy.fetch()).body == b"ok"
        other = certificate(tmp_path, "renewed.example")
        move(other.path, own.path)
        move(other.key_path, own.key_path)
        proxy.forwarder.renew(1.0)
        for _ in range(2):
            assert (await proxy.fetch()).body == b"ok"
    assert shown == [(("DNS", "proxy.example"),), (("DNS", "renewed.example"),)]


async def test_what_does_not_fit_after_a_while_is_said_once_and_what_was_read_stays(tmp_path, ca, caplog):
    own = certificate(tmp_path, "proxy.example")
    client = HttpClient(certificate_authority=ca, client_certificate=own)
    async with (
        destination(answering(OK), context=demanding(certificate(tmp_path))) as there,
        front(f"https://localhost:{there.port}", client=client) as proxy,
    ):
        assert (await proxy.fetch()).body == b"ok"
        other = certificate(tmp_path, "renewed.example")
        move(other.path, own.path)
        for now in (1.0, 2.0, 1.0 + PATIENCE, 2.0 + PATIENCE):
            proxy.forwarder.renew(now)
        assert caplog.text.count("the key does not fit the certificate") == 1
        assert (await proxy.fetch()).body == b"ok"
        move(other.key_path, own.key_path)
        proxy.forwarder.renew(3.0 + PATIENCE)
        assert (await proxy.fetch()).body == b"ok"
        assert there.connections == 2


def test_what_was_said_to_be_wrong_is_tried_again_once_in_a_while(tmp_path, monkeypatch, caplog):
    """Reading takes the event loop's time."""
    own = certificate(tmp_path, "proxy.example")
    followed = following.FollowedFiles(HttpClient(client_certificate=own))
    move(certificate(tmp_path, "other.example").path, own.path)
    tried = []

    def reading(client):
        tried.append(now)
        return tls_context(client)

    monkeypatch.setattr(following, "tls_context", reading)
    for now in range(1, 82):
        assert followed.look(float(now)) is None
    assert tried == [*range(1, 12), 71]
    assert caplog.text.count("the key does not fit the certificate") == 1


def test_files_that_cannot_be_used_are_an_error_before_anything_starts(tmp_path, ca):
    own = certificate(tmp_path, "proxy.example")
    for client, said in [
        (HttpClient(certificate_authority=str(tmp_path / "none.pem")), "none.pem: there is no such file"),
        (HttpClient(certificate_authority=own.key_path), "no certificate is in it"),
        (HttpClient(client_certificate=evolve(own, key_path=ca)), "no private key"),
    ]:
        with pytest.raises(ConfigError, match=said) as caught:
            Proxy(
                [Route("/{**rest}", "c")],
                [Cluster("c", ["https://localhost"], http_client=client)],
                policies=Policies(),
            )
        assert [problem.path for problem in caught.value.problems] == ["Clusters.c.HttpClient"]


async def test_a_file_that_is_gone_before_it_is_read_is_a_failure_of_ours(tmp_path):
    client = HttpClient(certificate_authority=str(tmp_path / "none.pem"))
    async with front("https://localhost:1", client=client) as proxy:
        assert (await proxy.fetch()).status == 502
        assert "there is no such file" in str(proxy.outcomes[-1].failure)
    with pytest.raises(CertificateError):
        await Forwarder(client).probe(ProbeRequest("https://localhost:1", "/"), 1)


def test_a_password_is_never_printed(tmp_path):
    own = certificate(tmp_path, "proxy.example")
    assert "hunter2" not in repr(HttpClient(client_certificate=evolve(own, password="hunter2")))
