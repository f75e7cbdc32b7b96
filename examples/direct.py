"""Forwarding without routes and clusters: a handler that decides by itself, here by a cookie."""

import sys

from hostler import Exchange, Forwarder, Outcome, run

STABLE, NEXT = "http://127.0.0.1:9001", "http://127.0.0.1:9002"

forwarder = Forwarder()


async def handler(exchange: Exchange) -> Outcome:
    """Send those who carry the cookie `version=next` to the next version."""
    cookies = exchange.request.headers.get("cookie") or ""
    return await forwarder.send(exchange, NEXT if "version=next" in cookies else STABLE)


if __name__ == "__main__":
    run(handler, urls=sys.argv[1:] or ["http://localhost:8080/"])
