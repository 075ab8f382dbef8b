"""Faults and heals, and the plans of them that are refused."""

from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.model.names import Topology
from harness.model.plan import After, BarrierStep, FaultStep, HealStep
from tests.catalogue.planning import READER, RUN, append, planned

BARRIER: dict[str, object] = {"barrier": {}}


def fault(name: object = "f", **more: object) -> dict[str, object]:
    """A fault step."""
    return {"fault": {"name": name, **more}}


def heal(name: str = "f", **more: object) -> dict[str, object]:
    """The step that heals it."""
    return {"heal": {"name": name, **more}}


def wire(kind: str, part: object = "legacy", **more: object) -> dict[str, object]:
    """A fault of a wire where event 2 of `r1` passes."""
    return fault(**{kind: part, "stream": "run:r1", "seq": 2, **more})


@pytest.mark.parametrize(
    ("spelled", "topology", "subjects"),
    [
        ({"kill": "authority"}, Topology.MIRRORED, ["authority/shared"]),
        ({"kill": "authority"}, Topology.ISOLATED, ["authority/legacy", "authority/target"]),
        ({"stop": "target"}, Topology.MIRRORED, ["lane/target"]),
        ({"pause": ["legacy", "target"]}, Topology.MIRRORED, ["lane/legacy", "lane/target"]),
        ({"hold": "legacy relay"}, Topology.ISOLATED, ["relay/legacy"]),
    ],
)
def test_parts_become_subjects(
    tmp_path: Path, spelled: dict[str, object], topology: Topology, subjects: list[str]
) -> None:
    """A part is spelled as people say it; one that stands for several gives a step each, healed by one verb."""
    steps = planned(tmp_path, RUN, fault(**spelled), heal(), topology=topology).steps
    faults = [step for step in steps if isinstance(step, FaultStep)]
    heals = [step for step in steps if isinstance(step, HealStep)]

    assert subjects == [step.fault.subject for step in faults]
    assert [step.name for step in faults] == [step.name for step in heals]
    assert len(subjects) == len({step.name for step in faults})


def test_a_fault_of_the_wire_keeps_where_it_acts(tmp_path: Path) -> None:
    """Subscriber, stream, number and lateness are in the step."""
    steps = planned(tmp_path, RUN, READER, wire("delay", subscriber="reader", delay_ms=50), append(3), heal()).steps

    (found,) = [step.fault for step in steps if isinstance(step, FaultStep)]

    assert ("delay", "wire/legacy", "reader", "run:r1", 2, 50) == (
        found.kind, found.subject, found.subscriber, found.stream, found.seq, found.delay_ms
    )  # fmt: skip


def test_what_is_over_by_itself_needs_no_heal(tmp_path: Path) -> None:
    """A cut connection comes again; the plan's last barrier shows it."""
    steps = planned(tmp_path, RUN, READER, wire("cut"), append(3)).steps

    assert not [step for step in steps if isinstance(step, HealStep)]
    assert isinstance(steps[-2], BarrierStep)


def test_every_heal_is_followed_by_a_barrier(tmp_path: Path) -> None:
    """The barrier that nobody asked for is there, and behind the heal."""
    after = {"stream": "run:r1", "seq": 2}
    steps = planned(tmp_path, RUN, append(3), fault(kill="legacy", after=after), heal(after=after)).steps

    assert ["fault", "heal", "barrier", "read"] == [step.step for step in steps[-4:]]
    assert After("run:r1", 2) == steps[-4].after == steps[-3].after  # type: ignore[union-attr]


def test_the_target_is_killed_with_its_relay_held(tmp_path: Path) -> None:
    """Held, killed, back, released: the order in which nothing that was acknowledged can be lost."""
    steps = [
        fault("still", hold="target relay"),
        fault("crash", kill="target"),
        heal("crash"),
        heal("still"),
    ]

    kinds = [step.step for step in planned(tmp_path, RUN, *steps).steps]

    assert ["command", "fault", "fault", "heal", "heal", "barrier", "read"] == kinds


def test_a_barrier_elsewhere_does_not_mind_a_dead_wire(tmp_path: Path) -> None:
    """A wire is needed only by the barriers of its stream."""
    other = {"create_run": {"run": "r2"}}
    elsewhere = {"barrier": {"streams": ["run:r2"]}}

    plan = planned(tmp_path, RUN, other, READER, wire("stall"), append(3), elsewhere, heal())

    assert [("run:r2",), ("run:r1", "run:r2")] == [step.streams for step in plan.steps if isinstance(step, BarrierStep)]


HELD = fault("still", hold="target relay")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([heal()], "no earlier fault is called 'f'"),
        ([fault(kill="legacy"), heal(), heal()], "is healed already"),
        ([READER, wire("cut"), append(3), heal()], "ends by itself"),
        ([fault(kill="legacy")], "is never healed; add heal: {name: f}"),
        ([fault(kill="legacy"), heal(), fault(stop="legacy")], "was there before"),
        ([fault()], "a fault is one of kill, stop, pause, hold, cut"),
        ([fault(kill="legacy", stop="target")], "seen 2"),
        ([fault(kill="legacy"), fault("g", stop="legacy")], "broken by fault 'f' already"),
        ([fault(hold="legacy")], "only a relay can be held"),
        ([fault(cut="authority", stream="run:r1", seq=1)], "name legacy or target"),
        ([fault(cut="legacy relay", stream="run:r1", seq=1)], "name legacy or target"),
        ([fault(kill="moon")], "is not valid under any"),
        # barriers
        ([fault(kill="legacy"), BARRIER, heal()], "a barrier needs lane/legacy"),
        ([fault(kill="authority"), BARRIER, heal()], "a barrier needs authority/shared"),
        ([fault(hold="legacy relay"), BARRIER, heal()], "a barrier needs relay/legacy"),
        ([READER, wire("half_open"), append(3), BARRIER, heal()], "a barrier needs wire/legacy"),
        # the target
        ([fault(kill="target"), heal()], "hold the target relay before"),
        ([fault("g", hold="legacy relay"), fault(kill="target"), heal(), heal("g")], "hold the target relay before"),
        ([HELD, fault(kill="target"), heal("still"), heal()], "heal the target before"),
        # where a wire breaks
        ([READER, fault(cut="legacy")], "give stream and seq"),
        ([READER, fault(cut="legacy", stream="run:r1")], "give stream and seq"),
        ([READER, wire("cut", stream="run:r2")], "does not exist yet"),
        ([READER, wire("cut", subscriber="nobody")], "'nobody' never read run:r1"),
        (
            [{"subscribe": {"subscriber": "a", "stream": "run:r1", "sides": ["target"]}}, wire("cut", subscriber="a")],
            "'a' is not open on legacy",
        ),
        ([READER, wire("delay")], "delay needs delay_ms"),
        ([READER, wire("stall", delay_ms=5)], "delay needs delay_ms, and nothing else"),
        ([fault(kill="legacy", stream="run:r1", seq=1)], "say with 'after' when"),
        # positions
        ([append(3), fault(kill="legacy", after={"stream": "run:r1", "seq": 9})], "never comes"),
        ([append(3), fault(kill="authority"), heal(after={"stream": "run:r1", "seq": 2})], "authority is down"),
    ],
)
def test_impossible_fault_is_refused(tmp_path: Path, steps: list[dict[str, object]], said: str) -> None:
    """A plan that would wait for what is broken, or break what cannot be mended, is refused with its line."""
    with pytest.raises(UsageError, match=said) as refusal:
        planned(tmp_path, RUN, *steps)

    assert str(refusal.value).startswith(f"{tmp_path}/x.yaml:")
