"""Responses (http.h): what HttpSendHttpResponse takes, with its cache policy and log fields."""

from __future__ import annotations

from typing import Final

__all__ = ["TYPES"]

_RESPONSE_V1: Final = """
    uint32_t Flags;
    HTTP_VERSION Version;
    uint16_t StatusCode;
    uint16_t ReasonLength;
    const char *pReason;
    HTTP_RESPONSE_HEADERS Headers;
    uint16_t EntityChunkCount;
    HTTP_DATA_CHUNK *pEntityChunks;
"""

TYPES: Final = f"""
// ---- Enumerations that responses use (see constants)

typedef int32_t HTTP_RESPONSE_INFO_TYPE;
typedef int32_t HTTP_CACHE_POLICY_TYPE;
typedef int32_t HTTP_LOG_DATA_TYPE;

// ---- HTTP_RESPONSE_HEADERS

typedef struct _HTTP_RESPONSE_HEADERS {{
    uint16_t UnknownHeaderCount;
    HTTP_UNKNOWN_HEADER *pUnknownHeaders;
    uint16_t TrailerCount;
    HTTP_UNKNOWN_HEADER *pTrailers;
    HTTP_KNOWN_HEADER KnownHeaders[30];
}} HTTP_RESPONSE_HEADERS;

// ---- HTTP_RESPONSE_INFO: pInfo points to what Type says

typedef struct _HTTP_RESPONSE_INFO {{
    HTTP_RESPONSE_INFO_TYPE Type;
    uint32_t Length;
    void *pInfo;
}} HTTP_RESPONSE_INFO;

// HttpResponseInfoTypeMultipleKnownHeaders
typedef struct _HTTP_MULTIPLE_KNOWN_HEADERS {{
    HTTP_HEADER_ID HeaderId;
    uint32_t Flags;
    uint16_t KnownHeaderCount;
    HTTP_KNOWN_HEADER *KnownHeaders;
}} HTTP_MULTIPLE_KNOWN_HEADERS;

// ---- HTTP_RESPONSE: version 2 is version 1 with infos

typedef struct _HTTP_RESPONSE_V1 {{{_RESPONSE_V1}}} HTTP_RESPONSE_V1;

typedef struct _HTTP_RESPONSE_V2 {{
    struct {{{_RESPONSE_V1}}};
    uint16_t ResponseInfoCount;
    HTTP_RESPONSE_INFO *pResponseInfo;
}} HTTP_RESPONSE_V2;

typedef HTTP_RESPONSE_V2 HTTP_RESPONSE;

// ---- HTTP_CACHE_POLICY: whether HTTP.sys may answer the next such request itself

typedef struct _HTTP_CACHE_POLICY {{
    HTTP_CACHE_POLICY_TYPE Policy;
    uint32_t SecondsToLive;
}} HTTP_CACHE_POLICY;

// ---- HTTP_LOG_FIELDS_DATA: what HTTP.sys' log says of the response; lengths are in bytes

typedef struct _HTTP_LOG_DATA {{
    HTTP_LOG_DATA_TYPE Type;
}} HTTP_LOG_DATA;

typedef struct _HTTP_LOG_FIELDS_DATA {{
    HTTP_LOG_DATA Base;
    uint16_t UserNameLength;
    uint16_t UriStemLength;
    uint16_t ClientIpLength;
    uint16_t ServerNameLength;
    uint16_t ServiceNameLength;
    uint16_t ServerIpLength;
    uint16_t MethodLength;
    uint16_t UriQueryLength;
    uint16_t HostLength;
    uint16_t UserAgentLength;
    uint16_t CookieLength;
    uint16_t ReferrerLength;
    char16_t *UserName;
    char16_t *UriStem;
    char *ClientIp;
    char *ServerName;
    char *ServiceName;
    char *ServerIp;
    char *Method;
    char *UriQuery;
    char *Host;
    char *UserAgent;
    char *Cookie;
    char *Referrer;
    uint16_t ServerPort;
    uint16_t ProtocolStatus;
    uint32_t Win32Status;
    HTTP_VERB MethodNum;
    uint16_t SubStatus;
}} HTTP_LOG_FIELDS_DATA;
"""
