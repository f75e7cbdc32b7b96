"""hostler, in each of its roles and builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.contenders.entry import Command

if TYPE_CHECKING:
    from benchmarks.contenders.entry import Setup

__all__ = [
    "delegating", "destination", "forwarding", "forwarding_with_log", "forwarding_with_stage", "importing", "run", "serving",
    "worker",
]  # fmt: skip


def _role(setup: Setup, role: str, *arguments: str, discard_output: bool = False) -> Command:
    command = (setup.build.python, "-m", "benchmarks.programs.ours", role, str(setup.port), *arguments)
    return Command(command, setup.build.environment, discard_output)


def forwarding(setup: Setup) -> Command:
    """Forward by the default pipeline, without an access log."""
    return _role(setup, "forward", setup.behind, str(setup.routes))


def forwarding_with_log(setup: Setup) -> Command:
    """Forward, with an access log that goes to /dev/null."""
    return _role(setup, "forward-logged", setup.behind, discard_output=True)


def forwarding_with_stage(setup: Setup) -> Command:
    """Forward, with a coroutine stage in front of the default pipeline."""
    return _role(setup, "forward-staged", setup.behind)


def delegating(setup: Setup) -> Command:
    """Delegate to the worker's queue."""
    return _role(setup, "delegate", setup.queue)


def worker(setup: Setup) -> Command:
    """Serve the application from a queue, and on a port."""
    return _role(setup, "serve", setup.queue)


def serving(setup: Setup) -> Command:
    """Serve the application on a port."""
    return _role(setup, "serve")


def importing(setup: Setup, statement: str) -> Command:
    """Import and end."""
    return Command((setup.build.python, "-c", statement), setup.build.environment)


def run(setup: Setup) -> Command:
    """Run the command `hostler run`, which follows its document."""
    paths = [f"/route-{number}/{{**rest}}" for number in range(setup.routes)] or ["/{**rest}"]
    document = {
        "Urls": f"http://127.0.0.1:{setup.port}/",
        "ReverseProxy": {
            "Routes": {
                f"route-{number}": {"ClusterId": "all", "Match": {"Path": path}, "MaxRequestBodySize": -1}
                for number, path in enumerate(paths)
            },
            "Clusters": {"all": {"Destinations": {"one": {"Address": f"http://{setup.behind}/"}}}},
        },
    }
    path = setup.write(".json", json.dumps(document))
    arguments = (setup.build.python, "-m", "hostler", "run", path, "--quiet", "--grace", "1")
    return Command(arguments, setup.build.environment)


def destination(setup: Setup) -> Command:
    """Answer, read bodies and echo messages, by a small server that is not hostler."""
    return Command((setup.build.python, "-m", "benchmarks.programs.origin", str(setup.port)))
