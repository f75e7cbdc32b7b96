"""The functions of httpapi.dll (http.h). Each returns a Win32 code, unless it says BOOL."""

from __future__ import annotations

from typing import Final

__all__ = ["HTTPAPI"]

HTTPAPI: Final = """
// ---- The library

uint32_t HttpInitialize(HTTPAPI_VERSION Version, uint32_t Flags, void *Reserved);
uint32_t HttpTerminate(uint32_t Flags, void *Reserved);
BOOL HttpIsFeatureSupported(HTTP_FEATURE_ID FeatureId);

// ---- Server sessions

uint32_t HttpCreateServerSession(HTTPAPI_VERSION Version, HTTP_SERVER_SESSION_ID *ServerSessionId, uint32_t Reserved);
uint32_t HttpCloseServerSession(HTTP_SERVER_SESSION_ID ServerSessionId);
uint32_t HttpSetServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId, HTTP_SERVER_PROPERTY Property,
                                      void *PropertyInformation, uint32_t PropertyInformationLength);
uint32_t HttpQueryServerSessionProperty(HTTP_SERVER_SESSION_ID ServerSessionId, HTTP_SERVER_PROPERTY Property,
                                        void *PropertyInformation, uint32_t PropertyInformationLength,
                                        uint32_t *ReturnLength);

// ---- URL groups

uint32_t HttpCreateUrlGroup(HTTP_SERVER_SESSION_ID ServerSessionId, HTTP_URL_GROUP_ID *UrlGroupId, uint32_t Reserved);
uint32_t HttpCloseUrlGroup(HTTP_URL_GROUP_ID UrlGroupId);
uint32_t HttpAddUrlToUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, const char16_t *FullyQualifiedUrl,
                              HTTP_URL_CONTEXT UrlContext, uint32_t Reserved);
uint32_t HttpRemoveUrlFromUrlGroup(HTTP_URL_GROUP_ID UrlGroupId, const char16_t *FullyQualifiedUrl, uint32_t Flags);
uint32_t HttpSetUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                 void *PropertyInformation, uint32_t PropertyInformationLength);
uint32_t HttpQueryUrlGroupProperty(HTTP_URL_GROUP_ID UrlGroupId, HTTP_SERVER_PROPERTY Property,
                                   void *PropertyInformation, uint32_t PropertyInformationLength,
                                   uint32_t *ReturnLength);
uint32_t HttpFindUrlGroupId(const char16_t *FullyQualifiedUrl, HANDLE RequestQueueHandle,
                            HTTP_URL_GROUP_ID *UrlGroupId);
uint32_t HttpPrepareUrl(void *Reserved, uint32_t Flags, const char16_t *Url, char16_t **PreparedUrl);

// ---- Request queues

uint32_t HttpCreateRequestQueue(HTTPAPI_VERSION Version, const char16_t *Name, SECURITY_ATTRIBUTES *SecurityAttributes,
                                uint32_t Flags, HANDLE *RequestQueueHandle);
uint32_t HttpCloseRequestQueue(HANDLE RequestQueueHandle);
uint32_t HttpShutdownRequestQueue(HANDLE RequestQueueHandle);
uint32_t HttpSetRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                     void *PropertyInformation, uint32_t PropertyInformationLength,
                                     uint32_t Reserved1, void *Reserved2);
uint32_t HttpQueryRequestQueueProperty(HANDLE RequestQueueHandle, HTTP_SERVER_PROPERTY Property,
                                       void *PropertyInformation, uint32_t PropertyInformationLength,
                                       uint32_t Reserved1, uint32_t *ReturnLength, void *Reserved2);
uint32_t HttpWaitForDemandStart(HANDLE RequestQueueHandle, OVERLAPPED *Overlapped);

// ---- Requests

uint32_t HttpReceiveHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, uint32_t Flags,
                                HTTP_REQUEST *RequestBuffer, uint32_t RequestBufferLength, uint32_t *BytesReturned,
                                OVERLAPPED *Overlapped);
uint32_t HttpReceiveRequestEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, uint32_t Flags,
                                      void *EntityBuffer, uint32_t EntityBufferLength, uint32_t *BytesReturned,
                                      OVERLAPPED *Overlapped);
uint32_t HttpReceiveClientCertificate(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId, uint32_t Flags,
                                      HTTP_SSL_CLIENT_CERT_INFO *SslClientCertInfo, uint32_t SslClientCertInfoSize,
                                      uint32_t *BytesReceived, OVERLAPPED *Overlapped);
uint32_t HttpSetRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id, HTTP_REQUEST_PROPERTY PropertyId,
                                void *Input, uint32_t InputPropertySize, OVERLAPPED *Overlapped);
uint32_t HttpQueryRequestProperty(HANDLE RequestQueueHandle, HTTP_OPAQUE_ID Id, HTTP_REQUEST_PROPERTY PropertyId,
                                  void *Qualifier, uint32_t QualifierSize, void *Output, uint32_t OutputBufferSize,
                                  uint32_t *BytesReturned, OVERLAPPED *Overlapped);
uint32_t HttpCancelHttpRequest(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, OVERLAPPED *Overlapped);
uint32_t HttpWaitForDisconnect(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId, OVERLAPPED *Overlapped);
uint32_t HttpWaitForDisconnectEx(HANDLE RequestQueueHandle, HTTP_CONNECTION_ID ConnectionId, uint32_t Reserved,
                                 OVERLAPPED *Overlapped);

// ---- Responses

uint32_t HttpSendHttpResponse(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, uint32_t Flags,
                              HTTP_RESPONSE *HttpResponse, HTTP_CACHE_POLICY *CachePolicy, uint32_t *BytesSent,
                              void *Reserved1, uint32_t Reserved2, OVERLAPPED *Overlapped, HTTP_LOG_DATA *LogData);
uint32_t HttpSendResponseEntityBody(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, uint32_t Flags,
                                    uint16_t EntityChunkCount, HTTP_DATA_CHUNK *EntityChunks, uint32_t *BytesSent,
                                    void *Reserved1, uint32_t Reserved2, OVERLAPPED *Overlapped,
                                    HTTP_LOG_DATA *LogData);
uint32_t HttpDeclarePush(HANDLE RequestQueueHandle, HTTP_REQUEST_ID RequestId, HTTP_VERB Verb, const char16_t *Path,
                         const char *Query, HTTP_REQUEST_HEADERS *Headers);

// ---- Delegation

uint32_t HttpDelegateRequestEx(HANDLE RequestQueueHandle, HANDLE DelegateQueueHandle, HTTP_REQUEST_ID RequestId,
                               HTTP_URL_GROUP_ID DelegateUrlGroupId, uint32_t PropertyInfoSetSize,
                               HTTP_DELEGATE_REQUEST_PROPERTY_INFO *PropertyInfoSet);

// ---- The response cache

uint32_t HttpAddFragmentToCache(HANDLE RequestQueueHandle, const char16_t *UrlPrefix, HTTP_DATA_CHUNK *DataChunk,
                                HTTP_CACHE_POLICY *CachePolicy, OVERLAPPED *Overlapped);
uint32_t HttpReadFragmentFromCache(HANDLE RequestQueueHandle, const char16_t *UrlPrefix, HTTP_BYTE_RANGE *ByteRange,
                                   void *Buffer, uint32_t BufferLength, uint32_t *BytesRead, OVERLAPPED *Overlapped);
uint32_t HttpFlushResponseCache(HANDLE RequestQueueHandle, const char16_t *UrlPrefix, uint32_t Flags,
                                OVERLAPPED *Overlapped);

// ---- The machine's configuration; ServiceHandle and Overlapped must be NULL

uint32_t HttpSetServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId, void *ConfigInformation,
                                     uint32_t ConfigInformationLength, OVERLAPPED *Overlapped);
uint32_t HttpUpdateServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                        void *ConfigInformation, uint32_t ConfigInformationLength,
                                        OVERLAPPED *Overlapped);
uint32_t HttpDeleteServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId,
                                        void *ConfigInformation, uint32_t ConfigInformationLength,
                                        OVERLAPPED *Overlapped);
uint32_t HttpQueryServiceConfiguration(HANDLE ServiceHandle, HTTP_SERVICE_CONFIG_ID ConfigId, void *Input,
                                       uint32_t InputLength, void *Output, uint32_t OutputLength,
                                       uint32_t *ReturnLength, OVERLAPPED *Overlapped);
"""
