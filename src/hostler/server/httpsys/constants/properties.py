"""Properties of server sessions, URL groups, request queues and delegation, and their values (http.h)."""

from __future__ import annotations

import enum
from typing import Final

__all__ = [
    "LIMIT_INFINITE",
    "MAX_SERVER_QUEUE_LENGTH",
    "MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE",
    "MIN_ALLOWED_LOG_FILE_ROLLOVER_SIZE",
    "MIN_SERVER_QUEUE_LENGTH",
    "AuthEnable",
    "AuthExFlag",
    "ChannelBindFlag",
    "CreateRequestQueuePropertyId",
    "DelegateRequestPropertyId",
    "EnabledState",
    "FeatureId",
    "HardeningLevel",
    "LogField",
    "LoggingFlag",
    "LoggingRolloverType",
    "LoggingType",
    "ProtectionLevel",
    "QosSettingType",
    "ServerProperty",
    "ServiceBindingType",
    "Verbosity503",
]

LIMIT_INFINITE: Final = 0xFFFF_FFFF
"""HTTP_LIMIT_INFINITE: no limit to a bandwidth, to connections, or to a log's size."""

MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE: Final = 1024
"""HTTP_MIN_ALLOWED_BANDWIDTH_THROTTLING_RATE, in bytes a second."""

MIN_ALLOWED_LOG_FILE_ROLLOVER_SIZE: Final = 1024 * 1024
"""Bytes; a log that is cut by size is at least that long."""

MIN_SERVER_QUEUE_LENGTH: Final = 1
"""HTTP_MIN_SERVER_QUEUE_LENGTH."""

MAX_SERVER_QUEUE_LENGTH: Final = 0x7FFF_FFFF
"""HTTP_MAX_SERVER_QUEUE_LENGTH."""


class ServerProperty(enum.IntEnum):
    """HTTP_SERVER_PROPERTY (HttpServer...Property): what Http...Property functions set and read."""

    AUTHENTICATION = 0
    LOGGING = 1
    QOS = 2
    TIMEOUTS = 3
    QUEUE_LENGTH = 4
    STATE = 5
    VERBOSITY_503 = 6
    BINDING = 7
    EXTENDED_AUTHENTICATION = 8
    LISTEN_ENDPOINT = 9
    CHANNEL_BIND = 10
    PROTECTION_LEVEL = 11
    DELEGATION = 16
    FAST_FORWARDING = 18
    REQUEST_INFO = 19


class EnabledState(enum.IntEnum):
    """HTTP_ENABLED_STATE (HttpEnabledState...) of STATE."""

    ACTIVE = 0
    INACTIVE = 1


class Verbosity503(enum.IntEnum):
    """HTTP_503_RESPONSE_VERBOSITY (Http503ResponseVerbosity...) of VERBOSITY_503.

    BASIC resets the connection, LIMITED answers 503, FULL says why as well.
    """

    BASIC = 0
    LIMITED = 1
    FULL = 2


class QosSettingType(enum.IntEnum):
    """HTTP_QOS_SETTING_TYPE (HttpQosSettingType...) of QOS."""

    BANDWIDTH = 0
    CONNECTION_LIMIT = 1
    FLOW_RATE = 2


class ProtectionLevel(enum.IntEnum):
    """HTTP_PROTECTION_LEVEL_TYPE (HttpProtectionLevel...) of PROTECTION_LEVEL."""

    UNRESTRICTED = 0
    EDGE_RESTRICTED = 1
    RESTRICTED = 2


class AuthEnable(enum.IntFlag):
    """HTTP_AUTH_ENABLE_... in HTTP_SERVER_AUTHENTICATION_INFO.AuthSchemes; KERBEROS is for EXTENDED_AUTHENTICATION."""

    BASIC = 0x1
    DIGEST = 0x2
    NTLM = 0x4
    NEGOTIATE = 0x8
    KERBEROS = 0x10


class AuthExFlag(enum.IntFlag):
    """HTTP_AUTH_EX_FLAG_... in HTTP_SERVER_AUTHENTICATION_INFO.ExFlags."""

    ENABLE_KERBEROS_CREDENTIAL_CACHING = 1
    CAPTURE_CREDENTIAL = 2


class HardeningLevel(enum.IntEnum):
    """HTTP_AUTHENTICATION_HARDENING_LEVELS (HttpAuthenticationHardening...) of CHANNEL_BIND."""

    LEGACY = 0
    MEDIUM = 1
    STRICT = 2


class ChannelBindFlag(enum.IntFlag):
    """HTTP_CHANNEL_BIND_... in HTTP_CHANNEL_BIND_INFO.Flags."""

    PROXY = 0x1
    NO_SERVICE_NAME_CHECK = 0x2
    DOTLESS_SERVICE = 0x4
    SECURE_CHANNEL_TOKEN = 0x8
    CLIENT_SERVICE = 0x10
    PROXY_COHOSTING = 0x20


class ServiceBindingType(enum.IntEnum):
    """HTTP_SERVICE_BINDING_TYPE (HttpServiceBindingType...): whether a service name is UTF-16 or ANSI text."""

    NONE = 0
    W = 1
    A = 2


class LoggingType(enum.IntEnum):
    """HTTP_LOGGING_TYPE (HttpLoggingType...): the format of a log."""

    W3C = 0
    IIS = 1
    NCSA = 2
    RAW = 3


class LoggingRolloverType(enum.IntEnum):
    """HTTP_LOGGING_ROLLOVER_TYPE (HttpLoggingRollover...): when a new log is begun."""

    SIZE = 0
    DAILY = 1
    WEEKLY = 2
    MONTHLY = 3
    HOURLY = 4


class LoggingFlag(enum.IntFlag):
    """HTTP_LOGGING_FLAG_... in HTTP_LOGGING_INFO.LoggingFlags; one of the last two at most."""

    LOCAL_TIME_ROLLOVER = 1
    USE_UTF8_CONVERSION = 2
    LOG_ERRORS_ONLY = 4
    LOG_SUCCESS_ONLY = 8


class LogField(enum.IntFlag):
    """HTTP_LOG_FIELD_... in HTTP_LOGGING_INFO.Fields: the columns of a W3C log."""

    DATE = 0x1
    TIME = 0x2
    CLIENT_IP = 0x4
    USER_NAME = 0x8
    SITE_NAME = 0x10
    COMPUTER_NAME = 0x20
    SERVER_IP = 0x40
    METHOD = 0x80
    URI_STEM = 0x100
    URI_QUERY = 0x200
    STATUS = 0x400
    WIN32_STATUS = 0x800
    BYTES_SENT = 0x1000
    BYTES_RECV = 0x2000
    TIME_TAKEN = 0x4000
    SERVER_PORT = 0x8000
    USER_AGENT = 0x1_0000
    COOKIE = 0x2_0000
    REFERER = 0x4_0000
    VERSION = 0x8_0000
    HOST = 0x10_0000
    SUB_STATUS = 0x20_0000
    CLIENT_PORT = 0x40_0000
    URI = 0x80_0000
    SITE_ID = 0x100_0000
    REASON = 0x200_0000
    QUEUE_NAME = 0x400_0000
    STREAM_ID = 0x800_0000
    STREAM_ID_EX = 0x1000_0000
    TRANSPORT_TYPE = 0x2000_0000
    CORRELATION_ID = 0x4000_0000
    FAULT_CODE = 0x8000_0000


class DelegateRequestPropertyId(enum.IntEnum):
    """HTTP_DELEGATE_REQUEST_PROPERTY_ID (DelegateRequest...Property) of HttpDelegateRequestEx."""

    RESERVED = 0
    DELEGATE_URL = 1


class CreateRequestQueuePropertyId(enum.IntEnum):
    """HTTP_CREATE_REQUEST_QUEUE_PROPERTY_ID (CreateRequestQueue...Property)."""

    EXTERNAL_ID = 1


class FeatureId(enum.IntEnum):
    """HTTP_FEATURE_ID (HttpFeature...) of HttpIsFeatureSupported."""

    UNKNOWN = 0
    RESPONSE_TRAILERS = 1
    API_TIMINGS = 2
    DELEGATE_EX = 3
    HTTP3 = 4
