"""A document's file, in the format that its name says: JSON, YAML or TOML."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hostler.config.jsonc import read_json
from hostler.config.layers import Layer
from hostler.config.places import Origin, read_json_places
from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_SIZE", "read_layer"]

MAX_SIZE: Final = 16 << 20
"""Bytes that a document may have; one of 10,000 routes has two millions."""


def read_layer(path: Path) -> Layer:
    """Read a file in UTF-8. Raises `ConfigError` for what cannot be parsed, `OSError` when it cannot be read."""
    name = str(path)
    try:
        text = _read(path)
        value, repeated = read_json(text)
    except ConfigError as error:
        raise error.at(name) from error
    return Layer(Origin(name, partial(read_json_places, text)), value, tuple(repeated))


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        message = f"the file has more than {MAX_SIZE >> 20} MiB, which no document has; is it the right one?"
        raise ConfigError([Problem("", message)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 (byte {error.start}); save it as UTF-8"
        raise ConfigError([Problem("", message)]) from error
