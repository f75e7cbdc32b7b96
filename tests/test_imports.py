"""What is imported for what: nothing that the program, or the command, does not use.

Each test has a list of names, so that whoever imports something for everybody reads here whom it concerns.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

AT_EXIT = "import atexit, sys; atexit.register(lambda: print(*sys.modules, flush=True))"
COMMAND = f"{AT_EXIT}; from hostler.cli import main; sys.exit(main())"

QUEUES = {"hashlib", "hostler.server.usermode.queues.link", "tempfile"}
WORKERS = {
    "multiprocessing",
    "hostler.processes.policy",
    "hostler.processes.supervising",
    "hostler.processes.supervisor",
    "hostler.processes.terminal",
}
APPLICATIONS = {"hostler.asgi", "websockets"}
HTTPSYS = {
    "_cffi_backend",
    "hostler.server.httpsys",
    "hostler.server.options.authentication",
    "hostler.server.options.httpsys",
    "hostler.server.options.log",
    "hostler.windows",
}
FEATURES = {
    "hostler.client.transformed_transfer",
    "hostler.config.access",
    "hostler.config.checks.access",
    "hostler.config.checks.affinity",
    "hostler.config.checks.definitions",
    "hostler.config.checks.limits",
    "hostler.config.checks.mirror",
    "hostler.routing.constraint",
    "hostler.stages.affinity.hashed",
    "hostler.stages.tries",
    "hostler.transforms",
}
"""What only those routes and clusters need that ask for it."""

DOCUMENTS = {
    "hostler.config.environment",
    "hostler.config.source",
    "hostler.config.yarp",
    "hostler.documents",
    "hostler.sources",
    "json",
}
"""What proxies do without whose configuration is in the program."""

SELDOM = {
    "cryptography",
    "ctypes",
    "email",
    "hostler.demo",
    "hostler.testing",
    "http.client",
    "importlib.metadata",
    "secrets",
    "tomllib",
    "yaml",
}
"""What costs a millisecond or more, and serves a few programs, or a test."""

EXTRAS = {"argon2", "cryptography", "joserfc", "limits", "redis"}
"""What only those need who use what the extras are for."""

ELSEWHERE = {*EXTRAS, "anyio", "cattrs", "typing_extensions", "unittest"}
"""What hostler does without."""


def imported_by(program):
    """List the modules that a program has imported when it ends."""
    result = subprocess.run(
        [sys.executable, "-c", f"{AT_EXIT}; {program}"], capture_output=True, text=True, check=True
    )
    return set(result.stdout.splitlines()[-1].split())


def imported_by_command(*args):
    """List the modules that a command has imported when it ends; once it listens, it is stopped."""
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with command:
        lines = []
        for line in command.stdout:
            lines.append(line)
            if line.startswith("listening on "):
                command.send_signal(signal.SIGTERM)
        assert command.wait() == 0, command.stderr.read()
    return set(lines[-1].split())


def test_the_package_imports_nothing_else():
    extra = imported_by("import hostler") - imported_by("import __future__, importlib, typing")
    assert extra == {"hostler"}


@pytest.mark.parametrize("args", [["--version"], ["--help"]])
def test_what_is_no_command_imports_no_command(args):
    found = imported_by_command(*args)
    assert not found & {"asyncio", "hostler.commands", "hostler.errors", "logging", "uvloop"}


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "proxy.json"
    path.write_text(
        json.dumps(
            {
                "ReverseProxy": {
                    "Routes": {"r": {"ClusterId": "c", "Match": {"Path": "/{**rest}"}}},
                    "Clusters": {"c": {"Destinations": {"d": {"Address": "http://127.0.0.1:1/"}}}},
                }
            }
        )
    )
    return str(path)


def test_running_a_document_imports_no_queues_no_workers_and_no_applications(document):
    found = imported_by_command("run", document, "--url", "http://127.0.0.1:0/")
    assert "hostler.config.yarp" in found
    assert not found & {*QUEUES, *WORKERS, *APPLICATIONS, *HTTPSYS, *FEATURES, *SELDOM, *ELSEWHERE}


def test_checking_a_document_imports_no_server(document):
    found = imported_by_command("check", document)
    assert not found & {*WORKERS, *APPLICATIONS, *HTTPSYS, *FEATURES, *SELDOM, *ELSEWHERE, "hostler.proxy"}
    assert not [name for name in found if name.startswith("hostler.server.usermode")]


def test_printing_a_configuration_imports_no_server(document):
    found = imported_by_command("config", document, "--origins")
    assert not found & {
        *WORKERS,
        *APPLICATIONS,
        *HTTPSYS,
        *(FEATURES - {"hostler.config.access"}),
        *SELDOM,
        *ELSEWHERE,
        "hostler.proxy",
    }
    assert not [name for name in found if name.startswith("hostler.server.usermode")]


def test_serving_an_application_here_imports_no_queues_and_no_workers(tmp_path):
    (tmp_path / "shop.py").write_text("async def app(scope, receive, send): ...")
    args = ["serve", "shop:app", "--app-dir", str(tmp_path), "--workers", "0", "--url", "http://127.0.0.1:0/"]
    found = imported_by_command(*args)
    assert "hostler.asgi" in found
    assert not found & {*QUEUES, *WORKERS, *HTTPSYS, *FEATURES, *SELDOM, *ELSEWHERE, "websockets"}


@pytest.mark.parametrize(
    "args",
    [
        ["url", "reserve", "http://+:80/", "--dry-run"],
        ["cert", "bind", "0.0.0.0:443", "00" * 20, "--dry-run"],
        ["doctor", "--server", "usermode"],
    ],
    ids=lambda args: args[0],
)
def test_what_is_about_http_sys_runs_without_cffi(args):
    without = f"import sys; sys.modules['_cffi_backend'] = None; sys.argv[1:] = {args!r}"
    done = subprocess.run(
        [sys.executable, "-c", f"{without}; {COMMAND}"], capture_output=True, text=True, check=False
    )
    assert done.returncode in {0, 1}  # the doctor may find something
    assert done.stderr == ""
    assert not {*done.stdout.splitlines()[-1].split()} & {
        "hostler.asgi",
        "hostler.processes.supervisor",
        "hostler.proxy",
    }


def test_a_proxy_imports_no_server():
    found = imported_by(
        "from hostler import Cluster, Proxy, Route;"
        "Proxy([Route('/a', 'c'), Route('/b', 'c')], [Cluster('c', ['http://127.0.0.1:1'])])"
    )
    assert not found & {*DOCUMENTS, *WORKERS, *APPLICATIONS, *HTTPSYS, *FEATURES, *SELDOM, *ELSEWHERE}
    assert not [name for name in found if name.startswith("hostler.server.usermode")]
