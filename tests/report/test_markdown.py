"""The Markdown summary."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from harness.model.run_record import RunRecord
from harness.report.markdown import summary_markdown
from tests.report.any_record import RUN_RECORDS
from tests.report.records import diverged_record, empty_record, parity_record, with_every_text

HOSTILE = (
    "`</code><script>alert(1)</script>`",
    "| a | b |",
    "\n\n# forged heading\n",
    "[x](javascript:alert(1))",
    "@somebody #1 https://evil.example",
    "``` ",
    "\u202e\x1b[31m\ud800",
    " ",
)


def _tokens(text: str) -> list[tuple[str, str]]:
    parser = MarkdownIt("commonmark").enable("table")
    found = []
    for token in parser.parse(text):
        found.append((token.type, token.tag))
        found += [(child.type, child.tag) for child in token.children or () if child.type != "text"]
    return found


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_adds_no_markup(hostile: str) -> None:
    """With hostile text in every string, the document has the structure that it has with harmless text."""
    harmless = summary_markdown(with_every_text(diverged_record(), "x"))
    attacked = summary_markdown(with_every_text(diverged_record(), hostile))

    assert _tokens(attacked) == _tokens(harmless)
    assert {kind for kind, _ in _tokens(attacked)} & {"link_open", "html_inline", "html_block", "image"} == set()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (parity_record(), "# PARITY\n\nTraffic may move"),
        (diverged_record(), "# DIVERGED\n\nDo not move traffic."),
        (empty_record(), "# COULD NOT RUN\n\nNo answer"),
        (replace(parity_record(), partial="3 of 18 scenarios"), "# PARITY of `3 of 18 scenarios` (partial)\n"),
    ],
)
def test_the_verdict_is_the_heading(record: RunRecord, words: str) -> None:
    """Word first, advice next."""
    assert summary_markdown(record).startswith(words)


def test_divergences_and_missed_floors_are_listed() -> None:
    """What diverged, who is to blame, where; and what was not reached."""
    text = summary_markdown(diverged_record())

    assert "| ≠ changed | `target wrong` |" in text
    assert "`run:r1 · seq 17 in resume_every_cursor.mirrored`" in text
    assert "resumes done target: 9 seen, 11 needed" in text


def test_coverage_stands_with_what_was_exercised() -> None:
    """One line: how many clauses, and which were not."""
    assert "\n`clauses exercised: 3 of 40; not exercised: N1, N2, " in summary_markdown(parity_record())


def test_an_empty_part_says_none() -> None:
    """No table without rows."""
    assert "## Divergences\n\nNone.\n" in summary_markdown(parity_record())
    assert "## Scenarios\n\nNone was judged.\n" in summary_markdown(empty_record())


@pytest.mark.parametrize("size_max_bytes", [2_000, 60 * 1024])
def test_the_size_is_kept_and_the_rest_counted(size_max_bytes: int) -> None:
    """Ten thousand classes do not fit; the verdict and the first of them do, and the rest is a number."""
    record = diverged_record()
    text = summary_markdown(replace(record, classes=record.classes[:1] * 10_000), size_max_bytes)

    assert len(text.encode()) <= size_max_bytes
    assert text.startswith("# DIVERGED")
    assert re.search(r"\n[\d,]+ more lines left out; report.html has all of them.\n$", text)


def test_the_same_record_gives_the_same_text() -> None:
    """Nothing depends on when it was written."""
    assert summary_markdown(diverged_record()) == summary_markdown(diverged_record())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(RUN_RECORDS)
def test_any_record_can_be_summed_up(record: RunRecord) -> None:
    """Whatever the types allow gives printable lines."""
    text = summary_markdown(record)

    assert text.endswith("\n")
    assert text.replace("\n", "").isprintable()
