"""SpacetimeDB 1.2's own dialect, `v1.json.spacetimedb` (wire sheet, sections 2 and 3): one stream, from a cursor."""

import json
from collections.abc import Callable
from reprlib import repr as shortened
from typing import Any, TypeVar

from harness.model.errors import FormatError, ProtocolError
from harness.wire.codec import Handshake, cursor, path_segment
from harness.wire.events import (
    Batch,
    CheckpointReport,
    Delivery,
    Event,
    HeadReport,
    Identified,
    Ignored,
    Opened,
    Refused,
)
from harness.wire.json_slices import parsed, utf8
from harness.wire.stored_envelope import StoredEnvelope, slice_envelope
from harness.wire.sync_rows import (
    CHECKPOINT_COLUMNS,
    EVENT_COLUMNS,
    HEAD_COLUMNS,
    Row,
    batch,
    checkpoint,
    delivery,
    head,
    number_of,
    positional,
    text_of,
)
from harness.wire.transaction_rows import EVENT_TABLE, HEAD_TABLE, Rows, committed_rows

SUBPROTOCOL = "v1.json.spacetimedb"

_REQUEST_ID = 1
_QUERY_ID = 1

_T = TypeVar("_T")


class SpacetimeJson:
    """One subscription: the events of `stream_id` above a cursor, and its head, in one atomic snapshot.

    The server speaks first (IdentityToken); the subscription is then in `replies()`. A cursor below retention
    gives a silently shorter snapshot (wire sheet, 4.2): that is why the head is asked for with the events.
    """

    def __init__(self, stream_id: str, after_seq: int, database: str) -> None:
        self._stream_id = stream_id
        self._after_seq = cursor(after_seq)
        self._database = database
        self._identified = False
        self._replies: list[bytes] = []

    def handshake(self) -> Handshake:
        """Path, and the subprotocol without which the server refuses."""
        return Handshake(f"/v1/database/{path_segment(self._database)}/subscribe?compression=None", (SUBPROTOCOL,))

    def opening(self) -> list[bytes]:
        """Nothing: a 101 is no acceptance, the IdentityToken is."""
        return []

    def replies(self) -> list[bytes]:
        """The subscription, once, after the IdentityToken came."""
        replies, self._replies = self._replies, []
        return replies

    def receive(self, message: bytes) -> list[Event]:
        """What one message said. Rows of a message are one batch, in the message's own order.

        Raises ProtocolError for bytes that are not of the dialect, a row that is none of the sync module
        (named by stream and seq), and anything but an IdentityToken at first.
        """
        try:
            return self._events(utf8(message))
        except FormatError as error:
            raise ProtocolError(f"message of stream {self._stream_id!r} is not {SUBPROTOCOL}: {error}") from error

    def _events(self, text: str) -> list[Event]:
        rows = committed_rows(text) if self._identified else None
        if rows is not None:
            return [batch("transaction", rows)]
        kind, content = _tagged(parsed(text))
        if kind == "IdentityToken":
            return [self._identity(content)]
        if not self._identified:
            raise FormatError(f"the first message must be IdentityToken, not {kind[:40]!r}")
        if kind not in _KINDS:
            raise FormatError(f"unknown message {kind[:40]!r}")
        return _KINDS[kind](kind, content)

    def _identity(self, content: Any) -> Identified:
        if self._identified:
            raise FormatError("a second IdentityToken on one connection")
        identity = text_of(_at(content, "identity", "__identity__"), "identity")
        connection = _at(content, "connection_id", "__connection_id__")
        if type(connection) is not int:
            raise FormatError(f"connection id {shortened(connection)} is no number")
        self._identified = True
        self._replies.append(self._subscription())
        return Identified(identity, str(connection))

    def _subscription(self) -> bytes:
        stream = self._stream_id.replace("'", "''")
        queries = [
            f"SELECT * FROM {EVENT_TABLE} WHERE stream_id = '{stream}' AND seq > {self._after_seq}",
            f"SELECT * FROM {HEAD_TABLE} WHERE stream_id = '{stream}'",
        ]
        request = {"query_strings": queries, "request_id": _REQUEST_ID, "query_id": {"id": _QUERY_ID}}
        return json.dumps({"SubscribeMulti": request}, separators=(",", ":")).encode()


def slice_batch(message: bytes) -> Batch | None:
    """What a TransactionUpdate that commits one appended event said, the event's body cut out unparsed.

    None for any message but that one in the server's own spelling: several rows of one table, deleted events
    (retention), an envelope stored in another member order. `SpacetimeJson.receive` reads those too.

    Guarantee: the message is verified to its last byte as this dialect's JSON, and so are its rows; only the
    inner payload is not. A `body` that is not `json_slices.is_one_value` was stored in a broken envelope, or in
    one that names a member twice, and `receive` raises ProtocolError for the same message; if it is, `receive`
    gives exactly this batch.
    """
    try:
        rows = committed_rows(message.decode())
        return None if rows is None else batch("transaction", rows, _sliced)
    except (UnicodeDecodeError, FormatError):
        return None


def _sliced(stored: bytes) -> StoredEnvelope:
    envelope = slice_envelope(stored)
    if envelope is None:
        raise FormatError("not the relay's spelling")
    return envelope


def _tagged(message: Any) -> tuple[str, Any]:
    """Kind and content of a message: an object with one member, named by the kind."""
    if type(message) is not dict or len(message) != 1:
        raise FormatError(f"a message is an object with one member, not {shortened(message)}")
    return next(iter(message.items()))


def _at(value: Any, *path: str) -> Any:
    """The value at `path`. Raises FormatError, naming the step, if it is not there."""
    for step in path:
        if type(value) is not dict or step not in value:
            raise FormatError(f"member {step!r} is missing in {shortened(value)}")
        value = value[step]
    return value


def _rows(update: Any) -> Rows:
    """The rows of a DatabaseUpdate; a table may occur several times, with several updates each."""
    rows = Rows([], [], [])
    for table in _texts(_at(update, "tables"), dict):
        _add_rows(rows, _at(table, "table_name"), _at(table, "updates"))
    return rows


def _add_rows(rows: Rows, table: Any, updates: Any) -> None:
    for update in _texts(updates, dict):
        deleted, inserted = _texts(_at(update, "deletes"), str), _texts(_at(update, "inserts"), str)
        if table == EVENT_TABLE:
            rows.deleted.extend(deleted)
            rows.inserted.extend(inserted)
        elif table == HEAD_TABLE:
            rows.heads.extend(inserted)


def _texts(values: Any, wanted: type) -> list[Any]:
    """`values` as an array of `wanted`. Raises FormatError otherwise."""
    if type(values) is not list or any(type(value) is not wanted for value in values):
        raise FormatError(f"an array of {wanted.__name__} was wanted, not {shortened(values)}")
    return values


def _committed(kind: str, rows: Rows) -> Event:
    found = batch("transaction", rows)
    return found if any(found[1:]) else Ignored(f"{kind} without rows of the sync tables")


def _snapshot(path: tuple[str, ...]) -> Callable[[str, Any], list[Event]]:
    def read(kind: str, content: Any) -> list[Event]:
        return _opened(kind, content, _rows(_at(content, *path)))

    return read


def _single_snapshot(kind: str, content: Any) -> list[Event]:
    rows = Rows([], [], [])
    _add_rows(rows, _at(content, "rows", "table_name"), _at(content, "rows", "table_rows", "updates"))
    return _opened(kind, content, rows)


def _opened(kind: str, content: Any, rows: Rows) -> list[Event]:
    request_id = number_of(_at(content, "request_id"), "request_id")
    return [Opened(None, f"{kind} request_id={request_id}"), batch("snapshot", rows)]


def _transaction(kind: str, content: Any) -> list[Event]:
    status, detail = _tagged(_at(content, "status"))
    match status:
        case "Committed":
            return [_committed(kind, _rows(detail))]
        case "Failed":
            return [Refused("reducer_failed", text_of(detail, "Failed"))]
        case "OutOfEnergy":
            return [Refused("out_of_energy", "")]
    raise FormatError(f"unknown transaction status {status[:40]!r}")


def _light(kind: str, content: Any) -> list[Event]:
    return [_committed(kind, _rows(_at(content, "update")))]


def _subscription_error(_kind: str, content: Any) -> list[Event]:
    """Both ids none: evaluation failed later, and every subscription of the connection is gone (wire sheet, 3.3)."""
    ids = (_at(content, "request_id"), _at(content, "query_id"))
    lost = all(type(one) is dict and "none" in one for one in ids)
    message = text_of(_at(content, "error"), "error")
    return [Refused("subscriptions_lost" if lost else "subscription_refused", message)]


def _unasked(kind: str, _content: Any) -> list[Event]:
    return [Ignored(kind, unasked=True)]


_KINDS: dict[str, Callable[[str, Any], list[Event]]] = {
    "InitialSubscription": _snapshot(("database_update",)),
    "TransactionUpdate": _transaction,
    "TransactionUpdateLight": _light,
    "OneOffQueryResponse": _unasked,
    "SubscribeApplied": _single_snapshot,
    "UnsubscribeApplied": _unasked,
    "SubscriptionError": _subscription_error,
    "SubscribeMultiApplied": _snapshot(("update",)),
    "UnsubscribeMultiApplied": _unasked,
}


def sql_rows(body: bytes) -> list[Delivery]:
    """The events of an HTTP SQL answer over `sync_event`, in the answer's order (wire sheet, 1.3.3).

    Columns are found by the names in the answer's schema. Raises ProtocolError for anything else.
    """
    return _answer(body, EVENT_COLUMNS, delivery)


def sql_heads(body: bytes) -> list[HeadReport]:
    """Heads and floors of an HTTP SQL answer over `stream_head`. Raises ProtocolError for anything else."""
    return _answer(body, HEAD_COLUMNS, lambda values, _index: head(values))


def sql_checkpoints(body: bytes) -> list[CheckpointReport]:
    """Rows of an HTTP SQL answer over `sync_checkpoint`. Raises ProtocolError for anything else."""
    return _answer(body, CHECKPOINT_COLUMNS, lambda values, _index: checkpoint(values))


def _answer(body: bytes, columns: tuple[str, ...], read: Callable[[Row, int], _T]) -> list[_T]:
    """`read` of every row of the one result in `body`, its values brought into the order of `columns`."""
    try:
        results = parsed(utf8(body))
        if type(results) is not list or len(results) != 1:
            raise FormatError(f"one result was wanted, not {shortened(results)}")
        names = [_at(element, "name", "some") for element in _texts(_at(results[0], "schema", "elements"), dict)]
        rows = _texts(_at(results[0], "rows"), list)
        return [read(_in_order(names, values, columns), index) for index, values in enumerate(rows)]
    except FormatError as error:
        raise ProtocolError(f"not an SQL answer with rows of ({', '.join(columns)}): {error}") from error


def _in_order(names: list[Any], values: list[Any], columns: tuple[str, ...]) -> Row:
    if len(names) != len(values):
        raise FormatError(f"a row of {len(values)} values under {len(names)} columns")
    by_name = {str(name): value for name, value in zip(names, values, strict=True)}
    return positional(by_name, columns)
