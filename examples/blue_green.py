"""Blue and green: two versions stand ready, all requests go to one of them, and POST /switch has them change places.

The switch is for the one who deploys: a request with the header X-Deploy-Key. What is under way when it comes ends where
it began.
"""

import hmac
import os
import sys

from attrs import evolve

from hostler import DEFAULT_PIPELINE, Cluster, Exchange, Next, Outcome, Proxy, Route, run

VERSIONS = {"blue": "http://127.0.0.1:9001", "green": "http://127.0.0.1:9002"}
DEPLOY_KEY = os.environ.get("DEPLOY_KEY", "")


async def switch(exchange: Exchange, onward: Next) -> Outcome:
    """Send the requests of the route `shop` to the other version from now on."""
    if exchange.route is None or exchange.route.id != "switch":
        return await onward(exchange)
    given = exchange.request.headers.get("x-deploy-key", "")
    if not DEPLOY_KEY or not hmac.compare_digest(given.encode(), DEPLOY_KEY.encode()):
        return await exchange.respond(403)
    config = proxy.config
    (live,) = (route.cluster_id for route in config.routes if route.id == "shop")
    other = "green" if live == "blue" else "blue"
    routes = [evolve(route, cluster_id=other) for route in config.routes]
    proxy.update(evolve(config, routes=routes))
    return await exchange.respond(200, f"{other} is live\n")


proxy = Proxy(
    routes=[
        Route("/{**rest}", "blue", id="shop"),
        Route("/switch", "blue", id="switch", methods=["POST"]),
    ],
    clusters=[Cluster(name, [address]) for name, address in VERSIONS.items()],
    pipeline=[switch, *DEFAULT_PIPELINE],
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
