"""Server sessions and URL groups: which URL prefixes belong to which request queue, and under which conditions."""

from __future__ import annotations

import errno
import logging
import secrets
import socket
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field

from hostler.errors import ListenError, PrefixError
from hostler.server.httpsys import library
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.errors import listen_error
from hostler.server.httpsys.marshal.properties import binding, url_group_properties
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error, check
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hostler.server.httpsys.api import HttpApi, Windows
    from hostler.server.httpsys.marshal.properties import Property
    from hostler.server.httpsys.queue import QueueHandle
    from hostler.server.options import ServerOptions
    from hostler.server.prefix import UrlPrefix
    from hostler.windows.libraries import Handle

_log: Final = logging.getLogger("hostler.server.httpsys")
_PICKS: Final = 100
"""How often a free port is picked before that is given up."""

__all__ = ["ServerSession", "UrlGroup"]


class ServerSession:
    """A server session: what owns this process' URL groups (HttpCreateServerSession)."""

    def __init__(self, windows: Windows) -> None:
        """Open it; raises Win32Error."""
        self._windows = windows
        self._http = windows.http
        session = ffi.new("HTTP_SERVER_SESSION_ID *")
        library.begin(windows)
        code = self._http.HttpCreateServerSession(library.VERSION[0], session, 0)
        if code:
            library.end(windows)
            raise Win32Error(code, "HttpCreateServerSession")
        self._id: int | None = session[0]

    def group(self) -> UrlGroup:
        """Make a URL group; raises Win32Error."""
        group = ffi.new("HTTP_URL_GROUP_ID *")
        assert self._id is not None
        check(self._http.HttpCreateUrlGroup(self._id, group, 0), "HttpCreateUrlGroup")
        return UrlGroup(self._http, group[0])

    def group_for(self, queue: QueueHandle, options: ServerOptions) -> UrlGroup:
        """Make a URL group with these options, bound to a queue; raises Win32Error."""
        group = self.group()
        for item in url_group_properties(options):
            group.set(item)
        group.bind(queue.handle)
        return group

    def close(self) -> None:
        """Close it, with its URL groups and their prefixes."""
        if self._id is not None:
            session, self._id = self._id, None
            self._http.HttpCloseServerSession(session)
            library.end(self._windows)


@define(eq=False)
class UrlGroup:
    """URL prefixes with one configuration and one request queue (HttpCreateUrlGroup)."""

    _http: HttpApi
    id: int
    prefixes: dict[int, UrlPrefix] = field(factory=dict, init=False)
    """What is registered, by the context that its requests carry."""
    _contexts: int = field(factory=lambda: secrets.randbits(62), init=False)
    """The last context: no other process, which may have prefixes on the same queue, counts from there."""

    def set(self, item: Property) -> None:
        """Set a property (HttpSetUrlGroupProperty); raises Win32Error."""
        code = self._http.HttpSetUrlGroupProperty(self.id, item.id, item.value, item.size)
        check(code, "HttpSetUrlGroupProperty", item.name)

    def bind(self, queue: Handle) -> None:
        """Have the prefixes' requests go to `queue` (HttpServerBindingProperty)."""
        self.set(binding(queue))

    def unbind(self) -> bool:
        """Have HTTP.sys answer the prefixes' requests with 503 by itself; returns whether it does."""
        try:
            self.bind(ffi.NULL)
        except Win32Error as error:
            _log.warning("%s; its prefixes are removed instead", error)
            return False
        return True

    def add_all(self, prefixes: Iterable[UrlPrefix], queue: QueueHandle) -> tuple[UrlPrefix, ...]:
        """Register prefixes for `queue`, all or none of them; returns them with the ports that were picked for port 0.

        One that is registered for this queue already, by another process, is fine. Raises ListenError.
        """
        before = set(self.prefixes)
        try:
            return tuple(
                self._add(prefix, queue) if prefix.port else self._add_somewhere(prefix)
                for prefix in prefixes
            )
        except BaseException:
            self._remove_quietly(self.prefixes.keys() - before)
            raise

    def _add_somewhere(self, prefix: UrlPrefix) -> UrlPrefix:
        """Register a prefix on a port that is free."""
        if prefix.scheme == "https":
            raise ListenError(
                errno.EINVAL,
                f"cannot listen on {prefix}: certificates are bound to ports; name one from 1 to 65535",
            )
        for _ in range(_PICKS):
            try:
                return self._add(evolve(prefix, port=_free_port()), None)
            except ListenError:
                continue  # somebody else was given the port meanwhile, or has it reserved
        return self._add(evolve(prefix, port=_free_port()), None)

    def _add(self, prefix: UrlPrefix, queue: QueueHandle | None) -> UrlPrefix:
        """Register a prefix (HttpAddUrlToUrlGroup)."""
        self._contexts += 1
        text = str(prefix)
        code = self._http.HttpAddUrlToUrlGroup(self.id, text, self._contexts, 0)
        if code == ErrorCode.ERROR_ALREADY_EXISTS and queue is not None and not queue.created:
            code = 0 if self._belongs(text, queue.handle) else code
        elif code == 0:
            self.prefixes[self._contexts] = prefix
        if code:
            raise listen_error(prefix, code, "HttpAddUrlToUrlGroup")
        return prefix

    def _belongs(self, url: str, queue: Handle) -> bool:
        """Whether a prefix is registered for `queue` already (HttpFindUrlGroupId)."""
        if not exports(self._http, "HttpFindUrlGroupId"):
            return False
        return self._http.HttpFindUrlGroupId(url, queue, ffi.new("HTTP_URL_GROUP_ID *")) == 0

    def remove(self, prefix: UrlPrefix) -> None:
        """Forget a prefix (HttpRemoveUrlFromUrlGroup); raises PrefixError when it is not registered here."""
        for context, registered in self.prefixes.items():
            if registered == prefix:
                check(self._remove(context), "HttpRemoveUrlFromUrlGroup", str(prefix))
                return
        raise PrefixError(f"{prefix} is not registered; give it as it was added, or as str() shows it")

    def remove_all(self) -> None:
        """Forget every prefix: requests for them are not ours any more. One that cannot be is logged."""
        self._remove_quietly(set(self.prefixes))

    def _remove(self, context: int) -> int:
        """Forget a prefix, unless that fails (HttpRemoveUrlFromUrlGroup); returns the code."""
        code = self._http.HttpRemoveUrlFromUrlGroup(self.id, str(self.prefixes[context]), 0)
        if code in {0, ErrorCode.ERROR_FILE_NOT_FOUND}:
            del self.prefixes[context]
            return 0
        return code

    def _remove_quietly(self, contexts: Iterable[int]) -> None:
        for context in contexts:
            if code := self._remove(context):
                error = Win32Error(code, "HttpRemoveUrlFromUrlGroup", str(self.prefixes[context]))
                _log.warning("%s; it goes with this process' session", error)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port
