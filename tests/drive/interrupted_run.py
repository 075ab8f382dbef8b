"""A process that drives a long plan until somebody stops it.

`python -m tests.drive.interrupted_run DIRECTORY [SUBJECT]`: with a subject, that service is paused in the middle.
"""

import asyncio
import sys
from pathlib import Path

from harness.drive.driver import drive
from harness.model.plan import After
from tests.drive import plans
from tests.drive.conftest import new_tape
from tests.drive.real_lanes import lanes

STREAM_EVENTS = 10_000


async def main(directory: Path, paused: str | None = None) -> None:
    """Prints the ids of the services' processes, then drives."""
    steps = [plans.create(), plans.subscribe("reader"), *(plans.append() for _ in range(STREAM_EVENTS))]
    if paused is not None:
        steps.append(plans.fault("pause", paused, After("run:r1", 20)))
    plan = plans.plan(*steps, plans.barrier())
    tape = new_tape(directory / "recording", plan)
    try:
        async with lanes(directory) as deployment:
            subjects = ("authority/shared", "lane/legacy", "lane/target", "relay/legacy", "relay/target")
            pids = [deployment.service(subject).ready.pid for subject in subjects]
            print(*pids, flush=True)
            await drive(plan, deployment, tape.recorder)
    finally:
        tape.recorder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
