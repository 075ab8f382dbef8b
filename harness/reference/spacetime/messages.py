"""Server messages of v1.json as JSON text, and the frames they travel in (wire sheet 3.3, 3.4).

Texts are put together from parts that are encoded once, because one commit goes to many connections.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.reference.spacetime.rows import Row, compact, named, positional
from harness.reference.spacetime.schema import TableDefinition

NO_REDUCER = "<none>"
NO_REDUCER_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ReducerEvent:
    """One call as its messages tell it. Identities are hex digits, times microseconds; `args` is verbatim."""

    reducer_name: str
    reducer_id: int
    args: str
    caller_identity: str
    connection_id: int
    timestamp_us: int
    energy: int
    duration_us: int
    request_id: int


@dataclass(frozen=True, slots=True)
class QueryUpdate:
    """The rows of one query in one message: how many, and the JSON of its `updates` element."""

    row_count: int
    text: str


def text_frame(text: str) -> bytes:
    """An unmasked WebSocket text frame."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65536:
        return b"\x81\x7e" + struct.pack("!H", size) + payload
    return b"\x81\x7f" + struct.pack("!Q", size) + payload


def frame_payload(frame: bytes) -> bytes:
    """The payload of a frame that `text_frame` made."""
    header = {126: 4, 127: 10}.get(frame[1], 2)
    return frame[header:]


def identity_token(identity: str, token: str, connection_id: int) -> str:
    """The first message of every connection (F1)."""
    return compact(
        {
            "IdentityToken": {
                "identity": _identity(identity),
                "token": token,
                "connection_id": _connection(connection_id),
            }
        }
    )


def delta_row_texts(table: TableDefinition, rows: Iterable[Row]) -> list[str]:
    """Each row of a transaction's delta as a JSON string that holds JSON."""
    values = positional(table)
    return [compact(compact(values(row))) for row in rows]


def stored_row_texts(table: TableDefinition, rows: Iterable[Row]) -> list[str]:
    """Each stored row as a JSON string that holds JSON."""
    return [compact(compact(named(table, row))) for row in rows]


def query_update(deletes: Sequence[str], inserts: Sequence[str]) -> QueryUpdate:
    """The `updates` element of one query."""
    text = f'{{"deletes":[{",".join(deletes)}],"inserts":[{",".join(inserts)}]}}'
    return QueryUpdate(len(deletes) + len(inserts), text)


def table_update(table: TableDefinition, updates: Sequence[QueryUpdate]) -> str:
    """A TableUpdate: `num_rows` counts deletes and inserts of all its queries."""
    row_count = sum(update.row_count for update in updates)
    texts = ",".join(update.text for update in updates)
    return f'{{"table_id":{table.table_id},"table_name":"{table.name}","num_rows":{row_count},"updates":[{texts}]}}'


def multi_applied(kind: str, request_id: int, query_id: int, duration_us: int, table_updates: Sequence[str]) -> str:
    """SubscribeMultiApplied or UnsubscribeMultiApplied (F2, F8)."""
    return (
        f'{{"{kind}":{{"request_id":{request_id},"total_host_execution_duration_micros":{duration_us},'
        f'"query_id":{{"id":{query_id}}},"update":{{"tables":[{",".join(table_updates)}]}}}}}}'
    )


def single_applied(
    kind: str, request_id: int, query_id: int, duration_us: int, table: TableDefinition, update: str
) -> str:
    """SubscribeApplied or UnsubscribeApplied."""
    return (
        f'{{"{kind}":{{"request_id":{request_id},"total_host_execution_duration_micros":{duration_us},'
        f'"query_id":{{"id":{query_id}}},"rows":{{"table_id":{table.table_id},"table_name":"{table.name}",'
        f'"table_rows":{update}}}}}}}'
    )


def initial_subscription(request_id: int, duration_us: int, table_updates: Sequence[str]) -> str:
    """The answer to the legacy Subscribe."""
    return (
        f'{{"InitialSubscription":{{"database_update":{{"tables":[{",".join(table_updates)}]}},'
        f'"request_id":{request_id},"total_host_execution_duration":{_duration(duration_us)}}}}}'
    )


def subscription_error(request_id: int, query_id: int, duration_us: int, error: str) -> str:
    """SubscriptionError with both ids (F5)."""
    return compact(
        {
            "SubscriptionError": {
                "total_host_execution_duration_micros": duration_us,
                "request_id": {"some": request_id},
                "query_id": {"some": query_id},
                "table_id": {"none": []},
                "error": error,
            }
        }
    )


def one_off_response(message_id: str, duration_us: int, tables: Sequence[str], error: str | None) -> str:
    """OneOffQueryResponse (F7); `message_id` is hex digits."""
    shown = compact({"none": []} if error is None else {"some": error})
    return (
        f'{{"OneOffQueryResponse":{{"message_id":"{message_id}","error":{shown},"tables":[{",".join(tables)}],'
        f'"total_host_execution_duration":{_duration(duration_us)}}}}}'
    )


def one_off_table(table: TableDefinition, rows: Iterable[Row]) -> str:
    """One table of a OneOffQueryResponse."""
    return f'{{"table_name":"{table.name}","rows":[{",".join(stored_row_texts(table, rows))}]}}'


def committed(event: ReducerEvent, table_updates: Sequence[str]) -> str:
    """A full TransactionUpdate of a commit (F3)."""
    return _transaction_update(f'{{"Committed":{{"tables":[{",".join(table_updates)}]}}}}', event)


def failed(event: ReducerEvent, error: str) -> str:
    """A TransactionUpdate of a call that failed (F4)."""
    return _transaction_update(f'{{"Failed":{compact(error)}}}', event)


def light(table_updates: Sequence[str]) -> str:
    """A TransactionUpdateLight (F6): rows without a word about the caller."""
    tables = ",".join(table_updates)
    return f'{{"TransactionUpdateLight":{{"request_id":0,"update":{{"tables":[{tables}]}}}}}}'


def _transaction_update(status: str, event: ReducerEvent) -> str:
    return (
        f'{{"TransactionUpdate":{{"status":{status},'
        f'"timestamp":{{"__timestamp_micros_since_unix_epoch__":{event.timestamp_us}}},'
        f'"caller_identity":{{"__identity__":"0x{event.caller_identity}"}},'
        f'"caller_connection_id":{{"__connection_id__":{event.connection_id}}},'
        f'"reducer_call":{{"reducer_name":{compact(event.reducer_name)},"reducer_id":{event.reducer_id},'
        f'"args":{compact(event.args)},"request_id":{event.request_id}}},'
        f'"energy_quanta_used":{{"quanta":{event.energy}}},'
        f'"total_host_execution_duration":{_duration(event.duration_us)}}}}}'
    )


def _identity(identity: str) -> dict[str, str]:
    return {"__identity__": f"0x{identity}"}


def _connection(connection_id: int) -> dict[str, int]:
    return {"__connection_id__": connection_id}


def _duration(duration_us: int) -> str:
    return f'{{"__time_duration_micros__":{duration_us}}}'
