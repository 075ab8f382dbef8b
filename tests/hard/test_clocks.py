"""Clocks that are wrong by a day: nothing but `published_at` may notice, and nothing at all where it is volatile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from harness.drive.driver import drive
from harness.history.history import History, Phase
from harness.history.loading import load_history
from harness.judge.verdict import judge_recording
from harness.lanes.deployment import Deployment
from harness.lanes.profile import load_profile
from harness.model.finding import Grade
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, Plan, Step, SubscribeStep
from harness.model.run_record import Verdict
from harness.recording.reader import Recording, open_recording
from harness.recording.sealing import seal
from tests.builders import World, run_plan
from tests.drive import plans
from tests.drive.conftest import new_tape, run
from tests.encoding import Event
from tests.hard.bending import bent

DAY = timedelta(days=1)
DAY_MS = 86_400_000
STREAMS = ("run:r1", "worker:w1", "fleet:7")


def moved(instant: str, by: timedelta) -> str:
    """An RFC 3339 instant with nine digits of fraction, moved by whole seconds."""
    seconds, fraction = instant[:19], instant[19:]
    return (datetime.fromisoformat(seconds) + by).isoformat() + fraction


def by(offset: timedelta) -> Callable[[Event], list[Event]]:
    """Moves the instant of an event."""
    return lambda event: [event.copy(published_at=moved(event.published_at, offset))]


def played(topology: Topology) -> World:
    """Replayed and live deliveries: one subscriber from the start, one from the middle."""
    steps: list[Step] = [
        SubscribeStep(0, "late", SIDES, "run:r1", 2),
        *(CommandStep(0, "main", Command("append", "r1", event_type="note", payload=f'{{"n":{n}}}')) for n in range(3)),
    ]
    return World.played(run_plan(*steps, topology=topology))


def logs_moved(world: World, authority: str, offset: timedelta) -> None:
    """The log of one authority tells its instants by another clock."""
    for page in world.pages:
        if page.row["service"] == f"authority/{authority}":
            page.rows = [row.copy(published_at=moved(row.published_at, offset)) for row in page.rows]


def divergences(recording: Recording) -> set[str]:
    """The checks that found a divergence."""
    return {one.check for one in judge_recording(recording).findings if one.grade is Grade.DIVERGENCE}


def phases(history: History) -> dict[Side, list[int]]:
    """When each delivery came, by side."""
    return {side: history.sides[side].phase.tolist() for side in SIDES}


@pytest.mark.parametrize("offsets", [(DAY, -DAY), (timedelta(), DAY), (timedelta(), -DAY)])
def test_two_authorities_days_apart_are_at_parity(tmp_path: Path, offsets: tuple[timedelta, timedelta]) -> None:
    """Isolated: each lane tells the instants of its own authority, and they are not compared across."""
    honest = load_history(played(Topology.ISOLATED).write(tmp_path / "honest"))
    world = played(Topology.ISOLATED)
    for side, offset in zip(SIDES, offsets, strict=True):
        logs_moved(world, Topology.ISOLATED.authority_of(side), offset)
        bent(world, side, by(offset))
    recording = world.write(tmp_path / "recording")
    apart = load_history(recording)

    assert Verdict.PARITY is judge_recording(recording).record.verdict
    assert phases(honest) == phases(apart)
    assert {Phase.REPLAY, Phase.LIVE} <= {Phase(one) for side in SIDES for one in np.unique(apart.sides[side].phase)}


def test_one_authority_a_day_off_is_at_parity(tmp_path: Path) -> None:
    """Mirrored: the clock of the one authority is not that of the harness, and nobody holds it against it."""
    world = played(Topology.MIRRORED)
    logs_moved(world, "shared", DAY)
    for side in SIDES:
        bent(world, side, by(DAY))

    assert Verdict.PARITY is judge_recording(world.write(tmp_path / "recording")).record.verdict


@pytest.mark.parametrize("side", SIDES)
def test_a_lane_that_moves_instants_is_found_where_one_log_feeds_both(tmp_path: Path, side: Side) -> None:
    """Mirrored: the instant belongs to the event, so another one is another event."""
    world = played(Topology.MIRRORED)
    bent(world, side, by(DAY))

    assert {"truth.instant", "pair.instant"} == divergences(world.write(tmp_path / "recording"))


class DaysApart(Deployment):
    """Two authorities, the second one two days before the first."""

    async def _start_authority(self, name: str) -> str:
        offset_ms = DAY_MS if name == self.topology.authorities[0] else -DAY_MS
        profile = load_profile("authority-reference")
        self._authority_profile = replace(profile, arguments=(*profile.arguments, f"--clock-offset-ms={offset_ms}"))
        return await super()._start_authority(name)


def live_plan(topology: Topology) -> Plan:
    """A run, a worker and its fleet, read from the start and from the middle."""
    return plans.plan(
        plans.create(),
        plans.register(user=7),
        plans.subscribe("runs"),
        *(plans.append(f'{{"n":{n}}}') for n in range(4)),
        plans.subscribe("later", cursor=2),
        plans.subscribe("workers", "worker:w1", user=7),
        plans.subscribe("fleets", "fleet:7", user=7),
        plans.append('{"n":"last"}'),
        plans.barrier(*STREAMS),
        plans.read(*STREAMS),
        topology=topology,
    )


@pytest.mark.parametrize("topology", list(Topology))
def test_live_authorities_with_wrong_clocks_are_at_parity(tmp_path: Path, topology: Topology) -> None:
    """Real processes, two days apart (isolated) or a day off (mirrored): parity, replayed and live told apart."""
    plan = live_plan(topology)
    tape = new_tape(tmp_path / "recording", plan)

    async def story() -> None:
        deployment = DaysApart(
            topology,
            authority_profile=load_profile("authority-reference"),
            legacy_profile=load_profile("legacy-reference"),
            target_profile=load_profile("target-standin"),
            log_dir=tmp_path / "logs",
            data_dir=tmp_path / "data",
        )
        async with deployment:
            deployment.attach(tape.recorder.event, tape.secrets.add)
            await drive(plan, deployment, tape.recorder)

    run(story, 60.0)
    tape.recorder.close()
    seal(tape.directory)
    recording = open_recording(tape.directory)
    history = load_history(recording)
    first_ns = [int(one.log.rows.published_ns[0]) for one in history.authorities.values()]

    assert set() == divergences(recording)
    assert all({Phase.REPLAY, Phase.LIVE} <= set(told) for told in phases(history).values())
    assert (topology is Topology.ISOLATED) == (max(first_ns) - min(first_ns) > DAY_MS * 1_900_000)
