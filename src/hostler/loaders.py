"""The kinds of handlers that can be served, and how each is found in another process.

An ASGI application and a handler are found by their import name, a proxy by the paths of its documents.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hostler.errors import ConfigError, Problem
from hostler.importing import import_object, name_of
from hostler.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.asgi import Application
    from hostler.config.model import Config
    from hostler.pipeline import Handler

__all__ = ["ApplicationLoader", "DocumentLoader", "HandlerLoader"]


class ApplicationLoader:
    """An ASGI 3 application: the object, or its name, "module:attribute"."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loaded: Application | None = None

    @property
    def name(self) -> str:
        """The application's import name; that of its class when only the object is known."""
        return _name(self._app)

    def load(self) -> Application:
        """Import the application; raises ConfigError, and what its module raises."""
        if self._loaded is None:
            from hostler.asgi import Application, load  # noqa: PLC0415 - a proxy does without

            app = import_object(self._app, "an application") if isinstance(self._app, str) else self._app
            if isinstance(app, Proxy):
                raise ConfigError(
                    [Problem(self._path, f"a Proxy is not an ASGI application: {self._instead}")]
                )
            self._loaded = Application(load(self._app) if isinstance(self._app, str) else app)
        return self._loaded

    @property
    def _path(self) -> str:
        return self._app if isinstance(self._app, str) else "app"

    @property
    def _instead(self) -> str:
        return (
            f'run it with hostler.run("{self._app}")'
            if isinstance(self._app, str)
            else "run it with hostler.run"
        )

    def config(self) -> None:
        """Return nothing: an ASGI application does not say where it listens."""
        return

    def reload(self, done: Callable[[], object] = lambda: None) -> bool:
        """Return False: a module is imported once in a process."""
        return False

    def for_workers(self) -> ApplicationLoader:
        """Return a loader by name; raises ConfigError for an application that has none."""
        return self if isinstance(self._app, str) else ApplicationLoader(name_of(self._app, "app"))

    def __reduce__(self) -> tuple[type[ApplicationLoader], tuple[Any]]:
        return ApplicationLoader, (self._app,)


class HandlerLoader:
    """A `Proxy`, or any `async def handler(exchange)`: the object, or its name, "module:attribute"."""

    def __init__(self, handler: Handler | str) -> None:
        self._handler = handler

    @property
    def name(self) -> str:
        """The handler's import name; that of its class when only the object is known."""
        return _name(self._handler)

    def load(self) -> Handler:
        """Import the handler; raises ConfigError, and what its module raises."""
        if not isinstance(self._handler, str):
            return self._handler
        found = import_object(self._handler, "a handler")
        if not callable(found):
            message = f"a {type(found).__qualname__} cannot be called; expected a Proxy, or an async def handler(exchange)"
            raise ConfigError([Problem(self._handler, message)])
        handler: Handler = found
        return handler

    def config(self) -> Config | None:
        """Return a proxy's configuration."""
        handler = self.load()
        return handler.config if isinstance(handler, Proxy) else None

    def reload(self, done: Callable[[], object] = lambda: None) -> bool:
        """Have a proxy read its document again, if it has one."""
        handler = self.load()
        return isinstance(handler, Proxy) and handler.reload(done)

    def for_workers(self) -> HandlerLoader:
        """Return a loader by name; raises ConfigError for a handler that has none."""
        return self if isinstance(self._handler, str) else HandlerLoader(name_of(self._handler, "handler"))


class DocumentLoader:
    """A proxy of YARP documents, which each process reads, and follows when they change."""

    def __init__(
        self,
        *paths: str,
        environment: str | None = None,
        layers: bool = True,
        dangerous_allow_ambiguous_paths: bool = False,
    ) -> None:
        """`environment` and `layers` are those of `Proxy.from_file`."""
        self.name = ", ".join(paths)
        """The paths of the documents."""
        self._paths = paths
        self._options: dict[str, Any] = {
            "environment": environment,
            "layers": layers,
            "dangerous_allow_ambiguous_paths": dangerous_allow_ambiguous_paths,
        }
        self._loaded: Proxy | None = None

    def load(self) -> Proxy:
        """Read the documents; raises OSError, and ConfigError with every problem."""
        if self._loaded is None:
            self._loaded = Proxy.from_file(*self._paths, **self._options)
        return self._loaded

    def config(self) -> Config:
        """Return what the documents say."""
        return self.load().config

    def reload(self, done: Callable[[], object] = lambda: None) -> bool:
        """Have the documents read again."""
        return self.load().reload(done)

    def for_workers(self) -> DocumentLoader:
        """Return this: a path is good in every process."""
        return self

    def __reduce__(self) -> tuple[Callable[..., DocumentLoader], tuple[str, ...]]:
        return partial(DocumentLoader, **self._options), self._paths


def _name(found: Any) -> str:
    return found if isinstance(found, str) else type(found).__qualname__
