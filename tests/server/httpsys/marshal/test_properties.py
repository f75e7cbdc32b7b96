"""Properties: options arrive in HTTP.sys's structures, and nothing is set that nobody asked for."""

import gc
import math

import pytest

from hostler import ServerOptions, Timeouts
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    AuthEnable,
    AuthExFlag,
    ChannelBindFlag,
    EnabledState,
    HardeningLevel,
    LogField,
    LoggingFlag,
    LoggingRolloverType,
    LoggingType,
    QosSettingType,
    ServerProperty,
    ServiceBindingType,
    Verbosity503,
)
from hostler.server.httpsys.marshal.properties import (
    binding,
    delegation,
    enabled,
    request_queue_properties,
    url_group_properties,
)
from hostler.server.options.authentication import Authentication, AuthScheme, ChannelBinding
from hostler.server.options.httpsys import Completion, HttpSysOptions, Verbosity
from hostler.server.options.log import LogField as Column
from hostler.server.options.log import LogFormat, Logging, LogOnly, Rollover

QUEUE = ffi.cast("HANDLE", 0x1234)
LOGS = r"C:\logs\hostler"


def of_group(**options):
    """Return the one property that a URL group gets for these options of HTTP.sys."""
    (item,) = url_group_properties(ServerOptions(httpsys=HttpSysOptions(**options)))
    gc.collect()  # what it points to must be its own
    return item


def wide(pointer, size):
    return ffi.buffer(pointer, size)[:].decode("utf-16-le") if pointer else None


class TestNothing:
    @pytest.mark.parametrize(
        "options",
        [
            ServerOptions(),
            ServerOptions(httpsys=HttpSysOptions()),
            ServerOptions(timeouts=Timeouts(header_wait=120, entity_body=120.0), request_queue_limit=1000),
            ServerOptions(
                httpsys=HttpSysOptions(receives=3, completion=Completion.PROACTOR, kernel_buffering=False)
            ),
        ],
    )
    def test_is_set_by_default(self, options):
        assert url_group_properties(options) == []
        assert request_queue_properties(options) == []


class TestInPassing:
    def test_binding(self):
        item = binding(QUEUE)
        assert (item.id, item.name, item.size) == (ServerProperty.BINDING, "BINDING", 16)
        assert (item.value.Flags, item.value.RequestQueueHandle) == (1, QUEUE)

    def test_delegation(self):
        item = delegation(QUEUE)
        assert (item.id, item.size) == (ServerProperty.DELEGATION, 16)
        assert (item.value.Flags, item.value.RequestQueueHandle) == (1, QUEUE)
        assert delegation(QUEUE, present=False).value.Flags == 0

    @pytest.mark.parametrize(
        ("active", "state"), [(True, EnabledState.ACTIVE), (False, EnabledState.INACTIVE)]
    )
    def test_state(self, active, state):
        group = enabled(active)
        assert (group.id, group.size) == (ServerProperty.STATE, 8)
        assert (group.value.Flags, group.value.State) == (1, state)


class TestRequestQueue:
    def test_length(self):
        (item,) = request_queue_properties(ServerOptions(request_queue_limit=77))
        assert (item.id, item.size, item.value[0]) == (ServerProperty.QUEUE_LENGTH, 4, 77)

    @pytest.mark.parametrize(
        ("verbosity", "number"),
        [(Verbosity.LIMITED, Verbosity503.LIMITED), (Verbosity.FULL, Verbosity503.FULL)],
    )
    def test_verbosity(self, verbosity, number):
        (item,) = request_queue_properties(ServerOptions(httpsys=HttpSysOptions(verbosity=verbosity)))
        assert (item.id, item.size, item.value[0]) == (ServerProperty.VERBOSITY_503, 4, number)


class TestTimeouts:
    @pytest.mark.parametrize(
        ("name", "member"),
        [
            ("entity_body", "EntityBody"), ("drain_entity_body", "DrainEntityBody"), ("request_queue", "RequestQueue"),
            ("idle_connection", "IdleConnection"), ("header_wait", "HeaderWait"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(("seconds", "number"), [(1, 1), (5.0, 5), (65534, 65534), (math.inf, 65535)])
    def test_each(self, name, member, seconds, number):
        (item,) = url_group_properties(ServerOptions(timeouts=Timeouts(**{name: seconds})))
        assert (item.id, item.size, item.value.Flags) == (ServerProperty.TIMEOUTS, 20, 1)
        members = [
            "EntityBody",
            "DrainEntityBody",
            "RequestQueue",
            "IdleConnection",
            "HeaderWait",
            "MinSendRate",
        ]
        assert {name: getattr(item.value, name) for name in members} == dict.fromkeys(members, 0) | {
            member: number
        }

    @pytest.mark.parametrize(("rate", "number"), [(1, 1), (1000, 1000), (0, 0xFFFF_FFFF)])
    def test_a_clients_pace(self, rate, number):
        item = of_group(min_send_rate=rate)
        assert (item.id, item.value.MinSendRate, item.value.EntityBody) == (
            ServerProperty.TIMEOUTS,
            number,
            0,
        )


class TestLimits:
    @pytest.mark.parametrize(("most", "number"), [(0, 0), (100, 100), (math.inf, 0xFFFF_FFFF)])
    def test_connections(self, most, number):
        item = of_group(max_connections=most)
        assert (item.id, item.size, item.value.QosType) == (
            ServerProperty.QOS,
            16,
            QosSettingType.CONNECTION_LIMIT,
        )
        limit = ffi.cast("HTTP_CONNECTION_LIMIT_INFO *", item.value.QosSetting)
        assert (limit.Flags, limit.MaxConnections) == (1, number)

    def test_bandwidth(self):
        item = of_group(bandwidth=4096)
        assert (item.id, item.value.QosType) == (ServerProperty.QOS, QosSettingType.BANDWIDTH)
        limit = ffi.cast("HTTP_BANDWIDTH_LIMIT_INFO *", item.value.QosSetting)
        assert (limit.Flags, limit.MaxBandwidth) == (1, 4096)

    def test_switched_off(self):
        item = of_group(enabled=False)
        assert (item.id, item.value.State) == (ServerProperty.STATE, EnabledState.INACTIVE)

    def test_everything_at_once(self):
        own = HttpSysOptions(
            max_connections=5, bandwidth=4096, min_send_rate=9, enabled=False, channel_binding=ChannelBinding(),
            authentication=Authentication(schemes=AuthScheme.NTLM), logging=Logging(directory=LOGS),
        )  # fmt: skip
        found = url_group_properties(ServerOptions(httpsys=own, timeouts=Timeouts(header_wait=5)))
        assert [item.id for item in found] == [
            ServerProperty.TIMEOUTS, ServerProperty.QOS, ServerProperty.QOS, ServerProperty.AUTHENTICATION,
            ServerProperty.CHANNEL_BIND, ServerProperty.LOGGING, ServerProperty.STATE,
        ]  # fmt: skip


class TestAuthentication:
    @pytest.mark.parametrize("scheme", list(AuthScheme))
    def test_each_scheme(self, scheme):
        item = of_group(authentication=Authentication(schemes=scheme))
        extended = scheme is AuthScheme.KERBEROS
        assert item.id == (
            ServerProperty.EXTENDED_AUTHENTICATION if extended else ServerProperty.AUTHENTICATION
        )
        assert (item.value.Flags, item.value.AuthSchemes) == (1, AuthEnable[scheme.name])
        assert (item.value.ReceiveMutualAuth, item.value.ReceiveContextHandle, item.value.ExFlags) == (
            0,
            0,
            0,
        )
        assert item.value.DisableNTLMCredentialCaching == 0
        assert item.value.BasicParams.Realm == item.value.DigestParams.Realm == ffi.NULL

    def test_everything(self):
        everything = AuthScheme.BASIC | AuthScheme.DIGEST | AuthScheme.NTLM | AuthScheme.NEGOTIATE
        login = Authentication(
            schemes=everything, basic_realm="Bäsic 𝄞", digest_realm="Digest", digest_domain="/private", mutual=True,
            context=True, ntlm_caching=False, kerberos_caching=True, capture_credentials=True,
        )  # fmt: skip
        item = of_group(authentication=login)
        info = item.value
        assert (item.id, item.size) == (ServerProperty.EXTENDED_AUTHENTICATION, ffi.sizeof(info[0]))
        assert info.AuthSchemes == 0xF
        assert info.ReceiveMutualAuth == info.ReceiveContextHandle == info.DisableNTLMCredentialCaching == 1
        assert info.ExFlags == AuthExFlag.ENABLE_KERBEROS_CREDENTIAL_CACHING | AuthExFlag.CAPTURE_CREDENTIAL
        assert wide(info.BasicParams.Realm, info.BasicParams.RealmLength) == "Bäsic 𝄞"
        assert wide(info.DigestParams.Realm, info.DigestParams.RealmLength) == "Digest"
        assert wide(info.DigestParams.DomainName, info.DigestParams.DomainNameLength) == "/private"

    @pytest.mark.parametrize("level", list(HardeningLevel))
    def test_channel_binding(self, level):
        names = ("HTTP/www.example.com", "HTTP/example")
        item = of_group(channel_binding=ChannelBinding(level=level.name.lower(), service_names=names))
        assert (item.id, item.size) == (ServerProperty.CHANNEL_BIND, 24)
        assert (item.value.Hardening, item.value.Flags, item.value.NumberOfServiceNames) == (level, 0, 2)
        for at, name in enumerate(names):
            service = ffi.cast("HTTP_SERVICE_BINDING_W *", item.value.ServiceNames[at])
            assert service.Base.Type == ServiceBindingType.W
            assert wide(service.Buffer, service.BufferSize) == name

    def test_channel_binding_without_names(self):
        info = of_group(channel_binding=ChannelBinding()).value
        assert (info.NumberOfServiceNames, info.ServiceNames) == (0, ffi.NULL)
        assert (info.Hardening, info.Flags) == (HardeningLevel.MEDIUM, ChannelBindFlag.NO_SERVICE_NAME_CHECK)


class TestLogging:
    def test_by_default(self):
        item = of_group(logging=Logging(directory=LOGS))
        info = item.value
        assert (item.id, item.size) == (ServerProperty.LOGGING, ffi.sizeof("HTTP_LOGGING_INFO"))
        assert (info.Flags, info.LoggingFlags, info.Format) == (1, 0, LoggingType.W3C)
        assert (info.RolloverType, info.RolloverSize) == (LoggingRolloverType.DAILY, 0)
        assert wide(info.DirectoryName, info.DirectoryNameLength) == LOGS
        assert (info.SoftwareName, info.SoftwareNameLength) == (ffi.NULL, 0)
        assert info.Fields & (LogField.DATE | LogField.TIME | LogField.STATUS | LogField.URI_STEM)
        assert info.pSecurityDescriptor == info.pExtFields == ffi.NULL

    @pytest.mark.parametrize("column", list(Column))
    def test_columns(self, column):
        assert of_group(logging=Logging(directory=LOGS, fields=column)).value.Fields == LogField[column.name]

    @pytest.mark.parametrize("kind", [LogFormat.IIS, LogFormat.NCSA])
    def test_formats_whose_columns_are_fixed(self, kind):
        info = of_group(logging=Logging(directory=LOGS, format=kind)).value
        assert (info.Format, info.Fields) == (LoggingType[kind.name], 0)

    @pytest.mark.parametrize("rollover", [Rollover.HOURLY, Rollover.DAILY, Rollover.WEEKLY, Rollover.MONTHLY])
    def test_files_by_time(self, rollover):
        info = of_group(logging=Logging(directory=LOGS, rollover=rollover)).value
        assert (info.RolloverType, info.RolloverSize) == (LoggingRolloverType[rollover.name], 0)

    @pytest.mark.parametrize(("size", "number"), [(1 << 20, 1 << 20), (math.inf, 0xFFFF_FFFF)])
    def test_files_by_size(self, size, number):
        info = of_group(logging=Logging(directory=LOGS, rollover=Rollover.SIZE, rollover_size=size)).value
        assert (info.RolloverType, info.RolloverSize) == (LoggingRolloverType.SIZE, number)

    @pytest.mark.parametrize(
        ("options", "flags"),
        [
            ({"local_time": True}, LoggingFlag.LOCAL_TIME_ROLLOVER),
            ({"utf8": True}, LoggingFlag.USE_UTF8_CONVERSION),
            ({"only": LogOnly.ERRORS}, LoggingFlag.LOG_ERRORS_ONLY),
            (
                {"only": LogOnly.SUCCESSES, "utf8": True},
                LoggingFlag.LOG_SUCCESS_ONLY | LoggingFlag.USE_UTF8_CONVERSION,
            ),
        ],
    )
    def test_flags(self, options, flags):
        assert of_group(logging=Logging(directory=LOGS, **options)).value.LoggingFlags == flags

    def test_software(self):
        info = of_group(logging=Logging(directory=LOGS, software="Höstler 1.0")).value
        assert wide(info.SoftwareName, info.SoftwareNameLength) == "Höstler 1.0"
