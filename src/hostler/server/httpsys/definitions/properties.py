"""Properties of server sessions, URL groups, request queues and delegation (http.h)."""

from __future__ import annotations

from typing import Final

__all__ = ["TYPES"]

TYPES: Final = """
// ---- Enumerations that properties use (see constants)

typedef int32_t HTTP_SERVER_PROPERTY;
typedef int32_t HTTP_ENABLED_STATE;
typedef int32_t HTTP_503_RESPONSE_VERBOSITY;
typedef int32_t HTTP_QOS_SETTING_TYPE;
typedef int32_t HTTP_LOGGING_TYPE;
typedef int32_t HTTP_LOGGING_ROLLOVER_TYPE;
typedef int32_t HTTP_AUTHENTICATION_HARDENING_LEVELS;
typedef int32_t HTTP_PROTECTION_LEVEL_TYPE;
typedef int32_t HTTP_FEATURE_ID;
typedef int32_t HTTP_DELEGATE_REQUEST_PROPERTY_ID;
typedef int32_t HTTP_CREATE_REQUEST_QUEUE_PROPERTY_ID;

// HTTP_PROPERTY_FLAGS is a structure of one bit, Present, in a ULONG: 1 says that the property has a value
typedef uint32_t HTTP_PROPERTY_FLAGS;

// ---- HttpServerStateProperty

typedef struct _HTTP_STATE_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HTTP_ENABLED_STATE State;
} HTTP_STATE_INFO;

// ---- HttpServerBindingProperty, HttpServerDelegationProperty

typedef struct _HTTP_BINDING_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HANDLE RequestQueueHandle;
} HTTP_BINDING_INFO;

// ---- HttpServerTimeoutsProperty: seconds, and bytes a second; 0 means the default

typedef struct _HTTP_TIMEOUT_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint16_t EntityBody;
    uint16_t DrainEntityBody;
    uint16_t RequestQueue;
    uint16_t IdleConnection;
    uint16_t HeaderWait;
    uint32_t MinSendRate;
} HTTP_TIMEOUT_LIMIT_INFO;

// ---- HttpServerQosProperty: QosSetting points to one of the three, as QosType says

typedef struct _HTTP_QOS_SETTING_INFO {
    HTTP_QOS_SETTING_TYPE QosType;
    void *QosSetting;
} HTTP_QOS_SETTING_INFO;

typedef struct _HTTP_BANDWIDTH_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint32_t MaxBandwidth;
} HTTP_BANDWIDTH_LIMIT_INFO;

typedef struct _HTTP_CONNECTION_LIMIT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint32_t MaxConnections;
} HTTP_CONNECTION_LIMIT_INFO;

typedef struct _HTTP_FLOWRATE_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint32_t MaxBandwidth;
    uint32_t MaxPeakBandwidth;
    uint32_t BurstSize;
} HTTP_FLOWRATE_INFO;

// ---- HttpServerLoggingProperty; lengths are in bytes, without a NUL

typedef struct _HTTP_LOGGING_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint32_t LoggingFlags;
    const char16_t *SoftwareName;
    uint16_t SoftwareNameLength;
    uint16_t DirectoryNameLength;
    const char16_t *DirectoryName;
    HTTP_LOGGING_TYPE Format;
    uint32_t Fields;
    void *pExtFields;
    uint16_t NumOfExtFields;
    uint16_t MaxRecordSize;
    HTTP_LOGGING_ROLLOVER_TYPE RolloverType;
    uint32_t RolloverSize;
    void *pSecurityDescriptor;
} HTTP_LOGGING_INFO;

// ---- HttpServerAuthenticationProperty, HttpServerExtendedAuthenticationProperty

typedef struct _HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS {
    uint16_t DomainNameLength;
    char16_t *DomainName;
    uint16_t RealmLength;
    char16_t *Realm;
} HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS;

typedef struct _HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS {
    uint16_t RealmLength;
    char16_t *Realm;
} HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS;

typedef struct _HTTP_SERVER_AUTHENTICATION_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint32_t AuthSchemes;
    BOOLEAN ReceiveMutualAuth;
    BOOLEAN ReceiveContextHandle;
    BOOLEAN DisableNTLMCredentialCaching;
    uint8_t ExFlags;
    HTTP_SERVER_AUTHENTICATION_DIGEST_PARAMS DigestParams;
    HTTP_SERVER_AUTHENTICATION_BASIC_PARAMS BasicParams;
} HTTP_SERVER_AUTHENTICATION_INFO;

// ---- HttpServerChannelBindProperty

typedef struct _HTTP_CHANNEL_BIND_INFO {
    HTTP_AUTHENTICATION_HARDENING_LEVELS Hardening;
    uint32_t Flags;
    HTTP_SERVICE_BINDING_BASE **ServiceNames;
    uint32_t NumberOfServiceNames;
} HTTP_CHANNEL_BIND_INFO;

// ---- HttpServerListenEndpointProperty, ProtectionLevelProperty, FastForwardingProperty, RequestInfoProperty

typedef struct _HTTP_LISTEN_ENDPOINT_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    BOOLEAN EnableSharing;
} HTTP_LISTEN_ENDPOINT_INFO;

typedef struct _HTTP_PROTECTION_LEVEL_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    HTTP_PROTECTION_LEVEL_TYPE Level;
} HTTP_PROTECTION_LEVEL_INFO;

typedef struct _HTTP_FAST_FORWARD_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    BOOLEAN EnableFastForwarding;
} HTTP_FAST_FORWARD_INFO;

typedef struct _HTTP_REQUEST_INFO_PROPERTY_INFO {
    HTTP_PROPERTY_FLAGS Flags;
    uint64_t RequestInfoFlags;
} HTTP_REQUEST_INFO_PROPERTY_INFO;

// ---- What HttpDelegateRequestEx takes, and what a queue can be created with

typedef struct _HTTP_DELEGATE_REQUEST_PROPERTY_INFO {
    HTTP_DELEGATE_REQUEST_PROPERTY_ID PropertyId;
    uint32_t PropertyInfoLength;
    void *PropertyInfo;
} HTTP_DELEGATE_REQUEST_PROPERTY_INFO;

typedef struct _HTTP_CREATE_REQUEST_QUEUE_PROPERTY_INFO {
    HTTP_CREATE_REQUEST_QUEUE_PROPERTY_ID PropertyId;
    uint32_t PropertyInfoLength;
    void *PropertyInfo;
} HTTP_CREATE_REQUEST_QUEUE_PROPERTY_INFO;
"""
