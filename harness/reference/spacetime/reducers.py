"""The reducers of the sync module, one function each, rule for rule as its Rust source has them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.reference.spacetime.rows import Row
from harness.reference.spacetime.schema import MODULE_STATE, STREAM_HEAD, SYNC_CHECKPOINT, SYNC_EVENT
from harness.reference.spacetime.transaction import Transaction

SEPARATOR = "\x1f"
STREAM_SEQ = (0, 1)
STREAM_IDEMPOTENCY_KEY = 3
CHECKPOINT_STREAM = 3
CHECKPOINT_ACKED = 4


class ReducerFailed(Exception):
    """A reducer that returned an error: the transaction is dropped, the caller gets the text."""


@dataclass(slots=True)
class ReducerContext:
    """What a reducer knows: its transaction, who calls (hex digits) and when (microseconds)."""

    transaction: Transaction
    sender: str
    timestamp_us: int
    defects: frozenset[str] = frozenset()
    log_lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Head:
    """A `stream_head` row and the database's next offset while events are appended."""

    stream_id: str
    next_seq: int
    retained_from: int
    next_offset: int


Reducer = Callable[[ReducerContext, list[object]], None]
NewEvent = tuple[str, str, str]


def init(context: ReducerContext, _arguments: list[object]) -> None:
    """Runs once when the database is made: its publisher becomes the only writer."""
    context.transaction.insert(MODULE_STATE, (0, context.sender, 1))


def append_sync_event(context: ReducerContext, arguments: list[object]) -> None:
    """Appends one event; no expected position = the next one."""
    stream_id, expected, *event = arguments
    _append(context, str(stream_id), _optional(expected), [_event(event)])


def append_sync_events(context: ReducerContext, arguments: list[object]) -> None:
    """Appends events all or nothing; the first expected position counts up."""
    stream_id, first_expected, events = arguments
    assert isinstance(events, list)
    _append(context, str(stream_id), _optional(first_expected), [_event(event) for event in events])


def ack_checkpoint(context: ReducerContext, arguments: list[object]) -> None:
    """Notes how far a reader has come; never backwards, repeats are harmless."""
    client_id, stream_id, seq = str(arguments[0]), str(arguments[1]), _number(arguments[2])
    if _bad_name(client_id):
        raise ReducerFailed("invalid_client_id")
    _, next_seq, _ = _known_head(context, stream_id)
    if seq >= next_seq and "ack_beyond_head" not in context.defects:
        raise ReducerFailed(f"ack_beyond_head:{next_seq - 1}")
    key = SEPARATOR.join((context.sender, client_id, stream_id))
    old = context.transaction.find(SYNC_CHECKPOINT, SYNC_CHECKPOINT.primary_key, key)
    if old is not None and _number(old[CHECKPOINT_ACKED]) >= seq and "ack_backwards" not in context.defects:
        return
    row: Row = (key, context.sender, client_id, stream_id, seq, context.timestamp_us)
    if old is None:
        context.transaction.insert(SYNC_CHECKPOINT, row)
    else:
        context.transaction.update(SYNC_CHECKPOINT, row)


def advance_retention(context: ReducerContext, arguments: list[object]) -> None:
    """Forgets everything below `keep_from`; `force` = also what a checkpoint still needs."""
    stream_id, keep_from, force = str(arguments[0]), _number(arguments[1]), bool(arguments[2])
    _writer_only(context)
    _, next_seq, retained_from = _known_head(context, stream_id)
    if "retention_off_by_one" in context.defects:
        keep_from += 1
    if keep_from <= retained_from:
        return
    if keep_from > next_seq:
        raise ReducerFailed(f"retention_beyond_head:{next_seq - 1}")
    checkpoints = context.transaction.equal(SYNC_CHECKPOINT, CHECKPOINT_STREAM, stream_id)
    if not force and any(_number(row[CHECKPOINT_ACKED]) + 1 < keep_from for row in checkpoints):
        raise ReducerFailed("retention_blocked_by_checkpoint")
    # Nothing is stored below the floor, so the range begins there.
    gone = context.transaction.delete_pairs(SYNC_EVENT, STREAM_SEQ, stream_id, range(retained_from, keep_from))
    context.log_lines.append(f"retention stream={stream_id} keep_from={keep_from} deleted={gone}")
    context.transaction.update(STREAM_HEAD, (stream_id, next_seq, keep_from))


REDUCER_FUNCTIONS: dict[str, Reducer] = {
    "init": init,
    "append_sync_event": append_sync_event,
    "append_sync_events": append_sync_events,
    "ack_checkpoint": ack_checkpoint,
    "advance_retention": advance_retention,
}


def _append(context: ReducerContext, stream_id: str, expected: int | None, events: list[NewEvent]) -> None:
    offset = _writer_only(context)
    if _bad_name(stream_id):
        raise ReducerFailed("invalid_stream_id")
    stored = context.transaction.find(STREAM_HEAD, STREAM_HEAD.primary_key, stream_id)
    next_seq, retained_from = (_number(stored[1]), _number(stored[2])) if stored else (1, 1)
    head = Head(stream_id, next_seq, retained_from, offset)
    for position, event in enumerate(events):
        # The module is compiled without overflow checks: the count wraps at 64 bits.
        want = None if expected is None else (expected + position) % 2**64
        _append_one(context, head, want, event)
    if head.next_offset == offset:
        return
    row: Row = (stream_id, head.next_seq, retained_from)
    if stored is None:
        context.transaction.insert(STREAM_HEAD, row)
    else:
        context.transaction.update(STREAM_HEAD, row)
    owner = _state(context)[1]
    context.transaction.update(MODULE_STATE, (0, owner, head.next_offset))


def _append_one(context: ReducerContext, head: Head, want: int | None, event: NewEvent) -> None:
    idempotency_key, payload_hash, payload_hex = event
    if _bad_name(idempotency_key):
        raise ReducerFailed("invalid_idempotency_key")
    key = head.stream_id + SEPARATOR + idempotency_key
    old = context.transaction.find(SYNC_EVENT, STREAM_IDEMPOTENCY_KEY, key)
    if old is not None:
        if old[4] == payload_hash and want in (None, old[1]):
            return
        raise ReducerFailed(f"idempotency_conflict:seq={old[1]}")
    if want is not None and want != head.next_seq:
        raise ReducerFailed(f"sequence_mismatch:expected={head.next_seq}:got={want}")
    context.transaction.insert(
        SYNC_EVENT,
        (
            head.stream_id,
            head.next_seq,
            idempotency_key,
            key,
            payload_hash,
            payload_hex,
            context.timestamp_us,
            head.next_offset,
        ),
    )
    head.next_seq += 1
    head.next_offset += 1


def _state(context: ReducerContext) -> Row:
    row = context.transaction.find(MODULE_STATE, MODULE_STATE.primary_key, 0)
    if row is None:
        raise ReducerFailed("module_not_initialised")
    return row


def _writer_only(context: ReducerContext) -> int:
    """The database's next offset, for its owner only."""
    _, owner, next_offset = _state(context)
    if owner != context.sender:
        raise ReducerFailed("forbidden:writer_only")
    return _number(next_offset)


def _known_head(context: ReducerContext, stream_id: str) -> tuple[str, int, int]:
    row = context.transaction.find(STREAM_HEAD, STREAM_HEAD.primary_key, stream_id)
    if row is None:
        raise ReducerFailed("unknown_stream")
    return stream_id, _number(row[1]), _number(row[2])


def _bad_name(text: str) -> bool:
    return not text or SEPARATOR in text


def _event(fields: object) -> NewEvent:
    assert isinstance(fields, list)
    idempotency_key, payload_hash, payload_hex = fields
    return str(idempotency_key), str(payload_hash), str(payload_hex)


def _optional(value: object) -> int | None:
    return None if value is None else _number(value)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
