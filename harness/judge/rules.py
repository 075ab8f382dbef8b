"""What the contract permits although a check noticed it. A finding is graded, never removed."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from harness.checks.answers import BUDGET_IS_POLICY, MOVING_WINDOW
from harness.checks.lane import EVICTION, SAME_BODY_REPEAT
from harness.checks.positions import UNEQUAL_WINDOWS
from harness.model.finding import FailureClass, Finding, Grade
from harness.model.run_record import RuleHits

REASONS = {
    SAME_BODY_REPEAT: "delivery is at least once: the same event may come again, above the cursor asked for",
    EVICTION: "a lane may put off a slow consumer, who comes back and reaches its end",
    UNEQUAL_WINDOWS: "the profiles declare unequal windows, and each lane keeps its own",
    MOVING_WINDOW: "while writers go on, the window of one lane may have moved on before that of the other",
    BUDGET_IS_POLICY: "a replay budget is the policy of clients where the dialect has no stale answer",
}

_PERMITTED = {
    SAME_BODY_REPEAT: FailureClass.DUPLICATE,
    EVICTION: FailureClass.STALE,
    UNEQUAL_WINDOWS: FailureClass.STALE,
    MOVING_WINDOW: FailureClass.STALE,
    BUDGET_IS_POLICY: FailureClass.STALE,
}


def graded(finding: Finding) -> Finding:
    """The finding as `explained` where it proposes a rule that permits its class; else as the divergence it is."""
    if finding.rule is not None and _PERMITTED.get(finding.rule) is finding.failure:
        return replace(finding, grade=Grade.EXPLAINED)
    return replace(finding, rule=None, grade=Grade.DIVERGENCE)


def explaining_hits(findings: Iterable[Finding]) -> tuple[RuleHits, ...]:
    """Every explaining rule and how much it explained, zero included."""
    hits: Counter[str] = Counter()
    for finding in findings:
        if finding.grade is Grade.EXPLAINED and finding.rule is not None:
            hits[finding.rule] += finding.count
    return tuple(RuleHits(rule, reason, hits[rule]) for rule, reason in REASONS.items())


def policy_digest() -> str:
    """`sha256:` + hex over the explaining rules: what is permitted decides a verdict as much as what was seen."""
    text = "\n".join(f"{rule}\x1f{_PERMITTED[rule].name}\x1f{reason}" for rule, reason in REASONS.items())
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
