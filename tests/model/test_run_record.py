"""Verdicts and floors."""

import pytest

from harness.model.errors import ExitCode
from harness.model.run_record import FloorResult, Verdict


@pytest.mark.parametrize(
    ("verdict", "word", "code"),
    [
        (Verdict.PARITY, "PARITY", 0),
        (Verdict.DIVERGED, "DIVERGED", 1),
        (Verdict.UNKNOWN, "INCONCLUSIVE", 10),
        (Verdict.COULD_NOT_RUN, "COULD NOT RUN", 11),
    ],
)
def test_verdict_has_the_published_word_and_code(verdict: Verdict, word: str, code: int) -> None:
    """People read the word, pipelines the code (architecture, section 6)."""
    assert (word, code) == (verdict.printed, verdict.exit_code)


def test_only_parity_answers_zero() -> None:
    """Every verdict has a word and a code of its own, and one alone is green."""
    assert [Verdict.PARITY] == [verdict for verdict in Verdict if verdict.exit_code is ExitCode.PARITY]
    assert len(Verdict) == len({verdict.exit_code for verdict in Verdict}) == len({v.printed for v in Verdict})


@pytest.mark.parametrize(("seen", "held"), [(2, False), (3, True), (4, True)])
def test_floor_holds_from_its_number_on(seen: int, held: bool) -> None:
    """Exactly as much as was needed is enough, one less is not."""
    assert held is FloorResult("deliveries", "legacy", needed=3, seen=seen).held
