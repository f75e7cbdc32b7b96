"""From a route's configuration to its transforms: which keys there are, and what is wrong with them (spec: YARP's factories).

A transform is a mapping. One of its keys says which it is, a `Form` of `FORMS`; the others belong to it. Keys, and the words
among the values, have no case.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from hostler.config.transforms import CodeTransform
from hostler.errors import ConfigError, Problem
from hostler.transforms.forms import FORMS
from hostler.transforms.making import Making, TransformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hostler.config.transforms import Transform
    from hostler.transforms.compiled import Transforms
    from hostler.transforms.making import Arguments, Form

__all__ = ["check_transforms", "make_transforms"]


def make_transforms(transforms: Iterable[Transform]) -> Transforms:
    """Compile transforms; raises ConfigError with everything that is wrong with them."""
    making = Making()
    problems = list(_read(transforms, "Transforms", making))
    if problems:
        raise ConfigError(problems)
    return making.finish()


def check_transforms(transforms: Iterable[Transform], path: str) -> Iterator[Problem]:
    """Find what is wrong with transforms, which are at that path of a configuration."""
    yield from _read(transforms, path, Making())


def _read(transforms: Iterable[Transform], path: str, making: Making) -> Iterator[Problem]:
    for index, transform in enumerate(transforms):
        if isinstance(transform, CodeTransform):
            making.add_code(transform)
            continue
        try:
            form, arguments = _recognise(transform)
            form.add(making, arguments)
        except TransformError as error:
            place = f"{path}[{index}]"
            yield Problem(f"{place}.{error.key}" if error.key else place, str(error))


def _recognise(transform: Mapping[str, str]) -> tuple[Form, Arguments]:
    """Find the form of a transform, and its values; raises TransformError where the keys are no form's."""
    lowered = {key.lower(): key for key in transform}
    if len(lowered) != len(transform):
        twice = next(key for key in transform if lowered[key.lower()] != key)
        raise TransformError(twice, f"{twice} appears more than once (keys are case-insensitive); keep one")
    form = next((form for form in FORMS if form.key.lower() in lowered), None)
    if form is None:
        raise TransformError("", _unknown(transform, [form.key for form in FORMS]))
    known = {key.lower(): key for key in form.keys}
    for key, spelled in lowered.items():
        if key not in known:
            raise TransformError(spelled, _does_not_belong(form, spelled))
    arguments = {known[key]: transform[spelled] for key, spelled in lowered.items()}
    given = [key for key in form.one_of if key in arguments]
    if form.one_of and len(given) != 1:
        choice = " or ".join(form.one_of)
        what = f"needs {choice}; add one" if not given else f"takes {choice}, not both; remove one"
        raise TransformError("", f"{form.key} {what}")
    return form, arguments


def _unknown(transform: Mapping[str, str], known: list[str]) -> str:
    if not transform:
        return 'the transform is empty; write one, such as {"PathPrefix": "/v1"}, or remove it'
    named = ", ".join(f'"{key}"' for key in transform)
    lower = {key.lower(): key for key in known}
    for key in transform:
        close = difflib.get_close_matches(key[:100].lower(), lower, n=1)
        if close:
            return f"unknown transform {named}; did you mean {lower[close[0]]}?"
    return f"unknown transform {named}; use one of {', '.join(known)}"


def _does_not_belong(form: Form, key: str) -> str:
    others = form.keys[1:]
    close = difflib.get_close_matches(key[:100].lower(), lower := {one.lower(): one for one in others}, n=1)
    if close:
        return f'unknown key "{key}" of {form.key}; did you mean {lower[close[0]]}?'
    takes = f"takes {', '.join(others)} only" if others else "takes no other key"
    return f"{form.key} {takes}; remove {key}, or put it in a transform of its own"
