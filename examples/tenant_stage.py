"""A proxy with a stage of its own: each tenant goes only to the destinations that carry its name."""

import sys

from hostler import DEFAULT_PIPELINE, Cluster, Destination, Exchange, Next, Outcome, Proxy, Route, run


async def by_tenant(exchange: Exchange, onward: Next) -> Outcome:
    """Drop the destinations of other tenants."""
    tenant = exchange.request.headers.get("x-tenant")
    if tenant is None:
        return await exchange.respond(400, "the header x-tenant is missing\n")
    exchange.narrow(lambda destination: destination.config.metadata.get("tenant") == tenant)
    return await onward(exchange)


proxy = Proxy(
    routes=[Route("/{**rest}", "shops")],
    clusters=[
        Cluster(
            "shops",
            [
                Destination("http://127.0.0.1:9001", metadata={"tenant": "red"}),
                Destination("http://127.0.0.1:9002", metadata={"tenant": "blue"}),
            ],
        )
    ],
    pipeline=[by_tenant, *DEFAULT_PIPELINE],
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
