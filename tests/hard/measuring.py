"""Judges a recording in a process of its own and says what that took, so that its peak of memory is its own.

python -m tests.hard.measuring RECORDING
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path

from harness.judge.verdict import judge_recording, judge_run
from harness.recording.reader import open_recording
from harness.report.html import render_html
from harness.report.markdown import summary_markdown
from harness.report.terminal import terminal_summary
from harness.report.verdict_json import verdict_json

ROOT = Path(__file__).parents[2]
OPTIONAL_ENDS = frozenset({"li", "p", "td", "th", "tr", "tbody", "thead", "dt", "dd", "colgroup", "option"})
VOID_ELEMENTS = frozenset({"meta", "link", "br", "hr", "img", "input", "wbr", "col"})


@dataclass(frozen=True)
class Measured:
    """What judging one recording gave, and what it took. Sizes are those of the files that `parity analyze` writes."""

    verdict: str
    findings: int
    classes: int
    exhibits: int
    kept: int
    crashed: list[str]
    grown_bytes: int
    """Peak of resident memory above what the imports took."""
    verdict_json_bytes: int
    report_bytes: int
    report_ids: int
    summary_bytes: int
    terminal_lines: int
    deliveries: int


class OpenPage(HTMLParser):
    """A page whose elements are all closed in their order, or an AssertionError."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Opens an element."""
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost element, which must be this one."""
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL_ENDS:
            self.open.pop()
        assert self.open.pop() == tag


def peak_bytes() -> int:
    """Highest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measured(recording: Path) -> Measured:
    """Judges `recording` in another process."""
    command = [sys.executable, "-m", "tests.hard.measuring", str(recording)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return Measured(**json.loads(done.stdout))


def judged_here(recording: Path) -> Measured:
    """Judges `recording` in this process, whose peak is not its own."""
    before = peak_bytes()
    judged = judge_recording(open_recording(recording))
    record = judge_run(
        [judged],
        run_id="run",
        harness_version="0",
        harness_commit="",
        partial="",
        repeat_command="parity run",
        repeat_options="",
        problems=(),
    )
    texts: dict[str, Callable[[], str]] = {
        "verdict": lambda: verdict_json(record).decode(),
        "report": lambda: "".join(render_html(record)),
        "summary": lambda: summary_markdown(record),
        "terminal": lambda: terminal_summary(record, "report.html"),
    }
    written = {name: write() for name, write in texts.items()}
    grown = peak_bytes() - before
    return Measured(
        verdict=record.verdict.value,
        findings=judged.record.findings,
        classes=len(record.classes),
        exhibits=len(record.exhibits),
        kept=len(judged.findings),
        crashed=[row.check for row in judged.record.checks if row.crashed],
        grown_bytes=grown,
        verdict_json_bytes=len(written["verdict"].encode()),
        report_bytes=len(written["report"].encode("utf-8", "surrogatepass")),
        report_ids=len(OpenPage(written["report"]).ids),
        summary_bytes=len(written["summary"].encode()),
        terminal_lines=written["terminal"].count("\n"),
        deliveries=sum(row.deliveries for row in judged.record.sides),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(judged_here(Path(sys.argv[1])))))
