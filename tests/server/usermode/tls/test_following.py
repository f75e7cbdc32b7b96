"""Certificates whose files change while a server runs."""

import asyncio
import datetime as dt
import logging
import os
from pathlib import Path

import pytest

from hostler import Certificate, CertificateError, ServerOptions, TlsOptions
from hostler.processes.serving import serving
from hostler.server.usermode.tls.following import Followed
from hostler.server.usermode.tls.live import LiveContext
from hostler.tls.stamps import PATIENCE, RETRY
from tests.certificates import authority, certificate, client_context

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC).timestamp()


def replace(own, by, *, what=("path", "key_path")):
    """Have the files of one certificate become those of another, as a program that renews them does."""
    for name in what:
        target, source = Path(getattr(own, name)), Path(getattr(by, name))
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.replace(target)


@pytest.fixture
def own(tmp_path):
    return certificate(tmp_path, "localhost", not_before=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))


@pytest.fixture
def other(tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    return certificate(folder, "localhost", "other.test")


def live(own, names=(), **options):
    context = LiveContext(TlsOptions(certificate=own, **options), lambda _: None, names, now=NOW)
    return context, Followed(context)


def lines(followed, now=NOW, **how):
    return [text for _, text in followed.look(now, **how)]


def test_nothing_changes_and_nothing_is_read(own):
    context, followed = live(own)
    before = context.context
    assert lines(followed) == lines(followed, NOW + 1e6) == []
    assert context.context is before


def test_a_renewed_certificate_is_read(own, other):
    context, followed = live(own)
    replace(own, other)
    (said,) = lines(followed)
    assert said == f"{own.path}: it was read, and is valid until 3000-01-01 00:00 UTC"
    assert context.examined.names == ("localhost", "other.test")
    assert lines(followed, NOW + 1) == []


def test_a_certificate_and_its_key_change_one_after_the_other(own, other):
    context, followed = live(own)
    before = context.context
    replace(own, other, what=("path",))
    assert lines(followed) == lines(followed, NOW + PATIENCE - 1) == []
    assert context.context is before
    replace(own, other, what=("key_path",))
    assert len(lines(followed, NOW + PATIENCE)) == 1
    assert context.context is not before


def test_what_does_not_come_to_fit_is_said_once_and_the_old_one_stays(own, other):
    context, followed = live(own)
    before = context.context
    replace(own, other, what=("path",))
    assert lines(followed) == []
    (said,) = lines(followed, NOW + PATIENCE)
    assert "does not fit the certificate" in said
    assert said.endswith("until then the certificate that was read before stays in use")
    assert lines(followed, NOW + PATIENCE + 1) == lines(followed, NOW + PATIENCE + RETRY) == []
    assert context.context is before
    replace(own, other, what=("key_path",))
    assert len(lines(followed, NOW + PATIENCE + RETRY + 1)) == 1
    assert context.context is not before


def test_what_becomes_right_without_a_change_is_read_in_time(tmp_path, own):
    _context, followed = live(own)
    later = dt.datetime(2026, 6, 2, tzinfo=dt.UTC)
    folder = tmp_path / "later"
    folder.mkdir()
    replace(own, certificate(folder, "localhost", not_before=later))
    assert lines(followed) == []
    assert "it is not valid before 2026-06-02 00:00 UTC" in lines(followed, NOW + PATIENCE)[0]
    assert lines(followed, later.timestamp() + 1)[0].endswith("valid until 3000-01-01 00:00 UTC")


def test_files_that_are_gone_are_said_and_taken_when_they_are_back(own, other):
    _context, followed = live(own)
    Path(own.path).unlink()
    assert lines(followed) == []
    assert "there is no such file" in lines(followed, NOW + PATIENCE)[0]
    replace(own, other)
    assert len(lines(followed, NOW + PATIENCE + 1)) == 1


def test_links_that_are_swapped_are_followed(tmp_path, own, other):
    links = [tmp_path / "live.pem", tmp_path / "live.key"]

    def point_to(there):
        for link, target in zip(links, (there.path, there.key_path), strict=True):
            fresh = link.with_suffix(".fresh")
            fresh.symlink_to(target)
            fresh.replace(link)

    point_to(own)
    context, followed = live(Certificate(path=str(links[0]), key_path=str(links[1])))
    point_to(other)
    assert len(lines(followed)) == 1
    assert "other.test" in context.examined.names


def test_who_asks_hears_of_it_at_once(own, other):
    _, followed = live(own)
    assert lines(followed, forced=True)[0].endswith("valid until 3000-01-01 00:00 UTC")
    replace(own, other, what=("path",))
    assert "does not fit" in lines(followed, forced=True)[0]
    assert "does not fit" in lines(followed, forced=True)[0]


def test_authorities_of_clients_are_followed_too(tmp_path, own):
    ca = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(ca))
    context, followed = live(own, client_certificates="RequireCertificate", client_ca=str(ca))
    authority("another").cert_pem.write_to_path(str(ca), append=True)
    lines(followed)
    assert context.context.cert_store_stats()["x509_ca"] == 2


def test_names_that_a_certificate_is_not_for_are_doubted_once(own):
    _, followed = live(own, ("shop.test",))
    (said,) = lines(followed)
    assert (
        said
        == f"{own.path}: clients that ask for shop.test get it, and it is for localhost; get one for shop.test"
    )
    assert lines(followed) == []
    _, followed = live(own, ("localhost",))
    assert lines(followed) == []


def test_the_end_is_announced(tmp_path):
    own = certificate(tmp_path, "a.test", not_after=dt.datetime(2026, 6, 9, tzinfo=dt.UTC))
    _, followed = live(own)
    assert lines(followed) == [f"{own.path}: it ends in 8 days, on 2026-06-09 00:00 UTC; renew it"]
    assert lines(followed, NOW + 1, forced=True)[1:] == []
    assert "it ended on" in lines(followed, NOW + 86400 * 9)[0]


async def names_of(url):
    """Return the names of the certificate that a server answers with."""
    host, _, port = url.partition("://")[2].partition(":")
    _, writer = await asyncio.open_connection(
        host, int(port), ssl=client_context(), server_hostname="localhost"
    )
    found = [name for _, name in writer.get_extra_info("peercert")["subjectAltName"]]
    writer.close()
    await writer.wait_closed()
    return found


async def answer(exchange):
    return await exchange.respond(200, "here")


@pytest.fixture
def was_read():
    """Wait until the log says that a certificate was read again."""
    event = asyncio.Event()
    handler = logging.Handler()
    handler.emit = lambda record: "it was read" in record.getMessage() and event.set()
    logger = logging.getLogger("hostler.reload")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield event.wait
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


async def test_new_handshakes_get_the_new_one_and_no_connection_is_dropped(own, other, was_read):
    options = ServerOptions(tls=TlsOptions(certificate=own))
    async with serving(answer, ["https://127.0.0.1:0/"], options=options) as served:
        port = int(served.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(), server_hostname="localhost"
        )
        assert await names_of(served.url) == ["localhost"]
        replace(own, other)
        assert served.server.reload_certificates()
        await was_read()
        assert await names_of(served.url) == ["localhost", "other.test"]
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"here")
        writer.close()
        await writer.wait_closed()


async def test_changes_are_found_without_being_told_of(own, other, was_read):
    options = ServerOptions(tls=TlsOptions(certificate=own))
    async with serving(answer, ["https://127.0.0.1:0/"], options=options) as served:
        replace(own, other)
        await was_read()
        assert await names_of(served.url) == ["localhost", "other.test"]


async def test_what_is_wrong_is_an_error_before_the_handler_starts(own):
    class Handler:
        async def __call__(self, exchange):
            raise AssertionError("nothing is served")

        def lifespan(self, server):
            raise AssertionError("it starts")

    wrong = TlsOptions(certificate=Certificate(path=own.path, key_path="missing.key"))
    with pytest.raises(CertificateError, match="no such file"):
        async with serving(Handler(), ["https://127.0.0.1:0/"], options=ServerOptions(tls=wrong)):
            raise AssertionError("it listens")


async def test_without_certificates_there_is_nothing_to_read():
    async with serving(answer, ["http://127.0.0.1:0/"]) as served:
        assert not served.server.reload_certificates()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_permissions_that_are_mended_are_noticed(own):
    _, followed = live(own)
    Path(own.key_path).chmod(0)
    assert lines(followed) == []
    assert "this user may not read it" in lines(followed, NOW + PATIENCE)[0]
    Path(own.key_path).chmod(0o600)
    assert len(lines(followed, NOW + PATIENCE + 1)) == 1
