"""Sequence numbers, heads, floors and cursors at the ends of 64 bits: findings, never a crash, never a row a number."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.history.addresses import address_space
from harness.history.loading import load_history
from harness.judge.verdict import JudgedRecording, judge_recording
from harness.model.finding import Grade
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from harness.model.run_record import Verdict
from tests.builders import World, run_plan
from tests.encoding import Event
from tests.hard.bending import bent

TOP = 2**64 - 1
FAR = (0, 2**53 + 1, 2**63 - 1, 2**63, TOP - 1, TOP)
KNOWN_EVENTS = 8
Bend = Callable[[World], None]


def judged(world: World, directory: Path) -> JudgedRecording:
    """The world's recording, judged; no check may have crashed."""
    result = judge_recording(world.write(directory))
    assert [] == [row.check for row in result.record.checks if row.crashed]
    return result


def diverging(result: JudgedRecording) -> set[str]:
    """The checks that found a divergence."""
    return {finding.check for finding in result.findings if finding.grade is Grade.DIVERGENCE}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seq", FAR)
def test_a_far_number_beside_the_events_is_a_finding(tmp_path: Path, side: Side, seq: int) -> None:
    """An event with such a number, one too many, is invented, or at or below the cursor asked for."""
    world = World.played(run_plan())
    link = world.link(side)
    link.insert_after(4, link.find(4)[1].copy(seq=seq))
    found = diverging(judged(world, tmp_path / "recording"))

    assert ("resume.below" if seq == 0 else "truth.invented") in found


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seq", FAR)
def test_a_number_replaced_by_a_far_one_is_missing(tmp_path: Path, side: Side, seq: int) -> None:
    """The event that should have been there is missing, and no more events are than there are."""
    world = World.played(run_plan())
    bent(world, side, lambda event: [event.copy(seq=seq) if event.seq == 4 else event])
    result = judged(world, tmp_path / "recording")

    assert {"truth.delivered", "truth.content", "pair.set"} <= diverging(result)
    assert result.record.findings < 3 * KNOWN_EVENTS


@pytest.mark.parametrize("seq", FAR)
def test_addresses_are_made_of_events_not_of_the_span_of_their_numbers(tmp_path: Path, seq: int) -> None:
    """One far number takes one address."""
    world = World.played(run_plan())
    honest = load_history(world.write(tmp_path / "honest")).space.size
    bent(world, Side.LEGACY, lambda event: [event, event.copy(seq=seq)] if event.seq == 4 else [event])
    far = load_history(world.write(tmp_path / "far")).space.size

    assert far - honest in (0, 1)


def test_every_stream_may_have_its_numbers_at_both_ends() -> None:
    """Many groups that hold 0 and 2^64 - 1 cost two addresses each."""
    import numpy as np

    groups = np.repeat(np.arange(1000, dtype=np.int32), 2)
    seqs = np.tile(np.array([0, TOP], np.uint64), 1000)

    assert 2000 == address_space(1000, [(groups, seqs)]).size


def poll_says(member: str, value: int) -> Bend:
    """The legacy lane's polls name another head or floor."""

    def bend(world: World) -> None:
        for row in world.answers("heads", Side.LEGACY):
            row["response_body"] = json.dumps({**json.loads(row["response_body"]), member: value}).encode()

    return bend


def table_says(head: int, floor: int) -> Bend:
    """The target's answers name another head and floor."""

    def bend(world: World) -> None:
        for row in world.answers("heads", Side.TARGET):
            row["heads"] = [(topic, head, floor) for topic, *_ in row["heads"]]

    return bend


def messages_say(head: int, floor: int) -> Bend:
    """The target's subscription messages name another head and floor."""

    def bend(world: World) -> None:
        for message in world.link(Side.TARGET).messages:
            message.heads = [(topic, head, floor) for topic, *_ in message.heads]

    return bend


def log_says(seq: int) -> Bend:
    """One row of the log has another number."""

    def bend(world: World) -> None:
        for page in world.pages:
            page.rows[3].seq = seq

    return bend


def answer_says(seq: object) -> Bend:
    """One command is answered with another number."""

    def bend(world: World) -> None:
        row = world.answers("command")[3]
        said = json.loads(row["response_body"])
        row["response_body"] = json.dumps({**said, "event": {**said["event"], "seq": seq}}).encode()

    return bend


@pytest.mark.parametrize(
    "bend",
    [
        *(poll_says(member, value) for member in ("head_cursor", "oldest_available_cursor") for value in (2**63, TOP)),
        *(poll_says("head_cursor", value) for value in (-1, TOP + 1)),
        *(table_says(head, 0) for head in (-1, 2**63, TOP - 1, TOP)),
        *(table_says(7, floor) for floor in (-1, TOP - 1, TOP)),
        *(messages_say(head, 0) for head in (-1, 2**63, TOP - 1, TOP)),
        *(messages_say(7, floor) for floor in (-1, TOP - 1, TOP)),
        *(log_says(seq) for seq in (-1, *FAR, TOP + 1)),
        *(answer_says(seq) for seq in FAR),
    ],
)
def test_far_positions_are_findings(tmp_path: Path, bend: Bend) -> None:
    """A head, a floor, a row of the log or an answer with such a number is a divergence, whoever names it."""
    world = World.played(run_plan())
    bend(world)

    assert Verdict.DIVERGED is judged(world, tmp_path / "recording").record.verdict


@pytest.mark.parametrize("seq", [-1, TOP + 1, 1.0, "4", None])
def test_an_answer_without_a_number_is_never_green(tmp_path: Path, seq: object) -> None:
    """Where an answer names no number that an event can have, the log decides, and parity is not claimed."""
    world = World.played(run_plan())
    answer_says(seq)(world)

    assert Verdict.PARITY is not judged(world, tmp_path / "recording").record.verdict


@pytest.mark.parametrize("cursor", [2**63, TOP - 1, TOP])
def test_a_cursor_at_the_end_of_the_numbers_is_served_nothing(tmp_path: Path, cursor: int) -> None:
    """A subscriber that asks for what follows such a number gets nothing, and that is parity."""
    plan = run_plan(SubscribeStep(0, "far", SIDES, "run:r1", cursor))
    result = judged(World.played(plan), tmp_path / "recording")

    assert (Verdict.PARITY, []) == (result.record.verdict, list(result.findings))


def test_a_message_beyond_64_bits_is_not_of_the_dialect(tmp_path: Path) -> None:
    """A number that no sequence can hold makes the frame undecodable; it is counted, and its event is missing."""
    world = World.played(run_plan())
    for side in SIDES:
        bent(world, side, _beyond, content=False)
    result = judged(world, tmp_path / "recording")

    assert {"contract.decoded", "truth.delivered"} <= diverging(result)
    assert [1, 1] == [row.frames_undecoded for row in result.record.sides]


def _beyond(event: Event) -> list[Event]:
    return [event.copy(seq=TOP + 1) if event.seq == 4 else event]
