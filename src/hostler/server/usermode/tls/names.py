"""Host names, exact and with wildcards, and what is kept under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HostNames", "normal_host"]

T = TypeVar("T")

_ANY: Final = "*"


def normal_host(name: str) -> str:
    """Return a host's name as names are compared: in lower case, in A-labels, without the dot at its end."""
    name = name.lower().removesuffix(".")
    return name if name.isascii() else name.encode("idna").decode("ascii")


class HostNames(Generic[T]):
    """What is kept under `name`, under `*.name` for one label more at least, and under `*` for any other.

    The longest match prevails (Kestrel's Sni).
    """

    def __init__(self, values: Mapping[str, T], default: T | None) -> None:
        """Take `default` for hosts that nothing is for."""
        named = {normal_host(name): value for name, value in values.items()}
        self._any = named.pop(_ANY, default)
        self._below = {name[1:]: value for name, value in named.items() if name.startswith("*.")}
        self._exact = {name: value for name, value in named.items() if not name.startswith("*.")}

    def find(self, host: str) -> T | None:
        """Return what is kept for a host; "" for none that was named."""
        host = host.removesuffix(".")
        exact = self._exact.get(host)
        if exact is not None:
            return exact
        dot = host.find(".", 1)
        while dot > 0 and self._below:
            if (found := self._below.get(host[dot:])) is not None:
                return found
            dot = host.find(".", dot + 1)
        return self._any
