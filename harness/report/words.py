"""The words and numbers that every form of the report shares."""

from harness.model.finding import FailureClass
from harness.model.run_record import DivergenceClass, Exhibit, RunRecord, Verdict

ADVICE = {
    Verdict.PARITY: "Traffic may move, as far as this run exercised it.",
    Verdict.DIVERGED: "Do not move traffic.",
    Verdict.UNKNOWN: "Do not move traffic yet: too little was shown to say that it may.",
    Verdict.COULD_NOT_RUN: "No answer: the run, or a part of it, could not be judged.",
}

CLASS_WORDS = {
    FailureClass.MISSING: ("✕", "missing"),
    FailureClass.DUPLICATE: ("◐", "duplicate"),
    FailureClass.REORDER: ("↕", "reordered"),
    FailureClass.BODY: ("≠", "changed"),
    FailureClass.CURSOR: ("⇥", "cursor"),
    FailureClass.STALE: ("⊘", "stale"),
    FailureClass.SCOPE: ("⊞", "scope"),
    FailureClass.MAPPING: ("⇄", "mapping"),
    FailureClass.RESTART: ("↻", "restart"),
    FailureClass.COMMAND: ("!", "command"),
    FailureClass.SILENCE: ("…", "silence"),
    FailureClass.RECEIPT: ("#", "receipt"),
    FailureClass.VACUOUS: ("∅", "nothing compared"),
}
"""A shape and a word for each class; the shape is never the only carrier."""


def counted(number: int, one: str, many: str = "") -> str:
    """`1 finding`, `1,204 findings`; `many` where the plural is not the singular with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def class_words(failure: int) -> tuple[str, str]:
    """Shape and word of a failure class; an unknown number is shown as that number."""
    try:
        return CLASS_WORDS[FailureClass(failure)]
    except ValueError:
        return "?", f"class {failure}"


def blame_words(blame: str) -> str:
    """Who is wrong, as a predicate: `target wrong`, `both wrong`, `undecided`."""
    return blame if blame in ("undecided", "nobody") else f"{blame} wrong"


def place(stream: str, seq: int | None, seq_last: int | None = None) -> str:
    """`run:r1 · seq 17`, `run:r1 · seq 17 to 20`, or the stream alone."""
    if seq is None:
        return stream or "no stream"
    until = f" to {seq_last:,}" if seq_last is not None and seq_last != seq else ""
    return f"{stream or 'no stream'} · seq {seq:,}{until}"


def divergences(record: RunRecord) -> tuple[DivergenceClass, ...]:
    """The classes that count against the verdict, in the record's order."""
    return tuple(row for row in record.classes if row.grade == "divergence")


def explained(record: RunRecord) -> tuple[DivergenceClass, ...]:
    """The classes that the contract permits, in the record's order."""
    return tuple(row for row in record.classes if row.grade != "divergence")


def first_divergence(record: RunRecord) -> DivergenceClass | None:
    """The class to look at first, if anything diverged."""
    return next(iter(divergences(record)), None)


def exhibit_of(record: RunRecord, fingerprint: str) -> Exhibit | None:
    """The layout of that class's first place, where the record holds one."""
    return next((item for item in record.exhibits if item.fingerprint == fingerprint), None)


def reasons(record: RunRecord) -> tuple[str, ...]:
    """Why the verdict is not parity: what could not be judged, then each scenario's own reasons."""
    own = tuple(f"{item.name}: {reason}" for item in record.scenarios for reason in item.reasons)
    return record.problems + own


def at_parity(record: RunRecord) -> int:
    """How many of the run's scenarios ended at parity."""
    return sum(item.verdict is Verdict.PARITY for item in record.scenarios)


def verdict_words(record: RunRecord) -> str:
    """`PARITY`, or `PARITY of 3 of 18 scenarios (partial)` where a selection was run."""
    return f"{record.verdict.printed} of {record.partial} (partial)" if record.partial else record.verdict.printed
