"""What answers say."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.history.transcript import run_ids, transcript
from harness.model.plan import Plan
from tests.builders import run_plan

PLAN = run_plan()


def exchange(number: int, body: bytes | None, outcome: str = "ok", **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "purpose": "command",
        "service": "authority/shared",
        "side": None,
        "step": 2 + number,
        "stream": "run:r1",
        "sent_ns": 10 * number,
        "answered_ns": 10 * number + 5,
        "status": 200,
        "response_body": body,
        "outcome": outcome,
        "error": None,
        **changes,
    }


def event(seq: int) -> bytes:
    return json.dumps({"run": {"id": "u"}, "event": {"seq": seq}, "command_id": f"c{seq}"}).encode()


def outcomes(*exchanges: dict[str, Any], plan: Plan = PLAN) -> Iterator[tuple[str, int | None]]:
    return ((row.outcome, row.seq) for row in transcript(plan, exchanges))


def test_first_answer_that_names_an_event_made_it() -> None:
    """There is no duplicate flag: the same event named again is a repeat (contract, 1.3)."""
    assert [("accepted", 3), ("repeated", 3)] == list(outcomes(exchange(1, event(3)), exchange(2, event(3))))


def test_order_of_answers_decides_between_racing_retries() -> None:
    """Of two commands that name one event, the one answered first made it."""
    slow = exchange(1, event(3), answered_ns=90)

    assert [("repeated", 3), ("accepted", 3)] == list(outcomes(slow, exchange(2, event(3))))


@pytest.mark.parametrize(
    ("body", "outcome", "expected"),
    [
        (b'{"error":"conflict"}', "refused", "refused"),
        (None, "indefinite", "indefinite"),
        (b"not json", "ok", "indefinite"),
        (b'{"event":{"seq":"7"}}', "ok", "indefinite"),
        (b'{"event":{"seq":true}}', "ok", "indefinite"),
        (b'{"worker":{"worker":{"latest_seq":4}}}', "ok", "accepted"),
    ],
)
def test_answer_that_does_not_say_what_happened_is_indefinite(body: bytes | None, outcome: str, expected: str) -> None:
    """What cannot be read is settled by the log, not guessed."""
    assert [expected] == [said for said, _ in outcomes(exchange(1, body, outcome))]


@given(st.binary(max_size=40))
def test_no_answer_is_too_strange(body: bytes) -> None:
    """Any bytes at all are an answer of some kind."""
    assert 1 == len(list(outcomes(exchange(1, body))))


def test_run_ids_are_bound_by_the_creating_answer() -> None:
    """The id in any other answer binds nothing."""
    rows = transcript(PLAN, [exchange(0, event(1), step=0), exchange(1, event(2))])

    assert {"r1": "u"} == run_ids(PLAN, rows, "shared")
    assert {} == run_ids(PLAN, rows[1:], "shared")
