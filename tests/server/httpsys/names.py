"""Our structures and constants beside their names in Microsoft's headers, for comparing them with other people's."""

from __future__ import annotations

import enum

from hostler.server.httpsys import constants
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import (
    MAX_SERVER_QUEUE_LENGTH,
    MIN_SERVER_QUEUE_LENGTH,
    REQUEST_HEADERS,
    RESPONSE_HEADERS,
)
from hostler.windows import constants as windows_constants
from hostler.windows._bindings import ffi as windows_ffi

PATTERNS = {
    "AuthEnable": "HTTP_AUTH_ENABLE_{}",
    "AuthExFlag": "HTTP_AUTH_EX_FLAG_{}",
    "AuthStatus": "HttpAuthStatus{}",
    "AuthType": "HttpRequestAuthType{}",
    "CachePolicy": "HttpCachePolicy{}",
    "CertificateCheckMode": "HTTP_CERT_CHECK_MODE_{}",
    "ChannelBindFlag": "HTTP_CHANNEL_BIND_{}",
    "CompletionMode": "FILE_SKIP_{}",
    "ConsoleEvent": "CTRL_{}_EVENT",
    "CreateRequestQueueFlag": "HTTP_CREATE_REQUEST_QUEUE_FLAG_{}",
    "CreateRequestQueuePropertyId": "CreateRequestQueue{}Property",
    "DataChunkType": "HttpDataChunk{}",
    "DelegateRequestPropertyId": "DelegateRequest{}Property",
    "EnabledState": "HttpEnabledState{}",
    "EntityBodyFlag": "HTTP_RECEIVE_REQUEST_ENTITY_BODY_FLAG_{}",
    "ErrorCode": "{}",
    "FeatureId": "HttpFeature{}",
    "FlushFlag": "HTTP_FLUSH_RESPONSE_FLAG_{}",
    "HardeningLevel": "HttpAuthenticationHardening{}",
    "Initialize": "HTTP_INITIALIZE_{}",
    "LoadLibraryFlag": "LOAD_LIBRARY_{}",
    "LogField": "HTTP_LOG_FIELD_{}",
    "LoggingFlag": "HTTP_LOGGING_FLAG_{}",
    "LoggingRolloverType": "HttpLoggingRollover{}",
    "LoggingType": "HttpLoggingType{}",
    "ProcessAccess": "PROCESS_{}",
    "ProtectionLevel": "HttpProtectionLevel{}",
    "QosSettingType": "HttpQosSettingType{}",
    "ReceiveCertificateFlag": "HTTP_RECEIVE_{}",
    "ReceiveFlag": "HTTP_RECEIVE_REQUEST_FLAG_{}",
    "RequestFlag": "HTTP_REQUEST_FLAG_{}",
    "RequestInfoType": "HttpRequestInfoType{}",
    "RequestProperty": "HttpRequestProperty{}",
    "ResponseFlag": "HTTP_RESPONSE_FLAG_{}",
    "ResponseInfoFlag": "HTTP_RESPONSE_INFO_FLAGS_{}",
    "ResponseInfoType": "HttpResponseInfoType{}",
    "SendFlag": "HTTP_SEND_RESPONSE_FLAG_{}",
    "ServerProperty": "HttpServer{}Property",
    "ServiceBindingType": "HttpServiceBindingType{}",
    "ServiceConfigCacheKey": "{}",
    "ServiceConfigId": "HttpServiceConfig{}",
    "ServiceConfigQueryType": "HttpServiceConfigQuery{}",
    "ServiceConfigTimeoutKey": "{}Timeout",
    "SniFlag": "HTTP_REQUEST_PROPERTY_SNI_FLAG_{}",
    "SslFlag": "HTTP_SERVICE_CONFIG_SSL_FLAG_{}",
    "TcpTableClass": "TCP_TABLE_{}",
    "UrlFlag": "HTTP_URL_FLAG_{}",
    "Verb": "HttpVerb{}",
    "Verbosity503": "Http503ResponseVerbosity{}",
}
"""How the members of each enumeration are called in C."""

UNLIKE = {
    "Initialize.DEMAND_CBT": "HTTP_DEMAND_CBT",
    "ServerProperty.VERBOSITY_503": "HttpServer503VerbosityProperty",
}
"""Those that their pattern does not fit."""


def folded(name):
    """Fold a name so that SNAKE_CASE and CamelCase compare equal."""
    return name.replace("_", "").lower()


def enumerations():
    """Return every enumeration of both modules of constants, by its name."""
    found = {
        name: getattr(module, name) for module in (windows_constants, constants) for name in module.__all__
    }
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, enum.Enum)
    }


def numbers():
    """Yield every constant: our name for it, its name in C (folded), its value."""
    for kind, members in enumerations().items():
        for member in members:
            ours = f"{kind}.{member.name}"
            yield ours, folded(UNLIKE.get(ours) or PATTERNS[kind].format(member.name)), member.value
    for kind, headers in (("REQUEST_HEADERS", REQUEST_HEADERS), ("RESPONSE_HEADERS", RESPONSE_HEADERS)):
        for number, header in enumerate(headers):
            yield f"{kind}[{number}]", folded(f"HttpHeader{header.decode().replace('-', '')}"), number
    yield "MIN_SERVER_QUEUE_LENGTH", folded("HTTP_MIN_SERVER_QUEUE_LENGTH"), MIN_SERVER_QUEUE_LENGTH
    yield "MAX_SERVER_QUEUE_LENGTH", folded("HTTP_MAX_SERVER_QUEUE_LENGTH"), MAX_SERVER_QUEUE_LENGTH


def structures():
    """Return the type of every structure, by its name: those of Windows, and of HTTP.sys."""
    types = {name: ffi.typeof(name) for bindings in (windows_ffi, ffi) for name in bindings.list_types()[0]}
    return {name: ctype for name, ctype in types.items() if ctype.kind == "struct"}
