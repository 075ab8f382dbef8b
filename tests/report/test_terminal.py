"""The terminal summary."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from harness.model.run_record import RunRecord, Verdict
from harness.report.terminal import terminal_summary
from tests.report.any_record import RUN_RECORDS
from tests.report.records import diverged_record, empty_record, parity_record, with_every_text


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (parity_record(), "PARITY"),
        (diverged_record(), "DIVERGED"),
        (empty_record(), "COULD NOT RUN"),
        (replace(parity_record(), verdict=Verdict.UNKNOWN), "INCONCLUSIVE"),
        (replace(parity_record(), partial="3 of 18 scenarios"), "PARITY of 3 of 18 scenarios (partial)"),
    ],
)
def test_the_verdict_is_the_first_line(record: RunRecord, word: str) -> None:
    """Nobody has to look for it."""
    assert terminal_summary(record).splitlines()[0] == word


def test_the_first_divergence_has_its_place_and_its_command() -> None:
    """Class, blame, place, what each oracle had, and how to see it again."""
    text = terminal_summary(diverged_record())

    assert f"finding-{diverged_record().classes[0].fingerprint}" in text
    assert "≠ changed, target wrong" in text
    assert "at    run:r1 · seq 17 in resume_every_cursor.mirrored" in text
    assert 'target  "1250000"' in text
    assert "again parity run resume_every_cursor --seed 1187" in text


def test_the_line_that_repeats_the_run_is_the_last() -> None:
    """It can be copied from the end of a log."""
    assert terminal_summary(parity_record()).splitlines()[-1] == "repeat      parity run --seed 1187"


def test_without_parity_the_reasons_stand_there() -> None:
    """What could not be judged is said, and what to do next with it."""
    text = terminal_summary(empty_record())

    assert "why\n  single_run.mirrored: frames.parquet is damaged; record the run again\n" in text


def test_many_reasons_are_counted() -> None:
    """The terminal shows eight reasons and the number of the others."""
    text = terminal_summary(replace(empty_record(), problems=tuple(f"problem {n}" for n in range(20))))

    assert "problem 7\n" in text
    assert "and 12 more reasons, listed in the report" in text


def test_no_text_of_a_lane_reaches_the_terminal_as_a_command() -> None:
    """Escape sequences, bells, carriage returns and reorderings are shown as code points."""
    text = terminal_summary(with_every_text(diverged_record(), "\x1b[2J\x07\r\u202e\ud800"))

    assert text.replace("\n", "").isprintable()
    assert "⟨U+001B⟩" in text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(RUN_RECORDS)
def test_any_record_can_be_summed_up(record: RunRecord) -> None:
    """Whatever the types allow gives printable lines."""
    text = terminal_summary(record)

    assert text.endswith("\n")
    assert text.replace("\n", "").isprintable()
