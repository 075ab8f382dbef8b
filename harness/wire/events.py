"""The vocabulary between a codec and whoever drives it: what one message of a lane said.

Named tuples, because one is made for every delivered envelope; so two of different kinds may compare equal, and
are told apart by their type. Facts only: whether a sequence number may follow another is for the checks to say.
"""

from typing import Literal, NamedTuple

Origin = Literal["message", "snapshot", "transaction"]
"""Where a batch came from: one legacy envelope, an atomic snapshot (a set), one committed transaction (a set)."""


class Delivery(NamedTuple):
    """One envelope as a lane delivered it (contract, 1.9).

    `stream` is spelled as the lane spells it: a topic on the legacy dialect, a stream id on SpacetimeDB.
    `body` is the payload's JSON text exactly as delivered; from a fast path it is one JSON value only if
    `json_slices.is_one_value(body)` says so. `carried_hash` is the hash the lane sent along, undecoded.
    `wrapped_topic` and `wrapped_seq` are the stored envelope's own idea of its key, where there is one.
    `batch_index` counts from 0 inside the message that carried it.
    """

    stream: str
    seq: int
    kind: str
    published_at: str
    body: bytes
    carried_hash: str | None
    wrapped_topic: str | None
    wrapped_seq: int | None
    batch_index: int = 0


class HeadReport(NamedTuple):
    """What a lane said about the window of one stream.

    `head` is the last sequence number it holds (0: none yet); `floor` the smallest cursor it can still
    serve, none where it does not say.
    """

    stream: str
    head: int
    floor: int | None


class CheckpointReport(NamedTuple):
    """How far one reader told the lane to have come in one stream; `key` is the row's own name."""

    key: str
    client: str
    stream: str
    seq: int


class Opened(NamedTuple):
    """The subscription stands: `hello`, or the answer that carries the snapshot.

    `cursor` and `stream` are what was asked for as the lane echoed it, none where the dialect has no echo.
    """

    cursor: int | None
    detail: str
    stream: str | None = None


class Batch(NamedTuple):
    """Everything that one message delivered, in the message's own order.

    `withdrawn` lists (stream, seq) of rows that were deleted and not written again: retention.
    """

    origin: Origin
    deliveries: list[Delivery]
    heads: list[HeadReport]
    withdrawn: list[tuple[str, int]]


class Identified(NamedTuple):
    """Who the server says we are: identity as `0x` hex, connection id as decimal text."""

    identity: str
    connection: str


class Stale(NamedTuple):
    """The lane cannot resume from the cursor (contract, 2.1 and 3). `replay_lag` counts events."""

    stream: str
    requested_cursor: int
    oldest_available_cursor: int
    head_cursor: int
    reason_codes: tuple[str, ...]
    replay_lag: int
    replay_budget_events: int
    qos_tier: str


class Refused(NamedTuple):
    """The lane said no: an error frame, a refused subscription, a failed reducer call."""

    code: str
    message: str


class Ignored(NamedTuple):
    """A frame of the dialect that carries nothing for a subscriber; `what` names it.

    `unasked`: it answers a request, and no codec of ours makes that request.
    """

    what: str
    unasked: bool = False


Event = Opened | Batch | Identified | Stale | Refused | Ignored
