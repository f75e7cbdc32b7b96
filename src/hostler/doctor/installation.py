"""What is installed: the compiled part, and what the extras are for."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from hostler.doctor.finding import Finding, Verdict
from hostler.http.heads import COMPILED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.doctor.context import Context

__all__ = ["examine_installation", "hostler_version"]

_EXTRAS: Final = {
    "websocket": ({"websockets": "websockets"}, "WebSockets of ASGI applications"),
    "yaml": ({"yaml": "PyYAML"}, "documents in YAML"),
    "limits": ({"limits": "limits", "redis": "redis"}, "rate limiters"),
    "auth": ({"argon2": "argon2-cffi", "joserfc": "joserfc"}, "bearer tokens and passwords"),
    "sealed": ({"cryptography": "cryptography"}, "session affinity by sealed keys"),
    "certificates": ({"cryptography": "cryptography"}, "certificates in PKCS #12, and hostler dev-cert"),
}
"""By extra: the modules that it brings, each with its distribution, and what they are for."""


def examine_installation(context: Context) -> Iterator[Finding]:
    """Find what of hostler is installed."""
    yield _heads()
    for extra, (modules, purpose) in _EXTRAS.items():
        yield _extra(extra, modules, purpose)


def hostler_version() -> str:
    """Return the version of the hostler that is installed."""
    try:
        return version("hostler")
    except PackageNotFoundError:
        return "(not installed)"


def _heads() -> Finding:
    what = "heads of HTTP/1.1"
    if COMPILED:
        return Finding(what, Verdict.OK, "read and written by the compiled functions")
    if os.environ.get("HOSTLER_PURE", "0") not in {"", "0"}:
        value = os.environ["HOSTLER_PURE"]
        return Finding(
            what, Verdict.WARNING, f"read and written in Python: HOSTLER_PURE={value}", "unset HOSTLER_PURE"
        )
    try:
        import_module("hostler.http._heads")
        reason = "the compiled functions were not there when hostler was imported"
    except ImportError as error:
        reason = str(error)
    return Finding(
        what, Verdict.WARNING, f"read and written in Python: {reason}",
        "install a wheel for this platform, or with a C compiler: "
        "HOSTLER_REQUIRE_COMPILED=1 pip install --force-reinstall --no-deps --no-binary hostler hostler",
    )  # fmt: skip


def _extra(name: str, modules: dict[str, str], purpose: str) -> Finding:
    what = f"extra {name}"
    remedy = f'pip install "hostler[{name}]"'
    found = []
    for module, distribution in modules.items():
        try:
            found.append(f"{distribution} {version(distribution)}")
            import_module(module)
        except PackageNotFoundError:
            return Finding(what, Verdict.MISSING, f"{distribution} is not installed, for {purpose}", remedy)
        except ImportError as error:
            return Finding(what, Verdict.BROKEN, f"{distribution} cannot be imported: {error}", remedy)
    return Finding(what, Verdict.OK, f"{', '.join(found)}, for {purpose}")
