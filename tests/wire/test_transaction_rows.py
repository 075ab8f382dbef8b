import json

import pytest
from hypothesis import given

from harness.wire.transaction_rows import Rows, committed_rows
from tests.wire.frames import append, head_row, live_row, mutated, stored, table, transaction

ROW = live_row(3, stored(3, '{"a":"\\"\\u00e9"}'))
HEADS = table("stream_head", ([head_row(3)], [head_row(4)]))
EVENTS = table("sync_event", ([], [ROW]))


@pytest.mark.parametrize(
    ("frame", "heads"),
    [
        (transaction(EVENTS), []),
        (transaction(HEADS, EVENTS), [head_row(4)]),
        (transaction(EVENTS, HEADS), [head_row(4)]),
        (transaction(HEADS, EVENTS, HEADS), [head_row(4), head_row(4)]),
        (transaction(table("stream_head", ([], [head_row(4)])), EVENTS), [head_row(4)]),
        (transaction(EVENTS, args='["\\"", "\\\\", "\\u001f"]'), []),
    ],
)
def test_one_appended_event_is_reached(frame: bytes, heads: list[str]) -> None:
    """The order of tables varies; the head may be new or updated; the arguments may hold anything."""
    assert Rows([], [ROW], heads) == committed_rows(frame.decode())


@pytest.mark.parametrize(
    "frame",
    [
        transaction(),
        transaction(HEADS),
        transaction(table("sync_event", ([], [ROW, ROW]))),
        transaction(table("sync_event", ([], [ROW]), ([], [ROW]))),
        transaction(table("sync_event", ([ROW], [ROW]))),
        transaction(table("sync_event", ([ROW], []))),
        transaction(EVENTS, table("sync_checkpoint", ([], ["[]"]))),
        transaction(status={"Failed": "no"}),
        transaction(EVENTS) + b" ",
        transaction(EVENTS)[:-1],
        transaction(EVENTS).replace(b'"request_id":0', b'"request_id":00'),
        transaction(EVENTS).replace(b'"quanta"', b'"quanta" '),
        transaction(EVENTS, args="x").replace(b'"args":"x"', b'"args":"\x01"'),
        transaction(EVENTS, args="x").replace(b'"args":"x"', b'"args":"\\x"'),
        transaction(EVENTS, args="x").replace(b'"args":"x"', b'"args":"x","args":"y"'),
        b"",
    ],
)
def test_every_other_message_is_left_to_the_full_parse(frame: bytes) -> None:
    """More rows, deletions, other tables, other spellings, and what is not JSON."""
    assert committed_rows(frame.decode()) is None


@given(message=mutated([append(3, '{"a":1}'), transaction(EVENTS, HEADS)]))
def test_a_result_is_what_a_json_parser_reads(message: bytes) -> None:
    """Exact to the last byte: the standard parser accepts the text and finds the same row."""
    rows = committed_rows(message.decode("latin-1"))
    if rows is None:
        return

    tables = json.loads(message.decode("latin-1"))["TransactionUpdate"]["status"]["Committed"]["tables"]
    inserted: dict[str, list[str]] = {name: [] for name in ("sync_event", "stream_head")}
    for one in tables:
        inserted[one["table_name"]] += [row for update in one["updates"] for row in update["inserts"]]
    assert [inserted["sync_event"], inserted["stream_head"]] == [rows.inserted, rows.heads]
