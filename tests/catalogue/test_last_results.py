"""How scenarios ended when they were last run."""

import json
from pathlib import Path

from harness.catalogue.last_results import LastResult, last_results
from harness.model.run_record import Verdict
from harness.report.verdict_json import FORMAT


def verdict_file(runs: Path, run: str, text: str) -> None:
    """The verdict of a run."""
    (runs / run).mkdir()
    (runs / run / "verdict.json").write_text(text, encoding="utf-8")


def verdict_of(**scenarios: str) -> str:
    """A verdict.json with what is read of it."""
    rows = [{"name": f"{name}.mirrored", "verdict": said, "recorded_at": "2026"} for name, said in scenarios.items()]
    return json.dumps({"format": FORMAT, "scenarios": rows})


def test_the_newest_run_that_has_it_counts(tmp_path: Path) -> None:
    """Each scenario keeps its own newest result, also where a newer run left it out."""
    verdict_file(tmp_path, "20260101T000000Z-aaaa", verdict_of(one="parity", two="diverged"))
    verdict_file(tmp_path, "20260102T000000Z-0000", verdict_of(one="unknown"))

    assert {
        "one.mirrored": LastResult(Verdict.UNKNOWN, "2026", "20260102T000000Z-0000"),
        "two.mirrored": LastResult(Verdict.DIVERGED, "2026", "20260101T000000Z-aaaa"),
    } == last_results(tmp_path)


def test_a_damaged_verdict_is_no_result(tmp_path: Path) -> None:
    """What cannot be read, or is not a verdict of this format, says nothing about any scenario."""
    for number, text in enumerate(("{", "[]", '{"format": "other"}', "[" * 100_000, verdict_of(one="great"))):
        verdict_file(tmp_path, str(number), text)

    assert {} == last_results(tmp_path)
    assert {} == last_results(tmp_path / "nowhere")
