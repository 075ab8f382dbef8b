"""The `parity` command: what it answers the shell, and what it says."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from harness.cli import main
from harness.model.errors import ExitCode

COMMANDS = ("run", "analyze", "verify", "report", "seal", "scenarios", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself and names the exit codes."""
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    text = capsys.readouterr().out

    assert done.value.code == 0
    assert len(text) > 400
    assert "exit codes" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no-such-scenario"], "no scenario is called 'no-such-scenario'"),
        (["run", "single-run", "--legacy", "no-such-profile"], "no-such-profile"),
        (["analyze", "no-such-run"], "is not a run"),
        (["verify", "no-such-run"], "is not a run"),
        (["seal", "no-such-run"], "is not a run"),
    ],
)
def test_wrong_argument_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What cannot be meant is refused in one line on stderr, without a traceback, and not as parity."""
    monkeypatch.chdir(tmp_path)
    code = main(arguments)
    text = capsys.readouterr()

    assert code in (ExitCode.USAGE, ExitCode.COULD_NOT_RUN)
    assert text.out == ""
    assert said in text.err.splitlines()[-1]
    assert text.err.splitlines()[-1].startswith("parity: ")


def test_run_records_judges_and_renders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command: verdict, digest, report path and the line that repeats it; the reports are there."""
    monkeypatch.chdir(tmp_path)
    code = main(["run", "retry-and-conflict.mirrored", "--out", "mine"])
    text = capsys.readouterr().out

    assert code == ExitCode.PARITY
    assert text.startswith("PARITY")
    assert "1 of " in text
    assert "parity run retry-and-conflict.mirrored" in text
    assert str(Path("mine") / "report.html") in text
    assert {"verdict.json", "report.html", "summary.md", "run.json", "request.json"} <= {
        path.name for path in Path("mine").iterdir()
    }


def test_analyze_twice_gives_identical_bytes(finished_run: Path) -> None:
    """The verdict is a function of the recordings: judging again changes no byte of any report."""
    names = ("verdict.json", "report.html", "summary.md")
    before = [(finished_run / name).read_bytes() for name in names]
    code = main(["analyze", str(finished_run)])

    assert code == ExitCode.PARITY
    assert before == [(finished_run / name).read_bytes() for name in names]


def test_verify_says_that_an_honest_claim_holds(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An untouched run verifies, every statement named."""
    code = main(["verify", str(finished_run)])

    assert code == ExitCode.PARITY
    assert capsys.readouterr().out.splitlines()[-1] == "the claim holds: 5 of 5"


def _forge_verdict(run: Path) -> None:
    file = run / "verdict.json"
    file.write_text(file.read_text().replace('"parity"', '"diverged"', 1))


def _forge_claim(run: Path) -> None:
    claim = json.loads((run / "run.json").read_text())
    next(iter(claim["recordings"].values()))["recording"] = "sha256:" + "0" * 64
    (run / "run.json").write_text(json.dumps(claim))


def _flip_a_byte(run: Path) -> None:
    table = next(run.glob("recordings/*/frames.parquet"))
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(data)


def _lose_a_recording(run: Path) -> None:
    next(run.glob("recordings/*")).rename(run / "elsewhere")


def _swap_two_recordings(run: Path) -> None:
    first, second = sorted(run.glob("recordings/*"))[:2]
    first.rename(run / "moving")
    second.rename(first)
    (run / "moving").rename(second)


@pytest.mark.parametrize("forge", [_forge_verdict, _forge_claim, _flip_a_byte, _lose_a_recording, _swap_two_recordings])
def test_verify_finds_a_forgery(
    finished_run: Path, forge: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed verdict, claim, table or set of recordings does not hold, and the broken one is named."""
    forge(finished_run)
    code = main(["verify", str(finished_run)])
    lines = capsys.readouterr().out.splitlines()

    assert code == ExitCode.COULD_NOT_RUN
    assert lines[-1].startswith("THE CLAIM DOES NOT HOLD")
    assert any(line.startswith("BROKEN") for line in lines)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_table_is_never_parity(finished_run: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A table cut or flipped anywhere: exit 11, the damaged table named, the intact ones readable."""
    draw = Random(seed)
    table = draw.choice(sorted(finished_run.glob("recordings/*/*.parquet")))
    data = bytearray(table.read_bytes())
    if seed % 2:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    else:
        data = data[: draw.randrange(len(data))]
    table.write_bytes(data)
    code = main(["analyze", str(finished_run)])
    text = capsys.readouterr().out

    assert code == ExitCode.COULD_NOT_RUN
    assert text.startswith("COULD NOT RUN")
    assert table.parent.name in text
    assert "intact tables: " in text


def test_interrupt_leaves_a_run_that_can_be_sealed(tmp_path: Path) -> None:
    """Ctrl-C in mid-recording: exit 130, no process left, and `parity seal` judges what was captured, not as parity."""
    command = [sys.executable, "-m", "harness", "run", "late-joiners.mirrored", "--out", "mine"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, text=True
    )
    journal = tmp_path / "mine" / "recordings" / "late-joiners.mirrored" / "journal.bin"
    _wait_for_bytes(journal, 200_000)
    services = _services_of(running.pid)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    left_alive = [pid for pid in services if Path(f"/proc/{pid}/cmdline").exists()]
    sealed = subprocess.run(
        [sys.executable, "-m", "harness", "seal", "mine"], cwd=tmp_path, capture_output=True, env=environment, text=True
    )

    assert running.returncode == ExitCode.INTERRUPTED, said
    assert "parity seal mine" in said
    assert len(services) == 5
    assert left_alive == []
    assert "late-joiners.mirrored: sealed now" in sealed.stderr
    assert sealed.returncode in (ExitCode.DIVERGED, ExitCode.INCONCLUSIVE, ExitCode.COULD_NOT_RUN)
    assert "PARITY" not in sealed.stdout.splitlines()[0]


def _services_of(pid: int) -> list[int]:
    """Process ids of the lanes, authority and relays that a run has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"harness.reference" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _wait_for_bytes(file: Path, size_bytes: int) -> None:
    """Until the journal has grown to `size_bytes`; the recording itself sets the pace."""
    grown = threading.Event()
    for _ in range(600):
        if file.exists() and file.stat().st_size >= size_bytes:
            return
        grown.wait(0.05)
    raise AssertionError(f"{file} did not grow to {size_bytes} bytes within 30 s")


def test_scenarios_lists_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    """The list names each scenario with clauses, needs and last result; a name shows why it exists, and its steps."""
    main(["scenarios"])
    listed = capsys.readouterr().out
    main(["scenarios", "single-run.mirrored"])
    shown = capsys.readouterr().out

    assert "single-run: A single run, from its creation to its end\n    clauses  N1 " in listed
    assert "    needs    hold relay/target, kill lane/target\n" in listed
    assert "The smallest true comparison." in shown
    assert "create_run run:r1 by main" in shown
    assert "single-run.isolated" not in shown


def test_scenarios_knows_the_last_result(
    finished_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The newest run here that has the scenario says how it ended and when; without one it was never run here."""
    monkeypatch.chdir(tmp_path)
    main(["scenarios", "single-run"])
    before = capsys.readouterr().out
    shutil.copytree(finished_run, Path("reports") / "runs" / "20260101T000000Z-0000")
    main(["scenarios", "single-run"])
    after = capsys.readouterr().out

    assert "mirrored never run here" in before
    assert re.search(r"mirrored (PARITY|INCONCLUSIVE|DIVERGED), 20\S+ \(20260101T000000Z-0000\)", after)


def test_coverage_names_what_nothing_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    """Clause by scenario, then every clause that nothing exercises, by name."""
    code = main(["scenarios", "--coverage"])
    text = capsys.readouterr().out

    assert code == ExitCode.PARITY
    assert re.search(r"^N1 +delivery is subscribe / apply +.*late-joiners", text, re.MULTILINE)
    assert re.search(r"nothing exercises these \d+ yet:\n(.*\n)*  INV-04  control state apart\n", text)
