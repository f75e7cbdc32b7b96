"""How another process finds an application: the "module:attribute" that is bound to it; `load` goes the other way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["name_of"]


def name_of(app: Any) -> str:
    """Return the "module:attribute" under which a freshly started process can import `app`.

    Looked through are the module that defines it, the program's own, and every other that is loaded. Raises
    ConfigError when no module has it.
    """
    for module in _modules(app):
        for attribute, value in list(vars(module).items()):
            if value is app and (name := _importable(module)):
                return f"{name}:{attribute}"
    kind = type(app).__qualname__
    message = (
        f"no module has this {kind} under a name, so worker processes cannot import it; assign it at the top of a "
        'module, or pass "module:name" instead of the object'
    )
    raise ConfigError([Problem("app", message)])


def _modules(app: Any) -> Iterator[ModuleType]:
    for name in (getattr(app, "__module__", None), "__main__", *sys.modules):
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is not None and name != "__mp_main__":
            yield module


def _importable(module: ModuleType) -> str | None:
    """Return the name that imports `module` in a process that multiprocessing spawned."""
    if module is not sys.modules.get("__main__"):
        return module.__name__
    name = getattr(module.__spec__, "name", None)
    if name is not None and name.rpartition(".")[2] == "__main__":
        return str(name)  # python -m package: it is not loaded again by itself
    return "__mp_main__" if name is not None or getattr(module, "__file__", None) is not None else None
