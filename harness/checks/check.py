"""What a check is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.history.history import History
from harness.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract.

    `function` yields what breaks the rule; `rows` counts what it looked at. The clauses count as exercised only where
    it looked at a row at all, and at `rows_needed` at least; that is 0 where the topology or a dialect may leave the
    rule nothing to look at.
    """

    name: str
    rule: str
    """The rule as one sentence."""
    clauses: tuple[str, ...]
    function: Callable[[History], Iterable[Finding]]
    rows: Callable[[History], int]
    rows_needed: int = 1
