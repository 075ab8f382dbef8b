"""The end of a run on a terminal: the verdict first, then what carries it, then what to do next."""

from collections.abc import Iterator

from harness.model.run_record import DivergenceClass, RunRecord, Verdict
from harness.report import words
from harness.report.totals import command_total, side_total
from harness.report.visible import clipped

REASONS_MAX = 8
LABEL_WIDTH = 12
VALUE_CHARACTERS_MAX = 400


def terminal_summary(record: RunRecord, report: str = "") -> str:
    """Plain lines, each ended by a newline: no colours, and no control character out of the record.

    `report` is where the HTML report lies; the last line names it.
    """
    place = [f"{'report':<{LABEL_WIDTH}}{report}"] if report else []
    return "".join(f"{line}\n" for line in [*_lines(record), *place])


def _lines(record: RunRecord) -> Iterator[str]:
    yield clipped(words.verdict_words(record), VALUE_CHARACTERS_MAX)
    yield f"{words.ADVICE[record.verdict]} {clipped(record.headline, VALUE_CHARACTERS_MAX)}."
    yield ""
    yield from _numbers(record)
    if record.verdict is not Verdict.PARITY:
        yield from _reasons(record)
    first = words.first_divergence(record)
    if first is not None:
        yield from _first(record, first)
    yield ""
    yield _labelled("run", f"{record.run_id} {record.run_digest}")
    yield f"{'repeat':<{LABEL_WIDTH}}{clipped(record.repeat_command)}"


def _numbers(record: RunRecord) -> Iterator[str]:
    legacy, target = side_total(record, "legacy"), side_total(record, "target")
    commands = command_total(row for scenario in record.scenarios for row in scenario.commands)
    diverged, explained = words.divergences(record), words.explained(record)
    count = sum(row.count for row in diverged)
    classes = words.counted(len(diverged), "class", "classes")
    yield _labelled("scenarios", f"{words.at_parity(record):,} of {len(record.scenarios):,} at parity")
    yield _labelled("commands", f"{commands.accepted:,} accepted of {commands.sent:,} sent")
    yield _labelled("deliveries", f"legacy {legacy.deliveries:,}, target {target.deliveries:,}")
    yield _labelled("resumes", f"legacy {legacy.resumes:,}, target {target.resumes:,}")
    yield _labelled("diverged", f"{count:,} in {classes}")
    yield _labelled("explained", f"{sum(row.count for row in explained):,} by the contract")


def _reasons(record: RunRecord) -> Iterator[str]:
    reasons = words.reasons(record)
    if not reasons:
        return
    yield ""
    yield "why"
    for reason in reasons[:REASONS_MAX]:
        yield f"  {clipped(reason, VALUE_CHARACTERS_MAX)}"
    if len(reasons) > REASONS_MAX:
        yield f"  and {words.counted(len(reasons) - REASONS_MAX, 'more reason')}, listed in the report"


def _first(record: RunRecord, first: DivergenceClass) -> Iterator[str]:
    shape, word = words.class_words(first.failure)
    exhibit = words.exhibit_of(record, first.fingerprint)
    yield ""
    yield f"first divergence  finding-{first.fingerprint}"
    yield f"  {shape} {word}, {words.blame_words(first.blame)}"
    where = words.place(first.first_stream, first.first_seq)
    if exhibit is not None:
        where = words.place(exhibit.finding.stream, exhibit.finding.seq, exhibit.finding.seq_last)
    yield f"  at    {clipped(where, VALUE_CHARACTERS_MAX)} in {clipped(first.first_scenario, VALUE_CHARACTERS_MAX)}"
    yield f"  what  {clipped(first.message, VALUE_CHARACTERS_MAX)}"
    if exhibit is not None:
        for seen in exhibit.finding.seen:
            yield f"        {clipped(seen.oracle, 16):<7} {clipped(seen.text, VALUE_CHARACTERS_MAX)}"
        yield f"  again {clipped(exhibit.reproduce, VALUE_CHARACTERS_MAX)}"


def _labelled(label: str, value: str) -> str:
    return f"{label:<{LABEL_WIDTH}}{clipped(value, VALUE_CHARACTERS_MAX)}"
