"""A gateway: whoever has a token of the issuer with the right scope gets in, and the destination learns who that is.

Needs the extra `auth`: pip install "hostler[auth]".
"""

import sys
from urllib.parse import quote

from hostler import (
    AuthorizationDefinition,
    BearerDefinition,
    Cluster,
    Definitions,
    Proxy,
    RequestTransformContext,
    Route,
    request_transform,
    run,
)


@request_transform
def name_the_user(context: RequestTransformContext) -> None:
    """Send on who asks, and not the token, which is for the gateway; what the client says of itself is dropped."""
    context.headers.remove("X-User")
    context.headers.remove("Authorization")
    granted = context.exchange.granted
    if granted is not None and granted.user is not None:
        context.headers.set("X-User", quote(granted.user))


issuer = BearerDefinition(
    issuer="https://login.example.com/",
    audiences=["orders"],
    algorithms=["RS256"],
    keys="http://127.0.0.1:9002/keys",  # anywhere but on this host it must be https
    required_scopes=["orders.read"],
)

proxy = Proxy(
    routes=[
        Route("/orders/{**rest}", "shop", authorization_policy="customers", transforms=[name_the_user]),
        Route("/public/{**rest}", "shop", transforms=[name_the_user]),
    ],
    clusters=[Cluster("shop", ["http://127.0.0.1:9001"])],
    definitions=Definitions(authorization={"customers": AuthorizationDefinition(bearer=issuer)}),
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
