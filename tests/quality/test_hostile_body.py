"""Bodies made to break something pass capture, checks and report unharmed."""

import json
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest
import yaml

from harness import session
from harness.catalogue.catalogue import select
from harness.evidence.run_files import recording_directory
from harness.model.names import Side
from harness.model.run_record import Verdict
from harness.power.tape import Tape
from harness.recording.reader import open_recording

HOSTILE = {
    "script": json.dumps({"</script><script>alert(1)</script>": "<!--<script>", "href": "javascript:alert(1)"}),
    "control": json.dumps({"text": "\x00\x07\x1b[31m\x7f\u0085", "line": "a\r\nb\u2028c"}),
    "direction": json.dumps({"text": "\u202egnp.exe\u2066\u200f"}, ensure_ascii=False),
    "long": json.dumps({"text": "x" * 200 * 1024}),
    "deep": "[" * 500 + "1" + "]" * 500,
    "not-a-number": json.dumps({"a": "NaN", "b": "-Infinity", "c": "1e999", "n": 1e308}),
    "template": json.dumps({"jinja": "{{ 7*7 }}{% raw %}", "quote": "\"'`&amp;"}),
}


def hostile_scenario(directory: Path) -> Path:
    appends = [
        {"append": {"run": "r1", "event_type": f"hostile.{name}<b>", "payload_json": text}}
        for name, text in HOSTILE.items()
    ]
    steps = [
        {"create_run": {"run": "r1"}},
        {"subscribe": {"subscriber": "<i>reader</i>", "stream": "run:r1"}},
        *appends,
    ]
    file = directory / "hostile.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "scenario": "hostile",
                "title": "<img src=x onerror=alert(1)> hostile",
                "clauses": ["N3"],
                "topologies": ["mirrored"],
                "steps": steps,
            }
        )
    )
    return file


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over hostile bodies."""
    directory = tmp_path_factory.mktemp("hostile")
    run_directory = directory / "run"
    selection = select([str(hostile_scenario(directory))])
    session.record_run(run_directory, selection, session.Repeat(), lambda _: None)
    return run_directory


class Elements(HTMLParser):
    """Which elements and attributes a page really has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(f"{tag}@{name}" for name, _ in attrs if name.startswith("on") or name in ("href", "src"))}


def elements(page: str) -> set[str]:
    parser = Elements()
    parser.feed(page)
    return parser.seen


def test_hostile_bodies_are_parity(hostile_run: Path) -> None:
    """What is hostile and the same everywhere is parity, byte for byte as it was sent."""
    record = session.analyze(hostile_run)
    (recording,) = (hostile_run / "recordings").iterdir()
    frames = open_recording(recording).table("frames").column("data").to_pylist()

    assert record.verdict is Verdict.PARITY, record.headline
    assert any(b"x" * 200 * 1024 in frame for frame in frames)


def test_hostile_divergence_stays_text(hostile_run: Path, tmp_path: Path) -> None:
    """A divergence in every hostile body is shown in the report, and adds no element and no handler to the page."""
    plan = select([str(hostile_scenario(tmp_path))]).plans[0]
    tape = Tape(open_recording(recording_directory(hostile_run, plan)))
    for track in tape.subscribers(Side.TARGET):
        for packet, envelope in track.placed():
            envelope.kind = f"<script>{envelope.kind}</script>"
            envelope.payload = {"was": envelope.payload, "</style>": Random(envelope.seq).random()}
            packet.touched = True
    planted = tmp_path / "planted"
    tape.write(recording_directory(planted, plan))
    record = session.claim_and_analyze(planted, select([str(hostile_scenario(tmp_path))]), session.Repeat())
    page = (planted / "report.html").read_text(encoding="utf-8")

    assert record.verdict is Verdict.DIVERGED
    assert "hostile.script" in page
    assert elements((hostile_run / "report.html").read_text(encoding="utf-8")) | {"mark"} >= {
        element for element in elements(page) if "@" in element or element in ("script", "img", "i", "iframe")
    }
    assert not [character for character in page if ord(character) < 32 and character not in "\n\t"]
    assert "\u202e" not in page
