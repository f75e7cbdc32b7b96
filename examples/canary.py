"""A canary: one request in twenty goes to the next version, the others to the one that is known to work."""

import sys

from hostler import Cluster, Destination, Proxy, Route, run

proxy = Proxy(
    routes=[Route("/{**rest}", "shop")],
    clusters=[
        Cluster(
            "shop",
            {
                "stable": Destination("http://127.0.0.1:9001", weight=19),
                "canary": Destination("http://127.0.0.1:9002", weight=1),
            },
            balance="RoundRobin",
        )
    ],
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
