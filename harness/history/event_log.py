"""The authority's event log, the third oracle, as columns.

A *read* is all pages of one stream asked for by one step. The log of a stream is its last whole read; what an earlier
read said otherwise is kept as a contradiction, since a log never changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from harness.history.addresses import I32, U64, Mask
from harness.history.columns import Codes, EnvelopeGatherer, Envelopes, digests
from harness.model.errors import FormatError, ProtocolError
from harness.wire.canonical import canonical_json
from harness.wire.events import Delivery
from harness.wire.log_rows import LogPage, log_events

LOG = "log"
NAMES_NONE = -2


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one authority.

    `rows` as in `Envelopes` (name = code of the topic; no hash is carried), plus `canonical` uint64 n × 4 (SHA-256 of
    the body's canonical form), `has_canonical` bool (whether it has one) and `command` int32 (position in the
    transcript of the command that the row names, -1 = none of ours, -2 = it names none). `read` names the streams whose
    last read came to the head that it reported; `heads` that head. `unreadable` are answers that are no page (exchange,
    why).
    """

    rows: Envelopes
    canonical: U64
    has_canonical: Mask
    command: I32
    read: frozenset[str]
    heads: Mapping[str, int]
    contradictions: tuple[tuple[str, int], ...]
    unreadable: tuple[tuple[int, str], ...]


@dataclass(slots=True)
class _Read:
    """The pages of one stream in one step."""

    stream: str
    after_seq: int
    pages: list[tuple[int, LogPage]] = field(default_factory=list)
    at_end: bool = False
    """Whether the newest page was the last one: it reached the head, or held fewer rows than it was asked for."""

    @property
    def whole(self) -> bool:
        return self.after_seq == 0 and self.at_end

    @property
    def head(self) -> int:
        return self.pages[-1][1].head_seq

    def add(self, exchange: int, page: LogPage, limit: int) -> None:
        self.pages.append((exchange, page))
        last = page.rows[-1].seq if page.rows else 0
        self.at_end = last >= page.head_seq or len(page.rows) < limit


def event_log(exchanges: Iterable[Mapping[str, Any]], codes: tuple[Codes, Codes], command_of: Mapping[str, int]) -> Log:
    """The log in the answers of one authority. `codes` are those of its stream names and of the event kinds."""
    reads, unreadable = _reads(exchanges)
    final = {read.stream: read for read in reads if read.whole}
    names, kinds = codes
    gatherer = EnvelopeGatherer(names, kinds, lambda name: name)
    canonical: list[bytes] = []
    commands: list[int] = []
    for read in final.values():
        for exchange, page in read.pages:
            gatherer.settle()
            for one, row in zip(log_deliveries(page), page.rows, strict=True):
                gatherer.pending.append((one, exchange, -1, -1))
                canonical.append(_canonical_digest(one.body))
                commands.append(NAMES_NONE if row.command_id is None else command_of.get(row.command_id, -1))
    rows, _ = gatherer.finished()
    return Log(
        rows,
        digests(digest or bytes(32) for digest in canonical),
        np.fromiter(map(bool, canonical), np.bool_, len(canonical)),
        np.array(commands, np.int32),
        frozenset(final),
        {stream: read.head for stream, read in final.items()},
        tuple(_contradictions(reads, final)),
        tuple(unreadable),
    )


def _reads(exchanges: Iterable[Mapping[str, Any]]) -> tuple[list[_Read], list[tuple[int, str]]]:
    """Every read, in order of its first page; and what is no page."""
    found: dict[tuple[str, int], _Read] = {}
    unreadable = []
    for exchange in exchanges:
        if exchange["purpose"] != LOG or exchange["outcome"] != "ok":
            continue
        try:
            page = log_events(exchange["response_body"] or b"")
        except ProtocolError as error:
            unreadable.append((exchange["id"], str(error)))
            continue
        after_seq, limit = (asked(exchange["path"], name) for name in ("after_seq", "limit"))
        read = found.setdefault((page.stream, exchange["step"]), _Read(page.stream, after_seq))
        read.add(exchange["id"], page, limit)
    return list(found.values()), unreadable


def asked(path: str, name: str) -> int:
    """A number of the query, 0 where it is not given."""
    given = parse_qs(urlsplit(path).query).get(name, ["0"])[0]
    return int(given) if given.isascii() and given.isdecimal() else 0


def log_deliveries(page: LogPage) -> Iterator[Delivery]:
    """The rows of a page as envelopes; no hash comes along, and nothing is wrapped."""
    for index, row in enumerate(page.rows):
        yield Delivery(page.stream, row.seq, row.kind, row.published_at, row.body, None, None, None, index)


def _canonical_digest(body: bytes) -> bytes:
    """SHA-256 of the canonical form, nothing where there is none."""
    try:
        return sha256(canonical_json(body)).digest()
    except FormatError:
        return b""


def _contradictions(reads: list[_Read], final: Mapping[str, _Read]) -> Iterable[tuple[str, int]]:
    """(stream, seq) of every row that an earlier read had and the final one lacks or has otherwise."""
    for read in reads:
        last = final.get(read.stream)
        if last is None or read is last:
            continue
        now = {row.seq: row for _, page in last.pages for row in page.rows}
        for _, page in read.pages:
            yield from ((read.stream, row.seq) for row in page.rows if now.get(row.seq) != row)
