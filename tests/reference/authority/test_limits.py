"""Limits are judged before anything is stored (contract 3.6, decided otherwise than in the original)."""

from pathlib import Path

import pytest

from harness.reference.authority.limits import Limits, topic_class
from harness.reference.refusals import Refused
from tests.reference.authority.running import running_authority, topic


def test_an_oversize_payload_leaves_nothing(tmp_path: Path) -> None:
    """The limit counts bytes of compact JSON: at the limit it passes, one beyond is 413; retries too."""
    with running_authority(tmp_path, "--max-payload-bytes", "100") as authority:
        run_id = authority.run()
        fits = authority.append(run_id, payload="é" * 49, idempotency_key="k")
        refused = authority.append(run_id, payload="é" * 49 + "x", idempotency_key="k2")
        again = authority.append(run_id, payload="é" * 49 + "x", idempotency_key="k")
        head_seq = authority.log(topic(run_id))["head_seq"]
        pending = authority.outbox()["head_ordinal"]

    assert 200 == fits.status
    assert {
        "error": "payload_too_large",
        "message": "khala frame payload exceeds configured limit",
        "reason_code": "khala_frame_payload_too_large",
        "topic": topic(run_id),
        "topic_class": "run_events",
        "payload_bytes": 101,
        "max_payload_bytes": 100,
    } == refused.json
    assert [413, 413] == [refused.status, again.status]
    assert (2, 2) == (head_seq, pending)


def test_a_full_second_leaves_nothing(tmp_path: Path) -> None:
    """Beyond the rate 429 with the time to wait; a retry of an accepted command is answered all the same."""
    with running_authority(tmp_path, "--publish-rate-per-second", "3") as authority:
        run_id = authority.run()
        accepted = [authority.append(run_id, payload=n, idempotency_key=f"k{n}").status for n in range(2)]
        refused = authority.append(run_id)
        retry = authority.append(run_id, payload=0, idempotency_key="k0")
        other_run = authority.append(authority.run())
        head_seq = authority.log(topic(run_id))["head_seq"]

    assert [200, 200] == accepted
    assert 429 == refused.status
    assert (3, "khala_publish_rate_limited", "run_events") == tuple(
        refused.json[name] for name in ("max_publish_per_second", "reason_code", "topic_class")
    )
    assert 0 < refused.json["retry_after_ms"] <= 1000
    assert (200, 2) == (retry.status, retry.json["event"]["seq"])
    assert 200 == other_run.status
    assert 3 == head_seq


def test_the_window_tumbles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of a second opens with its first event and is full until it is over."""
    now_ns = 5 * 10**9
    monkeypatch.setattr("harness.reference.authority.limits.time.monotonic_ns", lambda: now_ns)
    limits = Limits(payload_bytes_max=100, rate_per_second_max=1)
    limits.count("run:x:events")

    now_ns += 999_999_999
    with pytest.raises(Refused) as refused:
        limits.check_rate("run:x:events")
    now_ns += 1
    limits.check_rate("run:x:events")

    assert 1 == refused.value.body["retry_after_ms"]


def test_fleet_topics_are_worker_topics() -> None:
    """Topics have the classes of contract 3.1."""
    topics = ("run:x:events", "worker:x:lifecycle", "fleet:user:1:workers")

    assert ["run_events", "worker_lifecycle", "worker_lifecycle"] == [topic_class(name) for name in topics]
