"""How connections end."""

from pathlib import Path

import pytest

from harness.checks.closing import CHECKS
from harness.model.finding import FailureClass, Finding
from harness.model.names import SIDES, Side
from harness.model.plan import Fault, FaultStep, HealStep
from tests.builders import World, run_plan
from tests.checks.running import blames, found, history_of
from tests.checks.windows import played, reading, stale_message
from tests.playing import CLOSE_CODES, Link, Message


def classes(findings: list[Finding]) -> set[FailureClass]:
    return {one.failure for one in findings}


def ended(link: Link, code: int) -> None:
    """The lane ends the connection when everything has come."""
    link.row.update(closed_by="lane", code=code, closed_ns=(link.messages[-1].ordinal + 1) * 1_000_000)


def test_declared_code_after_a_stale_answer_is_silent(tmp_path: Path) -> None:
    """4410, as the profile says."""
    assert {} == found(reading(1), tmp_path)


@pytest.mark.parametrize("code", [1000, 4411, 1006])
def test_other_code_after_a_stale_answer_breaks_both_promises(tmp_path: Path, code: int) -> None:
    """What stale means (6), and what the end of a connection says (11)."""
    world = reading(1)
    world.link(Side.LEGACY, "at-1").row["code"] = code

    said = found(world, tmp_path)

    assert {"closing.code"} == said.keys()
    assert {FailureClass.STALE, FailureClass.SILENCE} == classes(said["closing.code"])
    assert "after stale_cursor the lane closes with" in said["closing.code"][0].message
    assert {"legacy"} == blames(said)


def test_profile_without_close_frames_expects_none(tmp_path: Path) -> None:
    """1006 in the profile: no Close frame is what is needed."""
    world = reading(1)
    for note in world.timeline:
        note["detail"] = note["detail"].replace("4410", "1006")
    world.link(Side.LEGACY, "at-1").row["code"] = 1006

    assert {} == found(world, tmp_path)


def test_eviction_has_a_code_of_its_own(tmp_path: Path) -> None:
    """4429 after an eviction; any other code is found."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    again = world.reconnected(link, after=4)
    text = b'{"type":"error","code":"slow_consumer_evicted","message":"lag=901 threshold=300 strikes=3 max_strikes=3"}'
    link.messages.append(Message(again.messages[0].ordinal - 1, "raw", text=text))
    ended(link, 4429)
    lawful = found(world, tmp_path / "lawful")
    link.row["code"] = 4410
    said = found(world, tmp_path / "wrong")

    assert {"lane.cut_off"} == lawful.keys()
    assert {"lane.cut_off", "closing.code"} == said.keys()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("code", [1006, 4000])
def test_end_without_a_reason_is_found(tmp_path: Path, side: Side, code: int) -> None:
    """A lane that ends a connection for nothing leaves its client without a word."""
    world = World.played(run_plan())
    ended(world.link(side), code)

    said = found(world, tmp_path)

    assert {"closing.code"} == said.keys()
    assert {FailureClass.SILENCE} == classes(said["closing.code"])
    assert {side.value} == blames(said)


def outage(kind: str, side: Side) -> World:
    """The lane of a side is taken down while readers are there, and comes back."""
    fault = Fault("kill" if kind == "kill" else "stop", f"lane/{side}")
    return played(FaultStep(0, "outage", fault), HealStep(0, "outage"), settings=())


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_planned_outage_is_a_reason(tmp_path: Path, kind: str, side: Side) -> None:
    """A killed lane says nothing, a stopped one closes with the code of its shutdown; both are silent."""
    world = outage(kind, side)

    assert 1006 if kind == "kill" else CLOSE_CODES[side]["shutdown"] == world.link(side).row["code"]
    assert {} == found(world, tmp_path)


def test_orderly_stop_with_another_code_is_found(tmp_path: Path) -> None:
    """A lane that is stopped in order has the time to say so."""
    world = outage("stop", Side.LEGACY)
    world.link(Side.LEGACY).row["code"] = 1006

    said = found(world, tmp_path)

    assert "after shutdown the lane closes with no Close frame, needed was code 1001" == said["closing.code"][0].message


@pytest.mark.parametrize(("subscriber", "judged"), [(None, False), ("early", False), ("other", True)])
def test_connection_that_a_fault_of_the_wire_acted_on_is_not_judged(
    tmp_path: Path, subscriber: str | None, judged: bool
) -> None:
    """A cut wire says nothing of the lane; one of another subscriber does not excuse it."""
    fault = Fault("cut", "wire/legacy", subscriber, "run:r1", 3)
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    ended(link, 1006)
    detail = {"step": 9, "name": "cut", "kind": fault.kind, "subscriber": fault.subscriber}
    world.noted("fault_proven", fault.subject, link.row["closed_ns"] + 5, Side.LEGACY, **detail)

    assert judged == ("closing.code" in found(world, tmp_path))


def test_events_after_the_last_word_are_found(tmp_path: Path) -> None:
    """A lane that said stale has said all; what comes over that connection still is out of the dialect."""
    world = reading(1)
    link = world.link(Side.LEGACY, "at-1")
    event = world.link(Side.LEGACY).find(6)[1].copy()
    link.messages.append(Message(stale_message(link).ordinal + 1, "message", [event]))

    said = found(world, tmp_path)

    assert "1 events came after the lane's last word, nothing may" == said["closing.last_word"][0].message
    assert {FailureClass.SILENCE} == classes(said["closing.last_word"])
    assert {"legacy"} == blames({"closing.last_word": said["closing.last_word"]})


def test_only_ends_that_the_lane_made_are_rows(tmp_path: Path) -> None:
    """Rows are counted by what could be judged."""
    history = history_of(reading(1), tmp_path)
    rows = {check.name: check.rows(history) for check in CHECKS}

    assert {"closing.code": 1, "closing.last_word": 1} == rows
