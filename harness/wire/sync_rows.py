"""Rows of the sync module's tables, in both of SpacetimeDB's JSON encodings (wire sheet, 3.4)."""

import binascii
from collections import Counter
from collections.abc import Callable, Sequence
from reprlib import repr as shortened
from typing import Any

from harness.model.errors import FormatError
from harness.wire.events import Batch, CheckpointReport, Delivery, HeadReport, Origin
from harness.wire.json_members import UINT64_MAX, well_formed
from harness.wire.json_slices import SCAN_FAILURES, parsed, scan_unique
from harness.wire.stored_envelope import StoredEnvelope, stored_envelope
from harness.wire.transaction_rows import Rows

EVENT_COLUMNS = (
    "stream_id",
    "seq",
    "idempotency_key",
    "stream_idempotency_key",
    "payload_hash",
    "payload_bytes",
    "committed_at",
    "durable_offset",
)
HEAD_COLUMNS = ("stream_id", "next_seq", "retained_from")
CHECKPOINT_COLUMNS = ("checkpoint_key", "reader", "client_id", "stream_id", "acked_seq", "updated_at")

Row = Sequence[Any]
"""A row's values in the order of the columns above."""


Unwrap = Callable[[bytes], StoredEnvelope]

_made = tuple.__new__


def row(text: str, columns: tuple[str, ...]) -> Row:
    """The row that `text` spells: an object by column name (snapshot) or an array by position (transaction).

    Raises FormatError for anything else.
    """
    try:
        value, end = scan_unique(text, 0)
    except SCAN_FAILURES:
        end = -1
    return positional(value if end == len(text) else parsed(text), columns)


def positional(value: Any, columns: tuple[str, ...]) -> Row:
    """`value` in the order of `columns`, None for what an object lacks. Raises FormatError if it is no row."""
    if type(value) is list and len(value) == len(columns):
        return value
    if type(value) is dict:
        return [value.get(column) for column in columns]
    raise FormatError(f"not a row of ({', '.join(columns)}): {shortened(value)}")


def text_of(value: Any, column: str) -> str:
    """`value` as text. Raises FormatError, naming the column, if it is something else."""
    if type(value) is not str:
        raise FormatError(f"column {column} holds {shortened(value)}, wanted a string")
    return well_formed(value)


def number_of(value: Any, column: str) -> int:
    """`value` as a u64. Raises FormatError, naming the column, if it is something else."""
    if type(value) is not int or not 0 <= value <= UINT64_MAX:
        raise FormatError(f"column {column} holds {shortened(value)}, wanted an integer from 0 to 2**64 - 1")
    return value


def key(event: Row) -> tuple[str, int]:
    """(stream id, seq) of a `sync_event` row. Raises FormatError."""
    return text_of(event[0], "stream_id"), number_of(event[1], "seq")


def delivery(event: Row, batch_index: int, unwrap: Unwrap = stored_envelope) -> Delivery:
    """The envelope that a `sync_event` row stores; `unwrap` reads the stored text.

    Raises FormatError, naming stream and seq, if `payload_bytes` is not hex of a wrapped envelope.
    """
    stream, seq = key(event)
    carried_hash = text_of(event[4], "payload_hash")
    try:
        topic, sequence, kind, published_at, body = unwrap(_unhexed(event[5]))
    except FormatError as error:
        raise FormatError(f"row {seq} of {shortened(stream)}: payload_bytes is no wrapped envelope: {error}") from error
    return _made(Delivery, (stream, seq, kind, published_at, body, carried_hash, topic, sequence, batch_index))


def _unhexed(payload_bytes: Any) -> bytes:
    try:
        return binascii.unhexlify(payload_bytes)
    except (TypeError, ValueError) as error:
        raise FormatError(f"not hex: {error}") from error


def head(values: Row) -> HeadReport:
    """Head and floor that a `stream_head` row states. Raises FormatError if it is no such row."""
    stream = text_of(values[0], "stream_id")
    next_seq = number_of(values[1], "next_seq")
    retained_from = number_of(values[2], "retained_from")
    if next_seq < 1 or retained_from < 1:
        window = f"next_seq {next_seq}, retained_from {retained_from}"
        raise FormatError(f"stream_head of {shortened(stream)} says {window}; both count from 1")
    return HeadReport(stream, next_seq - 1, retained_from - 1)


def checkpoint(values: Row) -> CheckpointReport:
    """The position that a `sync_checkpoint` row states. Raises FormatError if it is no such row."""
    key_text, client, stream = (text_of(values[at], CHECKPOINT_COLUMNS[at]) for at in (0, 2, 3))
    return CheckpointReport(key_text, client, stream, number_of(values[4], "acked_seq"))


def batch(origin: Origin, rows: Rows, unwrap: Unwrap = stored_envelope) -> Batch:
    """What the rows of one message say; `unwrap` reads the stored texts.

    Deleted and inserted events are bags: a text that stands in both changed nothing (wire sheet, 4.3). A
    deleted row whose key is inserted again was rewritten, not withdrawn. Raises FormatError.
    """
    deleted, inserted = _difference(rows.deleted, rows.inserted)
    deliveries = [delivery(row(text, EVENT_COLUMNS), index, unwrap) for index, text in enumerate(inserted)]
    withdrawn = [key(row(text, EVENT_COLUMNS)) for text in deleted]
    if withdrawn:
        written = {(one.stream, one.seq) for one in deliveries}
        withdrawn = [gone for gone in withdrawn if gone not in written]
    return Batch(origin, deliveries, [head(row(text, HEAD_COLUMNS)) for text in rows.heads], withdrawn)


def _difference(deleted: list[str], inserted: list[str]) -> tuple[list[str], list[str]]:
    """Both bags without what they share, order kept."""
    if not deleted or not inserted:
        return deleted, inserted
    shared = Counter(deleted) & Counter(inserted)
    return _without(deleted, shared), _without(inserted, shared)


def _without(texts: list[str], shared: Counter[str]) -> list[str]:
    left = Counter(shared)
    kept = []
    for text in texts:
        if left[text]:
            left[text] -= 1
        else:
            kept.append(text)
    return kept
