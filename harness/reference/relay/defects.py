"""What a feed can do wrong: the lane's own content then has it too."""

from collections.abc import Iterable
from dataclasses import replace

from harness.reference.defects import ALTERED_PAYLOAD, is_struck
from harness.reference.relay.envelope import Envelope
from harness.reference.strict_json import dumps

LOST_SEQ = 5

DEFECTS = {
    "drops_nth": (
        f"event {LOST_SEQ} of every stream is never carried: both lanes take only the next number, so that the stream "
        f"stands still at {LOST_SEQ - 1} (D-02, D-13)"
    ),
    "other_body": "every event whose number 5 divides is carried with another payload, and the hash of that payload",
    "respells_kind": "every event whose number 5 divides is carried with its kind in capitals (D-31)",
    "trusts_outbox": (
        "only what comes through the outbox is carried, the log is never read: a number that was not published, or "
        "was appended before the relay or the lane started again, holds its stream up for good (D-03, D-04, H-13)"
    ),
    "refill_differs": (
        "what is carried again, because the lane has lost it, comes with another payload: numbers are reused after a "
        "restart (D-09)"
    ),
}


def as_carried(batch: Iterable[Envelope], carried_through: int, defects: frozenset[str]) -> list[Envelope]:
    """A batch as the lane is given it: as it is, unless a defect is on.

    `carried_through` is the highest number that the lane has had of the stream.
    """
    kept = (one for one in batch if one.sequence != LOST_SEQ or "drops_nth" not in defects)
    return [_told(envelope, carried_through, defects) for envelope in kept]


def _told(envelope: Envelope, carried_through: int, defects: frozenset[str]) -> Envelope:
    is_refill = envelope.sequence <= carried_through
    if (is_refill and "refill_differs" in defects) or (is_struck(envelope.sequence) and "other_body" in defects):
        # The hash follows from the payload, so that it stays in keeping.
        return replace(envelope, payload=dict(ALTERED_PAYLOAD), payload_json=dumps(ALTERED_PAYLOAD))
    if is_struck(envelope.sequence) and "respells_kind" in defects:
        return replace(envelope, kind=envelope.kind.upper())
    return envelope
