"""What the relay needs of a lane, whichever it is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.reference.relay.envelope import Envelope


class LaneError(Exception):
    """The lane did not take what it was given; the text says why. `is_refusal`: it answered, with a no."""

    def __init__(self, text: str, *, is_refusal: bool) -> None:
        super().__init__(text)
        self.is_refusal = is_refusal


class SequenceMismatch(Exception):
    """The lane expects another number next: its head has to be asked."""


@dataclass(frozen=True, slots=True)
class LaneHeads:
    """What the lane has: last and oldest retained number of each topic. A topic it never saw is absent."""

    boot_id: str | None
    heads: Mapping[str, int]
    retained_from: Mapping[str, int]


class Lane(Protocol):
    """One lane's way in. Every method raises LaneError; `append` also SequenceMismatch."""

    batch_events_max: int
    batch_bytes_max: int
    needs_retention: bool

    async def heads(self, topics: Collection[str]) -> LaneHeads:
        """What the lane has of these topics."""

    async def append(self, owner_user_id: int | None, envelopes: Sequence[Envelope]) -> None:
        """Appends consecutive events of one topic; those that the lane has already are skipped."""

    async def retain(self, topic: str, keep_from: int) -> None:
        """Lets the lane forget everything of a topic below `keep_from` (if `needs_retention`)."""
