"""Clause by scenario: what the catalogue claims to exercise, and what nothing of it does."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from harness.catalogue.source import ScenarioSource
from harness.model.clauses import CLAUSES

_WORDS_WIDTH = 42
_LINE_WIDTH = 120


@dataclass(frozen=True, slots=True)
class ClauseClaim:
    """One clause, the scenarios that claim it, and whether a check looks at it: without one a claim is empty."""

    clause: str
    title: str
    scenarios: tuple[str, ...]
    is_checked: bool

    @property
    def is_exercised(self) -> bool:
        """Whether a run of the catalogue can show anything about it."""
        return self.is_checked and bool(self.scenarios)


def coverage(sources: Sequence[ScenarioSource], checked: Collection[str]) -> tuple[ClauseClaim, ...]:
    """Every clause of the contract with its claims; `checked` are the clauses that some check is registered for."""
    return tuple(
        ClauseClaim(
            clause,
            title,
            tuple(source.document["scenario"] for source in sources if clause in source.document["clauses"]),
            clause in checked,
        )
        for clause, title in CLAUSES.items()
    )


def coverage_text(claims: Iterable[ClauseClaim]) -> str:
    """The table as plain lines of at most 120 characters, then every clause that nothing exercises yet, by name."""
    rows = tuple(claims)
    missing = [row for row in rows if not row.is_exercised]
    lines = [line for row in rows for line in _row(row)]
    lines += ["", f"{len(rows) - len(missing)} of {len(rows)} clauses are exercised by the catalogue"]
    if missing:
        lines += [f"nothing exercises these {len(missing)} yet:"]
        lines += [f"  {row.clause:<7} {row.title}" for row in missing]
    return "".join(f"{line}\n" for line in lines)


def _row(row: ClauseClaim) -> Iterator[str]:
    start = f"{row.clause:<7} {row.title:<{_WORDS_WIDTH}} "
    scenarios = ", ".join(row.scenarios) or "–"
    if row.scenarios and not row.is_checked:
        scenarios += " (but no check looks at it)"
    for number, line in enumerate(wrap(scenarios, _LINE_WIDTH - len(start), break_on_hyphens=False)):
        yield (start if number == 0 else " " * len(start)) + line
