"""What surrounds a document: the name of the environment, and the variables that are layers of a configuration."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from hostler.config.layers import Layer
from hostler.config.places import Origin, Place
from hostler.config.yarp.colons import unfold
from hostler.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ENVIRONMENT_VARIABLES", "Environment", "Variables"]

ENVIRONMENT_VARIABLES: Final = ("HOSTLER_ENVIRONMENT", "DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT")
"""What the environment's name is asked of, in this order."""

_DEFAULT_NAME: Final = "Production"
_NAME: Final = re.compile(r"[^\s/\\:*?\"<>|\x00-\x1f\x7f]+")
_VALUES: Final = frozenset({"urls", "allowedhosts", "forwardedheaders_enabled"})
_SECTIONS: Final = frozenset(
    {
        "reverseproxy",
        "policies",
        "httpsys",
        "kestrel",
        "trustedproxies",
        "httpsredirection",
        "hsts",
        "staticfiles",
        "navigationfallback",
    }
)
_HOST_PREFIXES: Final = ("ASPNETCORE_", "DOTNET_")
_HOST_KEYS: Final = ("Urls", "ForwardedHeaders_Enabled")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def _frozen(given: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(given))


@frozen
class Variables:
    """Variables that say a part of a configuration, by their keys with colons."""

    names: Mapping[str, str] = field(default=_NONE, converter=_frozen)
    """The variable of each key."""

    values: Mapping[str, str] = field(default=_NONE, converter=_frozen)

    def only(self, keys: Iterable[str]) -> Variables:
        """Return those of some keys."""
        kept = set(keys)
        return Variables(
            {key: name for key, name in self.names.items() if key in kept},
            {key: value for key, value in self.values.items() if key in kept},
        )

    def layers(self) -> tuple[Layer, ...]:
        """Return what they say as a layer of a configuration; none where they say nothing."""
        if not self.names:
            return ()
        value, twice = unfold(dict(self.values))
        problems = [evolve(item, message=f"{item.message}: {self._near(item.path)}") for item in twice]
        return (Layer(Origin(", ".join(self.names.values()), self._places), value, tuple(problems)),)

    def _near(self, key: str) -> str:
        """List the variables that say a key, or one around it or within it."""
        steps = key.lower().split(":")
        others = {name: other.lower().split(":") for other, name in self.names.items()}
        return ", ".join(
            name
            for name, other in others.items()
            if other[: len(steps)] == steps or steps[: len(other)] == other
        )

    def _places(self) -> Place:
        root = Place()
        for key, name in self.names.items():
            place = root
            for step in key.lower().split(":"):
                place = place.members.setdefault(step, Place(source=name))
        return root


@frozen
class Environment:
    """What is laid over documents: another file by the environment's name, and variables."""

    name: str = field(default=_DEFAULT_NAME)
    """As in `appsettings.Production.json`."""

    variables: Variables = Variables()
    """Laid over the documents."""

    host_variables: Variables = Variables()
    """`ASPNETCORE_URLS`, `DOTNET_URLS` and the like, which the documents are laid over."""

    @name.validator
    def _check_name(self, _: Any, name: str) -> None:
        if not _NAME.fullmatch(name) or name.strip(".") == "":
            message = (
                f"{name!a} is not the name of an environment; use one that can be a part of a file's name"
            )
            raise ConfigError([Problem("environment", message)])

    @classmethod
    def of(cls, name: str | None = None, variables: Mapping[str, str] = os.environ) -> Environment:
        """Return the environment that variables describe; `name` is asked first for what it is called.

        Taken are the variables whose first key is a section that hostler reads, in .NET's form:
        `ReverseProxy__Routes__shop__Order`, with two underscores for a colon, in any case.
        (.NET's EnvironmentVariablesConfigurationProvider) Raises ConfigError for what is no name.
        """
        found = [name, *(variables.get(variable) for variable in ENVIRONMENT_VARIABLES)]
        return cls(
            next(filter(None, found), _DEFAULT_NAME), _read(variables, _is_ours), _read_host(variables)
        )


def _read(variables: Mapping[str, str], is_ours: Any) -> Variables:
    names = {name.replace("__", ":"): name for name in sorted(variables)}
    taken = {key: name for key, name in names.items() if is_ours(key)}
    return Variables(taken, {key: variables[name] for key, name in taken.items()})


def _is_ours(key: str) -> bool:
    first, *rest = key.lower().split(":")
    return first in _SECTIONS if rest else first in _VALUES


def _read_host(variables: Mapping[str, str]) -> Variables:
    """Return the last of `ASPNETCORE_URLS` and `DOTNET_URLS`, as WebApplicationBuilder orders them since .NET 7.

    So too `..._FORWARDEDHEADERS_ENABLED`.
    """
    found: dict[str, str] = {}
    for key in _HOST_KEYS:
        for prefix in _HOST_PREFIXES:
            wanted = f"{prefix}{key}".upper()
            for name in sorted(variables, reverse=True):
                if name.upper() == wanted:
                    found[key] = name
    return Variables(found, {key: variables[name] for key, name in found.items()})
