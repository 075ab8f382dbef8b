"""The harness watches itself."""

import asyncio
import time

from harness.drive.heartbeat import STALL_S, beat
from harness.recording.journal import read_journal
from harness.recording.manifest import JOURNAL_FILE
from tests.drive.conftest import Tape, run


async def beating(tape: Tape, block_s: float) -> None:
    task = asyncio.create_task(beat(tape.recorder))
    await asyncio.sleep(0)
    time.sleep(block_s)
    await asyncio.sleep(0.06)
    task.cancel()


def test_a_blocked_event_loop_is_written_down(tape: Tape) -> None:
    """Lateness of the harness itself must not be taken for lateness of a lane."""
    run(lambda: beating(tape, 0.05 + 2 * STALL_S))

    (stall,) = tape.events("stall")
    assert stall["detail"]["ms"] >= 1000 * STALL_S


def test_rows_reach_the_file_without_being_asked_for(tape: Tape) -> None:
    """What happened a moment ago survives the death of this process."""

    async def story() -> None:
        task = asyncio.create_task(beat(tape.recorder))
        tape.recorder.event("noticed", "x")
        await asyncio.sleep(0.12)
        task.cancel()

    run(story)

    journal = read_journal(tape.directory / JOURNAL_FILE)
    assert ["noticed"] == journal.tables["timeline"].column("event").to_pylist()[:1]
