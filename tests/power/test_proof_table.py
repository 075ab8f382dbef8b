"""What was proved, as people and machines read it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.registry import CHECKS
from harness.model.finding import Blame, FailureClass, Grade
from harness.power.operators import OPERATORS
from harness.power.proof import Proof, Sighting
from harness.power.proof_table import DECLARED_COLUMNS, declared_row, power_json, power_markdown, power_text
from harness.power.proving import Power, skipped

DOCUMENT = Path(__file__).parents[2] / "docs" / "operators.md"
SEEN = Sighting("lane.contiguity", FailureClass.MISSING, Blame.LEGACY, Grade.DIVERGENCE, 1, "4 is missing")
DROPPED = Proof("drop one delivery", "legacy", "r.mirrored", True, saw=(SEEN,), needs=("lane.contiguity",))
FAILED = replace(DROPPED, side="target", problem="verdict PARITY, needed DIVERGED")
LEFT_OUT = {"large.mirrored": "it has 120,000 frames"}
POWER = Power("run", 7, 2, (DROPPED, FAILED), LEFT_OUT, ("lane.contiguity", "pair.set"))


def cells(line: str) -> tuple[str, ...]:
    """The cells of a row of a table."""
    return tuple(cell.strip() for cell in line.strip("|").split(" | "))


def tables(markdown: str) -> list[list[tuple[str, ...]]]:
    """The rows of each table of a page, its head left out."""
    found: list[list[tuple[str, ...]]] = []
    for block in markdown.split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.startswith("|")]
        if lines:
            found.append([cells(line.removeprefix("| ").removesuffix(" |")) for line in lines[2:]])
    return found


def test_documentation_is_up_to_date_in_what_operators_declare() -> None:
    """`parity prove --write-docs docs/operators.md` was run after the last change of an operator or a check."""
    operators, checks, n_a = tables(DOCUMENT.read_text("utf-8"))

    assert [declared_row(one) for one in OPERATORS] == [row[: len(DECLARED_COLUMNS)] for row in operators]
    assert [check.name for check in CHECKS] == [row[0] for row in checks]
    assert [(one.operator, one.where, one.why) for one in skipped()] == n_a


def test_documentation_shows_every_operator_applied_and_every_check_needed() -> None:
    """A page that was made on too few scenarios would show holes."""
    operators, checks, _ = tables(DOCUMENT.read_text("utf-8"))

    assert [] == [row[0] for row in operators if not any(digit in row[5] for digit in "123456789")]
    assert [] == [row[0] for row in checks if row[1] == "nothing"]


def test_page_has_a_row_an_operator_and_a_row_a_check() -> None:
    """What was proved stands behind what is declared."""
    operators, checks, _ = tables(power_markdown(POWER))

    assert (*declared_row(OPERATORS[0]), "legacy 1, target 1", "lane.contiguity") == operators[0]
    assert [("lane.contiguity", "drop one delivery"), ("pair.set", "nothing")] == checks


def test_terminal_names_what_failed_what_is_idle_and_what_was_left_out() -> None:
    """Every line that keeps the exit code from zero is there."""
    text = power_text(POWER)

    assert "r.mirrored: verdict PARITY, needed DIVERGED" in text
    assert "without pair.set                 nothing is lost" in text
    assert "large.mirrored was left out: it has 120,000 frames" in text
    assert "2 faults planted, 0 had no place, 1 did not come out as declared" in text


@pytest.mark.parametrize(
    ("power", "last"),
    [
        (replace(POWER, proofs=(DROPPED,)), "nothing is lost without pair.set: a check that changes nothing"),
        (
            replace(POWER, proofs=(DROPPED, replace(DROPPED, side="target", applied=False))),
            "record more scenarios: `parity run`",
        ),
        (replace(POWER, proofs=(DROPPED,), checks=("lane.contiguity",)), "1 faults planted, 0 had no place, 0 did not"),
    ],
)
def test_terminal_ends_with_what_is_to_be_done(power: Power, last: str) -> None:
    """A check that changes nothing is named; where a fault had no place, more has to be recorded first."""
    assert power_text(power).splitlines()[-1].startswith(last)


def test_json_says_what_was_seen_and_needed() -> None:
    """Machines get the same, with a format and the exit code."""
    said = json.loads(power_json(POWER))

    assert ("lane-parity/power/1", 1) == (said["format"], said["exit_code"])
    assert {"lane.contiguity": ["drop one delivery"], "pair.set": []} == said["needed"]
    assert ["", "verdict PARITY, needed DIVERGED"] == [proof["problem"] for proof in said["proofs"]]
    assert len(OPERATORS) == len(said["operators"])
