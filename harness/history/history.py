"""The history of one recording: every oracle's rows as columns, addressed, and the facts around them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.history.addresses import I32, AddressSpace, Mask
from harness.history.bodies import Bodies
from harness.history.checkpoints import Checkpoints
from harness.history.columns import Table
from harness.history.comparison import ReferenceBodies
from harness.history.connections import Connection
from harness.history.coverage import snapshot_heads
from harness.history.event_log import Log
from harness.history.faults import PlannedFault
from harness.history.names import Naming
from harness.history.outbox import Outbox
from harness.history.passages import Passage
from harness.history.positions import HeadColumns, ReadPosition
from harness.history.standing import LaneOracle, Owned, Standing
from harness.history.subscribed import SentinelSeqs, Subscribed
from harness.history.testimony import Reference, Testimony
from harness.history.transcript import CommandRow
from harness.model.names import Side
from harness.model.plan import Plan
from harness.model.run_record import RuleHits
from harness.wire.events import Delivery


class Phase(IntEnum):
    """When a delivery came, relative to the command that made its event (architecture, 5)."""

    UNDETERMINED = 0
    REPLAY = 1
    """The command was answered before the connection opened."""
    LIVE = 2
    """The command was sent after `hello` or the snapshot had arrived."""


@dataclass(frozen=True, slots=True)
class Deliveries(Table):
    """How each envelope reached the subscribers of one side, in arrival order; rows of one message ascend by seq.

    `stream` int32 (code of the derived plan name), `connection` int32 (id), `frame` int32 (index inside the
    connection), `subscription` int32 (code), `foreign` bool (of another stream than the one subscribed to), `below`
    bool (at or below the cursor asked on its connection).
    """

    stream: I32
    connection: I32
    frame: I32
    subscription: I32
    foreign: Mask
    below: Mask


@dataclass(frozen=True, slots=True)
class SideHistory:
    """One side: what its lane delivered, what it holds, and what it said about itself."""

    side: Side
    authority: str
    deliveries: Deliveries
    phase: NDArray[np.int8]
    """By delivery, see Phase."""
    delivered: LaneOracle
    content: LaneOracle
    content_read: Mapping[str, int]
    """Streams whose own content was read, with the cursor it was read from."""
    reference: Reference
    reference_bodies: ReferenceBodies
    heads: HeadColumns
    head_streams: I32
    """Stream code of each row of `heads`."""
    names: tuple[str, ...]
    """Delivered names, by code."""
    naming: Naming
    unreadable: tuple[tuple[int, str], ...]
    """Answers of the lane that cannot be decoded: (exchange, why)."""
    sampled: tuple[tuple[int, Delivery], ...]
    """(row, envelope) of deliveries kept whole: every distinct event of a small recording, else a sample."""
    retention_events: int | None
    """The window that the lane's profile declares; None = unlimited or not declared."""


@dataclass(frozen=True, slots=True)
class AuthorityHistory:
    """One authority: its log, and which events it stands for."""

    name: str
    log: Log
    outbox: Outbox
    held: Testimony
    owned: Owned
    read: frozenset[str]
    """Plan names of the streams whose log was read whole."""
    heads: Mapping[str, int]
    """Head of each such stream as the log reported it."""
    naming: Naming


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the checks may look at. Codes of streams and kinds are shared by all oracles."""

    plan: Plan
    plan_streams: tuple[str, ...]
    """Streams of the plan; their codes come first."""
    streams: tuple[str, ...]
    kinds: tuple[str, ...]
    space: AddressSpace
    """Addresses of events: its groups are stream codes."""
    sides: Mapping[Side, SideHistory]
    authorities: Mapping[str, AuthorityHistory]
    commands: tuple[CommandRow, ...]
    connections: Mapping[int, Connection]
    subscriptions: tuple[Subscribed, ...]
    passages: tuple[Passage, ...]
    """One a subscription, by its code."""
    positions: tuple[ReadPosition, ...]
    checkpoints: Checkpoints
    faults: tuple[PlannedFault, ...]
    """Of the plan, in its order."""
    sentinels: SentinelSeqs
    standing: Standing
    rules: tuple[RuleHits, ...]
    timeline: tuple[Mapping[str, Any], ...]
    bodies: Bodies

    @property
    def opened(self) -> tuple[Passage, ...]:
        """The passages of subscriptions that the lane opened, or delivered something over."""
        return tuple(one for one in self.passages if one.subscribed.opened or len(one.rows))

    def authority_of(self, side: Side) -> AuthorityHistory:
        """The authority whose log the lane of `side` delivers."""
        return self.authorities[self.sides[side].authority]

    def snapshots(self, side: Side) -> dict[int, int]:
        """By connection to a side: the row of `heads` that came with its snapshot, where one did."""
        one, codes = self.sides[side], {stream: code for code, stream in enumerate(self.streams)}
        own = {number: held for number, held in self.connections.items() if held.asked.side is side}
        return snapshot_heads(one.heads, one.head_streams, own, codes)

    def key(self, address: int) -> tuple[str, int]:
        """Plan name of the stream and seq of the event at `address`."""
        code, seq = self.space.key(address)
        return self.streams[code], seq
