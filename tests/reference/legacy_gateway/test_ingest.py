"""How the relay's events get in: contiguous, idempotent, all or nothing."""

import json

import pytest

from tests.reference.legacy_gateway.running import (
    Answer,
    RunningGateway,
    delivery,
    envelope,
    feeder_token,
    reader_token,
)


def _ingest(gateway: RunningGateway, body: object, **headers: str) -> Answer:
    return gateway.ask("POST", "/internal/v1/ingest", token=feeder_token(), body=body, headers=headers)


def test_events_are_taken_in_order(gateway: RunningGateway) -> None:
    """Consecutive deliveries move the head; the answer names head and boot id."""
    answers = [_ingest(gateway, delivery("run:i1:events", numbers)) for numbers in ([1, 2], [3])]

    boot_id = gateway.ready["boot_id"]
    assert [
        {"topic": "run:i1:events", "head": 2, "boot_id": boot_id},
        {"topic": "run:i1:events", "head": 3, "boot_id": boot_id},
    ] == [answer.json for answer in answers]


def test_a_repeat_is_skipped_and_the_rest_taken(gateway: RunningGateway) -> None:
    """Events that are already there with the same content are skipped, new ones behind them appended."""
    _ingest(gateway, delivery("run:i2:events", [1, 2, 3]))

    answer = _ingest(gateway, delivery("run:i2:events", [2, 3, 4]))

    assert (200, 4) == (answer.status, answer.json["head"])


def test_other_content_is_a_conflict_and_nothing_is_taken(gateway: RunningGateway) -> None:
    """A retained number with another body is 409 `content_conflict`; later events of that request stay out."""
    _ingest(gateway, delivery("run:i3:events", [1, 2]))

    body = delivery("run:i3:events", [2, 3], payload={"other": True})
    answer = _ingest(gateway, body)

    assert (409, "content_conflict", 2) == (answer.status, answer.json["error"], answer.json["sequence"])
    assert gateway.poll("run:i3:events", token=reader_token(device_id="i3")).json["head_cursor"] == 2


def test_no_longer_retained_is_skipped_unseen(small_gateway: RunningGateway) -> None:
    """What the window has dropped cannot be compared and is taken for a repeat."""
    answer = _ingest(small_gateway, delivery("run:edges:events", [1, 2], payload={"other": True}))

    assert (200, 20) == (answer.status, answer.json["head"])


@pytest.mark.parametrize(("first", "head"), [(2, 0), (9, 3)])
def test_a_hole_is_refused_with_the_head(gateway: RunningGateway, first: int, head: int) -> None:
    """Events beyond head + 1 are 409 `sequence_mismatch` with the head to continue from."""
    topic = f"run:i4-{head}:events"
    gateway.feed(topic, 1, head)

    answer = _ingest(gateway, delivery(topic, [first]))

    assert answer.status == 409
    assert {key: answer.json[key] for key in ("error", "topic", "expected_seq", "head", "boot_id")} == {
        "error": "sequence_mismatch",
        "topic": topic,
        "expected_seq": first,
        "head": head,
        "boot_id": gateway.ready["boot_id"],
    }


def test_heads_and_floors(small_gateway: RunningGateway) -> None:
    """`/internal/v1/heads` names the head and the oldest servable cursor of each topic."""
    answer = small_gateway.ask("GET", "/internal/v1/heads", token=feeder_token()).json

    assert (20, 12) == (answer["heads"]["run:edges:events"], answer["floors"]["run:edges:events"])


def test_another_owner_is_refused(gateway: RunningGateway) -> None:
    """A topic keeps its first owner; a delivery for another one is 409."""
    _ingest(gateway, delivery("run:i5:events", [1], owner=7))

    answer = _ingest(gateway, delivery("run:i5:events", [2], owner=8))

    assert (409, "owner_conflict") == (answer.status, answer.json["error"])


@pytest.mark.parametrize(
    "payload",
    ["NaN", "Infinity", "-Infinity", "1e999", '"\\ud800"', "[" * 100_000 + "]" * 100_000, "1" * 5000, "{"],
    ids=["nan", "inf", "minus-inf", "huge-float", "surrogate", "deep", "huge-int", "broken"],
)
def test_unfit_json_is_refused(gateway: RunningGateway, payload: str) -> None:
    """What cannot be written out again is 400 `invalid_json`, never a 500."""
    raw = json.dumps(delivery("run:i6:events", [1], payload="PAYLOAD")).replace('"PAYLOAD"', payload)

    answer = _ingest(gateway, raw.encode())

    assert (400, "invalid_json") == (answer.status, answer.json["error"])


@pytest.mark.parametrize(
    "changed",
    [
        {"topic": ""},
        {"topic": " run:x:events"},
        {"topic": 1},
        {"owner_user_id": "7"},
        {"expected_seq": 0},
        {"expected_seq": True},
        {"expected_seq": 2},
        {"envelopes": {}},
        {"envelopes": [1]},
        {"envelopes": [{**envelope("run:i7:events", 1), "kind": None}]},
        {"envelopes": [{**envelope("run:other:events", 1)}]},
        {"envelopes": [{"topic": "run:i7:events", "sequence": 1, "kind": "a", "published_at": "b"}]},
        {"envelopes": [envelope("run:i7:events", 1), envelope("run:i7:events", 3)]},
    ],
)
def test_unfit_deliveries_are_refused(gateway: RunningGateway, changed: dict[str, object]) -> None:
    """A missing or unfit field, another topic and a hole inside the events are 422."""
    answer = _ingest(gateway, {**delivery("run:i7:events", [1]), **changed})

    assert (422, "invalid_request") == (answer.status, answer.json["error"])


def test_other_content_types_are_refused(gateway: RunningGateway) -> None:
    """Only JSON is taken."""
    answer = _ingest(gateway, delivery("run:i8:events", [1]), **{"Content-Type": "text/plain"})

    assert 415 == answer.status
