"""The findings of one check, however many it makes: examples kept whole, everything else counted.

A lane that is wrong everywhere makes as many findings as there are events, and a lane that is wrong in a new place
every time makes as many classes. Neither may cost more memory than a report can show. What is not kept is counted, so
that no sum depends on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from harness.model.finding import Finding

EXAMPLES_MAX = 100
"""Findings of one class that are kept whole, whatever they are about."""
STREAMS_MAX = 1_000
"""Streams of one class that are told apart: the first finding of each of them is kept whole too."""
CLASSES_MAX = 100
"""Classes of one check that are told apart. A class is named by a path and a stream that a lane may have made up."""
ELSEWHERE = "…"
"""Stands for the path of all findings whose class is one too many."""

_Key = tuple[object, ...]


@dataclass(slots=True)
class _Class:
    """What is known of one class: how many examples were kept, of which streams, and what stands for the others."""

    examples: int = 0
    streams: set[str] = field(default_factory=set)
    folded: Finding | None = None

    def is_example(self, finding: Finding) -> bool:
        """Whether the finding is to be kept whole."""
        if self.examples < EXAMPLES_MAX:
            return True
        return len(self.streams) < STREAMS_MAX and finding.stream not in self.streams

    def fold(self, finding: Finding) -> None:
        """Counts a finding that is not kept; the first of them lends its words to all."""
        if self.folded is None:
            self.folded = replace(finding, frames=(), seen=())
        else:
            self.folded = replace(self.folded, count=self.folded.count + finding.count)

    def closing(self) -> Iterator[Finding]:
        """What stands for everything that was not kept."""
        if self.folded is not None:
            words = f"{self.folded.count:,} beside the {self.examples:,} shown, the first: {self.folded.message}"
            yield replace(self.folded, message=words)


class Ledger:
    """Takes the findings of one check in their order."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._classes: dict[_Key, _Class] = {}

    def add(self, finding: Finding) -> None:
        """Keeps a finding, or counts it."""
        key: _Key = (finding.fingerprint, finding.rule)
        if key not in self._classes and len(self._classes) >= CLASSES_MAX:
            finding = replace(finding, stream="", path=ELSEWHERE if finding.path else "")
            key = (finding.fingerprint, finding.rule)
        known = self._classes.setdefault(key, _Class())
        if known.is_example(finding):
            self._kept.append(finding)
            known.examples += 1
            known.streams.add(finding.stream)
        else:
            known.fold(finding)

    def findings(self) -> tuple[Finding, ...]:
        """The examples in the order in which they came, then one finding a class that has more than those.

        The sum of `count` over them is the sum over everything that was added.
        """
        return (*self._kept, *(finding for one in self._classes.values() for finding in one.closing()))
