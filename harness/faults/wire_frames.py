"""The frames of a WebSocket connection as they lie in the byte stream, none of them respelled or refused.

The library's own parser gives frames and throws their bytes away; whoever passes on what he does not understand
needs the bytes. Every stream of bytes can be read as frames, so there is no error here: masked frames, reserved
bits and unknown opcodes come through like any other.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from websockets.frames import Frame, Opcode

CONTROL_BYTES_MAX = 125
_SHORT = {126: 2, 127: 8}


class Part(NamedTuple):
    """Bytes of one frame. A data frame comes in as many parts as it arrived in, a control frame in one.

    `begins` and `ends` are said of the message, not of the frame; a control frame is no part of a message.
    """

    data: bytes
    payload_at: int
    opcode: int
    begins: bool
    ends: bool

    @property
    def is_control(self) -> bool:
        """Whether it is a whole Close, Ping or Pong."""
        return self.opcode >= Opcode.CLOSE


class Message(NamedTuple):
    """A whole message: its bytes on the wire, and what its frames carry."""

    raw: bytes
    opcode: int
    payload: bytes

    def carrying(self, payload: bytes) -> "Message":
        """The message with another payload, as one frame; itself where nothing changes."""
        if payload == self.payload:
            return self
        return Message(Frame(Opcode(self.opcode), payload).serialize(mask=False), self.opcode, payload)


def message(parts: Sequence[Part]) -> Message:
    """The message that `parts`, from the first to the last, are."""
    raw = b"".join(part.data for part in parts)
    return Message(raw, parts[0].opcode, b"".join(part.data[part.payload_at :] for part in parts))


class _Head(NamedTuple):
    opcode: int
    fin: bool
    payload_at: int
    payload_bytes: int


def _head(data: bytes, at: int) -> _Head | None:
    """The frame head at `at`, None if it is not whole."""
    if len(data) < at + 2:
        return None
    payload_at, length = at + 2, data[at + 1] & 0x7F
    size = _SHORT.get(length, 0)
    if size:
        length = int.from_bytes(data[payload_at : payload_at + size])
    payload_at += size + (4 if data[at + 1] & 0x80 else 0)
    if len(data) < payload_at:
        return None
    return _Head(data[at] & 0x0F, bool(data[at] & 0x80), payload_at, length)


class FrameSplitter:
    """Cuts a byte stream at the borders of frames. It keeps back at most an unfinished head or control frame."""

    def __init__(self) -> None:
        self._kept = b""
        self._left_bytes = 0
        self._opcode = 0
        self._fin = False

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts that `data` brings, in order; to be consumed before the next feeding."""
        data, self._kept = self._kept + data, b""
        at = 0
        while at < len(data):
            part = self._rest_of_frame(data, at) if self._left_bytes else self._frame_at(data, at)
            if part is None:
                self._kept = data[at:]
                return
            yield part
            at += len(part.data)

    def rest(self) -> bytes:
        """What was kept back, handed out for the end of the stream."""
        kept, self._kept = self._kept, b""
        return kept

    def _rest_of_frame(self, data: bytes, at: int) -> Part:
        taken = data[at : at + self._left_bytes]
        self._left_bytes -= len(taken)
        return Part(taken, 0, self._opcode, False, self._fin and not self._left_bytes)

    def _frame_at(self, data: bytes, at: int) -> Part | None:
        head = _head(data, at)
        if head is None:
            return None
        end = head.payload_at + head.payload_bytes
        is_control = head.opcode >= Opcode.CLOSE and head.payload_bytes <= CONTROL_BYTES_MAX
        if is_control:
            return None if end > len(data) else Part(data[at:end], head.payload_at - at, head.opcode, False, False)
        # A control frame of illegal length is passed on like data that belongs to no message.
        self._opcode = head.opcode if head.opcode < Opcode.CLOSE else Opcode.CONT
        self._fin = head.fin
        taken = data[at:end]
        self._left_bytes = end - at - len(taken)
        begins = head.opcode in (Opcode.TEXT, Opcode.BINARY)
        return Part(taken, head.payload_at - at, self._opcode, begins, self._fin and not self._left_bytes)
