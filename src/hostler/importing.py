"""Import names: finding the object that "module:attribute" names, and the name under which another process finds one."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["import_object", "name_of"]

_FILE: Final = re.compile(r"(?P<directory>.*[/\\])?(?P<stem>[^/\\:]+)\.py(:(?P<attribute>.*))?")


def import_object(name: str, kind: str) -> Any:
    """Import what "module:attribute" names; the attribute may have dots. `kind` says what that should be.

    Raises ConfigError when there is no such module or attribute. What the module itself raises while it is imported
    comes through as it is.
    """
    file = _FILE.fullmatch(name)
    if file is not None:
        raise _error(name, f"names a file where a module is expected, {_module_of(file)}")
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise _error(name, f"does not name {kind}, write it as module:attribute, such as shop.main:app")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        remedy = "install it, or put its directory on PYTHONPATH"
        raise _error(name, f"there is no module {error.name!r}, {remedy}") from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            remedy = f"name one that is assigned in {module_name!r} when it is imported"
            raise _error(name, f"there is no attribute {attribute!r} in {module_name!r}, {remedy}") from error
    return found


def _module_of(file: re.Match[str]) -> str:
    """Say what to write in place of the path of a file."""
    stem, attribute = file["stem"], file["attribute"] or "app"
    *packages, _ = re.split(r"[/\\]", file["directory"] or "/")
    packages = [package for package in packages if package not in {"", "."}]
    if all(map(str.isidentifier, packages)) and not re.match(r"[/\\]", file["directory"] or ""):
        return f"write {'.'.join([*packages, stem])}:{attribute}"
    return f"write {stem}:{attribute}, and put {file['directory']} on PYTHONPATH"


def name_of(found: Any, role: str) -> str:
    """Return the "module:attribute" under which a freshly started process can import `found`.

    `role` is the argument that it was given as. Looked through are the module that defines it, the program's own, and every other that is loaded. Raises
    ConfigError when no module has it.
    """
    for module in _modules(found):
        for attribute, value in list(vars(module).items()):
            if value is found and (name := _importable(module)):
                return f"{name}:{attribute}"
    kind = type(found).__qualname__
    message = (
        f"no module has this {kind} under a name, so worker processes cannot import it; assign it at the top of a "
        'module, or pass "module:name" instead of the object'
    )
    raise _error(role, message)


def _modules(found: Any) -> Iterator[ModuleType]:
    for name in (getattr(found, "__module__", None), "__main__", *sys.modules):
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


def _error(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(path, message)])
