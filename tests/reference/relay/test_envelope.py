"""What the relay writes into the lanes, to the byte, and the target's names (contract 4, 5.3)."""

import pytest

from harness.reference.relay.envelope import Envelope, envelope, stream_id

ROW = {"kind": "step", "payload": {"b": "é", "a": [1.0, None]}, "published_at": "2026-02-25T12:00:00.123Z"}


def made(payload: object = ROW["payload"]) -> Envelope:
    return envelope("run:x:events", 3, {**ROW, "payload": payload})


def test_the_legacy_form_keeps_the_instant_and_the_key_order() -> None:
    """Fields in the order of contract 1.9."""
    assert (
        '{"topic":"run:x:events","sequence":3,"kind":"step",'
        '"payload":{"b":"é","a":[1.0,null]},"published_at":"2026-02-25T12:00:00.123Z"}'
    ) == made().legacy_json()


def test_the_stored_form_has_the_other_order_and_spelling() -> None:
    """`published_at` before the payload and with +00:00."""
    assert (
        '{"topic":"run:x:events","sequence":3,"kind":"step",'
        '"published_at":"2026-02-25T12:00:00.123+00:00","payload":{"b":"é","a":[1.0,null]}}'
    ).encode() == made().stored_bytes()


@pytest.mark.parametrize(
    ("payload", "digest"),
    [
        ({"b": 2, "a": 1}, "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777"),
        (
            {"tags": ["z", "a"], "retry_after_ms": 1500, "deleted": None, "active": True},
            "b5ef670c5e47639c44a0ed4ba6901df6b0e7f59e41e4102bb26e76fb1f4af946",
        ),
    ],
)
def test_the_hash_is_that_of_the_published_vectors(payload: object, digest: str) -> None:
    """`sha256:` and the digest of sorted, compact JSON."""
    assert f"sha256:{digest}" == made(payload).payload_hash()


def test_the_size_is_never_understated() -> None:
    """The estimate covers both forms, whatever the kind and payload are."""
    large = envelope("run:x:events", 3, {**ROW, "kind": "é\x00" * 500, "payload": "é" * 1000})

    for one in (made(), large):
        assert one.size_bytes >= len(one.stored_bytes())
        assert one.size_bytes >= len(one.legacy_json().encode())


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("runtime.codex_worker_events", "runtime.codex.worker.events"),
        ("run:R:events", "runtime.run.R.events"),
        ("worker:desktopw:shared:lifecycle", "runtime.worker.desktopw:shared.lifecycle"),
        ("fleet:user:7:workers", "runtime.fleet.user.7.workers"),
        ("fleet:guest:g:workers", "runtime.fleet.guest.g.workers"),
        ("a:b", "runtime.topic.a.b"),
        (" run:a:events ", "runtime.topic. run.a.events "),
        ("runtime.run_summaries", "runtime.topic.runtime.run_summaries"),
    ],
)
def test_topics_have_names_on_the_target(topic: str, expected: str) -> None:
    """The table of contract 4, without trimming."""
    assert expected == stream_id(topic)
