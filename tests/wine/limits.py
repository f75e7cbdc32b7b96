"""What Wine's httpapi.dll and http.sys cannot do (Wine 10), each by a name that a test can give as its reason.

These are Wine's limits and not those of Microsoft's HTTP.sys. Tests work around them here; hostler knows nothing of
them.
"""

from __future__ import annotations

from types import MappingProxyType

WINE_LIMITS = MappingProxyType(
    {
        "100 continue": "it answers no Expect: 100-continue",
        "bandwidth and connection limits": "only the binding and logging properties of a URL group are accepted",
        "body after a response": "the connection takes no further request when a body was left unread",
        "buffered sends": "with HTTP_SEND_RESPONSE_FLAG_BUFFER_DATA, an answer of several pieces stalls",
        "certificates": "there is no https, and so no client certificate",
        "chunked request body": "a request with Transfer-Encoding is refused",
        "close of a connection": "it never closes a connection, whatever the response's flags say",
        "configuration": "HttpInitialize with HTTP_INITIALIZE_CONFIG among its flags succeeds, and starts no driver",
        "cooked URL": "the cooked URL is not percent-decoded",
        "delegation": "HttpDelegateRequestEx is not exported, and queues have no names",
        "demand start": "HttpWaitForDemandStart is a stub, and queues have no controllers",
        "disconnect notice": "HttpWaitForDisconnectEx is a stub",
        "empty header value": "one such request crashes its driver",
        "head without a body": "it sends the body of a response to HEAD",
        "http/2": "it speaks HTTP/1.1 only",
        "large request body": "a request must arrive in two reads of its driver, or its connection is closed",
        "lower-case host": "a header line `host:` is not found; it must be `Host:`",
        "machine's configuration": "records are taken and not kept, and no query finds any",
        "one url per group": "a second URL replaces nothing and is refused",
        "pending sends": "sends and body reads are over at once, or fail",
        "queue names": "names and flags of queues are ignored",
        "repeated headers": "HTTP_MULTIPLE_KNOWN_HEADERS is not looked at: a known header that repeats is not sent",
        "request cancel": "HttpCancelHttpRequest is a stub",
        "response cache": "no response is kept, and HttpFlushResponseCache is a stub",
        "several queues": "closing any queue closes the sockets of every queue of the prefix",
        "trailers": "HttpIsFeatureSupported is not exported, and trailer chunks are unknown",
        "unbinding": "a URL group that is unbound goes on taking requests, which stay undelivered; its URLs are removed instead",
        "unknown urls": "a request that no URL takes is neither answered with 404 nor with 503",
        "upgrades": "a 101 ends its request: what leaves with it is the last, and what the client sends a new request",
        "waiting requests": "a request that finds no receive waiting can stay undelivered",
        "wake-ups": "when several sockets have something new, one can be forgotten until another one has",
        "weak wildcard": "http://*: never matches",
    }
)

MAX_BODY = 30_000
"""Bytes of a request's body that arrive whole every time ("large request body"); more does now and then."""

FEW_CLIENTS = 4
"""Connections at a time that leave receives waiting ("waiting requests"): servers here keep more than these."""
