"""Flags of the calls, and what stands in requests and responses (http.h)."""

from __future__ import annotations

import enum
from typing import Final

__all__ = [
    "BYTE_RANGE_TO_EOF",
    "H3_INTERNAL_ERROR",
    "INTERNAL_ERROR",
    "MAX_CHUNKS",
    "NULL_ID",
    "AuthStatus",
    "AuthType",
    "CachePolicy",
    "CreateRequestQueueFlag",
    "DataChunkType",
    "EntityBodyFlag",
    "FlushFlag",
    "Initialize",
    "ReceiveCertificateFlag",
    "ReceiveFlag",
    "RequestFlag",
    "RequestInfoType",
    "RequestProperty",
    "ResponseFlag",
    "ResponseInfoFlag",
    "ResponseInfoType",
    "SendFlag",
    "SniFlag",
    "UrlFlag",
]

NULL_ID: Final = 0
"""HTTP_NULL_ID: no request, no URL group in particular."""

BYTE_RANGE_TO_EOF: Final = 0xFFFF_FFFF_FFFF_FFFF
"""HTTP_BYTE_RANGE_TO_EOF: the Length of a byte range that ends with its file."""

MAX_CHUNKS: Final = 9999
"""Chunks that one HttpSendResponseEntityBody takes."""


class Initialize(enum.IntFlag):
    """HTTP_INITIALIZE_... (and HTTP_DEMAND_CBT): what HttpInitialize is called for."""

    SERVER = 1
    CONFIG = 2
    DEMAND_CBT = 4


class CreateRequestQueueFlag(enum.IntFlag):
    """HTTP_CREATE_REQUEST_QUEUE_FLAG_...: how HttpCreateRequestQueue makes or opens a queue."""

    OPEN_EXISTING = 1
    CONTROLLER = 2
    DELEGATION = 8


class UrlFlag(enum.IntFlag):
    """HTTP_URL_FLAG_... of HttpRemoveUrlFromUrlGroup."""

    REMOVE_ALL = 1


class FlushFlag(enum.IntFlag):
    """HTTP_FLUSH_RESPONSE_FLAG_... of HttpFlushResponseCache."""

    RECURSIVE = 1


class ReceiveFlag(enum.IntFlag):
    """HTTP_RECEIVE_REQUEST_FLAG_... of HttpReceiveHttpRequest: the body comes with the head, in part or as a whole."""

    COPY_BODY = 1
    FLUSH_BODY = 2


class EntityBodyFlag(enum.IntFlag):
    """HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_... of HttpReceiveRequestEntityBody."""

    FILL_BUFFER = 1


class ReceiveCertificateFlag(enum.IntFlag):
    """HTTP_RECEIVE_... of HttpReceiveClientCertificate."""

    SECURE_CHANNEL_TOKEN = 1
    FULL_CHAIN = 2


class SendFlag(enum.IntFlag):
    """HTTP_SEND_RESPONSE_FLAG_... of HttpSendHttpResponse and HttpSendResponseEntityBody."""

    DISCONNECT = 0x1
    MORE_DATA = 0x2
    BUFFER_DATA = 0x4
    ENABLE_NAGLING = 0x8
    PROCESS_RANGES = 0x20
    OPAQUE = 0x40
    GOAWAY = 0x100
    AUTOMATIC_CHUNKING = 0x200


class RequestFlag(enum.IntFlag):
    """HTTP_REQUEST_FLAG_... in HTTP_REQUEST.Flags."""

    MORE_ENTITY_BODY_EXISTS = 1
    IP_ROUTED = 2
    HTTP2 = 4
    HTTP3 = 8


class ResponseFlag(enum.IntFlag):
    """HTTP_RESPONSE_FLAG_... in HTTP_RESPONSE.Flags."""

    MULTIPLE_ENCODINGS_AVAILABLE = 1


class DataChunkType(enum.IntEnum):
    """HTTP_DATA_CHUNK_TYPE (HttpDataChunk...): which part of an HTTP_DATA_CHUNK's union counts."""

    FROM_MEMORY = 0
    FROM_FILE_HANDLE = 1
    FROM_FRAGMENT_CACHE = 2
    FROM_FRAGMENT_CACHE_EX = 3
    TRAILERS = 4


class RequestInfoType(enum.IntEnum):
    """HTTP_REQUEST_INFO_TYPE (HttpRequestInfoType...): what HTTP_REQUEST_INFO.pInfo points to."""

    AUTH = 0
    CHANNEL_BIND = 1
    SSL_PROTOCOL = 2
    SSL_TOKEN_BINDING_DRAFT = 3
    SSL_TOKEN_BINDING = 4
    REQUEST_TIMING = 5
    TCP_INFO_V0 = 6
    REQUEST_SIZING = 7
    QUIC_STATS = 8
    TCP_INFO_V1 = 9
    QUIC_STATS_V2 = 10
    TCP_INFO_V2 = 11
    TRANSPORT_IDLE_CONNECTION_TIMEOUT = 12
    DSCP_TAG = 13
    INITIAL_PACKET_TTL = 14


class ResponseInfoType(enum.IntEnum):
    """HTTP_RESPONSE_INFO_TYPE (HttpResponseInfoType...): what HTTP_RESPONSE_INFO.pInfo points to."""

    MULTIPLE_KNOWN_HEADERS = 0
    AUTHENTICATION_PROPERTY = 1
    QOS_PROPERTY = 2
    CHANNEL_BIND = 3


class ResponseInfoFlag(enum.IntFlag):
    """HTTP_RESPONSE_INFO_FLAGS_... in HTTP_MULTIPLE_KNOWN_HEADERS.Flags."""

    PRESERVE_ORDER = 1


class RequestProperty(enum.IntEnum):
    """HTTP_REQUEST_PROPERTY (HttpRequestProperty...) of HttpQueryRequestProperty and HttpSetRequestProperty."""

    ISB = 0
    TCP_INFO_V0 = 1
    QUIC_STATS = 2
    TCP_INFO_V1 = 3
    SNI = 4
    STREAM_ERROR = 5
    WSK_API_TIMINGS = 6
    QUIC_API_TIMINGS = 7
    QUIC_STATS_V2 = 8
    QUIC_STREAM_STATS = 9
    TCP_INFO_V2 = 10
    TLS_CLIENT_HELLO = 11
    TRANSPORT_IDLE_CONNECTION_TIMEOUT = 12
    DSCP_TAG = 13
    TLS_CIPHER_INFO = 14


INTERNAL_ERROR: Final = 2
"""The error code of HTTP/2 for a stream that cannot be gone on with (RFC 9113 7)."""

H3_INTERNAL_ERROR: Final = 0x102
"""The same of HTTP/3 (RFC 9114 8.1)."""


class SniFlag(enum.IntFlag):
    """HTTP_REQUEST_PROPERTY_SNI_FLAG_... in HTTP_REQUEST_PROPERTY_SNI.Flags."""

    SNI_USED = 1
    NO_SNI = 2


class AuthStatus(enum.IntEnum):
    """HTTP_AUTH_STATUS (HttpAuthStatus...) in HTTP_REQUEST_AUTH_INFO."""

    SUCCESS = 0
    NOT_AUTHENTICATED = 1
    FAILURE = 2


class AuthType(enum.IntEnum):
    """HTTP_REQUEST_AUTH_TYPE (HttpRequestAuthType...) in HTTP_REQUEST_AUTH_INFO."""

    NONE = 0
    BASIC = 1
    DIGEST = 2
    NTLM = 3
    NEGOTIATE = 4
    KERBEROS = 5


class CachePolicy(enum.IntEnum):
    """HTTP_CACHE_POLICY_TYPE (HttpCachePolicy...): how long HTTP.sys may answer from its cache."""

    NOCACHE = 0
    USER_INVALIDATES = 1
    TIME_TO_LIVE = 2
