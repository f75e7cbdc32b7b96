"""A proxy: /api/... is forwarded to one of two addresses, /reports/... is delegated to the queue `reports`."""

import sys

from hostler import Cluster, Proxy, Route, queue, run

proxy = Proxy(
    routes=[
        Route("/api/{**rest}", "api"),
        Route("/reports/{**rest}", "reports", methods=["GET", "POST"]),
    ],
    clusters=[
        Cluster("api", ["http://127.0.0.1:9001", "http://127.0.0.1:9002"], balance="RoundRobin"),
        Cluster("reports", [queue("reports", "http://*:80/")]),
    ],
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
