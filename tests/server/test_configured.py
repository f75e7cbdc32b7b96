"""What a document or the command line says of HTTP.sys, as options; and everything that can be wrong with it."""

from __future__ import annotations

import math

import pytest
from attrs import fields_dict

from hostler import ConfigError, ServerOptions, Timeouts
from hostler.checking import find_problems
from hostler.config.httpsys import HttpSys
from hostler.config.yarp import load
from hostler.config.yarp.keys import keys_of
from hostler.server import configured
from hostler.server.configured import check_httpsys, configured_options
from hostler.server.options import unsupported_by_httpsys
from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding, Hardening
from hostler.server.options.httpsys import Completion, HttpSysOptions, Verbosity
from hostler.server.options.log import LogField, LogFormat, Logging, LogOnly, Rollover


def options(**section):
    return configured_options(load({"HttpSys": section, "ReverseProxy": {}}).httpsys)


def refused(section):
    return [str(problem) for problem in check_httpsys(load({"HttpSys": section, "ReverseProxy": {}}).httpsys)]


def test_a_section_that_says_nothing_is_the_defaults():
    assert configured_options(HttpSys()) == ServerOptions(httpsys=HttpSysOptions())


def test_everything_that_can_be_said():
    said = options(
        MaxAccepts=5, MaxConnections=1000, RequestQueueLimit=5000, Http503Verbosity="Limited",
        RequestQueueSecurityDescriptor="D:(A;;GA;;;BA)", EnableKernelResponseBuffering=True, ReceiveBuffer=4096,
        Bandwidth=1048576, Completion="Thread", Enabled=False,
        Timeouts={
            "EntityBody": "00:01:00", "DrainEntityBody": "00:00:10", "RequestQueue": "00:00:30",
            "IdleConnection": "00:05:00", "HeaderWait": "18:12:14", "MinSendBytesPerSecond": 240,
        },
        Authentication={
            "Schemes": "Negotiate, NTLM, Basic, Digest", "EnableKerberosCredentialCaching": True, "CaptureCredentials": True,
            "NtlmCaching": False, "BasicRealm": "shop", "DigestRealm": "shop", "DigestDomain": "/a", "Mutual": True,
            "Context": True,
        },
        ChannelBinding={"Level": "Strict", "ServiceNames": ["HTTP/www.example.com"]},
        Logging={
            "Directory": "C:\\logs", "Format": "W3C", "Fields": ["Date", "client_ip", "BytesSent"], "Rollover": "Size",
            "RolloverSize": 1048576, "LocalTime": True, "Utf8": True, "Only": "Errors", "Software": "shop",
        },
    )  # fmt: skip
    assert said == ServerOptions(
        request_queue_limit=5000,
        timeouts=Timeouts(
            entity_body=60.0, drain_entity_body=10.0, request_queue=30.0, idle_connection=300.0, header_wait=65534.0
        ),
        httpsys=HttpSysOptions(
            receives=5, max_connections=1000, verbosity=Verbosity.LIMITED, security_descriptor="D:(A;;GA;;;BA)",
            kernel_buffering=True, receive_buffer=4096, bandwidth=1048576, completion=Completion.THREAD, enabled=False,
            min_send_rate=240,
            authentication=Authentication(
                schemes=AuthScheme.NEGOTIATE | AuthScheme.NTLM | AuthScheme.BASIC | AuthScheme.DIGEST,
                kerberos_caching=True, capture_credentials=True, ntlm_caching=False, basic_realm="shop",
                digest_realm="shop", digest_domain="/a", mutual=True, context=True,
            ),
            channel_binding=ChannelBinding(level=Hardening.STRICT, service_names=("HTTP/www.example.com",)),
            logging=Logging(
                directory="C:\\logs", format=LogFormat.W3C, rollover=Rollover.SIZE, rollover_size=1048576,
                fields=LogField.DATE | LogField.CLIENT_IP | LogField.BYTES_SENT, local_time=True, utf8=True,
                only=LogOnly.ERRORS, software="shop",
            ),
        ),
    )  # fmt: skip
    assert unsupported_by_httpsys(said) == []


def test_no_limit():
    said = options(
        MaxConnections=-1,
        Timeouts={"EntityBody": "-00:00:00.001", "MinSendBytesPerSecond": 0},
        Logging={"Directory": "C:\\logs", "Rollover": "Size", "RolloverSize": -1},
    )
    assert said.timeouts.entity_body == said.httpsys.max_connections == math.inf
    assert said.httpsys.logging.rollover_size == math.inf
    assert said.httpsys.min_send_rate == 0


@pytest.mark.parametrize(
    ("table", "cls", "elsewhere"),
    [
        (configured._OWN, HttpSysOptions, {"min_send_rate", "authentication", "channel_binding", "logging"}),
        (configured._AUTHENTICATION, Authentication, set()),
    ],
)
def test_no_option_is_for_programs_alone(table, cls, elsewhere):
    assert set(table.values()) == set(fields_dict(cls)) - elsewhere


@pytest.mark.parametrize(("name", "cls"), [("channel_binding", ChannelBinding), ("logging", Logging)])
def test_no_option_of_a_part_is_for_programs_alone(name, cls):
    (kind,) = (key.kind for key in keys_of(HttpSys) if key.name == name)
    assert {key.name for key in keys_of(kind)} == set(fields_dict(cls))


LOG = {"Directory": "C:\\logs"}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"MaxAccepts": 0}, "MaxAccepts: 0 is not a number of calls from 1 to 65535"),
        ({"MaxConnections": -2}, "MaxConnections: -2 is not a number of connections from 0 to 4294967294, -1 for no limit"),
        ({"RequestQueueLimit": 0}, "RequestQueueLimit: 0 is not a number of requests from 1 to 2147483647"),
        ({"ReceiveBuffer": 1}, "ReceiveBuffer: 1 is not a number of bytes from 1024 to 16777216"),
        ({"Bandwidth": 1}, "Bandwidth: 1 is not a number of bytes a second from 1024 to 4294967294"),
        ({"Http503Verbosity": "High"}, "Http503Verbosity: unknown Verbosity 'high'; use one of 'basic', 'limited', 'full'"),
        ({"Completion": "iocp"}, "Completion: unknown Completion 'iocp'; use one of 'auto', 'thread', 'proactor'"),
        ({"RequestQueueSecurityDescriptor": "me"}, "RequestQueueSecurityDescriptor: 'me' is no security descriptor; write SDDL, as in D:(A;;GA;;;BA)(A;;GA;;;IU)"),
        ({"Timeouts": {"EntityBody": "00:00:00.5"}}, 'Timeouts.EntityBody: "00:00:00.5000000" is not whole seconds from "00:00:01" to "18:12:14", which HTTP.sys counts; "-00:00:00.0010000" is no limit'),
        ({"Timeouts": {"HeaderWait": "1"}}, 'Timeouts.HeaderWait: "1.00:00:00" is not whole seconds from "00:00:01" to "18:12:14", which HTTP.sys counts; "-00:00:00.0010000" is no limit'),
        ({"Timeouts": {"MinSendBytesPerSecond": -1}}, "Timeouts.MinSendBytesPerSecond: -1 is not a number of bytes a second from 0 to 4294967294"),
        ({"Authentication": {"BasicRealm": "shop"}}, "Authentication.Schemes: is missing and required; add it"),
        ({"Authentication": {"Schemes": "NTML"}}, 'Authentication.Schemes: unknown name "NTML"; did you mean Ntlm?'),
        ({"Authentication": {"Schemes": ["Bearer"]}}, 'Authentication.Schemes: unknown name "Bearer"; use Basic, Digest, Ntlm, Negotiate, Kerberos'),
        ({"Authentication": {"Schemes": ["NTLM"], "BasicRealm": "shop"}}, "Authentication: BasicRealm is for BASIC, which is not among the schemes; add it, or leave BasicRealm out"),
        ({"Authentication": {"Schemes": ["NTLM"], "CaptureCredentials": True}}, "Authentication: CaptureCredentials is for NEGOTIATE or KERBEROS, which is not among the schemes; add it, or leave CaptureCredentials out"),
        ({"ChannelBinding": {"Level": "Hard"}}, "ChannelBinding.Level: unknown Hardening 'hard'; use one of 'legacy', 'medium', 'strict'"),
        ({"Logging": {"Format": "W3C"}}, "Logging.Directory: is missing and required; add it"),
        ({"Logging": {"Directory": "logs"}}, "Logging.Directory: 'logs' is not a full path of Windows; write one, as in C:\\logs\\hostler"),
        ({"Logging": {**LOG, "Format": "xml"}}, "Logging.Format: unknown LogFormat 'xml'; use one of 'w3c', 'iis', 'ncsa'"),
        ({"Logging": {**LOG, "Fields": "Data"}}, 'Logging.Fields: unknown name "Data"; did you mean Date?'),
        ({"Logging": {**LOG, "Rollover": "Size"}}, "Logging: RolloverSize is missing: say how many bytes a file may have, or -1"),
        ({"Logging": {**LOG, "RolloverSize": 2000000}}, "Logging: RolloverSize is for Rollover.SIZE, and this is Rollover.DAILY; leave one of the two out"),
        ({"Logging": {**LOG, "Rollover": "Size", "RolloverSize": 1}}, "Logging.RolloverSize: 1 is not a number of bytes from 1048576 to 4294967294, -1 for no limit"),
        ({"Logging": {**LOG, "Software": "a\nb"}}, "Logging.Software: 'a\\nb' is not a name; give printable text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_documents_words(section, said):
    assert refused(section) == [f"HttpSys.{said}"]


def test_everything_that_is_wrong_is_said_at_once():
    section = {"MaxAccepts": 0, "Timeouts": {"HeaderWait": "0"}, "Logging": {"Format": "xml"}}
    config = load({"HttpSys": section, "ReverseProxy": {}})
    paths = [problem.path for problem in find_problems(config)]
    assert paths == [
        "HttpSys.MaxAccepts", "HttpSys.Timeouts.HeaderWait", "HttpSys.Logging.Format", "HttpSys.Logging.Directory",
    ]  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        configured_options(config.httpsys)
    assert [problem.path for problem in caught.value.problems] == paths
