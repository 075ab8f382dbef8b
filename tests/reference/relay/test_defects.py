"""The relay's defects: what a feed does wrong stands in the lane's own content, and nowhere without the defect."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.reference.relay.defects import DEFECTS, as_carried
from harness.reference.relay.envelope import Envelope, envelope
from tests.reference.authority.running import ALICE, dense, topic
from tests.reference.relay.running import Relay, running_relay
from tests.reference.services import eventually, numbers

ALTERED = {"altered": True}


def carried(*defects: str, carried_through: int = 0) -> list[Envelope]:
    """Events 1 to 12 of a stream as a lane is given them."""
    rows = ({"kind": "step", "payload": {"n": n}, "published_at": "2026-02-25T12:00:00Z"} for n in range(1, 13))
    return as_carried(
        (envelope("run:x:events", n, row) for n, row in enumerate(rows, 1)), carried_through, frozenset(defects)
    )


def bodies(envelopes: Iterable[Envelope]) -> dict[int, object]:
    """What is not as it was commanded, by number."""
    return {one.sequence: one.payload for one in envelopes if one.payload != {"n": one.sequence}}


def test_a_sound_feed_changes_nothing() -> None:
    """Number, kind and body are those of the log, also of what is carried again."""
    given = carried(carried_through=12)

    assert [(n, "step", {"n": n}) for n in dense(12)] == [(one.sequence, one.kind, one.payload) for one in given]


def test_each_defect_changes_what_it_says() -> None:
    """One number is left out, every fifth one is altered or respelled, or what was carried before is altered."""
    assert [n for n in dense(12) if n != 5] == [one.sequence for one in carried("drops_nth")]
    assert {5: ALTERED, 10: ALTERED} == bodies(carried("other_body"))
    assert {5: "STEP", 10: "STEP"} == {one.sequence: one.kind for one in carried("respells_kind") if one.kind != "step"}
    assert {1: ALTERED, 2: ALTERED} == bodies(carried("refill_differs", carried_through=2))
    assert {"drops_nth", "other_body", "respells_kind", "refill_differs", "trusts_outbox"} == set(DEFECTS)


def test_an_altered_event_has_the_hash_of_its_body() -> None:
    """The feed hashes what it carries: on the target body and hash agree."""
    altered = carried("other_body")[4]

    # sha256 of {"altered":true}
    assert "sha256:17e933b6408647eccdfaf0c15d05fb39a580aac6b7653a3144cae006fda37817" == altered.payload_hash()
    assert '"payload":{"altered":true}' in altered.legacy_json()


@pytest.fixture(params=["legacy", "spacetime"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def faulty(folder: Path, kind: str, defect: str, *authority_arguments: str) -> Iterator[Relay]:
    with running_relay(folder, kind, *authority_arguments, relay_arguments=("--defect", defect)) as running:
        yield running


def content(relay: Relay, run_id: str) -> list[dict[str, Any]]:
    return relay.lane.envelopes(topic(run_id))


def append(relay: Relay, run_id: str, *payloads: object) -> None:
    assert {200} == {relay.authority.append(run_id, payload=payload).status for payload in payloads}


def test_a_dropped_event_stops_its_stream(kind: str, tmp_path: Path) -> None:
    """`drops_nth`: either lane refuses what follows, so that the stream ends at 4; the status says so."""
    with faulty(tmp_path, kind, "drops_nth") as relay:
        run_id, short_run = relay.authority.run(), relay.authority.run()
        append(relay, run_id, *range(9))
        append(relay, short_run, 1, 2)
        relay.settle(topic(short_run), 3)
        eventually(lambda: len(content(relay, run_id)) == 4 and relay.status()["last_error"])
        pending = relay.status()["pending"]

    assert pending == 6


def test_a_feed_can_alter_bodies_and_kinds(kind: str, tmp_path: Path) -> None:
    """`other_body` and `respells_kind`: the lane's own content has what the feed made of it."""
    with faulty(tmp_path, kind, "other_body") as relay:
        relay.restart(more=("--defect", "other_body", "--defect", "respells_kind"))
        run_id = relay.authority.run()
        append(relay, run_id, *range(2, 7))
        relay.settle(topic(run_id), 6)
        found = [(one["sequence"], one["kind"], one["payload"]) for one in content(relay, run_id)[3:]]

    assert [(4, "step", 4), (5, "step", ALTERED), (6, "step", 6)] == [
        (sequence, seen_kind.lower(), payload) for sequence, seen_kind, payload in found
    ]


def test_a_refill_can_differ(tmp_path: Path) -> None:
    """`refill_differs`: after a restart of the lane numbers of before have other bodies, new ones are right (D-09)."""
    with faulty(tmp_path, "legacy", "refill_differs") as relay:
        run_id = relay.authority.run()
        append(relay, run_id, 2, 3)
        relay.settle(topic(run_id), 3)
        before = [one["payload"] for one in content(relay, run_id)]
        assert relay.lane.service is not None
        relay.lane.service.kill()
        append(relay, run_id, 4)
        relay.lane.open()
        eventually(lambda: len(content(relay, run_id)) == 4)
        after = [one["payload"] for one in content(relay, run_id)]

    assert [{"source": "runtime"}, 2, 3] == before
    assert [ALTERED, ALTERED, ALTERED, 4] == after


@pytest.mark.parametrize(("defect", "ends"), [("trusts_outbox", 1), (None, 3)])
def test_who_trusts_the_outbox_never_reads_the_log(kind: str, tmp_path: Path, defect: str | None, ends: int) -> None:
    """`trusts_outbox`: what was appended while the relay was away never comes, nor does anything after it (H-13)."""
    more = () if defect is None else ("--defect", defect)
    with running_relay(tmp_path, kind, relay_arguments=more) as relay:
        run_id = relay.authority.run()
        relay.settle(topic(run_id), 1)
        relay.service.kill()
        append(relay, run_id, 2)
        relay.restart(more=more)
        append(relay, run_id, 3)
        other_run = relay.authority.run()
        relay.settle(topic(other_run), 1)
        eventually(lambda: relay.status()["pending"] == 3 - ends)
        found = numbers(content(relay, run_id), "sequence")

    assert dense(ends) == found


def test_an_unpublished_event_stops_a_stream_that_trusts_the_outbox(kind: str, tmp_path: Path) -> None:
    """With `refusal_is_durable` at the authority the lane stands at the refused number for good (D-02)."""
    options = ("--max-payload-bytes=50", "--defect=refusal_is_durable")
    with faulty(tmp_path, kind, "trusts_outbox", *options) as relay:
        run_id = relay.authority.run()
        append(relay, run_id, 2)
        assert 413 == relay.authority.append(run_id, payload="x" * 60).status
        append(relay, run_id, 4)
        other_run = relay.authority.run()
        relay.settle(topic(other_run), 1)
        eventually(lambda: relay.status()["pending"] == 2)
        found = numbers(content(relay, run_id), "sequence")

    assert dense(2) == found


def test_fleets_that_are_not_published_reach_no_lane(kind: str, tmp_path: Path) -> None:
    """With `skips_publication` at the authority, its fleet streams are in the log and on no lane (D-03)."""
    with running_relay(tmp_path, kind, "--defect=skips_publication") as relay:
        relay.authority.worker("w")
        relay.authority.worker("w", "heartbeat")
        relay.settle("worker:w:lifecycle", 2)
        fleet = f"fleet:user:{ALICE}:workers"
        heads = relay.authority.log(fleet)["head_seq"], relay.status()["appended"].get(fleet, 0)
        found = relay.lane.envelopes(fleet)

    assert ((2, 0), []) == (heads, found)


@pytest.mark.parametrize("outage", ["lane", "relay", "hold"])
@pytest.mark.parametrize("defects", [(), ("--defect=answers_by_delivery",)])
def test_answers_hang_on_delivery_or_do_not(tmp_path: Path, outage: str, defects: tuple[str, ...]) -> None:
    """With a lane or relay gone commands answer 500 if the defect is on, and are durable either way (INV-06)."""
    seen: list[int] = []
    with running_relay(tmp_path, "legacy", *defects) as relay:
        run_id = relay.authority.run()
        relay.settle(topic(run_id), 1)
        assert relay.lane.service is not None
        if outage == "hold":
            relay.control("POST", "/hold")
        else:
            {"lane": relay.lane.service, "relay": relay.service}[outage].kill()

        def enough() -> bool:
            seen.append(relay.authority.append(run_id, payload=1).status)
            return 500 in seen if defects else len(seen) > 100

        eventually(enough)
        head_seq = relay.authority.log(topic(run_id))["head_seq"]

    assert ({200, 500} if defects else {200}) == set(seen) | ({200} if defects else set())
    assert 1 + len(seen) == head_seq
