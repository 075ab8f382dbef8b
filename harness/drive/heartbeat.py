"""The harness's own pulse: journal flushed, and stalls of its event loop written down."""

import asyncio
import time

from harness.recording.recorder import Recorder

TICK_S = 0.05
STALL_S = 0.1


async def beat(recorder: Recorder) -> None:
    """Runs until cancelled. Notes `stall` when a tick comes more than `STALL_S` late: no lane owes that lateness."""
    while True:
        due_s = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        late_s = time.monotonic() - due_s
        if late_s > STALL_S:
            recorder.event("stall", "harness", ms=round(late_s * 1000))
        recorder.flush()
