"""A WebSocket over ASGI: messages on the one side, frames towards the destination on the other (RFC 6455).

The server outside has taken the frames off. For the destination they are made anew: the exchange is a handshake of our
own, and after its 101 what passes through the stream are frames, which the package `websockets` reads and writes.
"""

from __future__ import annotations

from base64 import b64encode
from os import urandom
from typing import TYPE_CHECKING, Any, Final

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri
from websockets.utils import accept_key

from hostler.asgi.messages import frames_logger
from hostler.errors import Failure, ProtocolError, Reason
from hostler.http.fields import HOP_BY_HOP
from hostler.mounting.stream import MountedStream

if TYPE_CHECKING:
    from hostler.asgi.messages import Message, Receive, Scope, Send
    from hostler.contract import Pump
    from hostler.http.headers import RawHeaders
    from hostler.http.message import Request, Response

__all__ = ["WebSocketStream"]

_MAX_SIZE: Final = 1 << 24
"""Bytes of a message of the destination's; a larger one closes with 1009, as `WebSocketOptions` has it."""

_OURS: Final = frozenset({
    b"connection", b"upgrade", b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-version",
})  # fmt: skip
"""What a handshake is about, and each side of the proxy says for itself."""

_CLOSING: Final = frozenset({1000, 1001, 1003, *range(1007, 1015), *range(3000, 5000)})
"""What a close frame may say (RFC 6455 7.4); the server outside may report others, such as 1005 and 1006."""


class WebSocketStream(MountedStream):
    """One WebSocket; before it is accepted, an HTTP exchange that can be denied."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(receive, send)
        self._offered: list[str] = list(scope.get("subprotocols", ()))
        self._can_deny = "websocket.http.response" in scope.get("extensions", {})
        self._key = b64encode(urandom(16)).decode("ascii")
        self._protocol: ClientProtocol | None = None
        self._parts: list[Any] = []
        self._is_text = False
        self._denial: int | None = None
        self._may_receive.set()  # the first message says that the client is there

    def offer(self, request: Request) -> None:
        """Make a request a handshake towards the destination."""
        kept = [(name, value) for name, value in request.headers.pairs() if name.lower() not in _OURS]
        kept.append((b"sec-websocket-key", self._key.encode("ascii")))
        kept.append((b"sec-websocket-version", b"13"))
        if self._offered:
            kept.append((b"sec-websocket-protocol", ", ".join(self._offered).encode("latin-1")))
        request.headers.raw[:] = kept
        request.headers.changed = False  # by no stage
        request.upgrade = b"websocket"

    # -- the client -----------------------------------------------------------------------------------------------

    def attach(self, pump: Pump, knows_end: bool = False, /) -> None:
        """Send frames to `pump` once the connection is open."""
        if self.closed:
            pump.feed_end([])
            pump.lost(self._failure or Failure(Reason.REQUEST_CANCELED))
            return
        self._pump = pump
        if self._is_paused:
            pump.pause()
        if not knows_end:
            pump.feed_end([])
        self._may_receive.set()

    def _received(self, message: Message) -> None:
        kind, protocol = message["type"], self._protocol
        if kind == "websocket.disconnect":
            if protocol is not None and protocol.state is State.OPEN:
                code = message.get("code", 1005)
                protocol.send_close(code if code in _CLOSING else 1000, message.get("reason") or "")
                self._flush(protocol)
            self._lose(
                Failure(
                    Reason.UPGRADE_REQUEST_CLIENT if protocol else Reason.REQUEST_CANCELED,
                    "the client went away",
                )
            )
        elif kind == "websocket.receive" and protocol is not None and protocol.state is State.OPEN:
            text, data = message.get("text"), message.get("bytes")
            if text is not None:
                protocol.send_text(text.encode())
            elif data is not None:
                protocol.send_binary(data)
            self._flush(protocol)

    def _flush(self, protocol: ClientProtocol) -> None:
        """Send what the protocol has to say to the destination."""
        for data in protocol.data_to_send():
            if self._pump is None:
                return
            if data:
                self.bytes_received += len(data)
                self._pump.feed(data)
            else:
                self._pump.feed_end([])

    # -- the destination ------------------------------------------------------------------------------------------

    def start(self, response: Response, data: bytes = b"") -> None:
        """Accept the client's WebSocket after a 101, or deny it."""
        if self.closed:
            return
        headers = [pair for pair in response.headers.lower_pairs() if pair[0] not in HOP_BY_HOP | _OURS]
        if response.status != 101:
            self._deny(response.status, headers, response.framing, data)
            return
        accepted = response.headers.get_raw(b"sec-websocket-accept") or b""
        if accepted != accept_key(self._key).encode("ascii"):
            raise ProtocolError(
                "Sec-WebSocket-Accept of the destination does not fit the key (RFC 6455 4.1)", 502
            )
        chosen = (response.headers.get_raw(b"sec-websocket-protocol") or b"").decode("latin-1") or None
        if chosen is not None and chosen not in self._offered:
            raise ProtocolError(
                f"the destination chose the subprotocol {chosen!r}, which was not offered", 502
            )
        if response.headers.get_raw(b"sec-websocket-extensions"):
            raise ProtocolError("the destination chose an extension, and none was offered", 502)
        self.started, self.status = True, 101
        self._protocol = ClientProtocol(
            parse_uri("ws://destination/"), state=State.OPEN, max_size=_MAX_SIZE, logger=frames_logger
        )
        self._put({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
        self.write(data)

    def _deny(self, status: int, headers: RawHeaders, framing: int, data: bytes) -> None:
        self.started, self.status, self._denial = True, status, status
        if self._can_deny:
            if framing >= 0 and all(name != b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % framing))
            self._put({"type": "websocket.http.response.start", "status": status, "headers": headers})
            self.write(data)
        else:
            self._put({"type": "websocket.close", "code": 1000})

    def write(self, data: bytes) -> None:
        """Take frames of the destination, or a piece of its denial."""
        if not data or self.closed:
            return
        self.bytes_sent += len(data)
        if self._denial is not None:
            if self._can_deny:
                self._put(
                    {"type": "websocket.http.response.body", "body": data, "more_body": True}, len(data)
                )
            return
        protocol = self._protocol
        assert protocol is not None
        protocol.receive_data(data)
        for frame in protocol.events_received():
            if isinstance(frame, Frame):
                self._take(frame)
        self._flush(protocol)
        self._close_after(protocol)

    def _take(self, frame: Frame) -> None:
        """Put a message together of its frames."""
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._is_text, self._parts = frame.opcode is Opcode.TEXT, [frame.data]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(frame.data)
        else:
            return
        if not frame.fin:
            return
        whole, self._parts = b"".join(self._parts), []
        try:
            content: Message = {"text": whole.decode()} if self._is_text else {"bytes": whole}
        except UnicodeDecodeError as error:
            assert self._protocol is not None
            self._protocol.fail(1007, f"{error.reason} at position {error.start}")
            return
        self._put({"type": "websocket.send", **content}, len(whole))

    def _close_after(self, protocol: ClientProtocol) -> None:
        """Close the client's WebSocket when the destination's is closing."""
        if protocol.state is State.OPEN:
            return
        received, sent = protocol.close_rcvd, protocol.close_sent
        close = received or sent
        code, reason = (1006, "") if close is None else (close.code, close.reason)
        self._put({"type": "websocket.close", "code": code if code in _CLOSING else 1000, "reason": reason})
        self.closed = True

    def end(self, trailers: RawHeaders | None = None) -> None:
        """Finish a denial, or note that the destination has closed its connection."""
        if self.closed:
            return
        if self._denial is not None:
            if self._can_deny:
                self._put({"type": "websocket.http.response.body", "body": b"", "more_body": False})
        elif self._protocol is not None:
            self._put({"type": "websocket.close", "code": 1011, "reason": "the destination went away"})
        self.closed = True
