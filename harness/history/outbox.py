"""What an authority published, held against its own log row by row: an observed oracle beside the log.

Only rows of the plan's streams count: the outbox is one for all streams, and lanes are shared between plans.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from harness.history.addresses import I32, U64, Mask
from harness.history.event_log import Log, asked
from harness.model.errors import FormatError, ProtocolError
from harness.wire.canonical import canonical_json
from harness.wire.outbox_rows import OutboxPage, OutboxRow, outbox_page

OUTBOX = "outbox"


@dataclass(frozen=True, slots=True)
class Outbox:
    """What one authority published of the plan's streams since the plan began, in the order of the outbox.

    `read` tells whether the last read came from the beginning to the end: to the ordinal named as the last one, or to a
    page with fewer rows than asked for; there are no rows otherwise. `stream` int32 (code of the plan stream), `seq`
    uint64, `log_row` int32 (row of the log with that number, -1 = the log has none), `differs` bool (that row has
    another kind or body, compared in canonical form). `unreadable` are answers that are no page (exchange, why).
    """

    read: bool
    stream: I32
    seq: U64
    log_row: I32
    differs: Mask
    unreadable: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.stream)


@dataclass(frozen=True, slots=True)
class Published:
    """What published rows are held against: a log, the code of the plan stream of a topic (None = of no plan stream),
    and the topics and kinds by code.
    """

    log: Log
    stream_of: Callable[[str], int | None]
    topics: Sequence[str]
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request for a page; None = the answer is none."""

    after: int
    rows_max: int
    page: OutboxPage | None


def outbox(exchanges: Iterable[Mapping[str, Any]], against: Published) -> Outbox:
    """The outbox in the answers of one authority; that of its last read counts."""
    reads: dict[int, list[_Asked]] = {}
    unreadable = []
    for exchange in exchanges:
        if exchange["purpose"] != OUTBOX:
            continue
        pages = reads.setdefault(exchange["step"], [])
        try:
            page = outbox_page(exchange["response_body"] or b"") if exchange["outcome"] == "ok" else None
        except ProtocolError as error:
            unreadable.append((exchange["id"], str(error)))
            page = None
        after, rows_max = (asked(exchange["path"], name) for name in ("after", "limit"))
        pages.append(_Asked(after, rows_max, page))
    marks, last = reads.get(-1, ()), reads[max(reads)] if reads else ()
    begins = {0, *(mark.page.head_ordinal for mark in marks if mark.page is not None)}
    rows = _whole(last, begins) if max(reads, default=-1) >= 0 else None
    return _held(rows or (), against, rows is not None, tuple(unreadable))


def _whole(pages: Sequence[_Asked], begins: set[int]) -> list[OutboxRow] | None:
    """The rows of pages that lead from where the plan began to the end of the outbox, None where they do not.

    A page that ends below where it was asked to begin is of an outbox that began anew; it was read again from 0.
    """
    told = [one for one in pages if one.page is None or one.page.head_ordinal >= one.after]
    if not told or told[0].after not in begins:
        return None
    rows: list[OutboxRow] = []
    at, at_end = told[0].after, False
    for one in told:
        if one.page is None or one.after != at:
            return None
        rows += one.page.rows
        at = max((row.ordinal for row in one.page.rows), default=at)
        at_end = at >= one.page.head_ordinal or len(one.page.rows) < one.rows_max
    return rows if at_end else None


def _held(rows: Iterable[OutboxRow], against: Published, read: bool, unreadable: tuple[tuple[int, str], ...]) -> Outbox:
    """The rows of the plan's streams, each with the row of the log that it should be."""
    log = against.log
    numbers = zip(log.rows.name.tolist(), log.rows.seq.tolist(), strict=True)
    place = {(against.topics[name], seq): row for row, (name, seq) in enumerate(numbers)}
    streams = {topic: against.stream_of(topic) for topic in {row.topic for row in rows}}
    own = [row for row in rows if streams[row.topic] is not None]
    found = [place.get((row.topic, row.seq), -1) for row in own]
    differing = [at >= 0 and not _same(row, at, against) for row, at in zip(own, found, strict=True)]
    return Outbox(
        read,
        np.array([streams[row.topic] for row in own], np.int32),
        np.array([row.seq for row in own], np.uint64),
        np.array(found, np.int32),
        np.array(differing, np.bool_),
        unreadable,
    )


def _same(row: OutboxRow, at: int, against: Published) -> bool:
    """Whether kind and body are those of a row of the log; bytes first, canonical form where they differ."""
    log = against.log
    if against.kinds.get(row.kind) != log.rows.kind[at]:
        return False
    if log.rows.raw[at].tobytes() == sha256(row.body).digest():
        return True
    try:
        return bool(log.has_canonical[at]) and log.canonical[at].tobytes() == sha256(canonical_json(row.body)).digest()
    except FormatError:
        return False
