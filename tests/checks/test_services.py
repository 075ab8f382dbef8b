"""The processes of a run."""

from pathlib import Path

import pytest

from harness.model.finding import FailureClass
from harness.model.names import Side
from harness.model.plan import FaultKind
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found
from tests.striking import Unmoved, outage, struck


@pytest.mark.parametrize(
    ("subject", "side", "blame"),
    [
        ("lane/target", Side.TARGET, "target"),
        ("relay/legacy", Side.LEGACY, "feed of legacy"),
        ("authority/shared", None, "authority"),
    ],
)
def test_service_that_dies_unplanned_is_found(tmp_path: Path, subject: str, side: Side | None, blame: str) -> None:
    """A process that was ready and died is silence of whoever it belongs to."""

    def bend(world: World) -> None:
        world.note("service_died", subject, side, exit_code=-9, log_tail="last words")

    said = bent(bend, tmp_path)

    assert [FailureClass.SILENCE] == [one.failure for one in said["services.alive"]]
    assert {blame} == blames(said)


def died(subject: str, kind: FaultKind, during: bool, victim: str, directory: Path) -> list[str]:
    """Who is found to have died when `victim` dies during, or after, a fault of `subject`."""
    world = Unmoved.played(run_plan(*outage(subject, kind)))
    struck(world, 2, 4)
    at_ns = world.answers("command")[3 if during else 5]["sent_ns"]
    world.noted("service_died", victim, at_ns, exit_code=-9)
    return [one.message.partition(" died")[0] for one in found(world, directory).get("services.alive", [])]


@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_planned_end_is_no_death(tmp_path: Path, kind: FaultKind) -> None:
    """What the plan kills or stops did not die, as long as that fault goes on."""
    assert [] == died("lane/target", kind, True, "lane/target", tmp_path)


def test_death_beside_or_after_a_planned_one_is_found(tmp_path: Path) -> None:
    """A fault excuses its own subject and its own time; a held relay that dies was not asked to."""
    assert ["relay/target"] == died("lane/target", "kill", True, "relay/target", tmp_path / "beside")
    assert ["lane/target"] == died("lane/target", "kill", False, "lane/target", tmp_path / "after")
    assert ["relay/legacy"] == died("relay/legacy", "hold", True, "relay/legacy", tmp_path / "held")
