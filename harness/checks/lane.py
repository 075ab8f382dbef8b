"""One lane against the contract: order, contiguity, uniqueness, carried hashes, keys."""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from harness.checks.blame import blame, blame_of_event
from harness.checks.bodies import shortened
from harness.checks.check import Check
from harness.checks.places import frames, neighbour_frames, runs
from harness.history.columns import Misfit
from harness.history.coverage import less
from harness.history.history import History, SideHistory
from harness.history.passages import Passage
from harness.history.projections import applied_by_discard, applied_contiguously
from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import SIDES, Side

SAME_BODY_REPEAT = "same-body repeat"
EVICTION = "eviction"
EVICTED_CODE = "slow_consumer_evicted"
_STRIKES = re.compile(r"\b(lag|threshold|strikes|max_strikes)=([0-9]{1,20})\b")


def order(history: History) -> Iterator[Finding]:
    """Every first arrival that came after a higher number of its subscription (N3, INV-07; contract, 9.1).

    Rows of one message are a set: order is judged across messages.
    """
    for passage in history.opened:
        side = passage.subscribed.side
        rows = dict(zip(passage.addresses[passage.late].tolist(), passage.rows[passage.late].tolist(), strict=True))
        suffers = _order_suffering(history, passage) if rows else ""
        for run in runs(history, rows, side):
            yield Finding(
                check="lane.order",
                failure=FailureClass.REORDER,
                blame=run.blame,
                sides=(side,),
                stream=run.stream,
                message=f"{run.words} came after a higher number, numbers must rise",
                seq=run.first,
                seq_last=run.seq_last,
                subscription=passage.subscribed.name,
                frames=frames(history, side, (rows[address] for address in run.addresses)),
                suffers=suffers,
                count=run.count,
            )


def _order_suffering(history: History, passage: Passage) -> str:
    """What the two clients of the contract end up with, in numbers."""
    held = history.sides[passage.subscribed.side].delivered.held
    arrival = np.sort(np.concatenate([passage.rows, passage.repeats]))
    seqs, cursor = held.rows.seq[arrival], passage.subscribed.asked or 0
    lost = len(passage.rows) - int(applied_by_discard(seqs, cursor).sum())
    stopped = cursor + int(applied_contiguously(seqs, cursor).sum())
    return f"a client that discards `seq <= last` loses {lost}; one that stops at gaps ends at {stopped}"


def contiguity(history: History) -> Iterator[Finding]:
    """Every hole between two neighbouring numbers of one subscription (N3, INV-07; contract, 9.2).

    A hole below the first delivered number is the business of the resume checks; one that a stale answer or a lawful
    floor has left is none.
    """
    for passage in history.opened:
        side = passage.subscribed.side
        for first, last in _holes(history, passage):
            stream = passage.subscribed.plan.stream
            yield Finding(
                check="lane.contiguity",
                failure=FailureClass.MISSING,
                blame=blame_of_event(history, stream, first, side),
                sides=(side,),
                stream=stream,
                message=f"{_events(first, last)} never came, and later ones did: numbers must be dense",
                seq=first,
                seq_last=last if last != first else None,
                subscription=passage.subscribed.name,
                frames=neighbour_frames(history, side, passage.rows, first),
                suffers="a client that stops at gaps applies nothing more; one that does not has lost the event",
                count=_known(history, passage, first, last),
            )


def _known(history: History, passage: Passage, first: int, last: int) -> int:
    """How many events a hole is, at least one: a number far above all others leaves no 2^64 events out."""
    begin, end = history.space.interval(passage.subscribed.stream_code, first - 1, last)
    return max(end - begin, 1)


def _holes(history: History, passage: Passage) -> Iterator[tuple[int, int]]:
    """First and last number of each."""
    seqs = history.sides[passage.subscribed.side].delivered.held.rows.seq[passage.rows]
    for at in np.flatnonzero(np.diff(seqs) > 1).tolist():
        for after, last in less((int(seqs[at]), int(seqs[at + 1]) - 1), passage.spared):
            yield after + 1, last


def _events(first: int, last: int) -> str:
    return f"event {first}" if first == last else f"events {first} to {last}"


def uniqueness(history: History) -> Iterator[Finding]:
    """Every number that came again in one subscription, with the same value or with another (INV-07).

    The contract delivers at least once, so a repeat of the same body is proposed as explained; a repeat at or below
    the cursor asked for is no repeat but a cursor divergence.
    """
    for passage in history.opened:
        for row in passage.repeats.tolist():
            yield _repeat(history, passage, row)


def _repeat(history: History, passage: Passage, row: int) -> Finding:
    side = passage.subscribed.side
    one = history.sides[side]
    address = int(one.delivered.held.address[row])
    first = int(passage.rows[np.searchsorted(passage.addresses, address)])
    same = _value(one, first) == _value(one, row)
    stream, seq = history.key(address)
    return Finding(
        check="lane.uniqueness",
        failure=FailureClass.DUPLICATE,
        blame=Blame.NOBODY if same else blame(history, address, side),
        sides=(side,),
        stream=stream,
        message=f"event {seq} came again with {'the same' if same else 'another'} value",
        seq=seq,
        subscription=passage.subscribed.name,
        frames=frames(history, side, (first, row)),
        suffers="" if same else "which of the two a client holds depends on when it connected",
        rule=SAME_BODY_REPEAT if same else None,
    )


def _value(one: SideHistory, row: int) -> tuple[int, int, int]:
    rows = one.delivered.held.rows
    return int(one.delivered.compared.variants[row]), int(rows.kind[row]), int(rows.published_ns[row])


def carried_hash(history: History) -> Iterator[Finding]:
    """Every envelope whose carried hash is not the SHA-256 of its own body's canonical form (contract, 5.3)."""
    for side, one in history.sides.items():
        for oracle, whose in ((one.delivered, "delivered"), (one.content, "own content")):
            wrong = np.union1d(oracle.compared.wrong_hashes, np.flatnonzero(oracle.held.rows.bad_carried))
            by_address: dict[int, int] = {}
            for row in wrong.tolist():
                if oracle.held.address[row] >= 0:
                    by_address.setdefault(int(oracle.held.address[row]), row)
            for run in runs(history, by_address, side):
                row = by_address[run.addresses[0]]
                yield Finding(
                    check="lane.hash",
                    failure=FailureClass.BODY,
                    blame=run.blame,
                    sides=(side,),
                    stream=run.stream,
                    message=f"{run.words} ({whose}): the hash that came along is not of the body",
                    seq=run.first,
                    seq_last=run.seq_last,
                    seen=(Seen(side.value, f"carried {_hash_text(oracle.held.rows.carried[row].tobytes())}"),),
                    frames=frames(history, side, [row]) if oracle is one.delivered else (),
                    suffers="a client that verifies hashes refuses the event",
                    count=run.count,
                )


def _hash_text(digest: bytes) -> str:
    return f"sha256:{digest.hex()[:16]}…" if any(digest) else "no SHA-256"


def wrapped_key(history: History) -> Iterator[Finding]:
    """Every stored envelope whose topic or number is not that of the row that carries it (contract, 6.4, 14)."""
    for side, one in history.sides.items():
        for oracle, whose in ((one.delivered, "delivered"), (one.content, "own content")):
            for misfit in oracle.misfits:
                address = int(oracle.held.address[misfit.row])
                stream = one.naming.plan_name(misfit.stream)
                yield Finding(
                    check="lane.wrapped",
                    failure=FailureClass.MAPPING,
                    blame=blame(history, address, side),
                    sides=(side,),
                    stream=stream,
                    message=f"row {misfit.seq} ({whose}) {_wrapped(misfit)}",
                    seq=misfit.seq,
                    frames=frames(history, side, [misfit.row]) if oracle is one.delivered else (),
                    suffers="a client files the event under another key than it asked for",
                )


def _wrapped(misfit: Misfit) -> str:
    return f"wraps event {misfit.wrapped_seq} of {shortened(misfit.wrapped_topic or '')!r}"


def foreign(history: History) -> Iterator[Finding]:
    """Every event that came over a subscription to another stream: a key of its own (8) and a breach of scope (7)."""
    for side, one in history.sides.items():
        for row in np.flatnonzero(one.deliveries.foreign).tolist():
            asked = history.connections[int(one.deliveries.connection[row])].asked
            stream, seq = history.streams[one.deliveries.stream[row]], int(one.delivered.held.rows.seq[row])
            for failure in (FailureClass.SCOPE, FailureClass.MAPPING):
                yield Finding(
                    check="lane.key",
                    failure=failure,
                    blame=Blame.of(side),
                    sides=(side,),
                    stream=stream,
                    message=f"event {seq} of {shortened(stream)} came over a subscription to {asked.stream}",
                    seq=seq,
                    subscription=f"{asked.step}/{side}",
                    frames=frames(history, side, [row]),
                    suffers="a client sees, or applies, what was never its own",
                )


def cut_off(history: History) -> Iterator[Finding]:
    """Every subscription that the lane ended with an error of its dialect (contract, 2.2).

    Eviction on a long backlog is the legacy lane's contract: where the client's strikes and lag are what the lane says
    them to be beyond, and the subscription got everything all the same, that is proposed as explained.
    """
    for passage in history.opened:
        one = passage.subscribed
        for connection in one.connections:
            for frame, refusal in connection.refusals:
                lawful = refusal.code == EVICTED_CODE and _out_of_patience(refusal.message)
                came_back = connection is not one.connections[-1] or _ended(history, passage)
                yield Finding(
                    check="lane.cut_off",
                    failure=FailureClass.STALE,
                    blame=Blame.of(one.side),
                    sides=(one.side,),
                    stream=one.plan.stream,
                    message=f"the lane ended the connection: {refusal.code}",
                    subscription=one.name,
                    seen=(Seen(one.side.value, shortened(refusal.message)),),
                    frames=(FrameRef(one.side, connection.asked.id, frame),),
                    suffers="a client must come back, from where it was",
                    rule=EVICTION if lawful and came_back and not len(passage.missing) else None,
                )


def _out_of_patience(message: str) -> bool:
    """Whether an eviction's numbers bear it out: a lag above the threshold, and no strike left. What it leaves out
    counts for it.
    """
    said = {name: int(digits) for name, digits in _STRIKES.findall(message)}
    if said.keys() != {"lag", "threshold", "strikes", "max_strikes"}:
        return True
    return said["lag"] > said["threshold"] and said["strikes"] >= said["max_strikes"]


def _ended(history: History, passage: Passage) -> bool:
    """Whether a subscription got the last number that it had to get."""
    end = passage.subscribed.end
    if end is None or not len(passage.rows):
        return False
    return int(history.sides[passage.subscribed.side].delivered.held.rows.seq[passage.rows[-1]]) >= end


def _delivered_rows(history: History) -> int:
    return sum(len(history.sides[side].deliveries) for side in SIDES)


def _hashed_rows(history: History) -> int:
    return sum(
        int(oracle.held.rows.has_carried.sum())
        for one in history.sides.values()
        for oracle in (one.delivered, one.content)
    )


def _wrapped_rows(history: History) -> int:
    sides: Iterable[Side] = (side for side in SIDES if history.sides[side].naming.mapped)
    return sum(len(history.sides[side].deliveries) + len(history.sides[side].content.held.rows) for side in sides)


CHECKS = (
    Check(
        "lane.order",
        "first arrivals of a subscription rise, message by message",
        ("N1", "N3", "INV-03", "INV-07"),
        order,
        _delivered_rows,
    ),
    Check(
        "lane.contiguity",
        "the numbers that a subscription delivers have no hole",
        ("N1", "N3", "INV-03", "INV-07"),
        contiguity,
        _delivered_rows,
    ),
    Check(
        "lane.uniqueness",
        "a number comes once; what comes again is the same event",
        ("N3", "INV-07"),
        uniqueness,
        _delivered_rows,
    ),
    Check(
        "lane.hash",
        "the hash that comes along is the SHA-256 of the body's canonical JSON",
        ("N3", "C3a", "INV-01"),
        carried_hash,
        _hashed_rows,
        rows_needed=0,
    ),
    Check(
        "lane.wrapped",
        "a stored envelope names the stream and the number of the row that stores it",
        ("B4", "C3b"),
        wrapped_key,
        _wrapped_rows,
        rows_needed=0,
    ),
    Check(
        "lane.key",
        "a subscription delivers events of its own stream and of no other",
        ("N3", "B4"),
        foreign,
        _delivered_rows,
    ),
    Check(
        "lane.cut_off",
        "a lane ends no subscription with an error, but for the eviction of a slow consumer",
        ("N1", "INV-03"),
        cut_off,
        lambda history: sum(len(passage.subscribed.connections) for passage in history.opened),
    ),
)
