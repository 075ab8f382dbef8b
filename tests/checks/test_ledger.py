"""Findings kept and counted."""

from hypothesis import given
from hypothesis import strategies as st

from harness.checks.ledger import CLASSES_MAX, ELSEWHERE, EXAMPLES_MAX, STREAMS_MAX, Ledger
from harness.model.finding import Blame, FailureClass, Finding
from harness.model.names import Side


def finding(stream: str = "run:r1", path: str = "", count: int = 1, rule: str | None = None) -> Finding:
    """A finding of one check."""
    who = Blame.of(Side.TARGET)
    return Finding(
        "x", FailureClass.BODY, who, (Side.TARGET,), stream, "a body differs", path=path, count=count, rule=rule
    )


def kept(findings: list[Finding]) -> tuple[Finding, ...]:
    """What a ledger makes of them."""
    ledger = Ledger()
    for one in findings:
        ledger.add(one)
    return ledger.findings()


def test_a_few_findings_stay_as_they_came() -> None:
    """Up to the bound of a class, nothing is folded and the order is kept."""
    findings = [finding(path=f"$.p{number % 3}", count=number + 1) for number in range(EXAMPLES_MAX)]

    assert tuple(findings) == kept(findings)


def test_what_is_too_many_is_one_finding_with_its_count() -> None:
    """The last finding of a class stands for all that are not shown, and says so."""
    found = kept([finding(count=2)] * (EXAMPLES_MAX + 5))

    assert EXAMPLES_MAX + 1 == len(found)
    assert (10, f"10 beside the {EXAMPLES_MAX} shown, the first: a body differs") == (
        found[-1].count,
        found[-1].message,
    )
    assert found[0].fingerprint == found[-1].fingerprint


def test_every_stream_has_an_example() -> None:
    """A stream that comes late is not hidden by those before it, up to a bound."""
    found = kept([finding()] * 1_000 + [finding(f"run:{number}") for number in range(2 * STREAMS_MAX)])

    assert STREAMS_MAX == len({one.stream for one in found[:-1]})
    assert 1_000 + 2 * STREAMS_MAX == sum(one.count for one in found)


def test_classes_beyond_the_bound_are_one() -> None:
    """A lane that is wrong in a new place every time fills no report."""
    found = kept([finding(f"kind{number}:x", f"$.p{number}") for number in range(10 * CLASSES_MAX)])

    assert CLASSES_MAX + 1 == len({one.fingerprint for one in found})
    assert ("", ELSEWHERE) == (found[-1].stream, found[-1].path)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["", "$.a", "$.b"]), st.integers(1, 9)), max_size=400),
    st.sampled_from([None, "a rule"]),
)
def test_no_count_is_lost(told: list[tuple[int, str, int]], rule: str | None) -> None:
    """Whatever is folded, the sum of counts is that of all findings, rule by rule."""
    findings = [finding(f"run:{stream}", path, count, rule) for stream, path, count in told]

    assert sum(one.count for one in findings) == sum(one.count for one in kept(findings) if one.rule == rule)
