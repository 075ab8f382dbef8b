"""What messages carry, and the lies that can be told with them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.wire_dialects import NOTHING, Passing, WireDialect, wire_dialect
from harness.model.errors import FormatError, UsageError
from harness.wire.events import Batch, Delivery
from harness.wire.spacetime_json import SpacetimeJson
from harness.wire.topic_socket import TopicSocket
from tests.wire.frames import (
    AT_OFFSET,
    F1,
    HASH,
    HOSTILE,
    STREAM,
    TOPIC,
    append,
    head_object,
    json_values,
    live_row,
    mutated,
    snapshot,
    snapshot_row,
    stored,
    table,
    topic_message,
    transaction,
)

TOPICS = wire_dialect("topic-ws")
SPACETIME = wire_dialect("spacetime-v1-json")


def batch_of(*seqs: int, body: str = '{"n":1}') -> bytes:
    """One transaction that inserts several events."""
    return transaction(table("sync_event", ([], [live_row(seq, stored(seq, body)) for seq in seqs])))


def snapshot_of(*seqs: int, body: str = '{"n":1}') -> bytes:
    rows = [snapshot_row(seq, stored(seq, body)) for seq in seqs]
    return snapshot(table("sync_event", ([], rows)), table("stream_head", ([], [head_object(9)])))


def topic_deliveries(message: bytes) -> list[Delivery]:
    (batch,) = TopicSocket(TOPIC, 0).receive(message)
    assert isinstance(batch, Batch)
    return batch.deliveries


def target_deliveries(message: bytes) -> list[Delivery]:
    codec = SpacetimeJson(STREAM, 0, "sync")
    codec.receive(F1)
    return [one for event in codec.receive(message) if isinstance(event, Batch) for one in event.deliveries]


def num_rows(message: bytes) -> list[int]:
    """`num_rows` of each table of a message, and how many rows there really are."""
    ((_, content),) = json.loads(message).items()
    tables = content["update"]["tables"] if "update" in content else content["status"]["Committed"]["tables"]
    return [one["num_rows"] for one in tables]


def test_a_dialect_without_wire_faults_is_refused() -> None:
    """The name of the dialect is that of the profile."""
    with pytest.raises(UsageError, match="authority-http"):
        wire_dialect("authority-http")


def test_events_are_seen_by_stream_and_number() -> None:
    """Of another stream nothing passes; of a set it is said that it is one."""
    assert Passing((7,), False) == TOPICS.passing(topic_message(7, "{}"), TOPIC)
    assert NOTHING == TOPICS.passing(topic_message(7, "{}"), "run:other:events")
    assert Passing((3, 4), False) == SPACETIME.passing(batch_of(3, 4), STREAM)
    assert Passing((2, 1), True) == SPACETIME.passing(snapshot_of(2, 1), STREAM)
    assert Passing((), True) == SPACETIME.passing(snapshot_of(2), "x")


@pytest.mark.parametrize("dialect", [TOPICS, SPACETIME])
@given(message=mutated([topic_message(7, '{"a":[1]}'), append(7, '{"a":[1]}'), snapshot_of(6, 7)]))
def test_broken_messages_are_left_alone(dialect: WireDialect, message: bytes) -> None:
    """Whatever comes, it is either of the dialect or carries nothing; a lie that cannot be told is a format error."""
    stream = TOPIC if dialect is TOPICS else STREAM
    passing = dialect.passing(message, stream)
    if 7 not in passing.seqs:
        with pytest.raises(FormatError):
            dialect.dropped(message, stream, 7)


@pytest.mark.parametrize("message", [*HOSTILE, F1])
def test_hostile_messages_carry_nothing(message: bytes) -> None:
    """Depth, broken UTF-8, duplicate names and other kinds of message break nothing."""
    assert [NOTHING] * 2 == [dialect.passing(message, STREAM) for dialect in (TOPICS, SPACETIME)]


def test_a_failed_transaction_carries_nothing() -> None:
    """A status other than Committed has no tables."""
    assert NOTHING == SPACETIME.passing(transaction(status={"Failed": "ack_beyond_head:2"}), STREAM)


@given(body=json_values)
def test_a_changed_body_is_all_that_changes_on_the_legacy_wire(body: Any) -> None:
    """One leaf differs; every other byte stands."""
    text = json.dumps(body, ensure_ascii=False)
    message = topic_message(7, text)
    (changed,) = TOPICS.changed(message, TOPIC, 7)
    (before,), (after,) = topic_deliveries(message), topic_deliveries(changed)

    assert before._replace(body=after.body) == after
    assert json.loads(before.body) != json.loads(after.body)
    assert topic_message(7, after.body.decode()) == changed


@pytest.mark.parametrize("make", [batch_of, snapshot_of])
@given(body=json_values)
def test_a_changed_body_leaves_the_carried_hash_alone(make: Any, body: Any) -> None:
    """The row keeps its hash, its place and its neighbours."""
    message = make(6, 7, body=json.dumps(body))
    (changed,) = SPACETIME.changed(message, STREAM, 7)
    before, after = target_deliveries(message), target_deliveries(changed)

    assert before[0] == after[0]
    assert before[1]._replace(body=after[1].body) == after[1]
    assert HASH == after[1].carried_hash
    assert json.loads(before[1].body) != json.loads(after[1].body)
    assert num_rows(message) == num_rows(changed)


@pytest.mark.parametrize("make", [batch_of, snapshot_of])
@pytest.mark.parametrize("gone", [5, 6, 7])
def test_a_dropped_row_leaves_the_others(make: Any, gone: int) -> None:
    """First, middle and last row go with their comma, and the table counts one less."""
    (left,) = SPACETIME.dropped(make(5, 6, 7), STREAM, gone)

    assert [seq for seq in (5, 6, 7) if seq != gone] == [one.seq for one in target_deliveries(left)]
    assert 2 == num_rows(left)[0]
    assert len(left) < len(make(5, 6, 7))


def test_an_only_row_leaves_an_empty_table() -> None:
    """The head that came with it still passes, as of a lane that lost the row only."""
    (left,) = SPACETIME.dropped(append(7, "{}"), STREAM, 7)

    assert [2, 0] == num_rows(left)
    assert [] == target_deliveries(left)


def test_a_dropped_topic_message_leaves_nothing() -> None:
    """The message is the event."""
    assert [] == TOPICS.dropped(topic_message(7, "{}"), TOPIC, 7)


@pytest.mark.parametrize("make", [batch_of, snapshot_of])
def test_a_duplicated_row_stands_twice_in_its_table(make: Any) -> None:
    """Rows of a message are a bag; the table counts one more."""
    (doubled,) = SPACETIME.duplicated(make(6, 7), STREAM, 6)

    assert [6, 6, 7] == [one.seq for one in target_deliveries(doubled)]
    assert 3 == num_rows(doubled)[0]


def test_a_duplicated_topic_message_comes_twice() -> None:
    """The message is the event."""
    message = topic_message(7, "{}")

    assert [message, message] == TOPICS.duplicated(message, TOPIC, 7)


def test_rows_swap_between_transactions() -> None:
    """Each takes the other's place; what else the messages say stays."""
    first, second = SPACETIME.swapped(append(7, '{"n":7}'), batch_of(8, 9), STREAM, (7, 8))

    assert [[8], [7, 9]] == [[one.seq for one in target_deliveries(message)] for message in (first, second)]
    assert [num_rows(append(7, "{}")), num_rows(batch_of(8, 9))] == [num_rows(first), num_rows(second)]


def test_topic_messages_swap_as_they_are() -> None:
    """The message is the event."""
    first, second = topic_message(7, "{}"), topic_message(8, "{}")

    assert (second, first) == TOPICS.swapped(first, second, TOPIC, (7, 8))


@pytest.mark.parametrize("payload", ["zz", b"[]".hex(), b"\xff".hex()])
def test_an_envelope_that_nobody_can_read_is_not_changed(payload: str) -> None:
    """What is stored in a broken envelope has no leaf that could be found."""
    row = json.loads(live_row(7, stored(7, "{}", at=AT_OFFSET)))
    row[5] = payload

    with pytest.raises(FormatError):
        SPACETIME.changed(transaction(table("sync_event", ([], [json.dumps(row)]))), STREAM, 7)


@given(st.text(min_size=1))
def test_streams_of_any_name_are_found(name: str) -> None:
    """Quotes and backslashes are escaped twice in a row; the name is compared as text."""
    message = transaction(table("sync_event", ([], [live_row(7, stored(7, "{}"), stream=name)])))

    assert Passing((7,), False) == SPACETIME.passing(message, name)
