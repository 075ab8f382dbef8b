"""A run as phases: recorded side by side with what could not be, claimed, judged, rendered."""

from dataclasses import replace
from pathlib import Path

import pytest

import harness.session
from harness.catalogue.catalogue import Selection, select
from harness.model.errors import UsageError
from harness.model.names import Topology
from harness.model.plan import Plan, Setting
from harness.model.run_record import Verdict
from harness.session import STANDARD, Profiles, Repeat, Session, analyze, record_run

PROFILES = Path(harness.__file__).parent / "lanes" / "profiles"


def changed_profile(directory: Path, name: str, old: str, new: str) -> str:
    """A copy of a shipped profile with one text replaced."""
    text = (PROFILES / f"{name}.toml").read_text()
    assert old in text
    file = directory / f"{name}.toml"
    file.write_text(text.replace(old, new))
    return str(file)


def test_lane_that_does_not_start_leaves_the_run_without_answer(tmp_path: Path) -> None:
    """A plan whose lane cannot start is said while it runs, and the judge answers COULD NOT RUN with its name."""
    broken = changed_profile(tmp_path, "target-standin", "harness.reference.spacetime", "harness.reference.nothing")
    said: list[str] = []
    selection = select(["retry-and-conflict.mirrored"])
    record_run(tmp_path / "run", selection, Repeat(profiles=Profiles(target=broken)), said.append)
    record = analyze(tmp_path / "run")

    assert record.verdict is Verdict.COULD_NOT_RUN
    assert any("could not run" in line for line in said)
    assert record.problems[0].startswith("retry-and-conflict.mirrored: lane/target")


@pytest.mark.parametrize(
    ("profile", "module", "defect", "blame"),
    [
        ("legacy-reference", "legacy", "drop_nth_live", "legacy"),
        ("target-standin", "target", "drop_nth_live", "target"),
        ("authority-reference", "authority", "log_omits_accepted", "authority"),
    ],
)
def test_live_defect_is_found_and_blamed(tmp_path: Path, profile: str, module: str, defect: str, blame: str) -> None:
    """A lane or authority that really misbehaves is DIVERGED, and nobody else is blamed."""
    broken = changed_profile(tmp_path, profile, "arguments = []", f'arguments = ["--defect", "{defect}"]')
    profiles = Profiles(**{module: broken})
    record_run(tmp_path / "run", select(["late-joiners.mirrored"]), Repeat(profiles=profiles), lambda _: None)
    record = analyze(tmp_path / "run")

    assert record.verdict is Verdict.DIVERGED
    assert {blame} == {row.blame for row in record.classes if row.grade == "divergence"}
    assert all(exhibit.reproduce.endswith(f" --{module} {broken}") for exhibit in record.exhibits)


def test_plans_share_lanes_unless_their_workers_meet(tmp_path: Path) -> None:
    """Two plans with runs only are recorded over the same processes; one whose worker was used before gets new ones."""
    with Session(tmp_path, STANDARD) as session:
        logs = tmp_path / "lanes"
        (worker,) = select(["single-run"], [Topology.MIRRORED]).plans
        (plain,) = select(["retry-and-conflict"], [Topology.MIRRORED]).plans
        session.record(worker)
        session.record(plain)
        shared = len(list(logs.iterdir()))
        (tmp_path / "recordings" / worker.name).rename(tmp_path / "first")
        session.record(worker)

        assert (1, 2) == (shared, len(list(logs.iterdir())))


def with_settings(plan: Plan, *settings: Setting) -> Plan:
    return replace(plan, scenario=f"{plan.scenario}-{len(settings)}", settings=settings)


def test_plans_with_other_settings_get_other_lanes(tmp_path: Path) -> None:
    """Equal settings share lanes whatever their order; others do not, and lanes without settings are kept beside."""
    small = (Setting("legacy", "retention_events", 8), Setting("target", "retention_events", 8))
    (plain,) = select(["retry-and-conflict"], [Topology.MIRRORED]).plans
    started: list[int] = []
    with Session(tmp_path, STANDARD) as session:
        logs = tmp_path / "lanes"
        for plan in (plain, with_settings(plain, *small), replace(plain, scenario="x", settings=small[::-1])):
            session.record(plan)
            started.append(len(list(logs.iterdir())))
        session.record(replace(plain, scenario="y"))
        started.append(len(list(logs.iterdir())))

    assert [1, 2, 2, 2] == started


def test_plan_that_the_profiles_cannot_serve_is_a_counted_skip(tmp_path: Path) -> None:
    """A knob that no profile has leaves the plan out: it is named, counted, and the run is partial."""
    bare = changed_profile(tmp_path, "legacy-reference", 'retention_events = "--retention-events"\n', "")
    (plain,) = select(["retry-and-conflict"], [Topology.MIRRORED]).plans
    small = with_settings(plain, Setting("legacy", "retention_events", 8))
    said: list[str] = []
    record_run(tmp_path / "run", Selection((plain, small), 2, ()), Repeat(profiles=Profiles(legacy=bare)), said.append)
    record = analyze(tmp_path / "run")

    assert said[0].startswith(f"skipped {small.name}: legacy.retention_events has to be set, and the knobs of")
    assert "1 of 2 plans are skipped, since these profiles lack what they need" == said[1]
    assert (Verdict.PARITY, "1 of 2 scenarios") == (record.verdict, record.partial)


def test_run_of_nothing_but_skips_is_not_green(tmp_path: Path) -> None:
    """Where no plan could run, nothing was compared."""
    (plain,) = select(["retry-and-conflict"], [Topology.MIRRORED]).plans
    impossible = with_settings(plain, Setting("target", "replay_budget_events", 8))
    record_run(tmp_path / "run", Selection((impossible,), 1, ()), Repeat(), lambda _: None)
    record = analyze(tmp_path / "run")

    assert (Verdict.UNKNOWN, "0 of 1 scenarios") == (record.verdict, record.partial)


def test_run_directory_is_never_used_twice(tmp_path: Path) -> None:
    """A second run into the same directory is refused before anything starts."""
    selection = select(["retry-and-conflict.mirrored"])
    (tmp_path / "request.json").write_text("{}")

    with pytest.raises(UsageError, match="never written again"):
        record_run(tmp_path, selection, Repeat(), lambda _: None)


def test_repeat_command_says_what_was_chosen() -> None:
    """The line that repeats a run names scenarios, topology, seed and every profile that is not the standard one."""
    profiles = Profiles(legacy="my lane.toml")

    assert "parity run" == Repeat().command
    assert (
        "parity run a --topology mirrored --seed 3 --legacy 'my lane.toml'"
        == Repeat(("a",), "mirrored", 3, profiles).command
    )
