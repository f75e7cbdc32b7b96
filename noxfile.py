"""What there is to run: `nox -l` lists it, `nox -s lint` runs one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "typing", "docs", "examples", "tests", "pure"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
HEADS_MATTER = [
    "tests/http", "tests/client", "tests/server/usermode", "tests/server/contract",
    "tests/stages", "tests/asgi", "tests/wire",
]  # fmt: skip
"""The tests of what reads, writes and carries heads."""
WINDOWS_PYTHONS = ["3.11", "3.12", "3.13"]
"""Those that tools/wine-python.sh has."""
UNAVAILABLE = 75
"""How tools/wine-python.sh ends when the registries do not give what it needs (EX_TEMPFAIL)."""


def install(session: nox.Session, *groups: str) -> None:
    """Install hostler and dependency groups."""
    session.install("--upgrade", "pip>=25.1")
    session.install("-e", ".", *(word for group in groups for word in ("--group", group)))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests, on every Python that is there."""
    install(session, "test", "bench")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def prove(session: nox.Session) -> None:
    """On Windows: what hostler expects of HTTP.sys, tried, and written to a file, which may be named after --."""
    install(session)
    session.install("h2")
    session.run("hostler", "doctor", "--prove", *session.posargs)


@nox.session
def pure(session: nox.Session) -> None:
    """What reads, writes and carries heads, tested without the compiled part."""
    install(session, "test")
    session.run("pytest", *(session.posargs or HEADS_MATTER), env={"HOSTLER_PURE": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Style: ruff with everything on, and its formatter."""
    session.install("--upgrade", "pip>=25.1")
    session.install("--group", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Types: mypy --strict, for Linux, Windows and macOS."""
    install(session, "typing")
    for platform in ("linux", "win32", "darwin"):
        session.run("mypy", "--platform", platform)


@nox.session
def docs(session: nox.Session) -> None:
    """Every command and every code block of README.md and docs/."""
    install(session, "test")
    session.run("pytest", "tests/test_docs.py", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every file of examples/, run for real."""
    install(session, "test")
    session.run("pytest", "tests/test_examples.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Our numbers beside those of nginx, uvicorn and others; pass options after --."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs, env={"PYTHONPATH": os.getcwd()})  # noqa: PTH109


@nox.session
def soak(session: nox.Session) -> None:
    """Load while everything is killed, stopped and replaced; pass options after --."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks.soak", *session.posargs, env={"PYTHONPATH": os.getcwd()})  # noqa: PTH109


@nox.session
def reloads(session: nox.Session) -> None:
    """Replace a proxy's document every 200 ms under load, while destinations die and return."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks.soak.reloads", *session.posargs, env={"PYTHONPATH": os.getcwd()})  # noqa: PTH109


@nox.session
def soak_tls(session: nox.Session) -> None:
    """Clients that do TLS wrong, or very often, beside one that must not wait for them."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks.soak.tls", *session.posargs, env={"PYTHONPATH": os.getcwd()})  # noqa: PTH109


@nox.session
def sanitize(session: nox.Session) -> None:
    """The compiled heads under AddressSanitizer and UBSan: their tests, and fuzzing; options for it after --."""
    sanitizers = "-fsanitize=address,undefined -fno-sanitize-recover=all"
    session.install("--upgrade", "pip>=25.1")
    session.install(".", "--group", "test")
    # into the environment, not beside the source: what is built so runs under the sanitizers only
    session.install(
        "--no-cache-dir", "--force-reinstall", "--no-deps", ".",
        env={"CFLAGS": f"-O1 -g {sanitizers}", "LDFLAGS": sanitizers, "HOSTLER_REQUIRE_COMPILED": "1"},
    )  # fmt: skip
    library = session.run("gcc", "-print-file-name=libasan.so", external=True, silent=True)
    env = {
        "LD_PRELOAD": str(library).strip(),
        "PYTHONMALLOC": "malloc",  # each object in memory of its own, so that what is behind it is out of bounds
        "ASAN_OPTIONS": "detect_leaks=0",  # CPython keeps much until the end
    }
    session.run("pytest", "--timeout", "300", *map(str, Path("tests/http").glob("test_heads*.py")), env=env)
    session.run("python", "-m", "tests.http.fuzz_heads", *session.posargs, env=env)


@nox.session
def wheels(session: nox.Session) -> None:
    """What a release has for this platform, into dist/: the sdist, the pure wheel, the compiled ones."""
    session.install("abi3audit", "build", "cibuildwheel")
    session.run("python", "-m", "build", env={"HOSTLER_PURE": "1", "HOSTLER_REQUIRE_COMPILED": "0"})
    session.run("cibuildwheel", "--output-dir", "dist")
    session.run("abi3audit", "--strict", *map(str, Path("dist").glob("*-abi3-*.whl")))


@nox.session
@nox.parametrize("version", [nox.param(version, id=version) for version in WINDOWS_PYTHONS])
def windows(session: nox.Session, version: str) -> None:
    """The Windows half on Windows CPython and Wine: what runs inside, and what is driven from Linux."""
    install(session, "test")
    wine = prepare_wine(session, version)
    source = "Z:" + str(Path("src").resolve()).replace("/", "\\")
    inside = {"WINE_PYTHONPATH": source, "WINE_LINGER": "600"}
    try:
        # the two runs share a tree, and so would share .pytest_cache
        session.run(
            wine, "-m", "pytest", "-p", "no:cacheprovider", "tests/wine/inside", *session.posargs,
            env=inside, external=True,
        )  # fmt: skip
        outside = ["tests/wine", "tests/server/contract", "-k", "wine"]
        session.run("pytest", *outside, *session.posargs, env={"HOSTLER_WINE": wine, "WINE_LINGER": "600"})
    finally:
        session.run(str(Path(wine).with_name("stop")), external=True, silent=True)


def prepare_wine(session: nox.Session, version: str) -> str:
    """Return the wrapper that runs Windows CPython of that version; without one the session is skipped, and fails in CI."""
    path = os.pathsep.join([session.bin, os.environ.get("PATH", os.defpath)])
    prepared = subprocess.run(  # noqa: S603 - beside us, with one of WINDOWS_PYTHONS
        ["tools/wine-python.sh", "--python", version],  # noqa: S607 - beside us
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if prepared.returncode == UNAVAILABLE:
        message = "skipped, because Windows CPython cannot be had here; the line above says why"
        if os.environ.get("CI"):
            session.error(f"{message}, and CI must not do without")
        session.skip(message)
    if prepared.returncode != 0:
        session.error(f"tools/wine-python.sh ended with status {prepared.returncode}")
    return prepared.stdout.strip()
