"""Requests (http.h): what HttpReceiveHttpRequest fills a buffer with, and what hangs on it."""

from __future__ import annotations

from typing import Final

__all__ = ["TYPES"]

_REQUEST_V1: Final = """
    uint32_t Flags;
    HTTP_CONNECTION_ID ConnectionId;
    HTTP_REQUEST_ID RequestId;
    HTTP_URL_CONTEXT UrlContext;
    HTTP_VERSION Version;
    HTTP_VERB Verb;
    uint16_t UnknownVerbLength;
    uint16_t RawUrlLength;
    const char *pUnknownVerb;
    const char *pRawUrl;
    HTTP_COOKED_URL CookedUrl;
    HTTP_TRANSPORT_ADDRESS Address;
    HTTP_REQUEST_HEADERS Headers;
    uint64_t BytesReceived;
    uint16_t EntityChunkCount;
    HTTP_DATA_CHUNK *pEntityChunks;
    HTTP_RAW_CONNECTION_ID RawConnectionId;
    HTTP_SSL_INFO *pSslInfo;
"""

TYPES: Final = f"""
// ---- Identifiers; 0 is HTTP_NULL_ID

typedef uint64_t HTTP_OPAQUE_ID;
typedef HTTP_OPAQUE_ID HTTP_REQUEST_ID;
typedef HTTP_OPAQUE_ID HTTP_CONNECTION_ID;
typedef HTTP_OPAQUE_ID HTTP_RAW_CONNECTION_ID;
typedef HTTP_OPAQUE_ID HTTP_URL_GROUP_ID;
typedef HTTP_OPAQUE_ID HTTP_SERVER_SESSION_ID;
typedef uint64_t HTTP_URL_CONTEXT;

// ---- Enumerations that requests use (see constants)

typedef int32_t HTTP_VERB;
typedef int32_t HTTP_HEADER_ID;
typedef int32_t HTTP_DATA_CHUNK_TYPE;
typedef int32_t HTTP_REQUEST_INFO_TYPE;
typedef int32_t HTTP_REQUEST_PROPERTY;
typedef int32_t HTTP_AUTH_STATUS;
typedef int32_t HTTP_REQUEST_AUTH_TYPE;
typedef int32_t HTTP_SERVICE_BINDING_TYPE;

// ---- HTTPAPI_VERSION, HTTP_VERSION, HTTP_BYTE_RANGE

typedef struct _HTTPAPI_VERSION {{
    uint16_t HttpApiMajorVersion;
    uint16_t HttpApiMinorVersion;
}} HTTPAPI_VERSION;

typedef struct _HTTP_VERSION {{
    uint16_t MajorVersion;
    uint16_t MinorVersion;
}} HTTP_VERSION;

typedef struct _HTTP_BYTE_RANGE {{
    uint64_t StartingOffset;
    uint64_t Length;
}} HTTP_BYTE_RANGE;

// ---- Headers; lengths are in bytes, and a known header that is absent has a NULL value

typedef struct _HTTP_KNOWN_HEADER {{
    uint16_t RawValueLength;
    const char *pRawValue;
}} HTTP_KNOWN_HEADER;

typedef struct _HTTP_UNKNOWN_HEADER {{
    uint16_t NameLength;
    uint16_t RawValueLength;
    const char *pName;
    const char *pRawValue;
}} HTTP_UNKNOWN_HEADER;

typedef struct _HTTP_REQUEST_HEADERS {{
    uint16_t UnknownHeaderCount;
    HTTP_UNKNOWN_HEADER *pUnknownHeaders;
    uint16_t TrailerCount;
    HTTP_UNKNOWN_HEADER *pTrailers;
    HTTP_KNOWN_HEADER KnownHeaders[41];
}} HTTP_REQUEST_HEADERS;

// ---- HTTP_DATA_CHUNK: a piece of a body, or the trailers

typedef struct _HTTP_DATA_CHUNK {{
    HTTP_DATA_CHUNK_TYPE DataChunkType;
    union {{
        struct {{
            void *pBuffer;
            uint32_t BufferLength;
        }} FromMemory;
        struct {{
            HTTP_BYTE_RANGE ByteRange;
            HANDLE FileHandle;
        }} FromFileHandle;
        struct {{
            uint16_t FragmentNameLength;
            const char16_t *pFragmentName;
        }} FromFragmentCache;
        struct {{
            HTTP_BYTE_RANGE ByteRange;
            const char16_t *pFragmentName;
        }} FromFragmentCacheEx;
        struct {{
            uint16_t TrailerCount;
            HTTP_UNKNOWN_HEADER *pTrailers;
        }} Trailers;
    }};
}} HTTP_DATA_CHUNK;

// ---- URL, addresses, TLS; lengths of UTF-16 text are in bytes, without a NUL

typedef struct _HTTP_COOKED_URL {{
    uint16_t FullUrlLength;
    uint16_t HostLength;
    uint16_t AbsPathLength;
    uint16_t QueryStringLength;
    const char16_t *pFullUrl;
    const char16_t *pHost;
    const char16_t *pAbsPath;
    const char16_t *pQueryString;
}} HTTP_COOKED_URL;

typedef struct _HTTP_TRANSPORT_ADDRESS {{
    SOCKADDR *pRemoteAddress;
    SOCKADDR *pLocalAddress;
}} HTTP_TRANSPORT_ADDRESS;

typedef struct _HTTP_SSL_CLIENT_CERT_INFO {{
    uint32_t CertFlags;
    uint32_t CertEncodedSize;
    uint8_t *pCertEncoded;
    HANDLE Token;
    BOOLEAN CertDeniedByMapper;
}} HTTP_SSL_CLIENT_CERT_INFO;

typedef struct _HTTP_SSL_INFO {{
    uint16_t ServerCertKeySize;
    uint16_t ConnectionKeySize;
    uint32_t ServerCertIssuerSize;
    uint32_t ServerCertSubjectSize;
    const char *pServerCertIssuer;
    const char *pServerCertSubject;
    HTTP_SSL_CLIENT_CERT_INFO *pClientCertInfo;
    uint32_t SslClientCertNegotiated;
}} HTTP_SSL_INFO;

// ---- HTTP_REQUEST_INFO: pInfo points to what InfoType says

typedef struct _HTTP_REQUEST_INFO {{
    HTTP_REQUEST_INFO_TYPE InfoType;
    uint32_t InfoLength;
    void *pInfo;
}} HTTP_REQUEST_INFO;

// HttpRequestInfoTypeAuth
typedef struct _HTTP_REQUEST_AUTH_INFO {{
    HTTP_AUTH_STATUS AuthStatus;
    int32_t SecStatus;
    uint32_t Flags;
    HTTP_REQUEST_AUTH_TYPE AuthType;
    HANDLE AccessToken;
    uint32_t ContextAttributes;
    uint32_t PackedContextLength;
    uint32_t PackedContextType;
    void *PackedContext;
    uint32_t MutualAuthDataLength;
    char *pMutualAuthData;
    uint16_t PackageNameLength;
    char16_t *pPackageName;
}} HTTP_REQUEST_AUTH_INFO;

// HttpRequestInfoTypeChannelBind; a service name is an HTTP_SERVICE_BINDING_A or _W, as its Type says
typedef struct _HTTP_SERVICE_BINDING_BASE {{
    HTTP_SERVICE_BINDING_TYPE Type;
}} HTTP_SERVICE_BINDING_BASE;

typedef struct _HTTP_SERVICE_BINDING_A {{
    HTTP_SERVICE_BINDING_BASE Base;
    char *Buffer;
    uint32_t BufferSize;
}} HTTP_SERVICE_BINDING_A;

typedef struct _HTTP_SERVICE_BINDING_W {{
    HTTP_SERVICE_BINDING_BASE Base;
    char16_t *Buffer;
    uint32_t BufferSize;
}} HTTP_SERVICE_BINDING_W;

typedef struct _HTTP_REQUEST_CHANNEL_BIND_STATUS {{
    HTTP_SERVICE_BINDING_BASE *ServiceName;
    uint8_t *ChannelToken;
    uint32_t ChannelTokenSize;
    uint32_t Flags;
}} HTTP_REQUEST_CHANNEL_BIND_STATUS;

// HttpRequestInfoTypeSslProtocol; the numbers are those of SecPkgContext_ConnectionInfo (schannel.h)
typedef struct _HTTP_SSL_PROTOCOL_INFO {{
    uint32_t Protocol;
    uint32_t CipherType;
    uint32_t CipherStrength;
    uint32_t HashType;
    uint32_t HashStrength;
    uint32_t KeyExchangeType;
    uint32_t KeyExchangeStrength;
}} HTTP_SSL_PROTOCOL_INFO;

// HttpRequestInfoTypeSslTokenBinding
typedef struct _HTTP_REQUEST_TOKEN_BINDING_INFO {{
    uint8_t *TokenBinding;
    uint32_t TokenBindingSize;
    uint8_t *EKM;
    uint32_t EKMSize;
    uint8_t KeyType;
}} HTTP_REQUEST_TOKEN_BINDING_INFO;

// HttpRequestInfoTypeRequestTiming: no more than RequestTimingCount are there; performance counter values
typedef struct _HTTP_REQUEST_TIMING_INFO {{
    uint32_t RequestTimingCount;
    uint64_t RequestTiming[30];
}} HTTP_REQUEST_TIMING_INFO;

// HttpRequestInfoTypeRequestSizing
typedef struct _HTTP_REQUEST_SIZING_INFO {{
    uint64_t Flags;
    uint32_t RequestIndex;
    uint32_t RequestSizingCount;
    uint64_t RequestSizing[5];
}} HTTP_REQUEST_SIZING_INFO;

// HttpRequestInfoTypeTransportIdleConnectionTimeout, DscpTag, InitialPacketTtl
typedef struct _HTTP_REQUEST_TRANSPORT_IDLE_CONNECTION_TIMEOUT_INFO {{
    uint16_t TransportIdleConnectionTimeout;
}} HTTP_REQUEST_TRANSPORT_IDLE_CONNECTION_TIMEOUT_INFO;

typedef struct _HTTP_REQUEST_DSCP_INFO {{
    uint8_t DscpTag;
}} HTTP_REQUEST_DSCP_INFO;

typedef struct _HTTP_REQUEST_INITIAL_PACKET_TTL_INFO {{
    uint8_t InitialPacketTtl;
}} HTTP_REQUEST_INITIAL_PACKET_TTL_INFO;

// ---- HTTP_REQUEST: version 2 is version 1 with infos

typedef struct _HTTP_REQUEST_V1 {{{_REQUEST_V1}}} HTTP_REQUEST_V1;

typedef struct _HTTP_REQUEST_V2 {{
    struct {{{_REQUEST_V1}}};
    uint16_t RequestInfoCount;
    HTTP_REQUEST_INFO *pRequestInfo;
}} HTTP_REQUEST_V2;

typedef HTTP_REQUEST_V2 HTTP_REQUEST;
"""
