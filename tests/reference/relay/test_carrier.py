"""The relay between a real authority and a real lane of each kind."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.reference.authority.running import ALICE, dense, topic
from tests.reference.relay.running import LegacyUnderTest, Relay, SpacetimeUnderTest, running_relay
from tests.reference.services import Answer, eventually, numbers

FLEET = f"fleet:user:{ALICE}:workers"


@pytest.fixture(params=["legacy", "spacetime"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def relay(kind: str, tmp_path: Path) -> Iterator[Relay]:
    with running_relay(tmp_path, kind) as running:
        yield running


def logged(relay: Relay, stream: str) -> list[dict[str, Any]]:
    """The log of a stream in the shape of the legacy envelope."""
    return [
        {"topic": stream, "sequence": row["seq"], **{n: row[n] for n in ("kind", "payload", "published_at")}}
        for row in relay.authority.log(stream)["events"]
    ]


def sequences(relay: Relay, stream: str) -> list[int]:
    return numbers(relay.lane.envelopes(stream), "sequence")


def append(relay: Relay, run_id: str, count: int) -> list[Answer]:
    answers = [relay.authority.append(run_id, payload={"z": n, "a": "é"}) for n in range(count)]
    assert {200} == {answer.status for answer in answers}
    return answers


def test_a_lane_gets_what_the_log_has(relay: Relay) -> None:
    """Runs, worker and fleet streams arrive whole, with kind, payload and instant of the log."""
    runs = [relay.authority.run() for _ in range(3)]
    for n in range(30):
        relay.authority.append(runs[n % 3], "step", payload={"z": n, "a": [1.0, -0.0, 2**64, "\u202e\x00</script>"]})
    relay.authority.worker("w:1")
    relay.authority.worker("w:1", "heartbeat")
    streams = [*map(topic, runs), "worker:w:1:lifecycle", FLEET]
    for stream in streams:
        relay.settle(stream, relay.authority.log(stream)["head_seq"])

    status = relay.status()

    assert [logged(relay, stream) for stream in streams] == [relay.lane.envelopes(stream) for stream in streams]
    assert [11, 11, 11, 2, 2] == [status["appended"][stream] for stream in streams]
    assert (0, False, None) == tuple(status[name] for name in ("pending", "held", "last_error"))
    assert relay.service.ready["boot_id"] == status["boot_id"]


def test_a_lane_may_come_later(kind: str, tmp_path: Path) -> None:
    """Commands and the relay's start do not need the lane; its absence is said, and made up for."""
    with running_relay(tmp_path, kind, open_lane=False) as relay:
        run_id = relay.authority.run()
        append(relay, run_id, 5)
        eventually(lambda: relay.status()["last_error"])
        absent = relay.status()
        relay.lane.open()
        relay.settle(topic(run_id), 6)
        eventually(lambda: relay.status()["last_error"] is None)
        arrived = sequences(relay, topic(run_id))

    assert (6, 0) == (absent["pending"], absent["appended"][topic(run_id)])
    assert dense(6) == arrived


def test_a_held_relay_moves_nothing(relay: Relay) -> None:
    """While held the lane stands still and commands go on; after release everything arrives."""
    run_id = relay.authority.run()
    relay.settle(topic(run_id), 1)
    held = relay.control("POST", "/hold").json
    append(relay, run_id, 20)
    eventually(lambda: relay.status()["pending"] == 20)
    during = relay.status(), sequences(relay, topic(run_id))
    released = relay.control("POST", "/release").json
    relay.settle(topic(run_id), 21)

    assert (True, False) == (held["held"], released["held"])
    assert (True, 1, dense(1)) == (during[0]["held"], during[0]["appended"][topic(run_id)], during[1])
    assert dense(21) == sequences(relay, topic(run_id))


def test_a_hold_after_an_event_stops_exactly_there(relay: Relay) -> None:
    """`after` lets the stream run up to its event and no further, however fast the commands come."""
    run_id = relay.authority.run()
    answer = relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 7}})
    append(relay, run_id, 30)
    eventually(lambda: relay.status()["held"])
    stopped = sequences(relay, topic(run_id))
    relay.control("POST", "/release")
    relay.settle(topic(run_id), 31)

    assert (200, False) == (answer.status, answer.json["held"])
    assert dense(7) == stopped
    assert dense(31) == sequences(relay, topic(run_id))


def test_a_hold_after_an_event_cuts_a_batch(relay: Relay) -> None:
    """Also where thirty events wait for one call, the lane gets those up to the event and no other."""
    run_id = relay.authority.run()
    relay.settle(topic(run_id), 1)
    assert relay.lane.service is not None
    relay.lane.service.kill()
    relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 7}})
    append(relay, run_id, 30)
    eventually(lambda: relay.status()["pending"] == 30)
    relay.lane.open()
    eventually(lambda: relay.status()["held"])

    assert dense(7) == sequences(relay, topic(run_id))


def test_a_hold_during_a_log_read_holds(tmp_path: Path) -> None:
    """What the relay was still reading when it was held does not reach the lane either."""
    with running_relay(tmp_path, "legacy") as relay:
        run_id = relay.authority.run()
        append(relay, run_id, 4)
        relay.settle(topic(run_id), 5)
        old_boot = relay.status()["lane_boot_id"]
        assert relay.lane.service is not None
        relay.authority.service.process.send_signal(signal.SIGSTOP)
        relay.lane.service.kill()
        relay.lane.open()
        eventually(lambda: relay.status()["lane_boot_id"] != old_boot)
        held = relay.control("POST", "/hold").json
        relay.authority.service.process.send_signal(signal.SIGCONT)
        other_run = relay.authority.run()
        eventually(lambda: topic(other_run) in relay.status()["appended"])
        during = sequences(relay, topic(run_id))
        relay.control("POST", "/release")
        relay.settle(topic(run_id), 5)

    assert held["held"] is True
    assert [] == during


def test_a_hold_after_a_past_event_holds_at_once(relay: Relay) -> None:
    """If the lane has the event already, the relay stands still where it is."""
    run_id = relay.authority.run()
    append(relay, run_id, 3)
    relay.settle(topic(run_id), 4)

    assert relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 2}}).json["held"]


def test_a_second_hold_does_not_let_go(relay: Relay) -> None:
    """A held relay stays held, whatever event a further hold names."""
    run_id = relay.authority.run()
    relay.settle(topic(run_id), 1)
    relay.control("POST", "/hold")

    assert relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 9}}).json["held"]


def test_a_restarted_relay_goes_on_where_the_lane_is(relay: Relay) -> None:
    """A relay without memory asks the lane and repeats nothing, whatever was appended meanwhile."""
    run_id = relay.authority.run()
    append(relay, run_id, 250)
    relay.settle(topic(run_id), 251)
    old_boot = relay.status()["boot_id"]
    relay.service.kill()
    append(relay, run_id, 10)
    relay.restart()
    relay.settle(topic(run_id), 261)

    assert old_boot != relay.status()["boot_id"]
    assert logged(relay, topic(run_id)) == relay.lane.envelopes(topic(run_id))


def test_a_restarted_lane_is_filled_again(relay: Relay) -> None:
    """A lane that was killed and came back has everything again, without any new command."""
    runs = [relay.authority.run() for _ in range(2)]
    for run_id in runs:
        append(relay, run_id, 12)
        relay.settle(topic(run_id), 13)
    old_boot = relay.status()["lane_boot_id"]
    assert relay.lane.service is not None
    relay.lane.service.kill()
    answers = append(relay, runs[0], 3)
    relay.lane.open()
    eventually(lambda: [dense(16), dense(13)] == [sequences(relay, topic(run_id)) for run_id in runs])
    eventually(lambda: relay.status()["pending"] == 0)

    assert 3 == len(answers)
    assert (relay.lane.kind == "legacy") == (old_boot != relay.status()["lane_boot_id"])
    assert [logged(relay, topic(run_id)) for run_id in runs] == [relay.lane.envelopes(topic(run_id)) for run_id in runs]


def test_a_cleared_database_is_filled_again(tmp_path: Path) -> None:
    """A target that lost everything while it ran is noticed without a new command, and made whole."""
    with running_relay(tmp_path, "spacetime", window=20) as relay:
        assert isinstance(relay.lane, SpacetimeUnderTest)
        run_id = relay.authority.run()
        append(relay, run_id, 29)
        eventually(lambda: relay.status()["retained_from"][topic(run_id)] == 11)
        relay.lane.publish("?clear=true")
        eventually(lambda: list(range(11, 31)) == sequences(relay, topic(run_id)))
        offsets = numbers(relay.lane.rows("sync_event"), "durable_offset")

    assert list(range(11, 31)) == sorted(offsets)


def test_a_restarted_authority_is_followed(relay: Relay) -> None:
    """The authority's crash costs the lane nothing: the relay waits and goes on."""
    run_id = relay.authority.run()
    append(relay, run_id, 5)
    relay.authority.service.kill()
    eventually(lambda: "authority" in (relay.status()["last_error"] or ""))
    relay.restart_authority()
    append(relay, run_id, 5)
    second_run = relay.authority.run()
    relay.settle(topic(run_id), 11)
    relay.settle(topic(second_run), 1)
    eventually(lambda: relay.status()["last_error"] is None)

    assert dense(11) == sequences(relay, topic(run_id))


def test_retention_follows_the_window(kind: str, tmp_path: Path) -> None:
    """Beyond the window a lane forgets, the relay reports it, and late starts drain it too."""
    with running_relay(tmp_path, kind, window=50) as relay:
        run_id = relay.authority.run()
        append(relay, run_id, 119)
        eventually(lambda: relay.status()["retained_from"][topic(run_id)] == 71)
        kept = sequences(relay, topic(run_id))
        relay.service.kill()
        append(relay, run_id, 5)
        relay.restart(window=50)
        eventually(lambda: relay.status()["retained_from"].get(topic(run_id)) == 76)
        later = sequences(relay, topic(run_id))

    assert list(range(71, 121)) == kept
    assert list(range(76, 126)) == later


def test_a_dead_lane_does_not_touch_commands(relay: Relay) -> None:
    """With the lane killed, commands answer as before and as fast (contract 12, INV-08)."""
    run_id = relay.authority.run()
    assert relay.lane.service is not None
    relay.lane.service.kill()

    began_s = time.monotonic()
    append(relay, run_id, 50)
    took_s = time.monotonic() - began_s
    relay.lane.open()
    relay.settle(topic(run_id), 51)

    assert took_s < 5
    assert dense(51) == sequences(relay, topic(run_id))


def test_one_bad_stream_blocks_no_other(tmp_path: Path) -> None:
    """A stream that the gateway refuses stalls at the bad event, named in the status; all else arrives (D-36)."""
    bad = "worker:bad:lifecycle"
    with running_relay(tmp_path, "legacy") as relay:
        assert isinstance(relay.lane, LegacyUnderTest)
        relay.authority.worker("bad")
        relay.settle(bad, 1)
        relay.control("POST", "/hold")
        for _ in range(3):
            relay.authority.worker("bad", "heartbeat")
        foreign = {**logged(relay, bad)[2], "kind": "foreign"}
        relay.lane.ingest(bad, [logged(relay, bad)[1], foreign])
        run_id = relay.authority.run()
        relay.authority.worker("good")
        relay.control("POST", "/release")
        for stream, head in ((bad, 2), (topic(run_id), 1), (FLEET, 5), ("worker:good:lifecycle", 1)):
            relay.settle(stream, head)
        eventually(lambda: f"{bad} after seq 2" in (relay.status()["last_error"] or ""))
        status = relay.status()

    assert "content_conflict" in status["last_error"]
    assert (2, 2) == (status["appended"][bad], status["pending"])


def test_an_event_too_large_for_the_lane_stalls_its_stream_only(tmp_path: Path) -> None:
    """What came before it in its stream arrives, what comes after waits, other streams go on."""
    with running_relay(tmp_path, "spacetime", "--max-payload-bytes=4000000") as relay:
        assert isinstance(relay.lane, SpacetimeUnderTest)
        relay.control("POST", "/hold")
        run_id, other_run = relay.authority.run(), relay.authority.run()
        append(relay, run_id, 3)
        assert relay.authority.append(run_id, payload="x" * 1_500_000).status == 200
        append(relay, run_id, 2)
        append(relay, other_run, 5)
        relay.control("POST", "/release")
        relay.settle(topic(run_id), 4)
        relay.settle(topic(other_run), 6)
        eventually(lambda: "413" in (relay.status()["last_error"] or ""))
        status = relay.status()
        arrived = sequences(relay, topic(run_id))

    assert f"{topic(run_id)} after seq 4" in status["last_error"]
    assert 3 == status["pending"]
    assert dense(4) == arrived


def test_a_hole_in_the_outbox_is_filled_from_the_log(kind: str, tmp_path: Path) -> None:
    """With defect `publish_latest` the outbox repeats numbers; the lane still gets each once."""
    with running_relay(tmp_path, kind, "--defect=publish_latest") as relay:
        run_id = relay.authority.run()
        for _ in range(3):
            relay.authority.append(run_id, idempotency_key="k")
            relay.authority.append(run_id)
        relay.settle(topic(run_id), 5)
        published = numbers(relay.authority.outbox()["rows"], "sequence")
        arrived = sequences(relay, topic(run_id))

    assert len(published) > len(set(published))
    assert dense(5) == arrived


def test_stored_rows_have_the_agreed_form(tmp_path: Path) -> None:
    """On the target a row is the wrapped envelope, its idempotency key and the hash of the inner payload."""
    with running_relay(tmp_path, "spacetime") as relay:
        assert isinstance(relay.lane, SpacetimeUnderTest)
        run_id = relay.authority.run()
        instant = relay.authority.append(run_id, "step", payload={"b": 1, "a": 2}).json["event"]["recorded_at"]
        relay.settle(topic(run_id), 2)
        row = next(row for row in relay.lane.rows("sync_event") if row["seq"] == 2)
        (head,) = relay.lane.rows("stream_head")

    wrapped = (
        f'{{"topic":"{topic(run_id)}","sequence":2,"kind":"step",'
        f'"published_at":"{instant.removesuffix("Z")}+00:00","payload":{{"b":1,"a":2}}}}'
    )
    stream = f"runtime.run.{run_id}.events"
    key = f"topic:{topic(run_id)}:seq:2:kind:step"
    assert wrapped == bytes.fromhex(row["payload_bytes"]).decode()
    assert (stream, key, f"{stream}\x1f{key}") == tuple(
        row[name] for name in ("stream_id", "idempotency_key", "stream_idempotency_key")
    )
    # sha256 of {"a":2,"b":1}
    assert "sha256:d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772" == row["payload_hash"]
    assert {"stream_id": stream, "next_seq": 3, "retained_from": 1} == head
