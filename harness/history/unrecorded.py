"""What the driver says that a subscriber got, and the recording does not have: lost by the harness itself.

The driver counts what it takes from a socket: `seen` is the highest number that came, `applied` the last one of those
that came without a gap above the cursor (`subscription_closed`, `barrier_reached`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.history.addresses import AddressSpace
from harness.history.passages import Passage
from harness.history.positions import HeadColumns
from harness.model.timeline import BARRIER_REACHED, SUBSCRIPTION_CLOSED


@dataclass(slots=True)
class _Account:
    """What the driver counted for one subscription."""

    applied: int = 0
    seen: set[int] = field(default_factory=set)


def unrecorded(
    passages: Sequence[Passage], heads: HeadColumns, timeline: Iterable[Mapping[str, Any]], space: AddressSpace
) -> frozenset[int]:
    """Addresses of the events that no subscription of a side lacks but by the harness's own fault.

    `heads` are those of the side: a client moves up to a floor without getting what lies below, so that nothing is
    concluded there; nor where a cursor was stale, or a frame could not be decoded.
    """
    lacking = [passage for passage in passages if len(passage.missing)]
    accounts = _accounts(timeline) if lacking else {}
    lost: set[int] = set()
    really: set[int] = set()
    for passage in lacking:
        own = _lost(passage, accounts.get(passage.subscribed.name), heads, space)
        lost |= own
        really |= set(passage.missing.tolist()) - own
    return frozenset(lost - really)


def _accounts(timeline: Iterable[Mapping[str, Any]]) -> dict[str, _Account]:
    found: dict[str, _Account] = {}
    for note in timeline:
        detail = note["detail"]
        if note["event"] == SUBSCRIPTION_CLOSED:
            account = found.setdefault(str(note["subject"]), _Account())
            account.applied = max(account.applied, _number(detail.get("applied")))
            account.seen.add(_number(detail.get("seen")))
        elif note["event"] == BARRIER_REACHED and "subscription" in detail:
            found.setdefault(str(detail["subscription"]), _Account()).seen.add(_number(detail.get("last_seq")))
    return found


def _number(value: object) -> int:
    return value if type(value) is int else 0


def _lost(passage: Passage, account: _Account | None, heads: HeadColumns, space: AddressSpace) -> set[int]:
    connections = passage.subscribed.connections
    if account is None or any(one.stale or one.heard.undecoded for one in connections):
        return set()
    own = np.isin(heads.connection, [one.asked.id for one in connections]) & heads.has_floor
    floor = int(heads.floor[own].max()) if own.any() else 0
    _, seqs = space.keys(passage.missing)
    numbers = zip(passage.missing.tolist(), seqs.tolist(), strict=True)
    return {address for address, seq in numbers if floor < seq <= account.applied or seq in account.seen}
