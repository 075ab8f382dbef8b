"""Envelopes as columns: gathered row by row, turned into NumPy arrays a chunk at a time."""

from binascii import unhexlify
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from harness.history.addresses import I32, I64, U64, Mask
from harness.history.instants import instants_ns
from harness.history.sampling import Sample
from harness.model.errors import FormatError
from harness.wire.canonical import decode_hash
from harness.wire.events import Delivery

CHUNK_ROWS = 65_536
"""Rows held as Python objects before they become columns."""

_HASH_PREFIX = "sha256:"
_HASH_TEXT_LENGTH = len(_HASH_PREFIX) + 64


class Codes(dict[str, int]):
    """Texts to small integers, given out in order of first sight: `codes[text]` never fails."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text, by code."""
        return tuple(self)


@dataclass(frozen=True, slots=True)
class Table:
    """Arrays of one length; row i of each belongs together."""

    @classmethod
    def joined(cls, parts: Sequence[Self], empty: Callable[[], Self]) -> Self:
        """The parts one after the other; `empty()` where there are none."""
        if not parts:
            return empty()
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def take(self, rows: NDArray[np.integer] | Mask) -> Self:
        """The rows chosen by index or mask."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self.__slots__))))


@dataclass(frozen=True, slots=True)
class Envelopes(Table):
    """What one oracle said of events, in arrival order.

    Columns: `name` int32 (code of the delivered stream name), `seq` uint64, `kind` int32 (code), `published_ns` int64,
    `raw` uint64 n × 4 (SHA-256 of the body exactly as delivered), `carried` uint64 n × 4 (the hash the lane sent
    along), `has_carried` bool, `bad_carried` bool (sent, and no SHA-256), `unit` int64 and `index` int32: where the
    bytes are (ordinal of the frame, or id of the exchange; position inside it).
    """

    name: I32
    seq: U64
    kind: I32
    published_ns: I64
    raw: U64
    carried: U64
    has_carried: Mask
    bad_carried: Mask
    unit: I64
    index: I32


def no_envelopes() -> Envelopes:
    """Columns without a row."""
    none = np.zeros(0, np.int32)
    digests, mask = np.zeros((0, 4), np.uint64), np.zeros(0, np.bool_)
    wide = np.zeros(0, np.int64)
    return Envelopes(none, wide.astype(np.uint64), none, wide, digests, digests, mask, mask, wide, none)


def digests(values: Iterable[bytes]) -> U64:
    """32-byte digests as uint64 rows of four."""
    return np.frombuffer(b"".join(values), "<u8").reshape(-1, 4)


@dataclass(frozen=True, slots=True)
class Misfit:
    """An envelope whose inner key is not the key of the row that carries it."""

    row: int
    stream: str
    seq: int
    wrapped_topic: str | None
    wrapped_seq: int | None


Arrived = tuple[Delivery, int, int, int]
"""An envelope, the unit that held it, and the connection and the frame index that carried it (-1: an answer did)."""


@dataclass(frozen=True, slots=True)
class Carriers(Table):
    """Envelopes with the connection (int32) and the frame index (int32) that carried each."""

    connection: I32
    frame: I32


class EnvelopeGatherer:
    """Turns deliveries into `Envelopes`, each body digested once and then let go.

    Whoever fills `pending` calls `settle` now and then: a chunk of rows becomes columns there.
    """

    def __init__(
        self, names: Codes, kinds: Codes, topic_of: Callable[[str], str | None], *, sampled: bool = False
    ) -> None:
        self.pending: list[Arrived] = []
        self.misfits: list[Misfit] = []
        self.respelled_instants = 0
        self.unwrapped = 0
        self._names = names
        self._kinds = kinds
        self._topic_of = topic_of
        self._chunks: list[Envelopes] = []
        self._carriers: list[Carriers] = []
        self._rows = 0
        self.sample = Sample() if sampled else None

    def settle(self, rows_min: int = CHUNK_ROWS) -> None:
        """Makes columns of what is pending, if that is `rows_min` rows or more."""
        if self.pending and len(self.pending) >= rows_min:
            self._settle()

    def finished(self) -> tuple[Envelopes, Carriers]:
        """All rows so far."""
        self.settle(rows_min=1)
        rows, carriers = self._chunks, self._carriers
        self._chunks, self._carriers = [], []
        none = np.zeros(0, np.int32)
        return Envelopes.joined(rows, no_envelopes), Carriers.joined(carriers, lambda: Carriers(none, none))

    def _settle(self) -> None:
        deliveries, units, connections, frames = zip(*self.pending, strict=True)
        streams, seqs, kinds, instants, bodies, hashes, topics, inner_seqs, indexes = zip(*deliveries, strict=True)
        self._note_misfits(streams, seqs, topics, inner_seqs)
        if self.sample is not None:
            self.sample.offer(deliveries, zip(streams, kinds, strict=True), self._rows)
        published_ns, respelled = instants_ns(instants)
        self.respelled_instants += respelled
        carried, has_carried, bad_carried = _carried(hashes)
        # The same event goes to several subscribers: equal bodies of a chunk are digested once.
        raw = {body: sha256(body).digest() for body in set(bodies)}
        count = len(streams)
        self._chunks.append(
            Envelopes(
                np.fromiter(map(self._names.__getitem__, streams), np.int32, count),
                np.array(seqs, np.uint64),
                np.fromiter(map(self._kinds.__getitem__, kinds), np.int32, count),
                published_ns,
                digests(map(raw.__getitem__, bodies)),
                carried,
                has_carried,
                bad_carried,
                np.array(units, np.int64),
                np.array(indexes, np.int32),
            )
        )
        self._carriers.append(Carriers(np.array(connections, np.int32), np.array(frames, np.int32)))
        self._rows += count
        self.pending.clear()

    def _note_misfits(
        self,
        streams: Sequence[str],
        seqs: Sequence[int],
        topics: Sequence[str | None],
        inner_seqs: Sequence[int | None],
    ) -> None:
        """Rows whose wrapped envelope names another stream or number; as a rule there are none to walk over."""
        pairs = set(zip(streams, topics, strict=True))
        if {topic for _, topic in pairs} == {None}:
            return
        self.unwrapped += len(topics) - topics.count(None)
        foreign = {(stream, topic) for stream, topic in pairs if topic is not None and self._topic_of(stream) != topic}
        if not foreign and inner_seqs == seqs:
            return
        for row, key in enumerate(zip(streams, seqs, topics, inner_seqs, strict=True)):
            stream, seq, topic, inner_seq = key
            if (stream, topic) in foreign or (inner_seq is not None and inner_seq != seq):
                self.misfits.append(Misfit(self._rows + row, *key))


def _carried(texts: Sequence[str | None]) -> tuple[U64, Mask, Mask]:
    """The hashes that came along: digests, which rows have one, which rows have a text that is none."""
    count = len(texts)
    absent = texts.count(None)
    if absent == count:
        return np.zeros((count, 4), np.uint64), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    if not absent and (plain := _spelled_plainly(cast(Sequence[str], texts))) is not None:
        return plain, np.ones(count, np.bool_), np.zeros(count, np.bool_)
    decoded = [b"" if text is None else _decoded(text) for text in texts]
    found = np.fromiter((len(digest) == 32 for digest in decoded), np.bool_, count)
    sent = np.fromiter((text is not None for text in texts), np.bool_, count)
    return digests(digest or bytes(32) for digest in decoded), found, sent & ~found


def _spelled_plainly(texts: Sequence[str]) -> U64 | None:
    """All hashes at once where each is `sha256:` and 64 hex digits, else None."""
    joined = "".join(texts)
    if not joined.isascii() or set(map(len, texts)) != {_HASH_TEXT_LENGTH}:
        return None
    marks = np.frombuffer(joined.encode(), f"S{len(_HASH_PREFIX)}, S64")
    if not bool((marks["f0"] == _HASH_PREFIX.encode()).all()):
        return None
    try:
        return np.frombuffer(unhexlify(marks["f1"].tobytes()), "<u8").reshape(-1, 4)
    except ValueError:
        return None


def _decoded(text: str) -> bytes:
    try:
        return decode_hash(text)
    except FormatError:
        return b""
