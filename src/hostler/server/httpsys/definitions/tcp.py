"""What HttpQueryRequestProperty and HTTP_REQUEST_INFO tell of a connection (http.h, mstcpip.h)."""

from __future__ import annotations

from typing import Final

__all__ = ["TYPES"]

_TCP_INFO_V0: Final = """
    int32_t State;
    uint32_t Mss;
    uint64_t ConnectionTimeMs;
    BOOLEAN TimestampsEnabled;
    uint32_t RttUs;
    uint32_t MinRttUs;
    uint32_t BytesInFlight;
    uint32_t Cwnd;
    uint32_t SndWnd;
    uint32_t RcvWnd;
    uint32_t RcvBuf;
    uint64_t BytesOut;
    uint64_t BytesIn;
    uint32_t BytesReordered;
    uint32_t BytesRetrans;
    uint32_t FastRetrans;
    uint32_t DupAcksIn;
    uint32_t TimeoutEpisodes;
    uint8_t SynRetrans;
"""

_TCP_INFO_V1: Final = (
    _TCP_INFO_V0
    + """
    uint32_t SndLimTransRwin;
    uint32_t SndLimTimeRwin;
    uint64_t SndLimBytesRwin;
    uint32_t SndLimTransCwnd;
    uint32_t SndLimTimeCwnd;
    uint64_t SndLimBytesCwnd;
    uint32_t SndLimTransSnd;
    uint32_t SndLimTimeSnd;
    uint64_t SndLimBytesSnd;
"""
)

_TCP_INFO_V2: Final = (
    _TCP_INFO_V1
    + """
    uint32_t OutOfOrderPktsIn;
    BOOLEAN EcnNegotiated;
    uint32_t EceAcksIn;
    uint32_t PtoEpisodes;
"""
)

TYPES: Final = f"""
// ---- HttpRequestInfoTypeTcpInfoV0 to V2, HttpRequestPropertyTcpInfoV0 to V2

typedef struct _TCP_INFO_v0 {{{_TCP_INFO_V0}}} TCP_INFO_v0;
typedef struct _TCP_INFO_v1 {{{_TCP_INFO_V1}}} TCP_INFO_v1;
typedef struct _TCP_INFO_v2 {{{_TCP_INFO_V2}}} TCP_INFO_v2;

// The qualifiers of those properties, and of QUIC's: how old an answer may be, in milliseconds
typedef struct _HTTP_QUERY_REQUEST_QUALIFIER_TCP {{
    uint64_t Freshness;
}} HTTP_QUERY_REQUEST_QUALIFIER_TCP;

typedef struct _HTTP_QUERY_REQUEST_QUALIFIER_QUIC {{
    uint64_t Freshness;
}} HTTP_QUERY_REQUEST_QUALIFIER_QUIC;

// ---- HttpRequestPropertySni

typedef struct _HTTP_REQUEST_PROPERTY_SNI {{
    char16_t Hostname[256];
    uint32_t Flags;
}} HTTP_REQUEST_PROPERTY_SNI;

// ---- HttpRequestPropertyStreamError: the code to reset an HTTP/2 or HTTP/3 stream with

typedef struct _HTTP_REQUEST_PROPERTY_STREAM_ERROR {{
    uint32_t ErrorCode;
}} HTTP_REQUEST_PROPERTY_STREAM_ERROR;

// ---- HttpRequestPropertyWskApiTimings, HttpRequestPropertyQuicApiTimings, HttpRequestPropertyQuicStreamStats

typedef struct _HTTP_WSK_API_TIMINGS {{
    uint64_t ConnectCount, ConnectSum;
    uint64_t DisconnectCount, DisconnectSum;
    uint64_t SendCount, SendSum;
    uint64_t ReceiveCount, ReceiveSum;
    uint64_t ReleaseCount, ReleaseSum;
    uint64_t ControlSocketCount, ControlSocketSum;
}} HTTP_WSK_API_TIMINGS;

typedef struct _HTTP_QUIC_STREAM_API_TIMINGS {{
    uint64_t OpenCount, OpenSum;
    uint64_t CloseCount, CloseSum;
    uint64_t StartCount, StartSum;
    uint64_t ShutdownCount, ShutdownSum;
    uint64_t SendCount, SendSum;
    uint64_t ReceiveSetEnabledCount, ReceiveSetEnabledSum;
    uint64_t GetParamCount, GetParamSum;
    uint64_t SetParamCount, SetParamSum;
    uint64_t SetCallbackHandlerCount, SetCallbackHandlerSum;
}} HTTP_QUIC_STREAM_API_TIMINGS;

typedef struct _HTTP_QUIC_CONNECTION_API_TIMINGS {{
    uint64_t OpenTime;
    uint64_t CloseTime;
    uint64_t StartTime;
    uint64_t ShutdownTime;
    uint64_t SecConfigCreateTime;
    uint64_t SecConfigDeleteTime;
    uint64_t GetParamCount, GetParamSum;
    uint64_t SetParamCount, SetParamSum;
    uint64_t SetCallbackHandlerCount, SetCallbackHandlerSum;
    HTTP_QUIC_STREAM_API_TIMINGS ControlStreamTimings;
}} HTTP_QUIC_CONNECTION_API_TIMINGS;

typedef struct _HTTP_QUIC_API_TIMINGS {{
    HTTP_QUIC_CONNECTION_API_TIMINGS ConnectionTimings;
    HTTP_QUIC_STREAM_API_TIMINGS StreamTimings;
}} HTTP_QUIC_API_TIMINGS;

typedef struct _HTTP_QUIC_STREAM_REQUEST_STATS {{
    uint64_t StreamWaitStart;
    uint64_t StreamWaitEnd;
    uint64_t RequestHeadersCompressionStart;
    uint64_t RequestHeadersCompressionEnd;
    uint64_t ResponseHeadersDecompressionStart;
    uint64_t ResponseHeadersDecompressionEnd;
    uint64_t RequestHeadersCompressedSize;
    uint64_t ResponseHeadersCompressedSize;
}} HTTP_QUIC_STREAM_REQUEST_STATS;
"""
