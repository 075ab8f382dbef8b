"""Findings: what a check saw that should not be, and who is to blame."""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from harness.model.names import Side


class FailureClass(IntEnum):
    """Taxonomy for reports (failure classes sheet)."""

    MISSING = 1
    DUPLICATE = 2
    REORDER = 3
    BODY = 4
    CURSOR = 5
    STALE = 6
    SCOPE = 7
    MAPPING = 8
    RESTART = 9
    COMMAND = 10
    SILENCE = 11
    RECEIPT = 12
    VACUOUS = 13


class Blame(StrEnum):
    """Who answers for a finding (architecture, section 6, blame table)."""

    NOBODY = "nobody"
    LEGACY = "legacy"
    TARGET = "target"
    LEGACY_FEED = "feed of legacy"
    TARGET_FEED = "feed of target"
    FEED = "feed"
    BOTH = "both"
    AUTHORITY = "authority"
    HARNESS = "harness"
    UNDECIDED = "undecided"

    @classmethod
    def of(cls, side: Side) -> "Blame":
        """The lane of that side."""
        return cls.LEGACY if side is Side.LEGACY else cls.TARGET

    @classmethod
    def feed_of(cls, side: Side) -> "Blame":
        """What feeds the lane of that side: its own content lacks the event too."""
        return cls.LEGACY_FEED if side is Side.LEGACY else cls.TARGET_FEED


class Grade(StrEnum):
    """What the judge made of a finding. None is ever removed."""

    DIVERGENCE = "divergence"
    EXPLAINED = "explained"


@dataclass(frozen=True, slots=True)
class Seen:
    """One value as one oracle had it, short enough for a table (bodies are shortened by the check)."""

    oracle: str
    """`log`, `legacy` or `target`."""
    text: str


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Where the bytes are: a frame of a connection in the recording's `frames` table."""

    side: Side
    connection: int
    frame: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the contract wants it."""

    check: str
    failure: FailureClass
    blame: Blame
    sides: tuple[Side, ...]
    stream: str
    message: str
    """One sentence: what was seen, what was needed."""
    seq: int | None = None
    seq_last: int | None = None
    path: str = ""
    """JSON path inside the body, empty where the finding is not about a body."""
    subscription: str = ""
    seen: tuple[Seen, ...] = ()
    frames: tuple[FrameRef, ...] = ()
    clauses: tuple[str, ...] = ()
    suffers: str = ""
    """What a client would suffer."""
    stage: str = ""
    """Where on its way an event was lost, or `ambiguous: …`; empty where the finding is not about a loss."""
    rule: str | None = None
    """The rule of the contract that permits it, proposed by the check; the judge decides."""
    grade: Grade = Grade.DIVERGENCE
    count: int = field(default=1)

    @property
    def fingerprint(self) -> str:
        """12 hex digits naming the class of this finding, equal over runs, seeds and positions."""
        kind = self.stream.partition(":")[0]
        parts = (
            self.check,
            str(int(self.failure)),
            self.blame,
            "+".join(self.sides),
            kind,
            self.path,
            self.grade,
        )
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
