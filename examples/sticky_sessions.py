"""Sticky sessions: a client stays with the destination that answered it first, by a cookie; 503 when that one is gone."""

import sys

from hostler import AffinityCookie, Cluster, Proxy, Route, SessionAffinity, run

proxy = Proxy(
    routes=[Route("/{**rest}", "shop")],
    clusters=[
        Cluster(
            "shop",
            {"one": "http://127.0.0.1:9001", "two": "http://127.0.0.1:9002"},
            balance="RoundRobin",
            affinity=SessionAffinity(
                ".Shop.Affinity",
                failure_policy="Return503Error",
                cookie=AffinityCookie(max_age=8 * 3600),
            ),
        )
    ],
)

if __name__ == "__main__":
    run(proxy, urls=sys.argv[1:] or ["http://localhost:8080/"])
