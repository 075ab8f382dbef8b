"""What answers say."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.history.transcript import CommandRow, Refusal, run_ids, transcript
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


def attempts(*answers: tuple[int | None, bytes | None, str], plan: Plan = PLAN) -> CommandRow:
    """The one row that several exchanges of one step make."""
    rows = [
        exchange(number, body, outcome, step=3, status=status, answered_ns=None if status is None else 10 * number + 5)
        for number, (status, body, outcome) in enumerate(answers, 1)
    ]
    (row,) = transcript(plan, rows)
    return row


LOST = (None, None, "indefinite")
FAILED = (500, b'{"error":"internal"}', "indefinite")


def test_attempts_at_one_command_are_one_row() -> None:
    """Sent when it was first sent, answered as the attempt that was answered says; it made its event once."""
    row = attempts(LOST, LOST, (200, event(3), "ok"))

    assert ("accepted", 3, 3, 10, 35, 1) == (
        row.outcome,
        row.seq,
        row.attempts,
        row.sent_ns,
        row.answered_ns,
        row.exchange,
    )


def test_last_settled_attempt_decides() -> None:
    """An attempt that says nothing definite, before or after, does not undo what another one settled."""
    assert "refused" == attempts(LOST, (409, b'{"error":"conflict"}', "refused"), LOST).outcome
    assert ("indefinite", 2) == (attempts(FAILED, LOST).outcome, attempts(FAILED, LOST).attempts)


def test_server_errors_are_kept_although_a_later_attempt_was_answered() -> None:
    """What was answered in between is not forgotten; silence is no answer."""
    row = attempts(LOST, FAILED, (200, event(3), "ok"))

    assert [(500, "internal", 20, 25)] == [
        (one.status, one.error, one.sent_ns, one.answered_ns) for one in row.server_errors
    ]


def test_barrier_has_one_command_a_stream() -> None:
    """Sentinels of one step are told apart by their streams."""
    rows = [exchange(n, event(5), purpose="sentinel", step=7, stream=stream) for n, stream in enumerate(("a:1", "b:1"))]

    assert [("a:1", 1), ("b:1", 1)] == [(row.stream, row.attempts) for row in transcript(PLAN, rows)]


def test_refusal_keeps_what_it_says_beside_its_error() -> None:
    """Reason, topic and numbers, as far as they are what they must be."""
    body = {"error": "rate_limited", "reason_code": "r", "topic": "t", "retry_after_ms": 9, "max_payload_bytes": -1}
    refused = attempts((429, json.dumps(body).encode(), "refused"))

    assert Refusal("r", "t", None, None, None, 9) == refused.refusal
    assert attempts((200, event(3), "ok")).refusal is None


@given(st.lists(st.sampled_from([LOST, FAILED, (200, event(3), "ok"), (409, b"{}", "refused")]), min_size=1))
def test_any_attempts_make_one_row(answers: list[tuple[int | None, bytes | None, str]]) -> None:
    """However often and however it was answered, it is one command, settled if any attempt was."""
    row = attempts(*answers)

    assert len(answers) == row.attempts
    assert (row.outcome == "indefinite") is all(outcome == "indefinite" for _, _, outcome in answers)
    assert sum(answer is FAILED for answer in answers) == len(row.server_errors)


@given(st.binary(max_size=40))
def test_no_answer_is_too_strange(body: bytes) -> None:
    """Any bytes at all are an answer of some kind."""
    assert 1 == len(list(outcomes(exchange(1, body))))


def test_run_ids_are_bound_by_the_creating_answer() -> None:
    """The id in any other answer binds nothing."""
    rows = transcript(PLAN, [exchange(0, event(1), step=0), exchange(1, event(2))])

    assert {"r1": "u"} == run_ids(PLAN, rows, "shared")
    assert {} == run_ids(PLAN, rows[1:], "shared")


def test_answer_of_another_command_is_no_repeat() -> None:
    """A number that is named again with another command id was given out twice."""
    again = json.dumps({"event": {"seq": 3}, "command_id": "c9"}).encode()

    assert [("accepted", 3), ("accepted", 3), ("repeated", 3)] == list(
        outcomes(exchange(1, event(3)), exchange(2, again), exchange(3, event(3)))
    )


def test_answer_that_names_no_command_is_a_repeat() -> None:
    """Whoever does not say which command made the event cannot be caught at another one."""
    silent = b'{"event":{"seq":3}}'

    assert [("accepted", 3), ("repeated", 3)] == list(outcomes(exchange(1, event(3)), exchange(2, silent)))
