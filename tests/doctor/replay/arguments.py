"""Makes the arguments of a recorded call again: handles and ids are those that the model gave in their place."""

from hostler.doctor.proof.calls import CALLS, HANDLES, IDS, NUMBERS, TEXTS
from hostler.server.httpsys._bindings import ffi
from hostler.server.httpsys.library import VERSION
from tests.doctor.replay.structures import Structures

_INVALID = "0xffffffffffffffff"


class Names:
    """What the model has in place of the handles and ids of a recording."""

    def __init__(self):
        self._handles = {}
        self._ids = {}

    def handle(self, process, recorded):
        """Find a handle of a process; INVALID_HANDLE_VALUE and NULL are themselves, and so is one that is unknown."""
        return self._handles.get((process, recorded), ffi.cast("HANDLE", int(recorded, 16)))

    def id(self, recorded):
        """Find an id; one that was never given is itself."""
        return self._ids.get(recorded, int(recorded, 16))

    def is_handle(self, process, recorded, handle):
        """Note that a handle stands for another."""
        if recorded != _INVALID:
            self._handles[process, recorded] = handle

    def is_id(self, recorded, number):
        """Note that an id stands for another, from now on: those of what is over may be given again."""
        self._ids[recorded] = number


class Call:
    """A recorded call, ready to be made."""

    def __init__(self, event, names, size=None):
        self.event = event
        self.name = event["call"]
        self.process = event["process"]
        self.overlapped = ffi.new("OVERLAPPED *") if "overlapped" in CALLS[self.name] else ffi.NULL
        self.length = ffi.new("uint32_t *")
        self._size = event.get("size", 0) if size is None else size
        self.buffer = ffi.new("char[]", max(self._size, 1))
        self.out = None
        self.returned = None
        self.packet = None
        """Code and length of the packet that the model sent."""
        self.claimed = False
        """The recording has said how this call ended."""
        self._names = names
        self._structures = Structures()

    def arguments(self):
        """Make the arguments."""
        return [self._argument(word) for word in CALLS[self.name]]

    def _argument(self, word):
        event, names = self.event, self._names
        if word == "size":
            return self._size
        if word in NUMBERS:
            return event.get(word, 0)
        if word in IDS:
            return names.id(event[word])
        if word in HANDLES:
            return names.handle(self.process, event[word])
        if word in TEXTS:
            return self._text(event.get(word))
        return self._structure(word)

    def _text(self, text):
        if text is None:
            return ffi.NULL
        array = ffi.new("char16_t[]", text)
        self._structures.kept.append(array)
        return array

    def _structure(self, word):
        event, structures = self.event, self._structures
        match word:
            case "version":
                return VERSION[0]
            case "zero":
                return 0
            case "null" | "log" | "security":
                return ffi.NULL
            case "length" | "overlapped" | "buffer":
                return getattr(self, word)
            case "head_buffer":
                return ffi.cast("HTTP_REQUEST *", self.buffer)
            case "session_out" | "group_out":
                self.out = ffi.new("uint64_t *")
                return self.out
            case "queue_out":
                self.out = ffi.new("HANDLE *")
                return self.out
            case "value":
                return structures.value(event["value"], lambda name: self._names.handle(self.process, name))
            case "response" | "chunks" | "delegation":
                return getattr(structures, word)(event[word])
            case "cache":
                return structures.cache(event.get("cache"))
        raise KeyError(word)

    # -- how it ended

    @property
    def code(self):
        """How it ended: with which code, or None while it is pending."""
        return (
            self.packet[0]
            if self.returned == 997 and self.packet is not None
            else (None if self.returned == 997 else self.returned)
        )

    @property
    def moved(self):
        """How many bytes it moved."""
        return self.packet[1] if self.packet is not None else self.length[0]

    @property
    def request(self):
        """The HTTP_REQUEST that it received."""
        return ffi.cast("HTTP_REQUEST *", self.buffer)
