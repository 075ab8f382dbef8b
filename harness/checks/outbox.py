"""An authority's outbox against its own log: what is logged is published, once, in order, as it is."""

from collections.abc import Iterator

import numpy as np

from harness.checks.check import Check
from harness.checks.commands import sides_of
from harness.checks.places import authority_findings
from harness.checks.stages import Stage
from harness.history.addresses import I64, Mask
from harness.history.history import AuthorityHistory, History
from harness.model.finding import Blame, FailureClass, Finding

_CHECK = "truth.outbox"


def published(history: History) -> Iterator[Finding]:
    """Every event of the plan's streams that an authority logged and did not publish exactly once, in ascending order
    and as it is logged; and every event that it published and did not log (N2, N5, INV-02, INV-07).
    """
    for authority in history.authorities.values():
        if authority.outbox.read:
            yield from _unpublished(history, authority)
            yield from _wrongly_published(history, authority)
            yield from _unlogged(history, authority)


def _published_at(authority: AuthorityHistory) -> tuple[I64, I64]:
    """Published rows of events that the log has, and the address of each."""
    rows = np.flatnonzero(authority.outbox.log_row >= 0)
    return rows, authority.held.address[authority.outbox.log_row[rows]].astype(np.int64)


def _unpublished(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    words, lacking = "is in the log and never in the outbox", authority.owned.unpublished
    yield from authority_findings(history, authority, _CHECK, lacking, words, lost_at=Stage.NOT_PUBLISHED)


def _wrongly_published(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    """Events published again, after a higher number, or otherwise than they are logged."""
    rows, addresses = _published_at(authority)
    _, firsts = np.unique(addresses, return_index=True)
    once = np.zeros(len(rows), np.bool_)
    once[firsts] = True
    late = _late(authority, rows[once])
    kinds = (
        (~once, "is more than once in the outbox", FailureClass.DUPLICATE),
        (_spread(once, late), "is behind a higher number in the outbox", FailureClass.REORDER),
        (once & authority.outbox.differs[rows], "is published with another kind or body than in the log", _BODY),
    )
    for wrong, words, failure in kinds:
        marks = np.zeros(history.space.size, np.bool_)
        marks[addresses[wrong]] = True
        yield from authority_findings(history, authority, _CHECK, marks, words, failure)


_BODY = FailureClass.BODY


def _late(authority: AuthorityHistory, rows: I64) -> Mask:
    """Which of `rows`, in the order of the outbox, come after a higher number of their stream."""
    stream, seq = authority.outbox.stream[rows], authority.outbox.seq[rows]
    late = np.zeros(len(rows), np.bool_)
    for code in np.unique(stream):
        own = np.flatnonzero(stream == code)
        late[own] = seq[own] < np.maximum.accumulate(seq[own])
    return late


def _spread(chosen: Mask, marks: Mask) -> Mask:
    """The marks of the chosen rows, by row."""
    spread = np.zeros(len(chosen), np.bool_)
    spread[chosen] = marks
    return spread


def _unlogged(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    outbox = authority.outbox
    for row in np.flatnonzero(outbox.log_row < 0).tolist():
        stream, seq = history.streams[outbox.stream[row]], int(outbox.seq[row])
        if stream in authority.read:
            yield Finding(
                check=_CHECK,
                failure=FailureClass.MISSING,
                blame=Blame.AUTHORITY,
                sides=sides_of(history, authority.name),
                stream=stream,
                message=f"event {seq} is in the outbox of authority {authority.name}, and not in its log",
                seq=seq,
                suffers="the lanes are given what the authority does not keep",
            )


CHECKS = (
    Check(
        _CHECK,
        "what an authority logs it publishes: once, in order, with the kind and the body of the log",
        ("N2", "N5", "INV-02", "INV-07"),
        published,
        lambda history: sum(len(authority.outbox) for authority in history.authorities.values()),
        rows_needed=0,
    ),
)
