"""However the harness ends, its processes end with it and its journal can be read."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.recording.journal import JournalContents, read_journal
from harness.recording.manifest import JOURNAL_FILE

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0


def until(condition: Callable[[], bool]) -> bool:
    """Whether the condition came true in time."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True


def state(pid: int) -> str:
    """The kernel's letter for a process; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def stands_still(pid: int) -> bool:
    """Whether a signal made the process stop where it was."""
    return state(pid) == "T"


def gone(pid: int) -> bool:
    """Whether no such process runs; one that only waits to be reaped has ended."""
    return state(pid) in ("", "Z")


@contextmanager
def under_way(directory: Path, *paused: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A run in the middle of its commands, and the processes of its services."""
    command = [sys.executable, "-m", "tests.drive.interrupted_run", str(directory), *paused]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as running:
        try:
            assert running.stdout is not None
            pids = [int(pid) for pid in running.stdout.readline().split()]
            journal = directory / "recording" / JOURNAL_FILE
            assert 5 == len(pids)
            assert until(lambda: journal.stat().st_size > 250_000)
            assert until(lambda: len(paused) == sum(map(stands_still, pids)))
            yield running, pids
        finally:
            running.kill()


def journal_of(directory: Path) -> JournalContents:
    return read_journal(directory / "recording" / JOURNAL_FILE)


def test_ctrl_c_leaves_no_process_and_a_whole_journal(tmp_path: Path) -> None:
    """SIGINT closes everything in order and says so in the timeline."""
    with under_way(tmp_path) as (running, pids):
        running.send_signal(signal.SIGINT)
        running.wait(DEADLINE_S)
        left = [pid for pid in pids if not gone(pid)]

    journal = journal_of(tmp_path)
    assert [] == left
    assert journal.complete
    assert "interrupted" in journal.tables["timeline"].column("event").to_pylist()
    assert journal.tables["frames"].num_rows > 10


def test_a_second_ctrl_c_leaves_no_process_either(tmp_path: Path) -> None:
    """Impatience costs the order, not the end."""
    with under_way(tmp_path) as (running, pids):
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGINT)
        running.wait(DEADLINE_S)

        assert until(lambda: all(map(gone, pids)))

    assert journal_of(tmp_path).tables["frames"].num_rows > 10


def test_a_killed_harness_takes_its_services_with_it(tmp_path: Path) -> None:
    """SIGKILL cannot be caught: the kernel ends the children, the journal is readable to its last flush."""
    with under_way(tmp_path) as (running, pids):
        running.kill()

        assert until(lambda: all(map(gone, pids)))

    journal = journal_of(tmp_path)
    assert not journal.complete
    assert journal.tables["exchanges_opened"].num_rows > 10
    assert journal.tables["frames"].num_rows > 10


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_service_that_stands_still_does_not_outlive_the_harness(tmp_path: Path, stop: signal.Signals) -> None:
    """A paused process hears no request to end: it is made to go on first, even where the harness is killed."""
    with under_way(tmp_path, "lane/target") as (running, pids):
        running.send_signal(stop)
        running.wait(DEADLINE_S)

        assert until(lambda: all(map(gone, pids)))

    events = journal_of(tmp_path).tables["timeline"].column("event").to_pylist()
    assert "fault_proven" in events
    assert ("interrupted" in events) is (stop is signal.SIGINT)
