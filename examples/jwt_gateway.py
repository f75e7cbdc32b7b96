"""A gateway: whoever has a token of the issuer with the right scope gets in, and the destination learns who that is.

Needs the extra `auth`: pip install "hostler[auth]".
"""

import sys
from collections.abc import Awaitable
from urllib.parse import quote

from hostler import (
    DEFAULT_PIPELINE,
    AuthorizationDefinition,
    BearerDefinition,
    Cluster,
    Definitions,
    Exchange,
    Next,
    Outcome,
    Proxy,
    Route,
    run,
)
from hostler.stages import authorize


def name_the_user(exchange: Exchange, onward: Next) -> Awaitable[Outcome]:
    """Send the user's name on; what a client says of that itself is dropped, on every route."""
    headers = exchange.request.headers
    headers.remove("X-User")
    if exchange.granted is not None and exchange.granted.user is not None:
        headers.remove("Authorization")  # which is for the gateway
        headers.set("X-User", quote(exchange.granted.user))
    return onward(exchange)


pipeline = list(DEFAULT_PIPELINE)
pipeline.insert(pipeline.index(authorize) + 1, name_the_user)

proxy = Proxy(
    routes=[
        Route("/orders/{**rest}", "orders", authorization_policy="orders"),
        Route("/public/{**rest}", "orders"),
    ],
    clusters=[Cluster("orders", ["http://127.0.0.1:9001"])],
    definitions=Definitions(
        authorization={
            "orders": AuthorizationDefinition(
                bearer=BearerDefinition(
                    issuer="https://login.example.com/",
                    audiences=["orders"],
                    algorithms=["RS256"],
                    keys="http://127.0.0.1:9002/keys",  # of the issuer; anywhere but on this host it must be https
                    required_scopes=["orders.read"],
                )
            )
        }
    ),
    pipeline=pipeline,
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
