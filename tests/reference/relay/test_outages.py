"""Each part is killed, or stands still, while events flow: nothing is lost, doubled or numbered anew."""

import http.client
import itertools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.sync.client import connect

from harness.reference.tokens import mint
from tests.reference.authority.running import ALICE, SECRET, dense, topic
from tests.reference.relay.running import Relay, SpacetimeUnderTest, running_relay
from tests.reference.services import eventually, numbers


@pytest.fixture(params=["legacy", "spacetime"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Writer:
    """Appends to one run without a pause until it is told to end; every command is sent until it is answered."""

    relay: Relay
    run_id: str
    answered: list[dict[str, Any]] = field(default_factory=list)
    attempts: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        for n in itertools.count():
            if self._ended.is_set():
                return
            self.answered.append(self._sent(n))

    def end(self) -> None:
        self._ended.set()

    def _sent(self, n: int) -> dict[str, Any]:
        while True:
            self.attempts += 1
            try:
                answer = self.relay.authority.append(self.run_id, payload={"n": n}, idempotency_key=f"k{n}")
                assert answer.status == 200, answer.body
                return dict(answer.json["event"])
            except (OSError, http.client.HTTPException):
                self._ended.wait(0.02)


@contextmanager
def flowing(relay: Relay, runs: int = 2) -> Iterator[list[Writer]]:
    """Writers, each on a run of its own, that write as long as the block."""
    writers = [Writer(relay, relay.authority.run()) for _ in range(runs)]
    threads = [threading.Thread(target=writer.write, daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        for writer, thread in zip(writers, threads, strict=True):
            writer.end()
            thread.join(20)


def grown(writers: list[Writer], count: int = 40) -> None:
    """Waits until each writer has got so many more answers."""
    marks = [len(writer.answered) + count for writer in writers]
    eventually(lambda: all(len(one.answered) >= mark for one, mark in zip(writers, marks, strict=True)))


def check_whole(relay: Relay, writers: list[Writer]) -> None:
    """Log and lane have what was answered, each number once, with its body."""
    for writer in writers:
        stream = topic(writer.run_id)
        log = relay.authority.log(stream)["events"]
        relay.settle(stream, len(log))
        carried = relay.lane.envelopes(stream)

        assert [(row["seq"], row["payload"]) for row in log[1:]] == [
            (event["seq"], event["payload"]) for event in writer.answered
        ]
        assert dense(len(writer.answered) + 1) == numbers(log)
        assert [(row["seq"], row["kind"], row["payload"], row["published_at"]) for row in log] == [
            (one["sequence"], one["kind"], one["payload"], one["published_at"]) for one in carried
        ]


def kill_lane(relay: Relay) -> None:
    assert relay.lane.service is not None
    relay.lane.service.kill()
    relay.lane.open()


def pause_lane(relay: Relay) -> None:
    """The lane stands still for as long as a request takes that it has not read."""
    assert relay.lane.service is not None
    process = relay.lane.service.process
    process.send_signal(signal.SIGSTOP)
    run_id = relay.authority.run()
    eventually(lambda: relay.status()["pending"] > 0 and topic(run_id) in relay.status()["appended"])
    process.send_signal(signal.SIGCONT)


def pause_relay(relay: Relay) -> None:
    relay.service.process.send_signal(signal.SIGSTOP)
    run_id = relay.authority.run()
    assert relay.authority.append(run_id).status == 200
    relay.service.process.send_signal(signal.SIGCONT)


OUTAGES: dict[str, Callable[[Relay], None]] = {
    "lane_killed": kill_lane,
    "lane_paused": pause_lane,
    "relay_killed": Relay.restart,
    "relay_paused": pause_relay,
    "authority_killed": Relay.restart_authority,
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_in_the_middle_costs_nothing(kind: str, tmp_path: Path, outage: str) -> None:
    """Twice in a row, while two writers go on: the lane ends with the log, and only the authority's kill is felt."""
    with running_relay(tmp_path, kind) as relay:
        with flowing(relay) as writers:
            for _ in range(2):
                grown(writers)
                OUTAGES[outage](relay)
            grown(writers)
        check_whole(relay, writers)

        repeated = any(writer.attempts > len(writer.answered) for writer in writers)
        assert outage == "authority_killed" or not repeated


def test_everything_at_once(kind: str, tmp_path: Path) -> None:
    """Lane, relay and authority die one after another before any of them is back."""
    with running_relay(tmp_path, kind) as relay:
        with flowing(relay) as writers:
            grown(writers)
            assert relay.lane.service is not None
            relay.lane.service.kill()
            relay.service.kill()
            relay.restart_authority()
            relay.restart()
            relay.lane.open()
            grown(writers)
        check_whole(relay, writers)


def restart_narrow(relay: Relay) -> None:
    relay.restart(window=8)


def test_a_reader_of_the_lane_notices_nothing(tmp_path: Path) -> None:
    """While relay and authority are killed, a reader of the lane gets every number once, on one connection."""
    with running_relay(tmp_path, "legacy") as relay, flowing(relay, runs=1) as (writer,):
        path = f"/internal/v1/khala/topics/{quote(topic(writer.run_id), safe='')}/ws?limit=200"
        now_s = time.time()
        token = mint(SECRET, scopes=["runtime.run_events"], user_id=ALICE, subject="reader", now_s=now_s)
        headers = {"Authorization": f"Bearer {token}"}
        with connect(f"ws://127.0.0.1:{relay.lane.port}{path}", additional_headers=headers, proxy=None) as connection:
            for outage in (Relay.restart, Relay.restart_authority):
                grown([writer])
                outage(relay)
            grown([writer])
            writer.end()
            last = relay.authority.log(topic(writer.run_id))["head_seq"]
            frames = [json.loads(connection.recv(timeout=20)) for _ in range(last + 1)]

    assert dense(last) == [frame["message"]["sequence"] for frame in frames[1:]]


def test_retention_goes_on_after_outages(kind: str, tmp_path: Path) -> None:
    """With a small window the lane ends with exactly the newest events, whatever was killed meanwhile."""
    with running_relay(tmp_path, kind, window=8) as relay:
        with flowing(relay, runs=1) as (writer,):
            for outage in (kill_lane, restart_narrow, Relay.restart_authority):
                grown([writer], 20)
                outage(relay)
            grown([writer], 20)
        stream = topic(writer.run_id)
        head = relay.authority.log(stream)["head_seq"]
        eventually(lambda: relay.status()["retained_from"].get(stream) == head - 7)
        kept = numbers(relay.lane.envelopes(stream), "sequence")

    assert list(range(head - 7, head + 1)) == kept


def settled_run(relay: Relay, count: int) -> str:
    """A run of so many events, all of them in the lane."""
    run_id = relay.authority.run()
    for n in range(count - 1):
        assert relay.authority.append(run_id, payload=n).status == 200
    relay.settle(topic(run_id), count)
    return run_id


@pytest.mark.parametrize("outage", ["lane_killed", "authority_killed"])
def test_a_hold_outlives_the_others(kind: str, tmp_path: Path, outage: str) -> None:
    """A held relay carries nothing while lane or authority start again, and everything once it is released."""
    with running_relay(tmp_path, kind) as relay:
        run_id = settled_run(relay, 5)
        relay.control("POST", "/hold")
        OUTAGES[outage](relay)
        for n in range(3):
            relay.authority.append(run_id, payload=n)
        other_run = relay.authority.run()
        eventually(lambda: topic(other_run) in relay.status()["appended"])
        during = relay.status()["held"], len(relay.lane.envelopes(topic(run_id)))
        relay.control("POST", "/release")
        eventually(lambda: [8, 1] == [len(relay.lane.envelopes(topic(one))) for one in (run_id, other_run)])

    emptied = outage == "lane_killed" and kind == "legacy"
    assert (True, 0 if emptied else 5) == during


def test_a_hold_ends_with_the_relay(kind: str, tmp_path: Path) -> None:
    """A relay keeps no state: one that starts again is not held, says so, and goes on."""
    with running_relay(tmp_path, kind) as relay:
        run_id = settled_run(relay, 2)
        relay.control("POST", "/hold")
        relay.authority.append(run_id)
        relay.restart()
        held = relay.status()["held"]
        relay.settle(topic(run_id), 3)

    assert held is False


def test_a_hold_after_a_past_event_holds_a_relay_that_has_just_begun(kind: str, tmp_path: Path) -> None:
    """The first thing that a relay is told is a hold after an event that the lane has: it carries nothing more."""
    with running_relay(tmp_path, kind) as relay:
        run_id = settled_run(relay, 6)
        relay.service.kill()
        for _ in range(3):
            relay.authority.append(run_id)
        relay.restart()
        relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 6}})
        eventually(lambda: relay.status()["held"] or relay.has(topic(run_id), 9))
        status = relay.status()
        found = len(relay.lane.envelopes(topic(run_id)))

    assert status["held"] is True
    assert status["appended"][topic(run_id)] == found
    assert found in (6, 9)


def test_a_hold_after_no_event_holds_a_stream_back_from_its_start(kind: str, tmp_path: Path) -> None:
    """`seq` 0 of a stream that nobody knows yet: the relay holds as soon as the stream is there."""
    with running_relay(tmp_path, kind) as relay:
        fleet = "fleet:user:7:workers"
        relay.control("POST", "/hold", {"after": {"stream": fleet, "seq": 0}})
        relay.authority.worker("w")
        eventually(lambda: relay.status()["held"])
        found = relay.lane.envelopes(fleet)
        relay.control("POST", "/release")
        relay.settle(fleet, 1)

    assert [] == found


def test_a_hold_after_an_event_stops_there_although_the_lane_was_killed(kind: str, tmp_path: Path) -> None:
    """A lane that loses what it had is filled up to the event, and not beyond."""
    with running_relay(tmp_path, kind) as relay:
        run_id = settled_run(relay, 4)
        relay.control("POST", "/hold", {"after": {"stream": topic(run_id), "seq": 7}})
        assert relay.lane.service is not None
        relay.lane.service.kill()
        for _ in range(6):
            relay.authority.append(run_id)
        relay.lane.open()
        eventually(lambda: relay.status()["held"])
        stopped = numbers(relay.lane.envelopes(topic(run_id)), "sequence")
        relay.control("POST", "/release")
        relay.settle(topic(run_id), 10)
        found = numbers(relay.lane.envelopes(topic(run_id)), "sequence")

    assert dense(7) == stopped
    assert dense(10) == found


def test_a_target_gives_its_offsets_once(tmp_path: Path) -> None:
    """Whatever was killed, the rows of the target are dense in seq and never share an offset."""
    with running_relay(tmp_path, "spacetime") as relay:
        assert isinstance(relay.lane, SpacetimeUnderTest)
        with flowing(relay) as writers:
            for outage in (kill_lane, Relay.restart, Relay.restart_authority):
                grown(writers, 20)
                outage(relay)
            grown(writers, 20)
        check_whole(relay, writers)
        offsets = sorted(numbers(relay.lane.rows("sync_event"), "durable_offset"))

    assert dense(len(offsets)) == offsets
