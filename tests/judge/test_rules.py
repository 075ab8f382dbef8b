"""What may be explained, and what never is."""

from harness.judge.rules import REASONS, explaining_hits, graded, policy_digest
from harness.model.finding import Blame, FailureClass, Finding, Grade
from harness.model.names import Side


def finding(failure: FailureClass, rule: str | None) -> Finding:
    return Finding("check", failure, Blame.LEGACY, (Side.LEGACY,), "run:r1", "seen", rule=rule, count=3)


def test_rule_explains_only_its_own_class() -> None:
    """A repeat may be explained as a repeat; nothing missing, late or changed ever is."""
    grades = {failure: graded(finding(failure, "same-body repeat")).grade for failure in FailureClass}

    assert [FailureClass.DUPLICATE] == [failure for failure, grade in grades.items() if grade is Grade.EXPLAINED]


def test_unknown_rule_explains_nothing() -> None:
    """A check cannot make up its own excuse."""
    assert (Grade.DIVERGENCE, None) == (
        graded(finding(FailureClass.DUPLICATE, "because")).grade,
        graded(finding(FailureClass.DUPLICATE, "because")).rule,
    )


def test_hits_count_events_and_zeros() -> None:
    """Every rule is listed, used or not."""
    hits = explaining_hits([graded(finding(FailureClass.DUPLICATE, "same-body repeat"))])

    assert {**dict.fromkeys(REASONS, 0), "same-body repeat": 3} == {row.rule: row.hits for row in hits}


def test_policy_has_a_digest() -> None:
    """What is permitted is part of what a verdict is a function of."""
    assert policy_digest().startswith("sha256:")
    assert policy_digest() == policy_digest()
