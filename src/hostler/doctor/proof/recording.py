"""A recording of calls and packets: a `Windows` that writes down what it is asked, and what it answers.

Every event has the process that it is of, a number in there, and a time: seconds of a clock that all processes of the
machine share. A call is numbered before it is made, since what it causes elsewhere may be seen before it returns.

- A call: `call`, its arguments by the words of `calls`, `returned` (a Win32 code; of a BOOL with the `error`), and what
  it gave: an id or a handle, or the `request` and the `length` when it was over at once.
- A packet: `packet` is the number of the call that it is of, with `code`, `length`, and the `request`. One that belongs to
  a call that was over at once is written down as well: Windows should not have sent it.
- What a client does (`hostler.doctor.proof.clients`).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from hostler.doctor.proof import structures
from hostler.doctor.proof.calls import CALLS, HANDLES, IDS, NUMBERS, OUT, TEXTS
from hostler.server.httpsys._bindings import ffi
from hostler.windows.constants import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from hostler.server.httpsys.api import HttpApi, Windows
    from hostler.windows.libraries import CData, Kernel32

__all__ = ["Event", "Recorder", "record"]

Event = dict[str, Any]

_MORE_DATA: Final = int(ErrorCode.ERROR_MORE_DATA)
_PENDING: Final = int(ErrorCode.ERROR_IO_PENDING)
_RECEIVE: Final = "HttpReceiveHttpRequest"


class Recorder:
    """What one process did, in the order in which it began."""

    def __init__(self, process: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.process = process
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._number = 0
        self._others: list[Event] = []
        self._events: list[Event] = []
        self.calls: dict[int, tuple[Event, Arguments]] = {}
        """The last call with each OVERLAPPED, by its address; its buffers live as long."""

    def note(self, **what: Any) -> Event:
        """Write an event down; more may be added to it."""
        with self._lock:
            self._number += 1
            event: Event = {"process": self.process, "id": self._number, "at": self._clock(), **what}
            self._events.append(event)
            return event

    def add(self, events: list[Event]) -> None:
        """Add what another process has written down."""
        with self._lock:
            self._others.extend(events)

    def own(self) -> list[Event]:
        """Return what this process did since the last time, with times of the shared clock."""
        with self._lock:
            events, self._events = self._events, []
            return events

    def take(self) -> list[Event]:
        """Return what all processes did since the last time, in order, with times since then."""
        events = self.own()
        with self._lock:
            events += self._others
            self._others = []
            began, self._began = self._began, self._clock()
        events.sort(key=lambda event: event["at"])
        return [{**event, "at": round(event["at"] - began, 6)} for event in events]


class Arguments:
    """The arguments of a call, by their words."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        self.name = name
        self._values = dict(zip(CALLS.get(name, ()), values, strict=False))

    def __getitem__(self, word: str) -> Any:
        return self._values[word]

    def described(self) -> Event:
        """Write down those that matter."""
        found = {word: self._describe(word, value) for word, value in self._values.items()}
        return {word: value for word, value in found.items() if value is not None}

    def _describe(self, word: str, value: Any) -> object:
        if word in NUMBERS:
            return int(value)
        if word in IDS:
            return hex(value)
        if word in HANDLES:
            return _handle(value)
        if word in TEXTS:
            return _text(value)
        return self._describe_structure(word, value)

    def _describe_structure(self, word: str, value: CData) -> object:
        match word:
            case "security":
                return None if value == ffi.NULL else True
            case "value":
                return structures.property_of(self["property"], value, self["size"])
            case "response":
                return structures.response_of(value)
            case "chunks":
                return structures.chunks_of(self["count"], value)
            case "cache":
                return structures.cache_of(value)
            case "delegation":
                return structures.delegation_of(self["count"], value)
            case "overlapped":
                return None if value != ffi.NULL else "none"
        return None

    @property
    def overlapped(self) -> int:
        """The address of the OVERLAPPED; 0 for a call without one."""
        value = self._values.get("overlapped", ffi.NULL)
        return int(ffi.cast("uintptr_t", value)) if self.name != "CancelIoEx" else 0

    def given(self, code: int) -> Event:
        """Return what a call gave that succeeded at once, besides what it moved."""
        outs = [word for word in self._values if word in OUT]
        if code or not outs:
            return {}
        value = self[outs[0]][0]
        return {"gave": _handle(value) if outs[0] == "queue_out" else hex(value)}

    def moved(self, code: int) -> Event:
        """Return what a call moved that is over: the request that it received."""
        if self.name != _RECEIVE or code not in {0, _MORE_DATA}:
            return {}
        request = ffi.cast("HTTP_REQUEST *", self["head_buffer"])
        if code == _MORE_DATA:
            return {"received": {"request": hex(request.RequestId)}}
        return {"received": structures.request_of(request)}


def _handle(value: CData) -> str:
    return hex(int(ffi.cast("uintptr_t", value)))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return None if value == ffi.NULL else str(ffi.string(value))


class _Recorded:
    """A DLL whose calls are written down."""

    def __init__(self, dll: Any, windows: Windows, recorder: Recorder) -> None:
        self._dll = dll
        self._windows = windows
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._dll, name)
        if name == "GetQueuedCompletionStatusEx":
            made = self._taking(function)
        elif name in CALLS or name.startswith("Http"):
            made = self._recorded(name, function)
        else:
            made = function
        setattr(self, name, made)
        return made

    def _recorded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        recorder, kernel = self._recorder, self._windows.kernel

        def call(*values: Any) -> Any:
            arguments = Arguments(name, values)
            event = recorder.note(call=name, **arguments.described())
            if name == "CancelIoEx":
                event.update(self._cancelled(arguments))
            if address := arguments.overlapped:
                recorder.calls[address] = event, arguments
            result = function(*values)
            if isinstance(result, int):
                event["returned"] = result
                failed = not result and not name.startswith("Http")
            else:
                event["gave"] = _handle(result)
                failed = result == ffi.NULL
            if failed:
                event["error"] = kernel.GetLastError()
            if name.startswith("Http") and result != _PENDING:
                event.update(arguments.given(result))
                if address:
                    event.update(self._length(arguments, result), **arguments.moved(result))
            return result

        return call

    def _cancelled(self, arguments: Arguments) -> Event:
        """Say which call is to be cancelled."""
        found = self._recorder.calls.get(int(ffi.cast("uintptr_t", arguments["overlapped"])))
        return {} if found is None else {"cancels": found[0]["id"]}

    @staticmethod
    def _length(arguments: Arguments, code: int) -> Event:
        if "length" not in CALLS[arguments.name] or code not in {0, _MORE_DATA}:
            return {}
        length = arguments["length"]
        return {} if length == ffi.NULL else {"length": length[0]}

    def _taking(self, function: Callable[..., int]) -> Callable[..., int]:
        """Make GetQueuedCompletionStatusEx, which writes down the packets that it takes."""

        def take(port: Any, entries: Any, count: int, taken: Any, milliseconds: int, alertable: int) -> int:
            done = function(port, entries, count, taken, milliseconds, alertable)
            for entry in entries[0 : taken[0]] if done else ():
                self._packet(entry.lpOverlapped, entry.dwNumberOfBytesTransferred)
            return done

        return take

    def _packet(self, overlapped: CData, length: int) -> None:
        found = self._recorder.calls.get(int(ffi.cast("uintptr_t", overlapped)))
        if found is None:
            return  # posted by hand
        event, arguments = found
        status = overlapped.Internal & 0xFFFF_FFFF
        code = self._windows.nt.RtlNtStatusToDosError(status) if status else 0
        self._recorder.note(packet=event["id"], code=code, length=length, **arguments.moved(code))


def record(windows: Windows, recorder: Recorder) -> Windows:
    """Return a Windows that does the same, and has a recorder write down what."""
    return attrs.evolve(
        windows,
        http=cast("HttpApi", _Recorded(windows.http, windows, recorder)),
        kernel=cast("Kernel32", _Recorded(windows.kernel, windows, recorder)),
    )
