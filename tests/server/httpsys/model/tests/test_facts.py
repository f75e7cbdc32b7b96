"""What the model tells of requests and connections: their properties, a client's certificate."""

import pytest

from hostler.server.httpsys._bindings import ffi
from tests.server.httpsys.model import codes as c
from tests.server.httpsys.model.calls import facts
from tests.server.httpsys.model.machine import Machine
from tests.server.httpsys.model.program import NULL, URL, Program

HTTPS = "https://localhost:8443/"


def asked(program, client, number, kind, url=URL, qualifier=None):
    """Query a property of a request; returns the code and the structure."""
    client.request("GET", url)
    request = program.take().request.RequestId
    value, size = ffi.new(f"{kind} *"), ffi.new("uint32_t *")
    given = NULL if qualifier is None else ffi.new("HTTP_QUERY_REQUEST_QUALIFIER_TCP *", (qualifier,))
    io = program.call(
        "HttpQueryRequestProperty", request, number, given, 0 if qualifier is None else 8, value,
        ffi.sizeof(value[0]), size,
    )  # fmt: skip
    return io.code, value


@pytest.mark.parametrize(("version", "known"), [("2019", {1, 3}), ("2022", {1, 3}), ("new", {1, 3, 10})])
def test_statistics_of_tcp(version, known):
    machine = Machine(version=version)
    program = Program(machine)
    for number, name in ((1, "TCP_INFO_v0"), (3, "TCP_INFO_v1"), (10, "TCP_INFO_v2")):
        code, info = asked(program, machine.client(), number, name, qualifier=0)
        assert (code, info.Mss) == ((0, 1460) if number in known else (c.INVALID_PARAMETER, 0))
    assert asked(program, machine.client(), 1, "TCP_INFO_v0")[0] == c.INVALID_PARAMETER
    machine.close()


def test_the_name_that_a_client_asked_for(machine, client):
    program = Program(machine, urls=(URL, HTTPS))
    assert asked(program, client, facts.SNI, "HTTP_REQUEST_PROPERTY_SNI")[0] == c.INVALID_PARAMETER
    for name, flags in (("localhost", 1), ("", 2)):
        machine.server_name = name
        code, sni = asked(program, machine.client(), facts.SNI, "HTTP_REQUEST_PROPERTY_SNI", HTTPS)
        assert (code, ffi.string(sni.Hostname), sni.Flags) == (0, name, flags)


def test_a_buffer_that_is_too_small_for_a_hello(machine):
    program = Program(machine, urls=(HTTPS,))
    machine.client().request("GET", HTTPS)
    request, size = program.take().request.RequestId, ffi.new("uint32_t *")
    query = ("HttpQueryRequestProperty", request, facts.TLS_CLIENT_HELLO, NULL, 0)
    assert program.call(*query, NULL, 0, size).code == c.NOT_FOUND
    machine.client_hello = b"hello"
    assert (program.call(*query, NULL, 0, size).code, size[0]) == (c.MORE_DATA, 5)
    buffer = ffi.new("char[]", 5)
    assert (program.call(*query, buffer, 5, size).code, ffi.unpack(buffer, 5)) == (0, b"hello")


def certificate_of(program, size=64):
    """Ask for a client's certificate; returns the request, the call, the structure, and its memory."""
    request = program.take().request
    buffer = ffi.new("char[]", size)
    info = ffi.cast("HTTP_SSL_CLIENT_CERT_INFO *", buffer)
    io = program.call(
        "HttpReceiveClientCertificate", request.ConnectionId, 0, info, size, ffi.new("uint32_t *")
    )
    return request, io, info, buffer


def test_a_client_that_is_asked_later(machine):
    machine.negotiates_certificates = False
    program = Program(machine, urls=(HTTPS,))
    machine.client(certificate=b"DER").request("GET", HTTPS)
    request, io, info, _keep = certificate_of(program)
    assert request.pSslInfo.SslClientCertNegotiated == 0
    assert request.pSslInfo.pClientCertInfo == NULL
    assert (io.code, program.result(io)) == (c.IO_PENDING, (0, 35))
    assert ffi.unpack(ffi.cast("char *", info.pCertEncoded), 3) == b"DER"


def test_a_client_that_has_none_when_it_is_asked(machine):
    program = Program(machine, urls=(HTTPS,))
    machine.client().request("GET", HTTPS)
    _, io, _, _keep = certificate_of(program)
    assert (io.code, program.result(io)) == (c.IO_PENDING, (c.NOT_FOUND, 0))


def test_http_2_cannot_be_asked_later(machine):
    program = Program(machine, urls=(HTTPS,))
    machine.client(http2=True).request("GET", HTTPS)
    assert certificate_of(program)[1].code == c.NOT_SUPPORTED


def test_a_body_that_nobody_reads_stands_in_the_way(machine):
    program = Program(machine, urls=(HTTPS,))
    machine.client().request("POST", HTTPS, body=b"body")
    assert certificate_of(program)[1].code == c.IO_PENDING
    assert machine.defects == ["a client is asked for its certificate while some of its body is unread"]
    machine.defects.clear()
