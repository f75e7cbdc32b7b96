"""Options: what they refuse, and that no server passes over one that it does not have."""

import math

import pytest
from attrs import evolve, fields

from hostler import ServerOptions, Timeouts, UnsupportedError
from hostler.http.limits import Limits
from hostler.server.options import refuse_unsupported, unsupported_by_httpsys, unsupported_by_usermode
from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding, Hardening
from hostler.server.options.differences import _ONLY_HTTPSYS
from hostler.server.options.httpsys import Completion, HttpSysOptions, Verbosity
from hostler.server.options.log import LogField, LogFormat, Logging, LogOnly, Rollover
from hostler.server.usermode.server import UserModeServer

LOGS = r"C:\logs\hostler"
LOGINS = Authentication(schemes=AuthScheme.NEGOTIATE)

SET = {
    "receives": 10,
    "receive_buffer": 4096,
    "max_connections": 100,
    "verbosity": Verbosity.FULL,
    "min_send_rate": 1000,
    "bandwidth": 1_000_000,
    "security_descriptor": "D:(A;;GA;;;BA)",
    "authentication": LOGINS,
    "channel_binding": ChannelBinding(),
    "logging": Logging(directory=LOGS),
    "enabled": False,
    "completion": Completion.PROACTOR,
    "kernel_buffering": False,
}
"""Every option of HTTP.sys, set."""


class TestHttpSysOptions:
    def test_nothing_is_set_by_default(self):
        own = HttpSysOptions()
        assert all(getattr(own, field.name) == field.default for field in fields(HttpSysOptions))
        assert ServerOptions().httpsys is None

    def test_they_are_keywords_and_stay(self):
        with pytest.raises(TypeError):
            HttpSysOptions(5)
        with pytest.raises(AttributeError):
            HttpSysOptions().receives = 5

    @pytest.mark.parametrize(
        ("name", "good", "bad"),
        [
            ("receives", [None, 1, 65535], [0, -1, 1.5, True, "5", math.inf, 65536]),
            ("receive_buffer", [1024, 16 << 20], [None, 1023, 0, (16 << 20) + 1, 4096.0]),
            (
                "max_connections",
                [None, 0, 1, 0xFFFF_FFFE, math.inf],
                [-1, 1.5, True, 0xFFFF_FFFF, -math.inf, "1"],
            ),
            ("min_send_rate", [None, 0, 150], [-1, 0.5, math.inf, 0xFFFF_FFFF]),
            ("bandwidth", [None, 1024, 0xFFFF_FFFE], [0, 1023, -1, math.inf, 0xFFFF_FFFF]),
            ("enabled", [True, False], [None, 0, "no"]),
            ("kernel_buffering", [True, False], [None, 1]),
            ("verbosity", list(Verbosity), ["loud", None, 1]),
            ("completion", list(Completion), ["iocp", None]),
            ("authentication", [None, LOGINS], [AuthScheme.NTLM, True]),
            ("channel_binding", [None, ChannelBinding()], [Hardening.STRICT, True]),
            ("logging", [None, Logging(directory=LOGS)], [LOGS, True]),
            ("security_descriptor", [None, "D:(A;;GA;;;BA)", "O:BAG:SYD:"], ["", "everyone", "D:\0", 1]),
        ],
    )
    def test_values(self, name, good, bad):
        for value in good:
            assert getattr(HttpSysOptions(**{name: value}), name) == value
        for value in bad:
            with pytest.raises((ValueError, TypeError)) as caught:
                HttpSysOptions(**{name: value})
            assert repr(value) in str(caught.value)

    def test_choices_may_be_written_as_text(self):
        own = HttpSysOptions(verbosity="limited", completion="proactor")
        assert (own.verbosity, own.completion) == (Verbosity.LIMITED, Completion.PROACTOR)

    def test_messages_say_what_was_expected(self):
        with pytest.raises(
            ValueError, match=r"bandwidth: 500 is not a number of bytes a second from 1024 to .*None"
        ):
            HttpSysOptions(bandwidth=500)
        with pytest.raises(ValueError, match=r"max_connections: -1 .* math\.inf for no limit"):
            HttpSysOptions(max_connections=-1)
        with pytest.raises(
            ValueError, match=r"unknown Verbosity 'loud'; use one of 'basic', 'limited', 'full'"
        ):
            HttpSysOptions(verbosity="loud")
        with pytest.raises(ValueError, match=r"write SDDL"):
            HttpSysOptions(security_descriptor="everyone")


class TestAuthentication:
    @pytest.mark.parametrize("schemes", [None, 0, AuthScheme(0), "NTLM", 4])
    def test_schemes_are_needed(self, schemes):
        with pytest.raises(ValueError, match="AuthScheme"):
            Authentication(schemes=schemes)

    @pytest.mark.parametrize(
        ("name", "needed"),
        [
            ("basic_realm", AuthScheme.BASIC),
            ("digest_realm", AuthScheme.DIGEST),
            ("digest_domain", AuthScheme.DIGEST),
            ("kerberos_caching", AuthScheme.KERBEROS),
            ("kerberos_caching", AuthScheme.NEGOTIATE),
            ("capture_credentials", AuthScheme.NEGOTIATE),
        ],
    )
    def test_what_belongs_to_a_scheme_needs_it(self, name, needed):
        value = True if name in {"kerberos_caching", "capture_credentials"} else "text"
        assert getattr(Authentication(schemes=needed | AuthScheme.NTLM, **{name: value}), name) == value
        with pytest.raises(ValueError, match=f"{name} is for .*{needed.name}"):
            Authentication(schemes=AuthScheme.NTLM, **{name: value})

    @pytest.mark.parametrize("realm", ["", 5, "a\nb", "x" * 40000])
    def test_what_is_no_realm(self, realm):
        with pytest.raises(ValueError, match="basic_realm"):
            Authentication(schemes=AuthScheme.BASIC, basic_realm=realm)

    def test_channel_binding(self):
        binding = ChannelBinding(level="strict", service_names=["HTTP/a", "HTTP/b"])
        assert binding == ChannelBinding(level=Hardening.STRICT, service_names=("HTTP/a", "HTTP/b"))
        assert ChannelBinding(service_names="HTTP/a").service_names == ("HTTP/a",)
        for names in ([""], [5], ["a\0"]):
            with pytest.raises(ValueError, match="service_names"):
                ChannelBinding(service_names=names)


class TestLogging:
    @pytest.mark.parametrize("directory", [LOGS, "D:/logs", r"\\server\share\logs", "C:\\" + "x" * 209])
    def test_directories(self, directory):
        assert Logging(directory=directory).directory == directory

    @pytest.mark.parametrize(
        "directory", ["", "logs", r"\logs", "/var/log", "C:logs", None, "C:\\" + "x" * 210, "C:\\\n"]
    )
    def test_what_is_no_directory(self, directory):
        with pytest.raises(ValueError, match="directory"):
            Logging(directory=directory)

    def test_files_by_size(self):
        assert Logging(directory=LOGS, rollover="size", rollover_size=1 << 20).rollover is Rollover.SIZE
        assert (
            Logging(directory=LOGS, rollover=Rollover.SIZE, rollover_size=math.inf).rollover_size == math.inf
        )
        with pytest.raises(ValueError, match="rollover_size is missing"):
            Logging(directory=LOGS, rollover=Rollover.SIZE)
        with pytest.raises(
            ValueError, match=r"rollover_size is for Rollover\.SIZE, and this is Rollover\.DAILY"
        ):
            Logging(directory=LOGS, rollover_size=1 << 20)
        for size in ((1 << 20) - 1, 0, -1, 1.5e6, 0xFFFF_FFFF):
            with pytest.raises(ValueError, match="rollover_size"):
                Logging(directory=LOGS, rollover=Rollover.SIZE, rollover_size=size)

    @pytest.mark.parametrize("columns", [LogField(0), 1, None, "date"])
    def test_columns(self, columns):
        assert (
            Logging(directory=LOGS, fields=LogField.DATE | LogField.HOST).fields
            == LogField.DATE | LogField.HOST
        )
        with pytest.raises(ValueError, match="LogField"):
            Logging(directory=LOGS, fields=columns)

    def test_choices(self):
        log = Logging(directory=LOGS, format="ncsa", only="errors", software="hostler")
        assert (log.format, log.only) == (LogFormat.NCSA, LogOnly.ERRORS)
        with pytest.raises(ValueError, match="LogFormat"):
            Logging(directory=LOGS, format="raw")
        with pytest.raises(ValueError, match="software"):
            Logging(directory=LOGS, software="x" * 261)


class TestUserMode:
    def test_what_only_http_sys_has_is_all_of_it(self):
        assert set(SET) == set(_ONLY_HTTPSYS) == {field.name for field in fields(HttpSysOptions)}

    def test_nothing_set_is_nothing_missing(self):
        assert unsupported_by_usermode(ServerOptions()) == []
        assert unsupported_by_usermode(ServerOptions(httpsys=HttpSysOptions())) == []
        everything_else = ServerOptions(limits=Limits(head=1), timeouts=Timeouts(send=0.1), backlog=1)
        assert unsupported_by_usermode(everything_else) == []

    @pytest.mark.parametrize("name", SET)
    def test_what_only_http_sys_has(self, name):
        (sentence,) = unsupported_by_usermode(ServerOptions(httpsys=HttpSysOptions(**{name: SET[name]})))
        assert sentence.startswith(f"httpsys.{name} = {SET[name]!r} is for HTTP.sys")
        assert sentence.endswith("; leave it out")

    async def test_the_server_refuses_them_all_at_once(self):
        async def handler(exchange):
            raise AssertionError

        with pytest.raises(UnsupportedError) as caught:
            UserModeServer(handler, ServerOptions(httpsys=HttpSysOptions(**SET)))
        assert all(f"- httpsys.{name} = " in str(caught.value) for name in SET)
        UserModeServer(handler, ServerOptions(httpsys=HttpSysOptions()))


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan, "240"])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match=r"min_body_rate: .* is not a number of bytes a second"):
        ServerOptions(min_body_rate=rate)


class TestHttpSys:
    def test_nothing_set_is_nothing_missing(self):
        assert unsupported_by_httpsys(ServerOptions()) == []
        assert (
            unsupported_by_httpsys(ServerOptions(httpsys=HttpSysOptions(**SET), request_queue_limit=5)) == []
        )

    @pytest.mark.parametrize(
        ("options", "name", "remedy"),
        [
            (
                ServerOptions(limits=Limits(request_line=100)),
                "limits.request_line = 100",
                "UrlSegmentMaxLength",
            ),
            (ServerOptions(limits=Limits(head=100)), "limits.head = 100", "MaxRequestBytes"),
            (ServerOptions(limits=Limits(head=100)), "limits.head = 100", "MaxFieldLength"),
            (ServerOptions(limits=Limits(headers=5)), "limits.headers = 5", "MaxRequestBytes"),
            (ServerOptions(limits=Limits(trailers=5)), "limits.trailers = 5", "MaxRequestBytes"),
            (ServerOptions(timeouts=Timeouts(half_closed=5)), "timeouts.half_closed = 5", "leave it out"),
            (ServerOptions(timeouts=Timeouts(send=5)), "timeouts.send = 5", "httpsys.min_send_rate"),
            (ServerOptions(backlog=5), "backlog = 5", "request_queue_limit"),
            (ServerOptions(min_body_rate=None), "min_body_rate = None", "timeouts.entity_body"),
            (ServerOptions(request_queue_limit=1 << 31), "request_queue_limit = 2147483648", "2147483647"),
        ],
    )
    def test_what_only_the_user_mode_server_has(self, options, name, remedy):
        (sentence,) = unsupported_by_httpsys(options)
        assert sentence.startswith(name + " ")
        assert remedy in sentence

    @pytest.mark.parametrize(
        "name", ["header_wait", "entity_body", "drain_entity_body", "idle_connection", "request_queue"]
    )
    def test_it_counts_whole_seconds(self, name):
        for seconds in (1, 5.0, 65534, math.inf):
            assert unsupported_by_httpsys(ServerOptions(timeouts=Timeouts(**{name: seconds}))) == []
        for seconds in (0.5, 1.5, 65535, 1e6):
            (sentence,) = unsupported_by_httpsys(ServerOptions(timeouts=Timeouts(**{name: seconds})))
            assert f"timeouts.{name} = {seconds!r}" in sentence
            assert "65534" in sentence

    def test_everything_is_said_at_once(self):
        options = ServerOptions(
            backlog=5, timeouts=Timeouts(send=1, header_wait=0.5), limits=Limits(head=9, headers=9)
        )
        found = unsupported_by_httpsys(options)
        assert len(found) == 5
        with pytest.raises(UnsupportedError) as caught:
            refuse_unsupported(found, "HTTP.sys")
        assert str(caught.value).startswith("HTTP.sys ")
        assert all(sentence in str(caught.value) for sentence in found)
        refuse_unsupported([], "HTTP.sys")

    def test_every_timeout_and_limit_is_known_to_one_of_both(self):
        for field in fields(Timeouts):
            changed = ServerOptions(timeouts=evolve(Timeouts(), **{field.name: 0.25}))
            assert unsupported_by_httpsys(changed), field.name
        for field in fields(Limits):
            assert unsupported_by_httpsys(ServerOptions(limits=evolve(Limits(), **{field.name: 7}))), (
                field.name
            )
