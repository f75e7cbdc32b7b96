"""A document's file, in the format that its name says: JSON, YAML or TOML."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.config.jsonc import read_json
from hostler.config.layers import Layer
from hostler.config.places import Origin, Place, read_json_places
from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["MAX_SIZE", "read_layer"]

Reader: TypeAlias = "Callable[[str], tuple[object, list[Problem]]]"
"""Parses a text, and finds the keys that appear in it more than once."""

MAX_SIZE: Final = 16 << 20
"""Bytes that a document may have; one of 10,000 routes has two millions."""


def read_layer(path: Path) -> Layer:
    """Read a file in UTF-8. Raises `ConfigError` for what cannot be parsed, `OSError` when it cannot be read."""
    name = str(path)
    try:
        text = _read(path)
        read, read_places = _format_of(path)
        value, repeated = read(text)
    except ConfigError as error:
        raise error.at(name) from error
    return Layer(Origin(name, partial(read_places, text)), value, tuple(repeated))


def _format_of(path: Path) -> tuple[Reader, Callable[[str], Place]]:
    """Return what reads a file of that name, and what finds out where its values stand."""
    suffix = path.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        from hostler.config.yaml import read_yaml, read_yaml_places  # noqa: PLC0415 - most documents are JSON

        return read_yaml, read_yaml_places
    if suffix == ".toml":
        from hostler.config.toml import read_toml, read_toml_places  # noqa: PLC0415 - most documents are JSON

        return read_toml, read_toml_places
    return read_json, read_json_places


def _read(path: Path) -> str:
    with open(path, "rb", opener=_open_at_once) as file:
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        message = f"the file has more than {MAX_SIZE >> 20} MiB, which no document has; is it the right one?"
        raise ConfigError([Problem("", message)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigError([Problem("", message)]) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe into which nobody writes is empty, and not waited for."""
    if sys.platform != "win32":
        flags |= os.O_NONBLOCK
    opened = os.open(path, flags)
    if sys.platform != "win32":
        os.set_blocking(opened, True)
    return opened
