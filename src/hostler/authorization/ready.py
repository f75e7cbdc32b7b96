"""From a definition in a configuration to a policy; what it needs beyond hostler is imported here, when it is made."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hostler.authorization.decision import AuthorizationPolicy
    from hostler.config.access import AuthorizationDefinition

__all__ = ["find_fault", "make_policy"]

_NEEDS: Final = (("bearer", "Bearer", "joserfc"), ("basic", "Basic", "argon2"))
"""The attribute and the key of a kind of policy, and the package that it needs."""


def find_fault(definition: AuthorizationDefinition) -> tuple[str, str] | None:
    """Say why a policy cannot be made here: the key, from the definition on, and what is missing."""
    for kind, key, package in _NEEDS:
        if getattr(definition, kind) is not None and find_spec(package) is None:
            return key, f'it needs {package}, which is not installed; pip install "hostler[auth]"'
    from hostler.config.access import ALGORITHMS  # noqa: PLC0415

    bearer = definition.bearer
    if bearer is None or "://" in bearer.keys or not bearer.keys or not {*bearer.algorithms} <= {*ALGORITHMS}:
        return None
    from hostler.authorization.keys import read_keys  # noqa: PLC0415

    try:
        read_keys(bearer.keys, frozenset(bearer.algorithms))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return "Bearer.Keys", f"no keys can be read from {bearer.keys}: {why}; correct the path, or the file"
    return None


def make_policy(definition: AuthorizationDefinition) -> AuthorizationPolicy:
    """Make the policy of a definition that has one kind."""
    if definition.bearer is not None:
        from hostler.authorization.bearer import Bearer  # noqa: PLC0415

        return Bearer(definition.bearer, definition.realm)
    if definition.basic is not None:
        from hostler.authorization.basic import Basic  # noqa: PLC0415

        return Basic(definition.basic, definition.realm)
    from hostler.authorization.api_keys import ApiKeys  # noqa: PLC0415

    assert definition.api_key is not None
    return ApiKeys(definition.api_key, definition.realm)
