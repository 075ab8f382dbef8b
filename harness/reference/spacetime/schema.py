"""The sync module's tables and reducers, as data and as the server's own description of them."""

from dataclasses import dataclass
from enum import Enum

from harness.reference.spacetime.sats import Array, Boolean, Bytes, Option, Product, SatsType, Text, Unsigned

FIRST_TABLE_ID = 4097


class ColumnType(Enum):
    """The column types of the module, by the name that SQL errors give them."""

    STRING = "String"
    U64 = "U64"
    U8 = "U8"
    BYTES = "Array<U8>"
    TIMESTAMP = "Timestamp"
    IDENTITY = "Identity"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table. Key and index columns are positions; `indexes` are (accessor name, columns)."""

    name: str
    type_name: str
    table_id: int
    type_ref: int
    columns: tuple[Column, ...]
    primary_key: int
    unique: tuple[int, ...] = ()
    indexes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    public: bool = True

    def position(self, column: str) -> int | None:
        """The position of the column of that name, or None."""
        names = [known.name for known in self.columns]
        return names.index(column) if column in names else None


@dataclass(frozen=True, slots=True)
class ReducerDefinition:
    """A reducer; `lifecycle` names the event that calls it, None = clients do."""

    name: str
    reducer_id: int
    parameters: tuple[tuple[str, SatsType], ...]
    lifecycle: str | None = None


def _columns(**types: ColumnType) -> tuple[Column, ...]:
    return tuple(Column(name, kind) for name, kind in types.items())


# Table and reducer ids follow the alphabetical order of names, as on the real server.
MODULE_STATE = TableDefinition(
    "module_state",
    "ModuleState",
    FIRST_TABLE_ID,
    0,
    _columns(id=ColumnType.U8, owner=ColumnType.IDENTITY, next_offset=ColumnType.U64),
    primary_key=0,
    public=False,
)
STREAM_HEAD = TableDefinition(
    "stream_head",
    "StreamHead",
    FIRST_TABLE_ID + 1,
    2,
    _columns(stream_id=ColumnType.STRING, next_seq=ColumnType.U64, retained_from=ColumnType.U64),
    primary_key=0,
)
SYNC_CHECKPOINT = TableDefinition(
    "sync_checkpoint",
    "SyncCheckpoint",
    FIRST_TABLE_ID + 2,
    3,
    _columns(
        checkpoint_key=ColumnType.STRING,
        reader=ColumnType.IDENTITY,
        client_id=ColumnType.STRING,
        stream_id=ColumnType.STRING,
        acked_seq=ColumnType.U64,
        updated_at=ColumnType.TIMESTAMP,
    ),
    primary_key=0,
    indexes=(("stream_id", (3,)),),
)
SYNC_EVENT = TableDefinition(
    "sync_event",
    "SyncEvent",
    FIRST_TABLE_ID + 3,
    4,
    _columns(
        stream_id=ColumnType.STRING,
        seq=ColumnType.U64,
        idempotency_key=ColumnType.STRING,
        stream_idempotency_key=ColumnType.STRING,
        payload_hash=ColumnType.STRING,
        payload_bytes=ColumnType.BYTES,
        committed_at=ColumnType.TIMESTAMP,
        durable_offset=ColumnType.U64,
    ),
    primary_key=7,
    unique=(3,),
    indexes=(("by_stream_seq", (0, 1)), ("stream_id", (0,))),
)
TABLES = {table.name: table for table in (MODULE_STATE, STREAM_HEAD, SYNC_CHECKPOINT, SYNC_EVENT)}

U64 = Unsigned(64)
NEW_EVENT = Product((("idempotency_key", Text()), ("payload_hash", Text()), ("payload_bytes", Bytes())))
REDUCERS = {
    reducer.name: reducer
    for reducer in (
        ReducerDefinition("ack_checkpoint", 0, (("client_id", Text()), ("stream_id", Text()), ("seq", U64))),
        ReducerDefinition("advance_retention", 1, (("stream_id", Text()), ("keep_from", U64), ("force", Boolean()))),
        ReducerDefinition(
            "append_sync_event",
            2,
            (
                ("stream_id", Text()),
                ("expected_seq", Option(U64)),
                ("idempotency_key", Text()),
                ("payload_hash", Text()),
                ("payload_bytes", Bytes()),
            ),
        ),
        ReducerDefinition(
            "append_sync_events",
            3,
            (("stream_id", Text()), ("first_expected_seq", Option(U64)), ("events", Array(NEW_EVENT))),
        ),
        ReducerDefinition("init", 4, (), lifecycle="Init"),
    )
}
