"""From a run directory to its record, and what keeps it from being green."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.evidence.judged_run import Statement, judged_run, verify
from harness.evidence.run_files import read_request
from harness.model.errors import FormatError
from harness.model.run_record import Verdict
from harness.report.verdict_json import verdict_json

NAME = "single-run.mirrored"


def edit_json(file: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def recording_of(run: Path) -> Path:
    return run / "recordings" / NAME


def lose(run: Path) -> None:
    shutil.rmtree(recording_of(run))


def damage(run: Path) -> None:
    file = recording_of(run) / "frames.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def pad(run: Path, file: str) -> None:
    with (recording_of(run) / file).open("ab") as out:
        out.write(b" ")


def the_problem(run: Path) -> str:
    """The one problem of a run whose other recordings are all right, and which is therefore no parity."""
    record = judged_run(run)
    (problem,) = record.problems

    assert record.verdict is Verdict.COULD_NOT_RUN
    assert NAME not in [scenario.name for scenario in record.scenarios]
    assert len(record.scenarios) == len(read_request(run).plans) - 1
    return problem


def test_untouched_run_is_judged_whole(finished_run: Path) -> None:
    """Every requested recording is in the record, in the order of the request, and nothing is a problem."""
    record = judged_run(finished_run)

    assert list(read_request(finished_run).plans) == [scenario.name for scenario in record.scenarios]
    assert (Verdict.PARITY, ()) == (record.verdict, record.problems)


def test_missing_recording_is_a_problem(finished_run: Path) -> None:
    """What was requested and is not there is said, with the next step."""
    lose(finished_run)

    assert f"{NAME}: was requested and never recorded; run the scenario again" == the_problem(finished_run)


def test_recorded_failure_is_told_in_its_own_words(finished_run: Path) -> None:
    """Where the run knows why there is no recording, that is the reason given."""
    lose(finished_run)
    edit_json(finished_run / "run.json", lambda claim: claim["failures"].update({NAME: "lane/target did not answer"}))

    assert f"{NAME}: lane/target did not answer" == the_problem(finished_run)


def test_damaged_recording_names_the_table_and_those_intact(finished_run: Path) -> None:
    """One flipped bit: the broken table is named, and which ones can still be read."""
    damage(finished_run)
    problem = the_problem(finished_run)

    assert problem.startswith(f"{NAME}: ")
    assert "table frames: " in problem
    assert "intact tables: exchanges, connections, timeline" in problem
    assert str(finished_run) not in problem


def test_recording_of_another_plan_is_a_problem(finished_run: Path) -> None:
    """A recording answers the plan that was requested and no other."""
    seen = read_request(finished_run).plans[NAME]
    edit_json(finished_run / "request.json", lambda request: request["plans"].update({NAME: "sha256:0"}))

    assert f"was recorded for another plan: {seen}, requested was sha256:0" in the_problem(finished_run)


@pytest.mark.parametrize(
    ("change", "claimed"),
    [
        (lambda claim: claim["recordings"][NAME].update(recording="sha256:0"), "sha256:0"),
        (lambda claim: claim["recordings"].pop(NAME), "nothing about it"),
        (lambda claim: claim["recordings"][NAME].pop("recording"), "nothing about it"),
    ],
)
def test_recording_that_is_not_the_claimed_one_is_a_problem(
    finished_run: Path, change: Callable[[Any], None], claimed: str
) -> None:
    """A sound recording under another digest than the claim's is not judged, and both digests are told."""
    digest = json.loads((finished_run / "run.json").read_text())["recordings"][NAME]["recording"]
    edit_json(finished_run / "run.json", change)

    assert f"{NAME}: has digest {digest}, run.json claims {claimed}" in the_problem(finished_run)


def test_run_without_its_claim_is_not_judged(finished_run: Path) -> None:
    """An unfinished run has no record: it must be sealed first."""
    (finished_run / "run.json").unlink()

    with pytest.raises(FormatError, match="parity seal"):
        judged_run(finished_run)


def broken(run: Path) -> list[Statement]:
    """The statements that do not hold."""
    return [statement for statement in verify(run, verdict_json) if not statement.holds]


def test_verify_states_every_recording_and_the_verdict(finished_run: Path) -> None:
    """An honest run has one statement a recording, with rows and digest, and one about the verdict; all hold."""
    statements = verify(finished_run, verdict_json)
    names = list(read_request(finished_run).plans)
    claims = json.loads((finished_run / "run.json").read_text())["recordings"]

    assert [True] * (len(names) + 1) == [statement.holds for statement in statements]
    for name, statement in zip(names, statements, strict=False):
        assert statement.text.startswith(f"{name}: ")
        assert statement.text.endswith(f" rows in 4 tables hash to {claims[name]['recording']}")
    assert "verdict.json is what the recordings give, byte for byte: PARITY" == statements[-1].text


def test_verify_names_a_missing_verdict_and_the_next_step(finished_run: Path) -> None:
    """Sound recordings without a verdict do not verify; the command that judges them is told."""
    (finished_run / "verdict.json").unlink()
    (statement,) = broken(finished_run)

    assert f"verdict.json is missing; run `parity analyze {finished_run}`" == statement.text


def test_verify_compares_the_verdict_byte_for_byte(finished_run: Path) -> None:
    """One more byte in the verdict is a forgery, told with what the recordings do give."""
    with (finished_run / "verdict.json").open("ab") as file:
        file.write(b" ")
    (statement,) = broken(finished_run)

    assert statement.text == (
        f"verdict.json is not what the recordings give: judged again they are {judged_run(finished_run).headline}"
    )


@pytest.mark.parametrize(
    ("forge", "said"),
    [
        (damage, "table frames: "),
        (lose, "holds no recording"),
        (lambda run: edit_json(run / "run.json", lambda claim: claim["recordings"].pop(NAME)), "run.json claims None"),
        (lambda run: pad(run, "manifest.json"), "recording digest is sha256:"),
        (lambda run: pad(run, "plan.json"), "plan.json has digest sha256:"),
    ],
    ids=["table", "recording", "claim", "manifest", "plan"],
)
def test_verify_breaks_the_recording_and_the_verdict_over_it(
    finished_run: Path, forge: Callable[[Path], None], said: str
) -> None:
    """What happened to one recording is told in its own statement; the verdict that counted it falls too."""
    forge(finished_run)
    about_recording, about_verdict = broken(finished_run)

    assert about_recording.text.startswith(f"{NAME}: ")
    assert said in about_recording.text
    assert "verdict.json is not what the recordings give" in about_verdict.text
