"""What a server may lack, each by a name; and the mark for tests that need it."""

from __future__ import annotations

from types import MappingProxyType

import pytest

ABILITIES = MappingProxyType(
    {
        "100 continue": "A client that waits for 100 Continue gets it when its body is wanted, and only then.",
        "address check": "An address of another machine cannot be listened on.",
        "another process": "Servers run in several processes, which can be killed.",
        "answer headers": "Headers travel with a delegated request, to be added to its answer.",
        "asterisk": "OPTIONS * is a request like others.",
        "broken bodies": "A body that breaks off is an error for whoever reads it, at once.",
        "broken responses": "A response that is given up is torn down, so that it cannot be taken for complete.",
        "bytes in headers": "A header's value may have bytes above 7F.",
        "chunked requests": "A request's body may come in chunks.",
        "closing": "A connection is closed when the client asked for that, or the server stops.",
        "delegated changes": "A delegated request is seen as stages left it, with what the proxy says of the client.",
        "delegation": "A request can be handed to another queue, head read and body untouched.",
        "delegation report": "Whoever delegated learns the status and the sizes of the answer.",
        "detached queues": "A queue that went away is let go of, without a reset, by those who delegated to it.",
        "disconnect notice": "A handler learns at once that its client is gone.",
        "encryption": "Connections are encrypted, and an exchange says how, delegated or not.",
        "full duplex": "A response may begin, and go on, while the request's body comes.",
        "half-close": "A handler may end its direction of an upgraded connection and still hear the client.",
        "half-closed clients": "A client that sends no more gets its answer all the same.",
        "head limit": "A head of 90 kB is refused with a status.",
        "header lines": "A request's header lines arrive as they were sent: spelt so, in that order.",
        "http/1.0 keep-alive": "An HTTP/1.0 connection is kept when the client asks for that.",
        "interim responses": "A 1xx other than 100 and 101 can be sent before the final response.",
        "ipv6": "A server listens on IPv6 addresses.",
        "large bodies": "A request's body may be as large as it likes.",
        "malformed requests": "What is no HTTP request is refused with a status.",
        "named queues": "A queue has a name by which other servers find it.",
        "own framing": "No Content-Length is added to a response that has another framing, or none.",
        "repeated headers": "Every value of a repeated request header arrives.",
        "repeated response headers": "A response may have several lines of one well-known header.",
        "request trailers": "The trailers of a request in chunks arrive.",
        "requests in pieces": "A request may arrive in as many pieces as it likes.",
        "requests without host": "An HTTP/1.0 request needs no Host.",
        "several prefixes": "A server listens on as many prefixes as it likes, at once or one after the other.",
        "slow clients": "A client that does not read holds up whoever writes to it, and misses nothing.",
        "trailers": "A response in chunks may have trailers.",
        "unmatched requests": "A request that no prefix takes is refused with a status.",
        "upgrades": "After a 101 a connection carries raw bytes.",
        "wildcards": "Prefixes may have wildcards, and are searched in the order of their categories.",
    }
)
"""What a test may need of a server, beyond what every server has."""

NEEDED = set()
"""The abilities that tests name."""


def needs(*abilities):
    """Mark a test as needing abilities; where a server lacks one, the test is skipped and says why."""
    NEEDED.update(abilities)
    return pytest.mark.needs(*abilities)


HTTPSYS_CANNOT = MappingProxyType(
    {
        "address check": "HTTP.sys registers prefixes for addresses that it has not",
        "answer headers": "HTTP.sys adds nothing to the answer of another process",
        "encryption": "HTTP.sys has certificates for the whole machine, which a test does not touch",
        "delegated changes": "HTTP.sys hands over its own copy of a request",
        "delegation report": "HTTP.sys tells whoever delegates nothing of the answer",
        "half-close": "HTTP.sys closes an upgraded connection with its response",
        "header lines": "HTTP.sys gives the headers that it knows by number",
        "interim responses": "HTTP.sys sends no 1xx but 101 and, by itself, 100",
        "request trailers": "HTTP.sys keeps the trailers of requests to itself",
    }
)
"""What HTTP.sys has no way to do, wherever it runs."""
