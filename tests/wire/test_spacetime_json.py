import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import ProtocolError, UsageError
from harness.wire.codec import Codec, Handshake
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
from harness.wire.json_slices import is_one_value
from harness.wire.spacetime_json import SpacetimeJson, slice_batch, sql_checkpoints, sql_heads, sql_rows
from harness.wire.sync_rows import CHECKPOINT_COLUMNS, EVENT_COLUMNS, HEAD_COLUMNS
from tests.wire.frames import (
    AT_OFFSET,
    CONNECTION,
    F1,
    HASH,
    HOSTILE,
    IDENTITY,
    STREAM,
    TOPIC,
    append,
    compact,
    event_values,
    head_object,
    head_row,
    json_values,
    live_row,
    mutated,
    names,
    snapshot,
    snapshot_row,
    stored,
    table,
    transaction,
    uint64s,
)

F4 = transaction(status={"Failed": "ack_beyond_head:2"})
F5 = (
    b'{"SubscriptionError":{"total_host_execution_duration_micros":390,"request_id":{"some":20},'
    b'"query_id":{"some":9},"table_id":{"none":[]},"error":"`foo` is not a valid table"}}'
)
F7 = (
    b'{"OneOffQueryResponse":{"message_id":"0000002a","error":{"none":[]},"tables":[{"table_name":"stream_head",'
    b'"rows":["{\\"stream_id\\":\\"x\\",\\"next_seq\\":3,\\"retained_from\\":1}"]}],'
    b'"total_host_execution_duration":{"__time_duration_micros__":264}}}'
)
F8 = snapshot(table("sync_event", ([], [])))


def light(*tables: dict[str, Any]) -> bytes:
    """F6."""
    return compact({"TransactionUpdateLight": {"request_id": 0, "update": {"tables": list(tables)}}}).encode()


def events_table(*rows: str) -> dict[str, Any]:
    return table("sync_event", ([], rows))


FRAMES = [
    F1,
    F4,
    F5,
    F7,
    F8,
    append(2, '{"a":2}'),
    append(3, '{"n":-0.0,"s":"\\u00e9"}'),
    snapshot(events_table(snapshot_row(1, stored(1, "[]"))), table("stream_head", ([], [head_object(2)]))),
    light(events_table(live_row(13, stored(13, "null")))),
    transaction(table("sync_event", ([live_row(1, b"")], []))),
]


def delivery(seq: int, body: str, batch_index: int = 0) -> Delivery:
    return Delivery(STREAM, seq, "tool", AT_OFFSET, body.encode(), HASH, TOPIC, seq, batch_index)


def opened() -> SpacetimeJson:
    codec = SpacetimeJson(STREAM, 0, "parity")
    codec.receive(F1)
    return codec


def received(message: bytes) -> list[Event]:
    return opened().receive(message)


def test_the_handshake_names_database_subprotocol_and_no_compression() -> None:
    """The subprotocol is mandatory; text is asked for uncompressed."""
    codec: Codec = SpacetimeJson(STREAM, 0, "parity-1")

    path = "/v1/database/parity-1/subscribe?compression=None"
    assert Handshake(path, ("v1.json.spacetimedb",)) == codec.handshake()
    assert [] == codec.opening()


def test_the_subscription_follows_the_identity_token() -> None:
    """Nothing is sent before the server identified itself; then events and head are asked for at once, and once."""
    codec = SpacetimeJson("it's", 41, "parity")
    before = codec.replies()

    events = codec.receive(F1)

    assert [] == before
    assert [Identified] == [type(event) for event in events]
    assert [Identified(IDENTITY, str(CONNECTION))] == events
    assert [
        b'{"SubscribeMulti":{"query_strings":["SELECT * FROM sync_event WHERE stream_id = \'it\'\'s\' AND seq > 41",'
        b'"SELECT * FROM stream_head WHERE stream_id = \'it\'\'s\'"],"request_id":1,"query_id":{"id":1}}}'
    ] == codec.replies()
    assert [] == codec.replies()


@pytest.mark.parametrize("after_seq", [-1, 2**64])
def test_a_cursor_that_no_lane_takes_is_the_callers_mistake(after_seq: int) -> None:
    """A cursor is a u64."""
    with pytest.raises(UsageError, match="cursor"):
        SpacetimeJson(STREAM, after_seq, "parity")


def test_a_whole_connection() -> None:
    """Identity, snapshot, two transactions, a failed call: each message says its own, in its own order."""
    frames = [
        F1,
        snapshot(
            events_table(snapshot_row(2, stored(2, '{"a":2}')), snapshot_row(1, stored(1, '{"a":1}'))),
            table("stream_head", ([], [head_object(3)])),
        ),
        append(3, '{"z":1.0,"a":"é"}'),
        transaction(events_table(live_row(4, stored(4, "null"))), table("stream_head", ([head_row(4)], [head_row(5)]))),
        F4,
    ]
    codec = SpacetimeJson(STREAM, 0, "parity")

    events = [event for frame in frames for event in codec.receive(frame)]

    assert [Identified, Opened, Batch, Batch, Batch, Refused] == [type(event) for event in events]
    assert [
        Identified(IDENTITY, str(CONNECTION)),
        Opened(None, "SubscribeMultiApplied request_id=1"),
        Batch("snapshot", [delivery(2, '{"a":2}'), delivery(1, '{"a":1}', 1)], [HeadReport(STREAM, 2, 0)], []),
        Batch("transaction", [delivery(3, '{"z":1.0,"a":"é"}')], [HeadReport(STREAM, 3, 0)], []),
        Batch("transaction", [delivery(4, "null")], [HeadReport(STREAM, 4, 0)], []),
        Refused("reducer_failed", "ack_beyond_head:2"),
    ] == events


def test_an_empty_snapshot_is_a_fact() -> None:
    """A query without rows (F8), and one on an empty table, open the subscription with nothing in it."""
    empty = [Opened(None, "SubscribeMultiApplied request_id=1"), Batch("snapshot", [], [], [])]

    assert empty == received(F8)
    assert empty == received(snapshot())


def test_several_tables_and_updates_of_one_message_are_one_batch() -> None:
    """A table may occur twice, and every matching query has an update of its own (wire sheet, 3.5)."""
    rows = [live_row(seq, stored(seq, str(seq))) for seq in (5, 6, 7, 8)]
    frame = transaction(
        table("sync_event", ([], rows[:1]), ([], rows[1:3])),
        table("stream_head", ([head_row(5)], [head_row(9)])),
        table("sync_event", ([], rows[3:])),
    )

    batch = Batch(
        "transaction",
        [delivery(5, "5"), delivery(6, "6", 1), delivery(7, "7", 2), delivery(8, "8", 3)],
        [HeadReport(STREAM, 8, 0)],
        [],
    )
    assert [batch] == received(frame)
    assert [batch] == received(light(*json.loads(frame)["TransactionUpdate"]["status"]["Committed"]["tables"]))


def test_a_row_that_was_delivered_twice_is_there_twice() -> None:
    """Results are bags: a repeat is the checks' business (wire sheet, 4.3)."""
    row = live_row(5, stored(5, "5"))

    [batch] = received(transaction(table("sync_event", ([], [row]), ([], [row]))))

    assert isinstance(batch, Batch)
    assert [delivery(5, "5"), delivery(5, "5", 1)] == batch.deliveries


def test_retention_withdraws_rows_and_moves_the_floor() -> None:
    """F10: rows deleted by a reducer are withdrawn, and the head's row says from where on the lane still serves."""
    gone = [live_row(seq, stored(seq, "0")) for seq in (1, 2, 3, 4)]
    frame = transaction(table("sync_event", (gone, [])), table("stream_head", ([head_row(11, 1)], [head_row(11, 5)])))

    withdrawn = [(STREAM, 1), (STREAM, 2), (STREAM, 3), (STREAM, 4)]
    assert [Batch("transaction", [], [HeadReport(STREAM, 10, 4)], withdrawn)] == received(frame)
    assert slice_batch(frame) is None


def test_a_rewritten_row_is_delivered_and_not_withdrawn() -> None:
    """A row update is a delete and an insert of one key: the new content counts."""
    old, new = live_row(5, stored(5, "1")), live_row(5, stored(5, "2"))

    assert [Batch("transaction", [delivery(5, "2")], [], [])] == received(
        transaction(table("sync_event", ([old], [new])))
    )


def test_a_row_on_both_sides_of_a_difference_changed_nothing() -> None:
    """Deletes and inserts of a message are a multiset difference (wire sheet, 4.3)."""
    row, other = live_row(5, stored(5, "1")), live_row(6, stored(6, "2"))

    assert [Batch("transaction", [delivery(6, "2")], [], [])] == received(
        transaction(table("sync_event", ([row], [row, other])))
    )


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (F5, Refused("subscription_refused", "`foo` is not a valid table")),
        (
            F5.replace(b'{"some":20}', b'{"none":[]}').replace(b'{"some":9}', b'{"none":[]}'),
            Refused("subscriptions_lost", "`foo` is not a valid table"),
        ),
        (F7, Ignored("OneOffQueryResponse", unasked=True)),
        (transaction(), Ignored("TransactionUpdate without rows of the sync tables")),
        (
            transaction(table("sync_checkpoint", ([], ["[]"]))),
            Ignored("TransactionUpdate without rows of the sync tables"),
        ),
        (transaction(status={"OutOfEnergy": []}), Refused("out_of_energy", "")),
        (b'{"UnsubscribeMultiApplied":{}}', Ignored("UnsubscribeMultiApplied", unasked=True)),
        (b'{"UnsubscribeApplied":{}}', Ignored("UnsubscribeApplied", unasked=True)),
    ],
)
def test_what_else_the_server_says(frame: bytes, event: Event) -> None:
    """Refusals keep the server's words; what carries nothing for a subscriber is named and passed over."""
    events = received(frame)

    assert [event] == events
    assert type(event) is type(events[0])


def test_the_older_subscription_answers_are_snapshots_too() -> None:
    """SubscribeApplied and InitialSubscription carry the same rows in other places."""
    rows = events_table(snapshot_row(1, stored(1, "1")))
    applied = {"request_id": 2, "rows": {"table_id": 4100, "table_name": "sync_event", "table_rows": rows}}
    initial = {"request_id": 3, "database_update": {"tables": [rows]}}

    batch = Batch("snapshot", [delivery(1, "1")], [], [])
    assert [Opened(None, "SubscribeApplied request_id=2"), batch] == received(
        compact({"SubscribeApplied": applied}).encode()
    )
    assert [Opened(None, "InitialSubscription request_id=3"), batch] == received(
        compact({"InitialSubscription": initial}).encode()
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff", "not UTF-8"),
        (b'{"a":1}', "member 'topic' is missing"),
        (b"{", "no JSON name"),
        (b"[1]", "'{' was wanted"),
        (stored(2, '1,"payload":2'), "member 'payload' occurs twice"),
        (stored(2, "NaN"), "no JSON value"),
        (stored(2, "1").replace(b"2,", b'"2",'), "member 'sequence'"),
    ],
)
def test_a_row_without_a_wrapped_envelope_is_named(payload: bytes, reason: str) -> None:
    """The refusal says which stream and number, and what is wrong with the stored text."""
    frame = transaction(events_table(live_row(2, payload)))

    with pytest.raises(ProtocolError, match=f"row 2 of '{STREAM}': payload_bytes is no wrapped envelope") as refused:
        received(frame)

    assert reason in str(refused.value)


def test_bytes_that_are_not_hex_are_refused() -> None:
    """`payload_bytes` is hex without a prefix."""
    for wrong in ("0x00", "abc", "zz", "é"):
        values = event_values(2, b"")
        values[5] = wrong

        with pytest.raises(ProtocolError, match=f"row 2 of '{STREAM}': .* not hex"):
            received(transaction(events_table(compact(values))))


@pytest.mark.parametrize(
    "row",
    [
        "[]",
        "{}",
        "null",
        "not json",
        compact(event_values(2, stored(2, "1"))[:7]),
        compact(["x", -1, "k", "k", "h", "", [1], 1]),
        compact(["x", 2**64, "k", "k", "h", "", [1], 1]),
        compact(["x", 1.0, "k", "k", "h", "", [1], 1]),
        compact(["x", True, "k", "k", "h", "", [1], 1]),
        compact([5, 1, "k", "k", "h", "", [1], 1]),
        '["\\ud800",1,"k","k","h","",[1],1]',
        '{"stream_id":"x","stream_id":"y","seq":1}',
        "[" * 100_000,
    ],
)
def test_a_row_of_another_table_or_type_is_refused(row: str) -> None:
    """A row is its columns, with their types; nothing is converted."""
    for frame in (transaction(events_table(row)), snapshot(events_table(row))):
        with pytest.raises(ProtocolError):
            received(frame)


@pytest.mark.parametrize("row", ['["x",0,1]', '["x",1,0]', '["x","1",1]', "[]", '{"stream_id":"x","next_seq":1}'])
def test_a_head_that_cannot_be_is_refused(row: str) -> None:
    """`next_seq` and `retained_from` count from 1."""
    with pytest.raises(ProtocolError):
        received(transaction(table("stream_head", ([], [row]))))


def test_the_identity_token_comes_first_and_once() -> None:
    """A 101 is no acceptance (wire sheet, 2): until the token came, every other message is out of place."""
    codec = SpacetimeJson(STREAM, 0, "parity")

    with pytest.raises(ProtocolError, match="first message must be IdentityToken, not 'TransactionUpdate'"):
        codec.receive(append(1, "1"))
    codec.receive(F1)
    with pytest.raises(ProtocolError, match="a second IdentityToken"):
        codec.receive(F1)


@pytest.mark.parametrize(
    "message",
    [
        *HOSTILE,
        b'{"Surprise":{}}',
        b'{"TransactionUpdate":{},"IdentityToken":{}}',
        transaction(status={"Committed": {"tables": 5}}),
        transaction(status={"Vetoed": []}),
        transaction(status="Committed"),
        snapshot().replace(b'"request_id":1', b'"request_id":' + b"[" * 600 + b"]" * 600),
    ],
)
def test_what_is_not_of_the_dialect_is_a_protocol_error(message: bytes) -> None:
    """Hostile bytes and unknown messages are refused, before the identity token and after it."""
    for codec in (SpacetimeJson(STREAM, 0, "parity"), opened()):
        with pytest.raises(ProtocolError, match=r"is not v1\.json\.spacetimedb"):
            codec.receive(message)


@pytest.mark.parametrize("depth", [500, 20_000])
def test_a_deeply_nested_body_is_delivered(depth: int) -> None:
    """How deep a payload nests is no business of the codec."""
    body = "[" * depth + "]" * depth

    [batch] = received(append(1, body))

    assert isinstance(batch, Batch)
    assert [delivery(1, body)] == batch.deliveries


def test_a_body_in_a_broken_envelope_is_sliced_but_is_no_value() -> None:
    """The fast way leaves the inner payload unread; what it cut out of a broken envelope can be told."""
    frame = append(2, '1,"payload":2')

    sliced = slice_batch(frame)

    assert sliced is not None
    assert [False] == [is_one_value(one.body) for one in sliced.deliveries]
    with pytest.raises(ProtocolError, match="occurs twice"):
        received(frame)


def test_an_envelope_in_another_member_order_takes_the_long_way() -> None:
    """The member order inside the stored envelope is the writer's choice."""
    payload = compact(dict(reversed(json.loads(stored(2, "[1]")).items()))).encode()
    frame = transaction(events_table(live_row(2, payload)))

    assert slice_batch(frame) is None
    assert [Batch("transaction", [delivery(2, "[1]")], [], [])] == received(frame)


@given(seq=uint64s, value=json_values, topic=names, kind=names, at=names)
def test_what_was_stored_is_what_is_received(seq: int, value: object, topic: str, kind: str, at: str) -> None:
    """Any envelope survives row, message and both row encodings, down to the body's very bytes."""
    body = compact(value)
    payload = stored(seq, body, topic=topic, kind=kind, at=at)

    live = received(transaction(events_table(live_row(seq, payload))))
    shown = received(snapshot(events_table(snapshot_row(seq, payload))))

    one = Delivery(STREAM, seq, kind, at, body.encode(), HASH, topic, seq, 0)
    assert [Batch("transaction", [one], [], [])] == live
    assert [Batch("snapshot", [one], [], [])] == shown[1:]


@given(message=st.binary(max_size=200) | mutated(FRAMES))
def test_any_bytes_give_events_or_a_protocol_error(message: bytes) -> None:
    """No input makes the codec raise anything else, and the fast way never says more than the long way."""
    sliced = slice_batch(message)
    try:
        events = received(message)
    except ProtocolError:
        assert sliced is None or not all(is_one_value(one.body) for one in sliced.deliveries)
        return

    assert events
    assert sliced is None or [sliced] == events


def sql_answer(columns: tuple[str, ...], rows: list[list[Any]]) -> bytes:
    elements = [{"name": {"some": name}, "algebraic_type": {"U64": []}} for name in columns]
    return compact([{"schema": {"elements": elements}, "rows": rows, "total_duration_micros": 199}]).encode()


def test_sql_rows_are_read_by_the_names_in_the_schema() -> None:
    """The answer names its columns, so any order and any selection that has what is needed will do."""
    values = event_values(7, stored(7, '{"b":1,"a":2}'))
    by_name = dict(zip(EVENT_COLUMNS, values, strict=True))
    some = ("payload_bytes", "seq", "payload_hash", "stream_id")

    assert [delivery(7, '{"b":1,"a":2}')] == sql_rows(sql_answer(EVENT_COLUMNS, [values]))
    assert [delivery(7, '{"b":1,"a":2}')] == sql_rows(sql_answer(some, [[by_name[name] for name in some]]))


def test_sql_rows_keep_the_order_of_the_answer() -> None:
    """The order of SQL rows is unspecified; each row tells its place in the answer."""
    rows = [event_values(seq, stored(seq, "0")) for seq in (9, 8)]

    assert [delivery(9, "0"), delivery(8, "0", 1)] == sql_rows(sql_answer(EVENT_COLUMNS, rows))


def test_sql_heads_give_head_and_floor() -> None:
    """Head is `next_seq` - 1, the floor `retained_from` - 1; the largest u64 is exact."""
    rows = [["a", 2**64 - 1, 5], ["b", 1, 1]]

    assert [HeadReport("a", 2**64 - 2, 4), HeadReport("b", 0, 0)] == sql_heads(sql_answer(HEAD_COLUMNS, rows))


def test_sql_checkpoints_give_whose_and_how_far() -> None:
    """Columns are found by their names; the position is exact up to the largest u64."""
    row = ["c2|r|s", ["0xc2"], "r", "s", 2**64 - 1, [5]]

    assert [CheckpointReport("c2|r|s", "r", "s", 2**64 - 1)] == sql_checkpoints(sql_answer(CHECKPOINT_COLUMNS, [row]))


@pytest.mark.parametrize(
    "body",
    [
        *HOSTILE,
        sql_answer(("seq",), [[1, 2]]),
        sql_answer(("seq",), [[1]]),
        b"[]",
        b'[{"schema":{"elements":[]}}]',
        b"Unsupported: ORDER BY",
    ],
)
def test_what_is_no_sql_answer_is_refused(body: bytes) -> None:
    """An error text or a row that does not fit its columns is a ProtocolError, for events and heads alike."""
    for read in (sql_rows, sql_heads, sql_checkpoints):
        with pytest.raises(ProtocolError, match="not an SQL answer"):
            read(body)
