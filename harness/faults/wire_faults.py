"""A wire fault that was ordered: whom it concerns, whether it acted, and what was seen of that."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping

from harness.model.errors import UsageError
from harness.model.names import Side
from harness.model.plan import Fault

LINE_FAULTS = ("cut", "half_open", "stall", "delay")
"""What is done to a connection; the other kinds are done to what a message says."""


class OrderedFault:
    """One fault of a plan on the wire of `side`, from its injection to its heal. Raises UsageError if it is none."""

    def __init__(self, name: str, side: Side, fault: Fault, wire_stream: str) -> None:
        if not fault.on_wire or fault.seq is None:
            raise UsageError(
                f"fault {name!r} ({fault.kind} at {fault.seq}) acts on no wire; give a kind of wire and a seq"
            )
        if fault.kind == "delay" and not fault.delay_ms:
            raise UsageError(f"fault {name!r} delays by {fault.delay_ms} ms; give a delay_ms above 0")
        self.fault = fault
        self.seq = fault.seq
        self.delay_s = (fault.delay_ms or 0) / 1000
        self.wire_stream = wire_stream
        self.active = True
        self.proof: Mapping[str, object] | None = None
        self.acted = 0
        """How often it acted."""
        self._side = side
        # Text of rows stands in JSON strings, so white space and quotes around a number may be escaped there.
        self._seq_as_number = re.compile(rb"%d(?<![^,:\[ \t\n\rnrt]%d)(?![^,\]} \t\n\r\\])" % (self.seq, self.seq))
        self._proven = asyncio.Event()
        self._spent: set[str] = set()
        self._left_alone: Counter[str] = Counter()

    @property
    def is_line_fault(self) -> bool:
        """Whether something is done to the connection itself."""
        return self.fault.kind in LINE_FAULTS

    def concerns(self, subscriber: str) -> bool:
        """Whether it may act on connections of `subscriber` now."""
        return self.active and self.fault.subscriber in (None, subscriber) and subscriber not in self._spent

    def may_be_in(self, payload: bytes) -> bool:
        """Whether its number stands in a message at all, which is asked before the message is taken apart."""
        return self._seq_as_number.search(payload) is not None

    def act(self, subscriber: str, connection: int, message_index: int, **seen: object) -> None:
        """It acted, on that message (from 0) of that connection (from 1) of `subscriber`."""
        self.acted += 1
        if self.fault.kind == "cut":
            self._spent.add(subscriber)
        if self.proof is None:
            place = {"subscriber": subscriber, "connection": connection, "message_index": message_index}
            what = {"side": self._side.value, "kind": self.fault.kind, "seq": self.seq}
            self.proof = {**what, **place, **seen}
            self._proven.set()

    def leave_alone(self, why: str) -> None:
        """The event passed and the fault could not act."""
        self._left_alone[why] += 1

    async def wait(self, deadline_s: float) -> Mapping[str, object] | None:
        """The proof of the first time it acted; None if that does not come in time."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._proven.wait()
        except TimeoutError:
            return None
        return self.proof

    def report(self) -> dict[str, object]:
        """How often it acted, and how often it did not though the event passed, by reason."""
        return {"kind": self.fault.kind, "acted": self.acted, "left_alone": dict(self._left_alone)}
