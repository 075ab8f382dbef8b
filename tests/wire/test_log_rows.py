import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import ProtocolError
from harness.wire.log_rows import LogPage, LogRow, log_events
from tests.wire.frames import AT, HOSTILE, TOPIC, compact, json_values, mutated, names, uint64s


def logged(seq: int, body: str, kind: str = "tool", command_id: str | None = "c-1", at: str = AT) -> str:
    return (
        f'{{"seq":{seq},"kind":{compact(kind)},"payload":{body},'
        f'"published_at":{compact(at)},"command_id":{compact(command_id)}}}'
    )


def page(*rows: str, head_seq: int = 9) -> bytes:
    return f'{{"stream":"{TOPIC}","head_seq":{head_seq},"events":[{",".join(rows)}]}}'.encode()


def test_a_page_in_the_authoritys_spelling() -> None:
    """Rows in the answer's order, payloads as they stand; an event of the server itself has no command."""
    body = page(logged(1, '{"source":"runtime"}', "run.started", None), logged(2, '{"z":1.0, "a":"é"}'))

    rows = [
        LogRow(1, "run.started", AT, b'{"source":"runtime"}', None),
        LogRow(2, "tool", AT, '{"z":1.0, "a":"é"}'.encode(), "c-1"),
    ]
    assert LogPage(TOPIC, 9, rows) == log_events(body)


def test_an_empty_page() -> None:
    """Beyond the head there is nothing, and a head."""
    assert LogPage(TOPIC, 9, []) == log_events(page())


rows = st.builds(LogRow, uint64s, names, names, json_values.map(compact).map(str.encode), st.none() | names)


@given(found=st.lists(rows, max_size=4), turn=st.booleans(), indent=st.sampled_from([None, 1]))
def test_members_in_any_order_and_white_space_anywhere(found: list[LogRow], turn: bool, indent: int | None) -> None:
    """Every spelling gives the same rows; a body keeps its own text apart from what the spelling itself changed."""
    events = [
        {
            "seq": one.seq,
            "kind": one.kind,
            "payload": json.loads(one.body),
            "published_at": one.published_at,
            "command_id": one.command_id,
        }
        for one in found
    ]
    answer: dict[str, Any] = {"stream": TOPIC, "head_seq": 3, "events": events, "more": {"n": [1]}}
    if turn:
        events[:] = [dict(reversed(event.items())) for event in events]
        answer = dict(reversed(answer.items()))

    read = log_events(json.dumps(answer, indent=indent).encode())

    assert (TOPIC, 3) == (read.stream, read.head_seq)
    assert [one._replace(body=b"") for one in found] == [one._replace(body=b"") for one in read.rows]
    assert [repr(json.loads(one.body)) for one in found] == [repr(json.loads(one.body)) for one in read.rows]


@given(found=st.lists(rows, max_size=4))
def test_bodies_keep_their_very_bytes(found: list[LogRow]) -> None:
    """The authority's own spelling, mixed with rows that need the long way because of an escape."""
    body = page(*(logged(one.seq, one.body.decode(), one.kind, one.command_id, one.published_at) for one in found))

    assert found == log_events(body).rows


@pytest.mark.parametrize("depth", [500, 20_000])
def test_a_deeply_nested_payload_is_read(depth: int) -> None:
    """Depth is no business of the reader."""
    body = "[" * depth + "]" * depth

    assert [body.encode()] == [one.body for one in log_events(page(logged(1, body))).rows]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (page(logged(1, "")), "no JSON"),
        (page(logged(1, '1,"seq":2')), "member 'seq' occurs twice"),
        (page(logged(1, "1").replace('"c-1"', "7")), "member 'command_id'"),
        (page(logged(1, "1").replace(',"command_id":"c-1"', "")), "member 'command_id' is missing"),
        (page("5"), "'{' was wanted"),
        (page(logged(1, "1") + logged(2, "2")), "a comma or ']' was wanted"),
        (page(head_seq=-1), "an integer from 0"),
        (b'{"stream":"x","events":[]}', "stream, head_seq and events are wanted"),
        (b'{"stream":"x","head_seq":1}', "stream, head_seq and events are wanted"),
        (b'{"stream":"x","head_seq":1,"events":[],"events":[]}', "member 'events' occurs twice"),
        (b'{"stream":"x","stream":"x","head_seq":1,"events":[]}', "member 'stream' occurs twice"),
        (b'{"error":"not_found"}', "stream, head_seq and events are wanted"),
        (page() + b"x", "more follows"),
    ],
)
def test_what_is_no_page_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    """A row is never skipped and never guessed."""
    with pytest.raises(ProtocolError, match="not a page of the authority's log") as refused:
        log_events(body)

    assert reason in str(refused.value)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bytes_are_a_protocol_error(body: bytes) -> None:
    """The authority is not trusted either."""
    with pytest.raises(ProtocolError):
        log_events(body)


@given(body=st.binary(max_size=100) | mutated([page(logged(1, '{"a":1}'), logged(2, "null", command_id=None))]))
def test_any_bytes_give_a_page_or_a_protocol_error(body: bytes) -> None:
    """And a page only where the standard parser reads one too."""
    try:
        read = log_events(body)
    except ProtocolError:
        return

    assert read.head_seq == json.loads(body)["head_seq"]
    assert [one["seq"] for one in json.loads(body)["events"]] == [one.seq for one in read.rows]
