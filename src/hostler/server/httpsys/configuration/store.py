"""The records of the machine's configuration, one by one."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.constants import ServiceConfigQueryType
from hostler.server.httpsys.library import begin, end
from hostler.windows.constants import ErrorCode
from hostler.windows.errors import Win32Error, check
from hostler.windows.libraries import exports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hostler.server.httpsys.api import Windows
    from hostler.server.httpsys.constants import ServiceConfigId
    from hostler.windows.libraries import CData

__all__ = ["ConfigurationStore", "open_store"]

_NONE = (ErrorCode.ERROR_NO_MORE_ITEMS, ErrorCode.ERROR_FILE_NOT_FOUND)
"""What a query returns that finds nothing: behind the last record, and for a key that no record has."""


class ConfigurationStore:
    """The machine's configuration; its methods raise Win32Error."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def add(self, kind: ServiceConfigId, record: CData) -> None:
        """Add a record; there may be none with its key (HttpSetServiceConfiguration)."""
        http = self.windows.http
        code = http.HttpSetServiceConfiguration(ffi.NULL, kind, record, ffi.sizeof(record[0]), ffi.NULL)
        check(code, "HttpSetServiceConfiguration")

    def replace(self, kind: ServiceConfigId, record: CData, query: CData) -> None:
        """Replace the record that has its key, and the query's, that of a certificate (HttpUpdateServiceConfiguration).

        Before Windows 10 1703 there is no such function: the record is removed, and added anew; when the new one is
        refused, the old one comes back.
        """
        http = self.windows.http
        if not exports(http, "HttpUpdateServiceConfiguration"):
            before = self.find(kind, query)
            self.remove(kind, record)
            try:
                self.add(kind, record)
            except Win32Error:
                if before is not None:
                    self.add(kind, ffi.cast(ffi.typeof(record), before))
                raise
            return
        code = http.HttpUpdateServiceConfiguration(ffi.NULL, kind, record, ffi.sizeof(record[0]), ffi.NULL)
        check(code, "HttpUpdateServiceConfiguration")

    def remove(self, kind: ServiceConfigId, record: CData) -> None:
        """Remove the record that has the key of this one (HttpDeleteServiceConfiguration)."""
        http = self.windows.http
        code = http.HttpDeleteServiceConfiguration(ffi.NULL, kind, record, ffi.sizeof(record[0]), ffi.NULL)
        check(code, "HttpDeleteServiceConfiguration")

    def find(self, kind: ServiceConfigId, query: CData) -> CData | None:
        """Return the record that has the key of a query, as memory; None when there is none."""
        query.QueryDesc = ServiceConfigQueryType.EXACT
        return self._query(kind, query)

    def each(self, kind: ServiceConfigId, query: CData) -> Iterator[CData]:
        """Yield every record of a kind, as memory."""
        query.QueryDesc = ServiceConfigQueryType.NEXT
        for token in count():
            query.dwToken = token
            record = self._query(kind, query)
            if record is None:
                return
            yield record

    def _query(self, kind: ServiceConfigId, query: CData) -> CData | None:
        """Ask for a record, with more memory until it fits (HttpQueryServiceConfiguration)."""
        size = ffi.new("uint32_t *")
        memory = ffi.NULL
        while True:
            given = size[0]
            code = self.windows.http.HttpQueryServiceConfiguration(
                ffi.NULL, kind, query, ffi.sizeof(query[0]), memory, given, size, ffi.NULL
            )
            if code in _NONE:
                return None
            if code != ErrorCode.ERROR_INSUFFICIENT_BUFFER or size[0] <= given:
                break
            memory = ffi.new("char[]", size[0])
        if code:
            raise Win32Error(code, "HttpQueryServiceConfiguration")
        return memory


@contextmanager
def open_store(windows: Windows) -> Iterator[ConfigurationStore]:
    """Open the machine's configuration (HttpInitialize); raises Win32Error."""
    begin(windows)
    try:
        yield ConfigurationStore(windows)
    finally:
        end(windows)
