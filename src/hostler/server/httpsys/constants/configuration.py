"""Keys and flags of the machine's configuration (http.h, HttpSetServiceConfiguration)."""

from __future__ import annotations

import enum

__all__ = [
    "CertificateCheckMode",
    "ServiceConfigCacheKey",
    "ServiceConfigId",
    "ServiceConfigQueryType",
    "ServiceConfigTimeoutKey",
    "SslFlag",
]


class ServiceConfigId(enum.IntEnum):
    """HTTP_SERVICE_CONFIG_ID (HttpServiceConfig...): which part of the configuration a record belongs to."""

    IP_LISTEN_LIST = 0
    SSL_CERT_INFO = 1
    URL_ACL_INFO = 2
    TIMEOUT = 3
    CACHE = 4
    SSL_SNI_CERT_INFO = 5
    SSL_CCS_CERT_INFO = 6
    SETTING = 7


class ServiceConfigQueryType(enum.IntEnum):
    """HTTP_SERVICE_CONFIG_QUERY_TYPE (HttpServiceConfigQuery...): the record of a key, or the one of a number."""

    EXACT = 0
    NEXT = 1


class ServiceConfigTimeoutKey(enum.IntEnum):
    """HTTP_SERVICE_CONFIG_TIMEOUT_KEY (...Timeout)."""

    IDLE_CONNECTION = 0
    HEADER_WAIT = 1


class ServiceConfigCacheKey(enum.IntEnum):
    """HTTP_SERVICE_CONFIG_CACHE_KEY."""

    MAX_CACHE_RESPONSE_SIZE = 0
    CACHE_RANGE_CHUNK_SIZE = 1


class SslFlag(enum.IntFlag):
    """HTTP_SERVICE_CONFIG_SSL_FLAG_... in HTTP_SERVICE_CONFIG_SSL_PARAM.DefaultFlags."""

    USE_DS_MAPPER = 0x1
    NEGOTIATE_CLIENT_CERT = 0x2
    NO_RAW_FILTER = 0x4
    REJECT = 0x8
    DISABLE_HTTP2 = 0x10
    DISABLE_QUIC = 0x20
    DISABLE_TLS13 = 0x40
    DISABLE_OCSP_STAPLING = 0x80
    ENABLE_TOKEN_BINDING = 0x100
    LOG_EXTENDED_EVENTS = 0x200
    DISABLE_LEGACY_TLS = 0x400
    ENABLE_SESSION_TICKET = 0x800
    DISABLE_TLS12 = 0x1000
    ENABLE_CLIENT_CORRELATION = 0x2000
    DISABLE_SESSION_ID = 0x4000
    ENABLE_CACHE_CLIENT_HELLO = 0x8000


class CertificateCheckMode(enum.IntFlag):
    """HTTP_CERT_CHECK_MODE_... in HTTP_SERVICE_CONFIG_SSL_PARAM.DefaultCertCheckMode."""

    NO_REVOCATION = 0x1
    CACHED_REVOCATION = 0x2
    USE_REVOCATION_FRESHNESS = 0x4
    CACHED_URLS = 0x8
    NO_AIA = 0x10
    NO_USAGE_CHECK = 0x1_0000
