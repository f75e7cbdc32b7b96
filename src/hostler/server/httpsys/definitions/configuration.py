"""What is configured for the whole machine (http.h, HttpSetServiceConfiguration): URL ACLs, certificates, limits."""

from __future__ import annotations

from typing import Final

__all__ = ["TYPES"]

TYPES: Final = """
// ---- Enumerations that the configuration uses (see constants)

typedef int32_t HTTP_SERVICE_CONFIG_ID;
typedef int32_t HTTP_SERVICE_CONFIG_QUERY_TYPE;
typedef int32_t HTTP_SERVICE_CONFIG_TIMEOUT_KEY;
typedef int32_t HTTP_SERVICE_CONFIG_CACHE_KEY;

// ---- HttpServiceConfigUrlAclInfo: who may register which URLs

typedef struct _HTTP_SERVICE_CONFIG_URLACL_KEY {
    char16_t *pUrlPrefix;
} HTTP_SERVICE_CONFIG_URLACL_KEY;

typedef struct _HTTP_SERVICE_CONFIG_URLACL_PARAM {
    char16_t *pStringSecurityDescriptor;
} HTTP_SERVICE_CONFIG_URLACL_PARAM;

typedef struct _HTTP_SERVICE_CONFIG_URLACL_SET {
    HTTP_SERVICE_CONFIG_URLACL_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_URLACL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_URLACL_SET;

typedef struct _HTTP_SERVICE_CONFIG_URLACL_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_URLACL_KEY KeyDesc;
    uint32_t dwToken;
} HTTP_SERVICE_CONFIG_URLACL_QUERY;

// ---- HttpServiceConfigSSLCertInfo: the certificate of an address and port

typedef struct _HTTP_SERVICE_CONFIG_SSL_KEY {
    SOCKADDR *pIpPort;
} HTTP_SERVICE_CONFIG_SSL_KEY;

typedef struct _HTTP_SERVICE_CONFIG_SSL_PARAM {
    uint32_t SslHashLength;
    void *pSslHash;
    GUID AppId;
    char16_t *pSslCertStoreName;
    uint32_t DefaultCertCheckMode;
    uint32_t DefaultRevocationFreshnessTime;
    uint32_t DefaultRevocationUrlRetrievalTimeout;
    char16_t *pDefaultSslCtlIdentifier;
    char16_t *pDefaultSslCtlStoreName;
    uint32_t DefaultFlags;
} HTTP_SERVICE_CONFIG_SSL_PARAM;

typedef struct _HTTP_SERVICE_CONFIG_SSL_SET {
    HTTP_SERVICE_CONFIG_SSL_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SET;

typedef struct _HTTP_SERVICE_CONFIG_SSL_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_KEY KeyDesc;
    uint32_t dwToken;
} HTTP_SERVICE_CONFIG_SSL_QUERY;

// ---- HttpServiceConfigSslSniCertInfo: the certificate of a host name and port

typedef struct _HTTP_SERVICE_CONFIG_SSL_SNI_KEY {
    SOCKADDR_STORAGE IpPort;
    char16_t *Host;
} HTTP_SERVICE_CONFIG_SSL_SNI_KEY;

typedef struct _HTTP_SERVICE_CONFIG_SSL_SNI_SET {
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_SSL_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_SSL_SNI_SET;

typedef struct _HTTP_SERVICE_CONFIG_SSL_SNI_QUERY {
    HTTP_SERVICE_CONFIG_QUERY_TYPE QueryDesc;
    HTTP_SERVICE_CONFIG_SSL_SNI_KEY KeyDesc;
    uint32_t dwToken;
} HTTP_SERVICE_CONFIG_SSL_SNI_QUERY;

// ---- HttpServiceConfigTimeout, HttpServiceConfigCache

typedef uint16_t HTTP_SERVICE_CONFIG_TIMEOUT_PARAM;
typedef uint32_t HTTP_SERVICE_CONFIG_CACHE_PARAM;

typedef struct _HTTP_SERVICE_CONFIG_TIMEOUT_SET {
    HTTP_SERVICE_CONFIG_TIMEOUT_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_TIMEOUT_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_TIMEOUT_SET;

typedef struct _HTTP_SERVICE_CONFIG_CACHE_SET {
    HTTP_SERVICE_CONFIG_CACHE_KEY KeyDesc;
    HTTP_SERVICE_CONFIG_CACHE_PARAM ParamDesc;
} HTTP_SERVICE_CONFIG_CACHE_SET;

// ---- HttpServiceConfigIPListenList: the addresses to listen on; none means all

typedef struct _HTTP_SERVICE_CONFIG_IP_LISTEN_PARAM {
    uint16_t AddrLength;
    SOCKADDR *pAddress;
} HTTP_SERVICE_CONFIG_IP_LISTEN_PARAM;

typedef struct _HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY {
    uint32_t AddrCount;
    SOCKADDR_STORAGE AddrList[];
} HTTP_SERVICE_CONFIG_IP_LISTEN_QUERY;
"""
