"""The words that every form of the report shares."""

from dataclasses import replace

import pytest

from harness.model.finding import Blame, FailureClass
from harness.model.run_record import Verdict
from harness.report import words
from tests.report.records import diverged_record, empty_record, parity_record


def test_every_verdict_has_an_advice() -> None:
    """A reader is told what to do with each verdict."""
    assert set(words.ADVICE) == set(Verdict)


def test_every_failure_class_has_a_shape_of_its_own() -> None:
    """No two classes share a shape or a word."""
    assert set(words.CLASS_WORDS) == set(FailureClass)
    assert len(set(words.CLASS_WORDS.values())) == len(FailureClass)


def test_an_unknown_class_is_shown_as_its_number() -> None:
    """A record of a later version is still readable."""
    assert words.class_words(99) == ("?", "class 99")


@pytest.mark.parametrize(("number", "expected"), [(0, "0 findings"), (1, "1 finding"), (1204, "1,204 findings")])
def test_counts_agree_with_their_noun(number: int, expected: str) -> None:
    """One is singular, everything else plural, with thousands separators."""
    assert words.counted(number, "finding") == expected


@pytest.mark.parametrize(
    ("seq", "seq_last", "expected"),
    [
        (None, None, "run:r1"),
        (17, None, "run:r1 · seq 17"),
        (17, 17, "run:r1 · seq 17"),
        (17, 1020, "run:r1 · seq 17 to 1,020"),
    ],
)
def test_a_place_is_as_exact_as_the_finding(seq: int | None, seq_last: int | None, expected: str) -> None:
    """Stream, number, range: what is known is said."""
    assert words.place("run:r1", seq, seq_last) == expected


def test_blame_is_a_predicate_where_somebody_is_wrong() -> None:
    """Undecided and nobody accuse nobody."""
    assert words.blame_words(Blame.TARGET) == "target wrong"
    assert words.blame_words(Blame.UNDECIDED) == "undecided"


def test_divergences_and_explained_classes_are_told_apart() -> None:
    """Every class is in exactly one of the two lists."""
    record = diverged_record()

    assert len(words.divergences(record)) == 2
    assert len(words.explained(record)) == 1
    assert words.first_divergence(record) == record.classes[0]
    assert words.first_divergence(parity_record()) is None


def test_problems_come_before_the_reasons_of_scenarios() -> None:
    """What could not be judged at all is the first thing to know."""
    record = replace(diverged_record(), problems=empty_record().problems)

    assert words.reasons(record)[0] == empty_record().problems[0]
    assert words.reasons(record)[1] == "resume_every_cursor.mirrored: 3 findings diverge"


def test_a_partial_run_says_so_beside_its_verdict() -> None:
    """A selection never passes for the whole catalogue."""
    record = replace(parity_record(), partial="3 of 18 scenarios")

    assert words.verdict_words(record) == "PARITY of 3 of 18 scenarios (partial)"
    assert words.verdict_words(parity_record()) == "PARITY"


def test_scenarios_at_parity_are_counted() -> None:
    """One of the two scenarios of the diverged run is at parity."""
    assert words.at_parity(diverged_record()) == 1


def test_an_exhibit_is_found_by_its_fingerprint() -> None:
    """A class without a layout has none, and that is no error."""
    record = diverged_record()

    assert words.exhibit_of(record, record.classes[0].fingerprint) == record.exhibits[0]
    assert words.exhibit_of(record, "0" * 12) is None
