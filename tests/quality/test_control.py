"""The control: what nobody touched is parity, every time."""

from pathlib import Path

import pytest

from conftest import Record
from harness.catalogue.catalogue import select
from harness.judge.verdict import judge_recording
from harness.model.names import Topology
from harness.model.run_record import Verdict
from harness.power.tape import Tape
from harness.recording.reader import open_recording
from harness.session import Profiles, Session

SEAMS = Path(__file__).with_name("seams.yaml")
SEEDS = range(1, 51)


@pytest.mark.parametrize("topology", list(Topology))
def test_fifty_seeds_in_a_row_are_parity(tmp_path: Path, topology: Topology) -> None:
    """Fifty sets of payloads and of places to join: no finding, explained or not, in either topology."""
    seen = []
    with Session(tmp_path, Profiles()) as session:
        for seed in SEEDS:
            (plan,) = select([str(SEAMS)], [topology], seed).plans
            directory = session.record(plan)
            judged = judge_recording(open_recording(directory))
            seen.append((seed, judged.record.verdict, [finding.message for finding in judged.findings]))
            directory.rename(tmp_path / f"seed-{seed}")

    assert [(seed, Verdict.PARITY, []) for seed in SEEDS] == seen


def test_one_plan_and_seed_twice_give_the_same_verdict(recorded: Record, tmp_path: Path) -> None:
    """Two runs of one plan have the same plan digest and the same verdict."""
    first = recorded("single-run.mirrored")
    with Session(tmp_path, Profiles()) as session:
        second = open_recording(session.record(first.plan))

    assert first.plan.digest == second.plan.digest
    assert first.digest != second.digest
    assert judge_recording(first).record.verdict is judge_recording(second).record.verdict is Verdict.PARITY


def test_tape_that_nobody_cut_plays_the_same(recorded: Record, tmp_path: Path) -> None:
    """Opening a recording for cutting and sealing it again changes no captured byte and no verdict."""
    original = recorded("single-run.mirrored")
    Tape(original).write(tmp_path / "copy")
    copy = open_recording(tmp_path / "copy")

    assert original.table("frames").column("data").equals(copy.table("frames").column("data"))
    assert judge_recording(original).findings == judge_recording(copy).findings == ()
