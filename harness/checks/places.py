"""From addresses and rows to the parts of a finding: runs of events, frames, what each oracle shows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.checks.blame import blame
from harness.history.addresses import Mask
from harness.history.history import AuthorityHistory, History
from harness.model.finding import Blame, FailureClass, Finding, FrameRef
from harness.model.names import SIDES, Side

FRAMES_MAX = 3
"""Frames named in one finding: the place, not the whole extent."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring events of one stream with one blame."""

    stream: str
    first: int
    last: int
    blame: Blame
    addresses: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many events."""
        return len(self.addresses)

    @property
    def seq_last(self) -> int | None:
        """The last number, None where it is the first one too."""
        return self.last if self.last != self.first else None

    @property
    def words(self) -> str:
        """`event 4`, `events 4 to 9`."""
        return f"event {self.first}" if self.count == 1 else f"events {self.first} to {self.last}"


def runs(history: History, addresses: Iterable[int], side: Side) -> Iterator[Run]:
    """The addresses, ascending, as runs of neighbours that have one blame."""
    pending: list[tuple[int, str, int, Blame]] = []
    for address in sorted(addresses):
        stream, seq = history.key(address)
        entry = (address, stream, seq, blame(history, address, side))
        if pending and (pending[-1][1], pending[-1][2] + 1, pending[-1][3]) != (stream, seq, entry[3]):
            yield _run(pending)
            pending = []
        pending.append(entry)
    if pending:
        yield _run(pending)


def _run(entries: list[tuple[int, str, int, Blame]]) -> Run:
    _, stream, first, who = entries[0]
    return Run(stream, first, entries[-1][2], who, tuple(address for address, *_ in entries))


def authority_findings(
    history: History,
    authority: AuthorityHistory,
    check: str,
    marks: Mask,
    words: str,
    failure: FailureClass = FailureClass.MISSING,
    *,
    lost_at: str = "",
) -> Iterator[Finding]:
    """One finding about an authority for each run of the marked events, which `words` are about."""
    sides = tuple(side for side in SIDES if history.sides[side].authority == authority.name)
    for run in runs(history, np.flatnonzero(marks).tolist(), sides[0]):
        yield Finding(
            check=check,
            failure=failure,
            blame=Blame.AUTHORITY,
            sides=sides,
            stream=run.stream,
            message=f"{run.words} {words} of authority {authority.name}",
            seq=run.first,
            seq_last=run.seq_last,
            suffers="what the authority answers and what it keeps are two things",
            stage=lost_at,
            count=run.count,
        )


def frames(history: History, side: Side, rows: Iterable[int]) -> tuple[FrameRef, ...]:
    """The frames that carried some deliveries, at most FRAMES_MAX of them."""
    deliveries = history.sides[side].deliveries
    chosen = [row for row, _ in zip(rows, range(FRAMES_MAX), strict=False)]
    return tuple(
        dict.fromkeys(FrameRef(side, int(deliveries.connection[row]), int(deliveries.frame[row])) for row in chosen)
    )


def neighbour_frames(history: History, side: Side, rows: NDArray[np.int32], seq: int) -> tuple[FrameRef, ...]:
    """The frames of the deliveries just below and just above a number that is missing; `rows` ascend by seq."""
    seqs = history.sides[side].delivered.held.rows.seq[rows]
    at = int(np.searchsorted(seqs, np.uint64(seq)))
    return frames(history, side, rows[max(at - 1, 0) : at + 1].tolist())


def first_rows(history: History, side: Side, addresses: Iterable[int]) -> Iterator[int]:
    """The first delivery of each event on a side, where there is one."""
    first = history.sides[side].delivered.held.first
    return (int(first[address]) for address in addresses if first[address] >= 0)
