"""A divergence laid out for a reader."""

from pathlib import Path

import pytest

from harness.judge.verdict import judge_recording
from harness.model.names import SIDES, Side
from harness.model.run_record import Exhibit
from tests.builders import World, run_plan


def exhibit(world: World, directory: Path, check: str) -> Exhibit:
    """The exhibit of the first class of a check."""
    judged = judge_recording(world.write(directory / "recording"))
    return next(one for one in judged.exhibits if one.finding.check == check)


@pytest.mark.parametrize("side", SIDES)
def test_missing_event_is_shown_between_its_neighbours(tmp_path: Path, side: Side) -> None:
    """Three numbers before, two after; the hit is marked, and the side that lacks it says missing."""
    world = World.played(run_plan())
    world.link(side).drop(4)
    shown = exhibit(world, tmp_path, "truth.delivered")
    hit = next(row for row in shown.neighbourhood if row.hit)

    assert [1, 2, 3, 4, 5, 6] == [row.seq for row in shown.neighbourhood]
    assert (4, "present", "missing", "present") == (
        hit.seq,
        hit.log.mark,
        getattr(hit, side.value).mark,
        getattr(hit, side.other.value).mark,
    )
    assert '{"n":2,"text":"é"}' == hit.log.body
    assert ["from the lane"] * 2 == [frame.direction for frame in shown.frames]


def test_changed_body_shows_path_and_both_bodies(tmp_path: Path) -> None:
    """Bodies are canonical, the differing path is named, and the frame behind it is quoted."""
    world = World.played(run_plan())
    world.link(Side.TARGET).edit(4, body='{"text":"x","n":2}')
    shown = exhibit(world, tmp_path, "truth.body")
    hit = next(row for row in shown.neighbourhood if row.hit)

    assert ("$.text",) == shown.differing_paths
    assert ('{"n":2,"text":"é"}', '{"n":2,"text":"x"}', "changed") == (hit.log.body, hit.target.body, hit.target.mark)
    assert hit.log.digest != hit.target.digest
    assert shown.frames[0].text.startswith('{"TransactionUpdate"')
    assert "parity run built.mirrored --seed 1" == shown.reproduce


def test_late_and_repeated_events_are_marked(tmp_path: Path) -> None:
    """A reader sees at once what is late and what came twice."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    link.swap(3, 4)
    link.insert_after(5, link.find(5)[1].copy())
    shown = exhibit(world, tmp_path, "lane.order")
    marks = {row.seq: row.legacy.mark for row in shown.neighbourhood}

    assert ("reordered", "duplicate") == (marks[3], marks[5])
