"""From a route's configuration to its transforms: which keys there are, and what is wrong with them (spec: YARP's factories).

A transform is a mapping. One of its keys says which it is, a `Form` of `FORMS`; the others belong to it. Keys, and the words
among the values, have no case.
"""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from hostler.config.transforms import CodeTransform
from hostler.errors import ConfigError, Problem
from hostler.transforms.forms import FORMS
from hostler.transforms.making import Making, TransformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hostler.config.transforms import Transform
    from hostler.transforms.compiled import Transforms
    from hostler.transforms.making import Arguments, Form

__all__ = ["Factories", "TransformFactory", "check_transforms", "make_transforms"]


TransformFactory: TypeAlias = "Callable[[Mapping[str, str]], Iterable[Transform]]"
"""Makes transforms of a mapping of your own in a document; raises ValueError for a wrong one. (ITransformFactory)"""

Factories: TypeAlias = "Mapping[str, TransformFactory]"
"""By the key that says that a mapping is meant for it."""

_NO_FACTORIES: Final[Factories] = MappingProxyType({})


def make_transforms(transforms: Iterable[Transform], factories: Factories = _NO_FACTORIES) -> Transforms:
    """Compile transforms; raises ConfigError with everything that is wrong with them."""
    making = Making()
    problems = list(_read(transforms, "Transforms", making, factories))
    if problems:
        raise ConfigError(problems)
    return making.finish()


def check_transforms(
    transforms: Iterable[Transform], path: str, factories: Factories = _NO_FACTORIES
) -> Iterator[Problem]:
    """Find what is wrong with transforms, which are at that path of a configuration."""
    yield from _read(transforms, path, Making(), factories)


def _read(
    transforms: Iterable[Transform], path: str, making: Making, factories: Factories
) -> Iterator[Problem]:
    own = {key.lower(): (key, factory) for key, factory in factories.items()}
    for index, transform in enumerate(transforms):
        try:
            for one in _unfold(transform, own):
                _add(one, making)
        except TransformError as error:
            place = f"{path}[{index}]"
            yield Problem(f"{place}.{error.key}" if error.key else place, str(error))


def _unfold(transform: Transform, own: Mapping[str, tuple[str, TransformFactory]]) -> Iterable[Transform]:
    """Return what a user's own factory makes of a transform, or the transform itself."""
    if isinstance(transform, CodeTransform):
        return [transform]
    key = next((key for key in transform if key.lower() in own), None)
    if key is None:
        return [transform]
    name, factory = own[key.lower()]
    try:
        return list(factory({name if one == key else one: value for one, value in transform.items()}))
    except ValueError as error:
        raise TransformError(key, str(error)) from error
    except Exception as error:  # what a stranger's code raises
        raise TransformError(key, f"what makes it raised {error!r}; correct it") from error


def _add(transform: Transform, making: Making) -> None:
    if isinstance(transform, CodeTransform):
        making.add_code(transform)
    else:
        form, arguments = _recognise(transform)
        form.add(making, arguments)


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
