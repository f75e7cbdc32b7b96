"""What a destination gets of a request, without a network."""

from __future__ import annotations

from hostler.client.address import DestinationAddress
from hostler.errors import Failure
from hostler.exchange import Exchange
from hostler.http.encode import encode_request
from hostler.http.h1 import RequestReader
from hostler.http.target import parse_target
from hostler.outcome import Outcome
from hostler.routing.template import Template
from hostler.testing.stream import FakeStream
from hostler.transforms.reading import make_transforms
from hostler.transforms.requests import forwarded_request, transform_request

ADDRESS = "http://there:81/base"
OFF = {"X-Forwarded": "Off"}


def arrived(*lines, method="GET", target="/", host="here", template=None, **more):
    """Make an exchange of a request's head; `template` is its route's path."""
    head = "".join(f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", f"Host: {host}", *lines, ""))
    request = RequestReader().feed(head.encode("latin-1"))
    parsed = parse_target(method, request.target)
    more.setdefault("path", parsed.path)
    made = Exchange(
        request, FakeStream(), parsed, ("192.0.2.7", 50000), ("192.0.2.1", 80), "here", 80, **more
    )
    if template is not None:
        made.route_values = Template.parse(template).match(made.path)
    return made


async def transformed(transforms, exchange):
    """Return what `transform_request` does."""
    return await transform_request(exchange, make_transforms(transforms), ADDRESS)


async def sent(transforms, exchange):
    """Return the lines of the head that the destination gets."""
    context = await transformed(transforms, exchange)
    assert not isinstance(context, Failure | Outcome), context
    head = encode_request(forwarded_request(context, DestinationAddress.parse(ADDRESS)))
    assert head.endswith(b"\r\n\r\n")
    return head.decode("latin-1")[:-4].split("\r\n")


async def sent_target(transforms, target, template=None, method="GET"):
    """Return the target that the destination gets, without its own path."""
    line = (await sent([OFF, *transforms], arrived(target=target, template=template, method=method)))[0]
    return line.split(" ")[1].removeprefix("/base")


async def sent_headers(transforms, *lines, **more):
    """Return the header lines that the destination gets, without what is said of the client."""
    return (await sent([OFF, *transforms], arrived(*lines, **more)))[1:]
