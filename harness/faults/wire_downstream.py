"""What a lane sends on one connection, and what of it goes on to the subscriber. No socket, no clock.

As long as no fault concerns the subscriber, every byte goes on as it comes and the frames are only counted. Otherwise
each message is gathered, looked into and let go as a whole; Pings and Pongs go on at once, a Close pushes out
whatever is held.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from websockets.frames import Opcode

from harness.faults.wire_dialects import WireDialect
from harness.faults.wire_faults import OrderedFault
from harness.faults.wire_frames import FrameSplitter, Message, Part, message
from harness.model.errors import FormatError

HEAD_BYTES_MAX = 64 * 1024
HELD_BYTES_MAX = 64 * 1024 * 1024
_EDITS = ("drop", "duplicate", "change")


class Hands(Protocol):
    """What the decisions of a Downstream are carried out with."""

    def send(self, data: bytes) -> None:
        """To the subscriber."""

    def send_eof(self) -> None:
        """To the subscriber, behind all else."""

    def cut(self, done: Callable[[], None]) -> None:
        """Ends both connections, that of the subscriber behind what was sent; calls `done` then."""

    def freeze(self) -> None:
        """Lets nothing pass any more, in either direction, and tells nobody."""

    def abort(self) -> None:
        """Ends both connections now."""

    def stall(self, holds: bool) -> None:
        """Does not read from the lane as long as that holds."""

    def delay(self, delay_s: float, comes_out: Callable[[float], None]) -> None:
        """What is sent from now on comes `delay_s` later; `comes_out` is told how late the first of it was, in s."""

    def drain(self) -> None:
        """Ends the delay: what it holds comes at its time, what follows at once."""


@dataclass(frozen=True, slots=True)
class Line:
    """One connection: whose it is, its number among that subscriber's (from 1), and the faults that concern it now."""

    subscriber: str
    connection: int
    faults: Callable[[], list[OrderedFault]]


@dataclass(slots=True)
class _Held:
    """A message that waits for the next event of its stream, and what waits behind it."""

    fault: OrderedFault
    message: Message
    message_index: int
    between: list[Message] = field(default_factory=list)
    size_bytes: int = 0


class Downstream:
    """One connection's way from lane to subscriber."""

    def __init__(self, line: Line, dialect: WireDialect, hands: Hands) -> None:
        self._line = line
        self._dialect = dialect
        self._hands = hands
        self._head: bytes | None = b""
        self._upgraded = False
        self._frames = FrameSplitter()
        self._backlog: deque[Part] = deque()
        self._gathered: list[Part] = []
        self._gathered_bytes = 0
        self._held: _Held | None = None
        self._standing: OrderedFault | None = None
        self._delayed_by: OrderedFault | None = None
        self._ended = False
        self._message_index = -1
        self._outbox: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Bytes of the lane, as they come."""
        self._take_in(data)
        self._flush()

    def _take_in(self, data: bytes) -> None:
        if self._head is not None:
            data = self._behind_head(data)
        if not self._upgraded and self._head is None:
            self._send(data)
        elif data:
            self._backlog.extend(self._frames.feed(data))
            self._advance()

    def eof(self) -> None:
        """The lane sends no more."""
        self._release()
        self._send(self._frames.rest())
        self._flush()
        self._hands.send_eof()

    def heal(self, fault: OrderedFault) -> str | None:
        """Undoes what `fault` does here; what was undone, None where it does nothing."""
        if self._held is not None and self._held.fault is fault:
            self._release_held()
            self._flush()
            return "released"
        if self._delayed_by is fault:
            self._delayed_by = None
            self._hands.drain()
            return "drained"
        return self._stand_no_more() if self._standing is fault else None

    def _stand_no_more(self) -> str:
        self._standing = None
        if self._ended:
            self._hands.abort()
            return "aborted"
        self._hands.stall(False)
        self._advance()
        self._flush()
        return "resumed"

    def _send(self, data: bytes) -> None:
        """To the subscriber, in one write with all else that one feeding brings."""
        if data:
            self._outbox.append(data)

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if outbox:
            self._hands.send(b"".join(outbox))

    # the handshake's answer

    def _behind_head(self, data: bytes) -> bytes:
        """Sends on what belongs to the head of the answer; the rest, if it is WebSocket frames."""
        assert self._head is not None
        seen = self._head + data
        end = seen.find(b"\r\n\r\n") + 4
        if end < 4 and len(seen) <= HEAD_BYTES_MAX:
            self._head = seen
            self._send(data)
            return b""
        self._upgraded = end >= 4 and seen.startswith(b"HTTP/1.1 101")
        behind = seen[end:] if self._upgraded else data
        self._send(data[: len(data) - len(behind)])
        self._head = None
        return behind

    # parts of frames

    def _advance(self) -> None:
        while self._backlog and self._standing is None and not self._ended:
            self._take(self._backlog.popleft())

    def _take(self, part: Part) -> None:
        if part.is_control:
            if part.opcode == Opcode.CLOSE:
                self._release()
            self._send(part.data)
            return
        if part.begins:
            self._message_index += 1
            self._release_gathered()
        if self._gathered or (part.begins and (self._held is not None or self._line.faults())):
            self._gather(part)
        else:
            self._send(part.data)

    def _gather(self, part: Part) -> None:
        self._gathered.append(part)
        self._gathered_bytes += len(part.data)
        if part.ends:
            parts, self._gathered, self._gathered_bytes = self._gathered, [], 0
            self._inspect(message(parts), parts)
        elif self._gathered_bytes > HELD_BYTES_MAX:
            self._release()

    def _release(self) -> None:
        self._release_held()
        self._release_gathered()

    def _release_gathered(self) -> None:
        parts, self._gathered, self._gathered_bytes = self._gathered, [], 0
        for part in parts:
            self._send(part.data)

    # whole messages

    def _inspect(self, whole: Message, parts: list[Part]) -> None:
        faults = self._line.faults()
        for fault in faults:
            if fault.is_line_fault and self._passes(whole, fault):
                self._act_on_line(fault, whole, parts)
                if self._standing is not None or self._ended:
                    return
        messages = [whole]
        for fault in faults:
            if fault.fault.kind in _EDITS:
                messages = [left for one in messages for left in self._edited(one, fault)]
        for one in messages:
            self._let_go(one, faults)

    def _passes(self, whole: Message, fault: OrderedFault) -> bool:
        """Whether the event of `fault` is in there."""
        if not fault.may_be_in(whole.payload):
            return False
        return fault.seq in self._dialect.passing(whole.payload, fault.wire_stream).seqs

    def _act_on_line(self, fault: OrderedFault, whole: Message, parts: list[Part]) -> None:
        match fault.fault.kind:
            case "cut":
                first = whole.raw[: len(whole.raw) // 2]
                self._ended = True
                self._release_held()
                self._send(first)
                self._flush()
                self._hands.cut(partial(self._acted, fault, bytes_passed=len(first), bytes_of_message=len(whole.raw)))
            case "half_open":
                self._ended, self._standing = True, fault
                self._flush()
                self._hands.freeze()
                self._acted(fault, bytes_withheld=len(whole.raw))
            case "stall":
                self._acted(fault, bytes_withheld=len(whole.raw))
                self._standing = fault
                self._backlog.extendleft(reversed(parts))
                self._message_index -= 1
                self._flush()
                self._hands.stall(True)
            case "delay" if self._delayed_by is None:
                self._delayed_by = fault
                self._flush()
                self._hands.delay(fault.delay_s, partial(self._came_out, fault, self._message_index))

    def _came_out(self, fault: OrderedFault, message_index: int, late_s: float) -> None:
        fault.act(self._line.subscriber, self._line.connection, message_index, late_ms=round(late_s * 1000))

    def _edited(self, one: Message, fault: OrderedFault) -> Iterable[Message]:
        """What is left of a message after `fault`."""
        if not self._passes(one, fault):
            return [one]
        edit = {"drop": self._dialect.dropped, "duplicate": self._dialect.duplicated, "change": self._dialect.changed}
        try:
            payloads = edit[fault.fault.kind](one.payload, fault.wire_stream, fault.seq)
        except FormatError as error:
            fault.leave_alone(str(error))
            return [one]
        self._acted(fault, bytes_came=len(one.payload), bytes_passed=[len(payload) for payload in payloads])
        return [one.carrying(payload) for payload in payloads]

    def _acted(self, fault: OrderedFault, **seen: object) -> None:
        fault.act(self._line.subscriber, self._line.connection, self._message_index, **seen)

    # swapping

    def _let_go(self, one: Message, faults: list[OrderedFault]) -> None:
        if self._held is not None:
            self._meet(self._held, one)
        elif not any(self._hold(one, fault) for fault in faults if fault.fault.kind == "swap"):
            self._send(one.raw)

    def _hold(self, one: Message, fault: OrderedFault) -> bool:
        """Keeps the message back if it is the one that `fault` swaps with the next."""
        if not self._passes(one, fault):
            return False
        passing = self._dialect.passing(one.payload, fault.wire_stream)
        if passing.is_set:
            fault.leave_alone("it came in a snapshot, which is a set")
        elif passing.seqs[-1] != fault.seq:
            fault.leave_alone("it came in one message with the next event, which is a set")
        else:
            self._held = _Held(fault, one, self._message_index)
        return self._held is not None

    def _meet(self, held: _Held, one: Message) -> None:
        """Exchanges the held event with the next one, if `one` brings that; else it waits behind."""
        passing = self._dialect.passing(one.payload, held.fault.wire_stream)
        if passing.seqs and not passing.is_set:
            self._swap(held, one, passing.seqs[0])
            return
        held.between.append(one)
        held.size_bytes += len(one.raw)
        if held.size_bytes > HELD_BYTES_MAX:
            self._release_held()

    def _swap(self, held: _Held, one: Message, other_seq: int) -> None:
        fault, seqs = held.fault, (held.fault.seq, other_seq)
        try:
            first, last = self._dialect.swapped(held.message.payload, one.payload, fault.wire_stream, seqs)
        except FormatError as error:
            self._release_held(str(error))
            self._send(one.raw)
            return
        self._held = None
        for each in (held.message.carrying(first), *held.between, one.carrying(last)):
            self._send(each.raw)
        place = (self._line.subscriber, self._line.connection, held.message_index)
        fault.act(*place, swapped_with=other_seq, messages_between=len(held.between))

    def _release_held(self, why: str = "no next event came behind it") -> None:
        held, self._held = self._held, None
        if held is not None:
            held.fault.leave_alone(why)
            for each in (held.message, *held.between):
                self._send(each.raw)
