"""From cattrs' failures, each of which carries a note of where it happened, to problems with their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cattrs import BaseValidationError, ClassValidationError
from cattrs.errors import AttributeValidationNote, IterableValidationNote

from hostler.config.yarp.keys import key_of
from hostler.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["label_of", "noted", "problems_of"]


def problems_of(error: Exception, path: str) -> Iterator[Problem]:
    """Flatten cattrs' groups into problems; a failure's own note says where in its group it stands."""
    if isinstance(error, BaseValidationError):
        for failure in error.exceptions:
            yield from problems_of(failure, path + _step(error, failure))
    elif isinstance(error, KeyError):
        yield Problem(path[1:], "is missing and required; add it")
    else:
        yield Problem(path[1:] or "ReverseProxy", str(error))


def _step(group: BaseValidationError, failure: Exception) -> str:
    if isinstance(group, ClassValidationError):
        return "." + label_of(group.cl, failure).replace(":", ".")
    index = _note(failure).index
    return f"[{index}]" if isinstance(index, int) else f".{index}"


def label_of(cls: type, failure: Exception) -> str:
    """Return the document's key of the attribute that a failure is about."""
    note = _note(failure)
    return key_of(cls, note.name) if isinstance(note, AttributeValidationNote) else str(note.index)


def _note(failure: Exception) -> Any:
    return failure.__notes__[0]


def noted(failure: Exception, index: str | int) -> Exception:
    """Note where in its group a failure stands: a key, or an index."""
    failure.add_note(IterableValidationNote("", index, object))
    return failure
