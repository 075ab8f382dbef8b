"""The named rules of the comparison, each with how often it applied, zero included (architecture, 5; contract, 14).

They never touch the derived stream key, seq, kind, error codes or carried hashes, and they never respell a payload.
"""

import json

from harness.model.run_record import RuleHits

VOLATILE_MEMBER = "heartbeat_age_ms"
VOLATILE_STREAMS = ("worker", "fleet")

REASONS = {
    "run alias": "a run is known by its plan name, bound by the answer to the command that created it",
    "stream mapping": "a stream id stands for a topic; sequence numbers map one to one",
    "stored envelope": "the target stores the whole envelope: the body is the payload inside it",
    "published_at spelling": "`Z` and `+00:00` are one instant; instants are compared, never texts",
    "canonical JSON": "key order and spacing carry no meaning: bodies are compared in canonical form",
    "command attempts": "a command that got no answer is sent again with its key: its attempts are one command",
    "volatile published_at": "two authorities commit at two instants; left out where each lane has its own",
    "volatile heartbeat_age_ms": "an age differs between two authorities; left out of worker and fleet bodies there",
}


def rule_hits(hits: dict[str, int]) -> tuple[RuleHits, ...]:
    """Every rule with its hits; one that is not named in `hits` had none."""
    return tuple(RuleHits(rule, reason, hits.get(rule, 0)) for rule, reason in REASONS.items())


def without_volatile(canonical: bytes) -> bytes:
    """A canonical body with the value of its volatile member taken out; itself where it has none or is no object."""
    try:
        value = json.loads(canonical, parse_float=_Spelled, parse_int=_Spelled)
        if isinstance(value, dict) and VOLATILE_MEMBER in value:
            return repr({**value, VOLATILE_MEMBER: None}).encode()
    except (ValueError, RecursionError):
        pass
    return canonical


class _Spelled(str):
    """A number as it is spelled: two spellings are two values, and no digit is lost."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
