"""Getting one small document whole, or not at all."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from hostler.client.address import DestinationAddress
from hostler.client.connector import Connector
from hostler.client.probe import ProbeRequest, ask
from hostler.client.tls.contexts import DestinationTls
from hostler.config.model import HttpClient
from hostler.errors import ProtocolError

__all__ = ["fetch"]


async def fetch(
    url: str, *, max_size: int, timeout: float, accept: str = "*/*", context: ssl.SSLContext | None = None
) -> bytes:
    """Return the body of the 200 that answers a GET of an http or https URL; a redirect is not followed.

    `max_size` is in bytes, `timeout` in seconds, all together. `context` is for https, the system's trust by default.
    Raises OSError, also for an answer that is too large, too late, broken off, no HTTP, or has another status.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme == "https" and context is None:
        context = await asyncio.to_thread(ssl.create_default_context)  # which reads many certificates
    connector = Connector(
        DestinationAddress.parse(origin),
        HttpClient(connect_timeout=timeout),
        DestinationTls(context) if parts.scheme == "https" and context is not None else None,
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = (("User-Agent", "hostler"), ("Accept", accept), ("Accept-Encoding", "identity"))
    try:
        answer = await ask(
            connector, ProbeRequest(origin, target, headers=headers), timeout, body_limit=max_size + 1
        )
    except ProtocolError as error:
        raise OSError(f"the answer is not HTTP: {error}") from error
    except UnicodeError as error:  # a name like no other
        raise OSError(f"{parts.hostname} is not a host: {error}") from error
    if answer.status != 200:
        raise OSError(f"the answer's status is {answer.status}")
    if len(answer.body) > max_size:
        raise OSError(f"the answer has more than {max_size} bytes")
    if not answer.complete:
        raise OSError(f"the answer broke off, or was not complete within {timeout:g} s")
    return answer.body
