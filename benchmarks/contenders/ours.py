"""hostler, in each of its roles and builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.contenders.entry import Command

if TYPE_CHECKING:
    from benchmarks.contenders.entry import Setup

__all__ = [
    "delegating", "destination", "engine", "forwarding", "forwarding_on_asyncio", "forwarding_with_log", "forwarding_with_stage", "importing", "run", "serving",
    "worker",
]  # fmt: skip


def _role(setup: Setup, role: str, *arguments: str, discard_output: bool = False) -> Command:
    command = (setup.build.python, "-m", "benchmarks.programs.ours", role, str(setup.port), *arguments)
    certificate = {"CERTIFICATE": setup.certificate} if setup.certificate else {}
    return Command(command, {**setup.build.environment, **certificate}, discard_output)


def _address(setup: Setup) -> str:
    return f"{setup.scheme_behind}://{setup.behind}"


def forwarding(setup: Setup) -> Command:
    """Forward by the default pipeline, without an access log."""
    return _role(setup, "forward", _address(setup), str(setup.routes))


def forwarding_on_asyncio(setup: Setup) -> Command:
    """Forward on asyncio's own event loop."""
    return _role(setup, "forward-on-asyncio", _address(setup))


def forwarding_with_log(setup: Setup) -> Command:
    """Forward, with an access log that goes to /dev/null."""
    return _role(setup, "forward-logged", _address(setup), discard_output=True)


def forwarding_with_stage(setup: Setup) -> Command:
    """Forward, with a coroutine stage in front of the default pipeline."""
    return _role(setup, "forward-staged", _address(setup))


def delegating(setup: Setup) -> Command:
    """Delegate to the worker's queue."""
    return _role(setup, "delegate", setup.queue)


def worker(setup: Setup) -> Command:
    """Serve the application from a queue, and on a port."""
    return _role(setup, "serve", setup.queue)


def serving(setup: Setup) -> Command:
    """Serve the application on a port."""
    return _role(setup, "serve")


def engine(setup: Setup, name: str) -> Command:
    """Answer over TLS by hostler's transport on an event loop, with nothing around it."""
    command = (
        setup.build.python, "-m", "benchmarks.programs.engines", name, str(setup.port), setup.certificate,
    )  # fmt: skip
    return Command(command, setup.build.environment)


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
    command = (setup.build.python, "-m", "benchmarks.programs.origin", str(setup.port), setup.certificate)
    return Command(command if setup.certificate else command[:-1])
