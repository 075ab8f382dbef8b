import json

import pytest

from harness.model.errors import FormatError
from harness.wire.events import Batch, Delivery, HeadReport
from harness.wire.sync_rows import EVENT_COLUMNS, HEAD_COLUMNS, batch, delivery, head, key, positional, row
from harness.wire.transaction_rows import Rows
from tests.wire.frames import AT_OFFSET, HASH, STREAM, TOPIC, head_object, head_row, live_row, snapshot_row, stored


def test_both_encodings_are_one_row() -> None:
    """Objects by column name and arrays by position give the same values; only the time of commit is wrapped apart."""
    payload = stored(7, "1")
    live, shown = row(live_row(7, payload), EVENT_COLUMNS), row(snapshot_row(7, payload), EVENT_COLUMNS)

    committed_at = EVENT_COLUMNS.index("committed_at")
    assert [value for index, value in enumerate(live) if index != committed_at] == [
        value for index, value in enumerate(shown) if index != committed_at
    ]
    assert delivery(live, 0) == delivery(shown, 0)
    assert head(row(head_row(5, 2), HEAD_COLUMNS)) == head(row(head_object(5, 2), HEAD_COLUMNS))


def test_object_members_may_come_in_any_order() -> None:
    """A name is a name, wherever it stands; columns that are not ours are passed over."""
    turned = dict(reversed(json.loads(snapshot_row(7, stored(7, "1"))).items())) | {"shard": 3}

    assert Delivery(STREAM, 7, "tool", AT_OFFSET, b"1", HASH, TOPIC, 7, 4) == delivery(
        row(json.dumps(turned), EVENT_COLUMNS), 4
    )


def test_a_key_needs_no_payload() -> None:
    """Withdrawn rows are named, whatever they hold."""
    assert (STREAM, 7) == key(row(live_row(7, b"junk"), EVENT_COLUMNS))


@pytest.mark.parametrize("text", ["", "5", "[1,2,3,4]", "[1,2", '"x"', "null"])
def test_what_is_no_row_is_refused(text: str) -> None:
    """A row has as many values as its table has columns."""
    with pytest.raises(FormatError):
        row(text, HEAD_COLUMNS)


def test_what_an_object_lacks_is_missed_where_it_is_needed() -> None:
    """A column list in SQL may leave out what nobody reads."""
    values = positional({"stream_id": "x", "seq": 5}, EVENT_COLUMNS)

    assert ("x", 5) == key(values)
    with pytest.raises(FormatError, match="column payload_hash holds None, wanted a string"):
        delivery(values, 0)


def test_head_and_floor_are_one_below_the_columns() -> None:
    """An empty stream has head 0 and can be read from 0."""
    assert HeadReport("x", 0, 0) == head(["x", 1, 1])
    assert HeadReport("x", 10, 4) == head(["x", 11, 5])


def test_repeats_survive_the_multiset_difference() -> None:
    """Two of three equal rows were inserted anew, one was there before."""
    one, two = live_row(1, stored(1, "1")), live_row(2, stored(2, "2"))

    found = batch("transaction", Rows([one], [one, two, one, one], []))

    assert [2, 1, 1] == [event.seq for event in found.deliveries]
    assert [0, 1, 2] == [event.batch_index for event in found.deliveries]
    assert [] == found.withdrawn


def test_a_deleted_row_is_withdrawn_as_often_as_it_was_deleted() -> None:
    """Unless it is written again in the same message."""
    gone, old, new = live_row(1, b""), live_row(2, b"old"), live_row(2, stored(2, "2"))

    found = batch("transaction", Rows([gone, old, gone], [new], [head_row(3)]))

    assert Batch("transaction", found.deliveries, [HeadReport(STREAM, 2, 0)], [(STREAM, 1), (STREAM, 1)]) == found
    assert [2] == [event.seq for event in found.deliveries]
