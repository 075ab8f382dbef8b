"""Barriers: every open subscription comes to its end in time, and every feed drains."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.checks.blame import blame_of_event
from harness.checks.check import Check
from harness.checks.places import frames
from harness.checks.stages import event_stage
from harness.history.history import History
from harness.history.passages import Passage
from harness.model.finding import Blame, FailureClass, Finding
from harness.model.names import Side
from harness.model.timeline import BARRIER_MISSED, BARRIER_REACHED


def end_reached(history: History) -> Iterator[Finding]:
    """Every subscription that opened and never got its last event: its `until`, or the sentinel of its last barrier.

    Nothing is concluded from silence as such; the sentinel is what silence is measured by (N1; architecture, 3).
    """
    for passage in history.opened:
        one, end = passage.subscribed, passage.subscribed.end
        if end is None or end <= (one.asked or 0) or _has(history, passage, end):
            continue
        heard = "nothing came at all" if not len(passage.rows) else f"event {_last(history, passage)} was the last"
        yield Finding(
            check="barrier.end",
            failure=FailureClass.SILENCE,
            blame=_blame_of_end(history, one.plan.stream, end, one.side),
            sides=(one.side,),
            stream=one.plan.stream,
            message=f"event {end} ends the subscription and never came; {heard}",
            seq=end,
            subscription=one.name,
            frames=frames(history, one.side, passage.rows[-1:].tolist()),
            suffers="a client waits, and nothing tells it that it waits in vain",
            stage=event_stage(history, one.plan.stream, end, one.side, passage),
        )


def _blame_of_end(history: History, stream: str, seq: int, side: Side) -> Blame:
    """As for any event; an end that no oracle knows was never made, and no lane can deliver it."""
    if history.space.find(history.streams.index(stream), seq) >= 0:
        return blame_of_event(history, stream, seq, side)
    return Blame.AUTHORITY if stream in history.authority_of(side).read else Blame.UNDECIDED


def _has(history: History, passage: Passage, seq: int) -> bool:
    seqs = history.sides[passage.subscribed.side].delivered.held.rows.seq[passage.rows]
    at = int(np.searchsorted(seqs, np.uint64(seq)))
    return at < len(seqs) and int(seqs[at]) == seq


def _last(history: History, passage: Passage) -> int:
    return int(history.sides[passage.subscribed.side].delivered.held.rows.seq[passage.rows[-1]])


def bounds_kept(history: History) -> Iterator[Finding]:
    """Every wait of a barrier that outlasted its bound, as the driver noted it: a bound that passes is a finding."""
    for note in history.timeline:
        if note["event"] == BARRIER_MISSED and note["side"] in list(Side):
            yield _missed(history, note)


def _missed(history: History, note: Mapping[str, Any]) -> Finding:
    side, detail = Side(note["side"]), note["detail"]
    stream, seq = str(detail.get("stream", "")), detail.get("seq")
    number = seq if isinstance(seq, int) else None
    relay = "relay" in detail
    who = f"the feed of {side}" if relay else f"subscription {detail.get('subscription')}"
    answers = blame_of_event(history, stream, number or 0, side)
    if relay and answers is not Blame.AUTHORITY:
        answers = Blame.feed_of(side)
    return Finding(
        check="barrier.bound",
        failure=FailureClass.SILENCE,
        blame=answers if number is not None else Blame.AUTHORITY,
        sides=(side,),
        stream=stream,
        message=f"barrier {note['subject']}: {who} did not come to event {number} in time",
        seq=number,
        subscription="" if relay else str(detail.get("subscription", "")),
        suffers="what is late beyond any bound cannot be told from what is lost",
    )


def _ended(history: History) -> int:
    return sum(passage.subscribed.end is not None for passage in history.opened)


def _waits(history: History) -> int:
    return sum(note["event"] in (BARRIER_MISSED, BARRIER_REACHED) for note in history.timeline)


CHECKS = (
    Check(
        "barrier.end",
        "a subscription that stands reaches its end: its last number, or the sentinel of its last barrier",
        ("N1", "INV-03", "G3"),
        end_reached,
        _ended,
    ),
    Check(
        "barrier.bound",
        "at a barrier every subscription and every feed comes to the sentinel within the bound",
        ("N1", "G3"),
        bounds_kept,
        _waits,
        rows_needed=0,
    ),
)
