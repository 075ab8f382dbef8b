"""The poll dialect: answers, guard, strikes and stale cursors (contract 2.4)."""

import json
import time
from pathlib import Path

from tests.reference.legacy_gateway.running import (
    Answer,
    RunningGateway,
    reader_token,
    received,
    running_gateway,
)

HEADS_CURSOR = 2**64 - 1


def _patient_poll(gateway: RunningGateway, topic: str, device: str, **query: int) -> Answer:
    """A poll that waits as long as the guard says before it asks again."""
    deadline_s = time.monotonic() + 10
    while True:
        answer = gateway.poll(topic, token=reader_token(device_id=device), **query)
        if answer.status != 429 or time.monotonic() > deadline_s:
            return answer
        time.sleep(answer.json["retry_after_ms"] / 1000)


def test_transcript_of_a_poll(gateway: RunningGateway) -> None:
    """Every field of the answer, in order; the envelopes are those of the socket."""
    gateway.feed("run:p1:events", 1, 3)

    answer = gateway.poll("run:p1:events", after_seq=1, limit=1)

    hint_ms = answer.json["recommended_reconnect_backoff_ms"]
    assert answer.text == (
        '{"topic":"run:p1:events","driver":"memory","messages":[{"topic":"run:p1:events","sequence":2,'
        '"kind":"step","payload":{"n":2},"published_at":"2026-02-25T12:00:00.123456789Z"}],'
        '"oldest_available_cursor":0,"head_cursor":3,"queue_depth":3,"dropped_messages":0,"next_cursor":2,'
        '"replay_complete":false,"limit_applied":1,"limit_capped":false,"fairness_applied":false,'
        f'"active_topic_count":{answer.json["active_topic_count"]},"outbound_queue_limit":200,"consumer_lag":2,'
        '"slow_consumer_strikes":0,"slow_consumer_max_strikes":3,'
        f'"recommended_reconnect_backoff_ms":{hint_ms}}}'
    )
    assert answer.headers["Content-Type"].startswith("application/json")


def test_unknown_topic_is_empty_and_complete(gateway: RunningGateway) -> None:
    """An unknown run answers 200 with nothing, null where there is nothing to say."""
    answer = gateway.poll("run:p2:events", after_seq=4).json

    nulls = ("oldest_available_cursor", "head_cursor", "queue_depth", "dropped_messages", "consumer_lag")
    assert [None] * 5 == [answer[name] for name in nulls]
    assert ([], 4, True) == (answer["messages"], answer["next_cursor"], answer["replay_complete"])


def test_heads_and_floors_are_read_with_the_largest_cursor(small_gateway: RunningGateway) -> None:
    """`after_seq` beyond every head gives head and floor without messages."""
    answer = small_gateway.poll(
        "run:edges:events", after_seq=HEADS_CURSOR, limit=1, token=reader_token(device_id="parity-heads")
    ).json

    assert (20, 12, []) == (answer["head_cursor"], answer["oldest_available_cursor"], answer["messages"])
    assert (HEADS_CURSOR, 0, True) == (answer["next_cursor"], answer["consumer_lag"], answer["replay_complete"])


def test_a_second_poll_too_soon_is_refused(gateway: RunningGateway) -> None:
    """Two polls of one key within 250 ms: 429 with a wait of at most 250 ms plus jitter."""
    first = gateway.poll("run:p3:events", token=reader_token(device_id="p3"))
    second = gateway.poll("run:p3:events", token=reader_token(device_id="p3"))
    other = gateway.poll("run:p3:events", token=reader_token(device_id="p3-other"))

    assert (200, 429, 200) == (first.status, second.status, other.status)
    assert ("rate_limited", "poll_interval_guard") == (second.json["error"], second.json["reason_code"])
    assert 0 < second.json["retry_after_ms"] <= 500


def test_an_open_socket_starves_polls_of_its_key(gateway: RunningGateway) -> None:
    """Polls beside an open socket of the same principal and topic read 429."""
    token = reader_token(device_id="p4")

    with gateway.join("run:p4:events", token=token) as connection:
        received(connection, 1)

        assert gateway.poll("run:p4:events", token=token).status == 429


def test_stale_poll_is_410_for_ever(small_gateway: RunningGateway) -> None:
    """A stale cursor with a small lag reads 410 each time, with all details."""
    answers = [_patient_poll(small_gateway, "run:edges:events", "p5", after_seq=11) for _ in range(4)]

    assert [410] * 4 == [answer.status for answer in answers]
    assert answers[0].json == {
        "error": "stale_cursor",
        "message": "cursor cannot be resumed from retained stream window",
        "details": {
            "topic": "run:edges:events",
            "requested_cursor": 11,
            "oldest_available_cursor": 12,
            "head_cursor": 20,
            "reason_codes": ["retention_floor_breach", "replay_budget_exceeded"],
            "replay_lag": 9,
            "replay_budget_events": 5,
            "qos_tier": "warm",
            "recovery": "reset_local_watermark_and_replay_bootstrap",
        },
    }


def test_strikes_of_successful_polls(tmp_path: Path) -> None:
    """Polls with a lag over the threshold read 200, 200, 409, and the count starts over: 200."""
    with running_gateway(tmp_path, "--slow-consumer-lag-threshold", "20") as gateway:
        gateway.feed("run:p6:events", 1, 21)

        answers = [_patient_poll(gateway, "run:p6:events", "p6") for _ in range(4)]

    assert [200, 200, 409, 200] == [answer.status for answer in answers]
    assert answers[2].json == {
        "error": "slow_consumer_evicted",
        "message": "consumer lag exceeded threshold repeatedly",
        "reason_code": "slow_consumer_evicted",
        "details": {
            "topic": "run:p6:events",
            "lag": 21,
            "lag_threshold": 20,
            "strikes": 3,
            "max_strikes": 3,
            "suggested_after_seq": 0,
            "recovery": "advance_cursor_or_rebootstrap",
        },
    }


def test_strikes_of_stale_polls(tmp_path: Path) -> None:
    """Stale polls whose lag exceeds the threshold read 410, 410, 409, 410."""
    arguments = ("--slow-consumer-lag-threshold", "5", "--retention-events", "4")
    with running_gateway(tmp_path, *arguments) as gateway:
        gateway.feed("run:p7:events", 1, 20)

        statuses = [_patient_poll(gateway, "run:p7:events", "p7").status for _ in range(4)]

    assert [410, 410, 409, 410] == statuses


def test_bodies_keep_what_was_sent(gateway: RunningGateway) -> None:
    """A hostile body comes back from a poll as it was ingested."""
    payload = {"html": "</script><b>", "rtl": "\u202e", "control": "\x00\x1f", "long": "x" * 200_000}
    gateway.feed("run:p8:events", 1, 1, payload=payload)

    answer = gateway.poll("run:p8:events")

    assert payload == answer.json["messages"][0]["payload"]
    assert json.dumps("\u202e", ensure_ascii=False) in answer.text
