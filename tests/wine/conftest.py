"""Windows code, run for real: `inside` on Windows CPython, the rest on Linux with programs on Windows CPython."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]
else:
    collect_ignore = ["inside"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            # a Windows program has half of that to start (PATIENCE in program.py), and as much to end
            item.add_marker(pytest.mark.timeout(60))
    if sys.platform != "win32" and not os.environ.get("HOSTLER_WINE"):
        reason = "Windows CPython on Wine is prepared and run by `python3 bootstrap.py nox -s windows`"
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))


COMPLETIONS = {"proactor": "ProactorPort", "thread": "ThreadPort"}
"""How completions arrive: by the event loop's own port, or by one of ours and its thread."""


@pytest.fixture(scope="module", params=COMPLETIONS)
def completion(request):
    return request.param


@pytest.fixture(scope="module")
def serve(completion, tmp_path_factory):
    """Run `served.py` with settings, in a context; the server is on the port that the test is about."""
    from tests.wine.program import running  # noqa: PLC0415 - Linux only
    from tests.wine.pulse import Pulse  # noqa: PLC0415

    @contextlib.contextmanager
    def serve(**settings):
        directory = tmp_path_factory.mktemp("served")
        with running("served.py", directory, completion=completion, **settings) as program:
            assert program.ready["port"] == COMPLETIONS[completion]
            with Pulse(urlsplit(program.ready["url"]).port):
                yield program

    return serve
