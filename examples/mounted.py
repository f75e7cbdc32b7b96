"""A proxy inside a FastAPI application, which answers /health itself; any ASGI server can serve it."""

import sys

from fastapi import FastAPI

from hostler import Cluster, Mounted, Proxy, Route, serve

proxy = Mounted(
    Proxy(
        routes=[Route("/shop/{**rest}", "shop"), Route("/news/{**rest}", "news")],
        clusters=[Cluster("shop", ["http://127.0.0.1:9001"]), Cluster("news", ["http://127.0.0.1:9002"])],
    )
)
app = FastAPI(lifespan=proxy.lifespan)


@app.get("/health")
def health() -> str:
    """Say that the application is well."""
    return "well"


app.mount("/services", proxy)

if __name__ == "__main__":
    serve(app, urls=sys.argv[1:] or ["http://localhost:8080/"])
