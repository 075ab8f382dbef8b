"""The report as Markdown for a pull request or a job summary: short, bounded, inert.

Every text of the record stands in a code span, where Markdown knows neither links nor mentions nor markup; a
backtick or a pipe in it is written as its code point.
"""

from collections.abc import Iterator

from harness.model.run_record import DivergenceClass, RunRecord, ScenarioRecord, Verdict
from harness.report import words
from harness.report.clause_coverage import coverage_words
from harness.report.totals import command_total, missed_floors, side_total
from harness.report.visible import clipped

CELL_CHARACTERS_MAX = 200
COVERAGE_CHARACTERS_MAX = 1000


def summary_markdown(record: RunRecord, size_max_bytes: int = 60 * 1024) -> str:
    """The summary in at most `size_max_bytes` of UTF-8; lines that do not fit are counted in its last line.

    Lines are left out from the end, so that the verdict and the first divergences always stand.
    """
    lines = [f"{line}\n" for line in _lines(record)]
    closing = "\n{} more lines left out; report.html has all of them.\n"
    room = size_max_bytes - len(closing.encode()) - 16
    for kept, line in enumerate(lines):
        room -= len(line.encode())
        if room < 0:
            return "".join(lines[:kept]) + closing.format(f"{len(lines) - kept:,}")
    return "".join(lines)


def _lines(record: RunRecord) -> Iterator[str]:
    yield f"# {record.verdict.printed}{f' of {_code(record.partial)} (partial)' if record.partial else ''}"
    yield ""
    yield f"{words.ADVICE[record.verdict]} {_code(record.headline, 600)}"
    yield ""
    yield f"Run {_code(record.run_id)}, {_code(record.run_digest)}, recorded at {_code(record.recorded_at)}."
    yield "Repeat with"
    yield ""
    yield f"    {clipped(record.repeat_command, 600)}"
    yield from _reasons(record)
    yield from _classes("Divergences", words.divergences(record))
    yield from _scenarios(record)
    yield from _exercise(record)
    yield from _classes("Explained by the contract", words.explained(record))


def _reasons(record: RunRecord) -> Iterator[str]:
    missed = tuple(
        f"{row.scenario}: {row.floor.measure} {row.floor.side}: {row.floor.seen:,} seen, {row.floor.needed:,} needed"
        for row in missed_floors(record)
    )
    reasons = words.reasons(record) + missed
    if record.verdict is Verdict.PARITY or not reasons:
        return
    yield ""
    yield "## Why"
    yield ""
    for reason in reasons:
        yield f"- {_code(reason, 400)}"


def _classes(title: str, rows: tuple[DivergenceClass, ...]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    if not rows:
        yield "None."
        return
    yield "| class | blame | what | count | first at | finding |"
    yield "|---|---|---|---:|---|---|"
    for row in rows:
        shape, word = words.class_words(row.failure)
        where = f"{words.place(row.first_stream, row.first_seq)} in {row.first_scenario}"
        what = row.message if row.grade == "divergence" else f"{row.message} ({row.rule})"
        yield (
            f"| {shape} {word} | {_code(words.blame_words(row.blame))} | {_code(what)} "
            f"| {row.count:,} | {_code(where)} | {_code(f'finding-{row.fingerprint}')} |"
        )


def _scenarios(record: RunRecord) -> Iterator[str]:
    yield ""
    yield "## Scenarios"
    yield ""
    if not record.scenarios:
        yield "None was judged."
        return
    yield "| scenario | verdict | commands accepted | legacy deliveries | target deliveries | diverged |"
    yield "|---|---|---:|---:|---:|---:|"
    for row in record.scenarios:
        yield (
            f"| {_code(row.name)} | {row.verdict.printed} | {command_total(row.commands).accepted:,} "
            f"| {_delivered(row, 'legacy'):,} | {_delivered(row, 'target'):,} | {row.findings - row.explained:,} |"
        )


def _delivered(scenario: ScenarioRecord, side: str) -> int:
    return sum(row.deliveries for row in scenario.sides if row.side == side)


def _exercise(record: RunRecord) -> Iterator[str]:
    legacy, target = side_total(record, "legacy"), side_total(record, "target")
    yield ""
    yield "## What was exercised"
    yield ""
    yield _code(coverage_words(record), COVERAGE_CHARACTERS_MAX)
    yield ""
    yield "| measure | legacy | target |"
    yield "|---|---:|---:|"
    for words_of, name in (
        ("subscriptions opened", "subscriptions_opened"),
        ("deliveries", "deliveries"),
        ("repeated deliveries", "deliveries_repeated"),
        ("resumes", "resumes"),
        ("stale answers", "stale_answers"),
        ("frames", "frames"),
        ("frames undecoded", "frames_undecoded"),
    ):
        yield f"| {words_of} | {getattr(legacy, name):,} | {getattr(target, name):,} |"


def _code(text: str, characters_max: int = CELL_CHARACTERS_MAX) -> str:
    """`text` as a code span that it cannot leave; a span cannot be empty."""
    inert = clipped(text, characters_max).replace("`", "⟨U+0060⟩").replace("|", "⟨U+007C⟩")
    return f"`{inert or '–'}`"
