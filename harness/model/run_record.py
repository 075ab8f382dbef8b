"""The run record: everything a report may say, and nothing that depends on when it is rendered."""

from dataclasses import dataclass
from enum import StrEnum

from harness.model.errors import ExitCode
from harness.model.finding import Finding


class Verdict(StrEnum):
    """Order of strength: diverged > unknown > parity (architecture, section 6)."""

    PARITY = "parity"
    UNKNOWN = "unknown"
    DIVERGED = "diverged"
    COULD_NOT_RUN = "could_not_run"

    @property
    def exit_code(self) -> ExitCode:
        """What a run that ends with this verdict answers the shell."""
        return {
            Verdict.PARITY: ExitCode.PARITY,
            Verdict.UNKNOWN: ExitCode.INCONCLUSIVE,
            Verdict.DIVERGED: ExitCode.DIVERGED,
            Verdict.COULD_NOT_RUN: ExitCode.COULD_NOT_RUN,
        }[self]

    @property
    def printed(self) -> str:
        """The word that people see: PARITY, INCONCLUSIVE, DIVERGED, COULD NOT RUN."""
        return {
            Verdict.PARITY: "PARITY",
            Verdict.UNKNOWN: "INCONCLUSIVE",
            Verdict.DIVERGED: "DIVERGED",
            Verdict.COULD_NOT_RUN: "COULD NOT RUN",
        }[self]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process of a run *is*, as declared by its profile and by itself."""

    role: str
    """`authority/shared`, `lane/legacy`, `relay/target` …"""
    profile: str
    declared: str
    """For people: "reference implementation of the legacy replay dialect", never "the legacy system"."""
    version: str
    banner: str
    boot_ids: tuple[str, ...]
    digest: str
    """`sha256:` + hex of the code or image that ran; empty when unknown."""


@dataclass(frozen=True, slots=True)
class SideExercise:
    """How much one side was made to show. Counts; `deliveries` counts first deliveries only."""

    side: str
    subscriptions: int
    subscriptions_opened: int
    connections: int
    frames: int
    frames_undecoded: int
    deliveries: int
    deliveries_repeated: int
    deliveries_replay: int
    deliveries_live: int
    deliveries_undetermined: int
    resumes: int
    stale_answers: int
    streams: int


@dataclass(frozen=True, slots=True)
class CommandExercise:
    """How the commands of one authority ended; `logged` counts rows of its event log."""

    authority: str
    sent: int
    accepted: int
    repeated: int
    refused: int
    indefinite: int
    logged: int
    retried: int = 0
    """Commands that were sent more than once, because no answer came."""


@dataclass(frozen=True, slots=True)
class FaultExercise:
    """One fault of the plan: whether it took effect, what went on meanwhile, and whether everything came back."""

    name: str
    kind: str
    subject: str
    """`lane/target`, `authority/shared`, `wire/legacy` …"""
    proof: str
    """What was seen of it; empty when nothing was."""
    healed: bool
    """It is over; true also where it ends by itself."""
    live_after: bool
    """A later barrier was reached by every open subscription and every feed."""
    problem: str
    """Why it was not proven or could not be ended, else empty."""
    lasted_ms: int | None
    """From its beginning to its end; None where one of them was not noted."""
    commands: int
    """Commands and sentinels that were under way while it was going on."""


@dataclass(frozen=True, slots=True)
class FloorResult:
    """A least amount that must have been seen for parity to mean anything."""

    measure: str
    side: str
    """`legacy`, `target` or empty where it belongs to no side."""
    needed: int
    seen: int

    @property
    def held(self) -> bool:
        """Whether enough was seen."""
        return self.seen >= self.needed


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check did: rows it consumed, findings it made, and whether it crashed."""

    check: str
    rule: str
    """The check's rule as one sentence."""
    clauses: tuple[str, ...]
    rows: int
    rows_needed: int
    findings: int
    explained: int
    crashed: str = ""


@dataclass(frozen=True, slots=True)
class RuleHits:
    """A normalisation or explaining rule and how often it applied, zero included."""

    rule: str
    reason: str
    hits: int


@dataclass(frozen=True, slots=True)
class CursorRow:
    """Positions of one stream at the end of a scenario; None = not reported."""

    stream: str
    log_head: int | None
    legacy_head: int | None
    target_head: int | None
    legacy_floor: int | None
    target_floor: int | None
    legacy_delivered: int | None
    target_delivered: int | None


@dataclass(frozen=True, slots=True)
class NeighbourCell:
    """One oracle's value at one sequence number: `mark` is present, missing, changed, duplicate, reordered."""

    mark: str
    kind: str
    body: str
    """Canonical JSON, shortened; empty when missing."""
    digest: str


@dataclass(frozen=True, slots=True)
class NeighbourRow:
    """One sequence number seen by the three oracles."""

    seq: int
    hit: bool
    log: NeighbourCell
    legacy: NeighbourCell
    target: NeighbourCell


@dataclass(frozen=True, slots=True)
class FrameExcerpt:
    """The bytes behind a finding: where they are and how they begin."""

    side: str
    connection: int
    frame: int
    direction: str
    text: str
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A divergence laid out for a reader: the aligned neighbourhood and the frames behind it."""

    fingerprint: str
    scenario: str
    finding: Finding
    neighbourhood: tuple[NeighbourRow, ...]
    differing_paths: tuple[str, ...]
    frames: tuple[FrameExcerpt, ...]
    reproduce: str


@dataclass(frozen=True, slots=True)
class DivergenceClass:
    """All findings of one fingerprint."""

    fingerprint: str
    check: str
    failure: int
    failure_name: str
    blame: str
    grade: str
    rule: str
    count: int
    scenarios: tuple[str, ...]
    streams: int
    first_scenario: str
    first_stream: str
    first_seq: int | None
    message: str
    suffers: str
    clauses: tuple[str, ...]
    stages: tuple[str, ...] = ()
    """Where its events were lost, in order of appearance; empty where it is not about a loss."""


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """What one recording showed."""

    name: str
    """`<scenario>.<topology>`."""
    scenario: str
    topology: str
    title: str
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is not parity, as sentences; empty for parity."""
    clauses: tuple[str, ...]
    seed: int
    plan_digest: str
    recording_digest: str
    recorded_at: str
    """Wall-clock anchor of the recording, RFC 3339 UTC."""
    duration_ms: int
    identities: tuple[Identity, ...]
    commands: tuple[CommandExercise, ...]
    sides: tuple[SideExercise, ...]
    floors: tuple[FloorResult, ...]
    checks: tuple[CheckResult, ...]
    rules: tuple[RuleHits, ...]
    cursors: tuple[CursorRow, ...]
    findings: int
    explained: int
    stall_ms_max: int
    faults: tuple[FaultExercise, ...] = ()


@dataclass(frozen=True, slots=True)
class ClauseCell:
    """One clause in one scenario: `parity`, `diverged`, `unknown` or `not exercised`."""

    clause: str
    scenario: str
    state: str
    checks: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class GapRow:
    """A field of the delivered envelope and what the proto contracts carry of it (contract, 5.2a)."""

    field: str
    v1: str
    v2: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The judged run: a pure function of (recordings, policy, harness version)."""

    format: str
    """`lane-parity/verdict/1`."""
    run_id: str
    harness_version: str
    harness_commit: str
    verdict: Verdict
    exit_code: int
    headline: str
    """One sentence with the numbers that carry the verdict."""
    partial: str
    """`3 of 18 scenarios` when a selection was run, else empty."""
    recorded_at: str
    run_digest: str
    """`sha256:` + hex over plan digests, recording digests, policy and harness version."""
    policy_digest: str
    repeat_command: str
    scenarios: tuple[ScenarioRecord, ...]
    clauses: tuple[ClauseCell, ...]
    classes: tuple[DivergenceClass, ...]
    exhibits: tuple[Exhibit, ...]
    contract_gap: tuple[GapRow, ...]
    problems: tuple[str, ...]
    """Recordings that could not be judged (damaged, missing), as sentences with the next step."""
