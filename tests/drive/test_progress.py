"""What steps wait for, and when they stop waiting."""

import asyncio

import pytest

from harness.drive import progress as waiting
from harness.drive.calls import Accepted
from harness.drive.progress import Progress
from harness.model.errors import LaneError
from harness.model.plan import Command
from tests.drive.conftest import run

APPEND = Command("append", "r1")
HEARTBEAT = Command("heartbeat", "w1", 7)


def test_a_waiting_step_wakes_when_the_number_is_accepted() -> None:
    """A logical position is reached by an answer, not by time."""

    async def story() -> None:
        progress = Progress("authority/shared")
        progress.moves()
        waiter = asyncio.create_task(progress.reached("run:r1", 2))
        await asyncio.sleep(0)
        progress.note(APPEND, Accepted("x", 1, "a"))
        await asyncio.sleep(0)
        still_waiting = not waiter.done()
        progress.note(APPEND, Accepted("x", 2, "b"))

        assert await waiter
        assert still_waiting

    run(story)


def test_a_position_that_nothing_can_reach_is_given_up() -> None:
    """When the last party that moved rests and the number was not reached, waiting is over."""

    async def story() -> None:
        progress = Progress("authority/shared")
        progress.moves()
        waiter = asyncio.create_task(progress.reached("run:r1", 2))
        await asyncio.sleep(0)
        still_waiting = not waiter.done()
        progress.rests()

        assert not await waiter
        assert still_waiting

    run(story)


def test_a_repeated_answer_moves_no_fleet() -> None:
    """The fleet stream's number is not in the answer; each command counts once, however often it is answered."""

    async def story() -> None:
        progress = Progress("authority/shared")
        for command_id in ("a", "a", "b"):
            progress.note(HEARTBEAT, Accepted(None, 1, command_id))
        progress.gone("tested")

        assert (True, False) == (await progress.reached("fleet:7", 2), await progress.reached("fleet:7", 3))

    run(story)


def test_a_run_that_was_refused_is_told_with_the_reason() -> None:
    """Who waits for the id of such a run is told at once."""

    async def story() -> None:
        progress = Progress("authority/shared")
        waiter = asyncio.create_task(progress.run_id("r1"))
        await asyncio.sleep(0)
        progress.fail("r1", "status 403")
        with pytest.raises(LaneError, match=r"run r1 has no id on authority/shared: .*403"):
            await waiter

    run(story, 5)


def test_nobody_waits_for_a_dead_authority() -> None:
    """A wait ends early when nothing can end it any more."""

    async def story() -> None:
        progress = Progress("authority/shared")
        waiter = asyncio.create_task(progress.reached("run:r1", 1))
        await asyncio.sleep(0)
        progress.gone("its process has died")

        assert not await waiter

    run(story, 5)


def test_every_wait_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never comes is given up."""
    monkeypatch.setattr(waiting, "WAIT_DEADLINE_S", 0.05)

    async def story() -> None:
        progress = Progress("authority/shared")
        assert not await progress.reached("run:r1", 1)
        with pytest.raises(LaneError, match="no answer created it"):
            await progress.run_id("r1")

    run(story, 5)
