"""A proxy as many write it: an application of Starlette that passes requests on by httpx; for uvicorn."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_DROPPED: Final = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"host"}
)
_METHODS: Final = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_client = httpx.AsyncClient(
    base_url=os.environ["DESTINATION"],
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=8192),
    timeout=100,
    trust_env=False,
)


async def forward(request: Request) -> StreamingResponse:
    """Pass a request on, and its answer back as it comes."""
    headers = [item for item in request.headers.raw if item[0] not in _DROPPED]
    headers.append((b"x-forwarded-for", request.client.host.encode() if request.client else b""))
    headers.append((b"x-forwarded-host", request.headers["host"].encode()))
    headers.append((b"x-forwarded-proto", request.url.scheme.encode()))
    url = httpx.URL(path=request.url.path, query=request.url.query.encode() or None)
    body = request.stream() if request.method in {"PATCH", "POST", "PUT"} else None
    answer = await _client.send(
        _client.build_request(request.method, url, headers=headers, content=body), stream=True
    )
    response = StreamingResponse(
        answer.aiter_raw(), status_code=answer.status_code, background=BackgroundTask(answer.aclose)
    )
    response.raw_headers = [item for item in answer.headers.raw if item[0].lower() not in _DROPPED]
    return response


@asynccontextmanager
async def _lifespan(application: Starlette) -> AsyncIterator[None]:
    async with _client:
        yield


app = Starlette(routes=[Route("/{path:path}", forward, methods=_METHODS)], lifespan=_lifespan)
