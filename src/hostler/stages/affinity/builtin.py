"""YARP's policies by name; each is imported when a configuration names it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from hostler.stages.affinity.policy import redistribute, return_503_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.config.model import Cluster, SessionAffinity
    from hostler.stages.affinity.policy import AffinityFailurePolicy, AffinityPolicy

__all__ = ["FAILURE_POLICIES", "POLICIES", "find_fault"]


def _make_hash_cookie(config: SessionAffinity) -> AffinityPolicy:
    from hostler.stages.affinity.hashed import HASH_COOKIE  # noqa: PLC0415

    return HASH_COOKIE(config)


def _make_arr_cookie(config: SessionAffinity) -> AffinityPolicy:
    from hostler.stages.affinity.hashed import ARR_COOKIE  # noqa: PLC0415

    return ARR_COOKIE(config)


def _make_cookie(config: SessionAffinity) -> AffinityPolicy:
    from hostler.stages.affinity.sealed import SealedCookie  # noqa: PLC0415

    return SealedCookie(config)


def _make_custom_header(config: SessionAffinity) -> AffinityPolicy:
    from hostler.stages.affinity.sealed import CustomHeader  # noqa: PLC0415

    return CustomHeader(config)


POLICIES: Final[dict[str, Callable[[SessionAffinity], AffinityPolicy]]] = {
    "HashCookie": _make_hash_cookie,
    "ArrCookie": _make_arr_cookie,
    "Cookie": _make_cookie,
    "CustomHeader": _make_custom_header,
}

FAILURE_POLICIES: Final[dict[str, Callable[[], AffinityFailurePolicy]]] = {
    "Redistribute": lambda: redistribute,
    "Return503Error": lambda: return_503_error,
}

_SEALING: Final = {"cookie", "customheader"}


def find_fault(cluster: Cluster) -> tuple[str, str] | None:
    """Say why the policy that a cluster names cannot be made here: the key, from the cluster on, and what to do."""
    affinity = cluster.affinity
    if affinity is None or affinity.policy.lower() not in _SEALING:
        return None
    if find_spec("cryptography") is None:
        message = (
            f'{affinity.policy} needs cryptography, which is not installed; pip install "hostler[sealed]"'
        )
        return "SessionAffinity.Policy", message
    if not affinity.sealing_key_file:
        return None
    from hostler.stages.affinity.keys import read_keys  # noqa: PLC0415

    try:
        read_keys(affinity.sealing_key_file)
    except (OSError, ValueError) as error:
        why = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else error
        return "SessionAffinity.SealingKeyFile", f"{affinity.sealing_key_file}: {why}"
    return None
