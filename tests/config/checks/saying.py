"""What is said about one route, cluster or destination of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from hostler.config.checks import check
from hostler.config.model import Cluster, Config, Destination, Route
from hostler.policies import Policies
from hostler.steps import finish

if TYPE_CHECKING:
    from hostler.errors import Problem


def check_all(config: Config, policies: Policies | None = None) -> list[Problem]:
    return finish(check(config, (policies or Policies()).problems))


def of_route(**fields):
    """Return what is said about one route, by path under it."""
    route = evolve(Route("/", "c", id="r"), **fields)
    return {p.path.removeprefix("Routes.r."): p.message for p in check_all(Config([route]))}


def of_cluster(*, policies=None, **fields):
    """Return what is said about one cluster, by path under it."""
    cluster = evolve(Cluster("c", ["http://a/"]), **fields)
    problems = check_all(Config(clusters=[cluster]), policies)
    return {p.path.removeprefix("Clusters.c."): p.message for p in problems}


def of_destination(address="http://a/", **fields):
    """Return what is said about one destination, by path under it."""
    said = of_cluster(destinations=[Destination(address, id="d", **fields)])
    return {path.removeprefix("Destinations.d."): message for path, message in said.items()}
