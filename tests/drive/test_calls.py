"""Commands become HTTP calls; payload text is never touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drive.calls import Accepted, accepted, command_call
from harness.model.plan import Command

ODD_PAYLOADS = ['{"b":1,"a":1.0}', "-0.0", "1e+21", '"\\u00e9 é \\ud83d"', "[]", "null", '{"a":1,"a":2}', " {} "]


@pytest.mark.parametrize("payload", ODD_PAYLOADS)
def test_a_payload_travels_verbatim(payload: str) -> None:
    """Key order, spelling of numbers and escapes, white space: as the plan has them."""
    call = command_call(Command("append", "r1", 1, "note", payload, "k"), "the-id")

    assert f'"payload":{payload}}}'.encode() == call.body[-len(payload.encode()) - 11 :]
    assert "/internal/v1/runs/the-id/events" == call.path


@given(
    payload=st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_body_is_json_with_exactly_the_members_given(payload: object) -> None:
    """What the command does not say is left out, not sent as null."""
    text = json.dumps(payload)
    call = command_call(Command("append", "r1", 1, "note", text, expected_previous_seq=3), "x")

    assert {"event_type": "note", "expected_previous_seq": 3, "payload": payload} == json.loads(call.body)


@pytest.mark.parametrize(
    ("command", "path", "body"),
    [
        (Command("create_run", "r1"), "/internal/v1/runs", {}),
        (
            Command("create_run", "r1", payload='{"a":1}', key="k"),
            "/internal/v1/runs",
            {"metadata": {"a": 1}, "idempotency_key": "k"},
        ),
        (Command("register_worker", "w1", 7), "/internal/v1/workers", {"worker_id": "w1", "owner_user_id": 7}),
        (
            Command("heartbeat", "w/1", 7, payload="{}", key="k"),
            "/internal/v1/workers/w%2F1/heartbeat",
            {"owner_user_id": 7, "metadata_patch": {}, "idempotency_key": "k"},
        ),
        (
            Command("worker_status", "w1", 7, status="stopping"),
            "/internal/v1/workers/w1/status",
            {"owner_user_id": 7, "status": "stopping"},
        ),
    ],
)
def test_each_command_has_its_call(command: Command, path: str, body: object) -> None:
    """Contract 1.3 and 1.8."""
    call = command_call(command, None)

    assert (path, body) == (call.path, json.loads(call.body))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"run":{"id":"x"},"event":{"seq":3},"command_id":"c"}', Accepted("x", 3, "c")),
        (b'{"worker":{"worker":{"latest_seq":2}},"command_id":"c"}', Accepted(None, 2, "c")),
        (b'{"event":{"seq":true},"run":[],"command_id":4}', Accepted(None, None, None)),
        (b"[" * 100_000, Accepted(None, None, None)),
        (b"\xff", Accepted(None, None, None)),
        (b"", Accepted(None, None, None)),
    ],
)
def test_an_answer_says_what_it_says(body: bytes, said: Accepted) -> None:
    """An answer that cannot be read is no reason to stop: it is recorded and judged elsewhere."""
    assert said == accepted(body)
