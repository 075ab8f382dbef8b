"""What one authority has answered so far: ids of runs by plan name, and how far each stream has come."""

import asyncio
from collections.abc import Callable

from harness.drive.calls import Accepted
from harness.model.errors import LaneError
from harness.model.names import StreamKey
from harness.model.plan import Command

WAIT_DEADLINE_S = 30.0


class Progress:
    """Filled by answers, waited on by steps. Every wait has a deadline and ends early once the authority is gone."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        self._run_ids: dict[str, str] = {}
        self._failed_runs: dict[str, str] = {}
        self._positions: dict[str, int] = {}
        self._counted: set[str] = set()
        self._gone: str | None = None
        self._moving = 0
        self._changed = asyncio.Event()

    def bind(self, name: str, run_id: str) -> None:
        """`name` is `run_id` here from now on."""
        self._run_ids[name] = run_id
        self._wake()

    def fail(self, name: str, why: str) -> None:
        """The command that should have made run `name` did not; who waits for it is told `why`."""
        self._failed_runs[name] = why
        self._wake()

    def gone(self, why: str) -> None:
        """The authority will answer no more."""
        self._gone = why
        self._wake()

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the authority will answer no more."""
        return self._gone is not None

    def note(self, command: Command, answer: Accepted) -> None:
        """Moves the streams of an accepted command forward; a repeated answer moves nothing."""
        if answer.seq is not None:
            stream = str(command.stream)
            self._positions[stream] = max(self._positions.get(stream, 0), answer.seq)
        if command.stream.kind == "worker" and answer.command_id not in self._counted:
            fleet = str(StreamKey("fleet", str(command.user)))
            self._positions[fleet] = self._positions.get(fleet, 0) + 1
        if answer.command_id is not None:
            self._counted.add(answer.command_id)
        self._wake()

    async def run_id(self, name: str) -> str:
        """The authority's id of run `name`. Raises LaneError when it is not known within `WAIT_DEADLINE_S`."""
        await self._wait(lambda: name in self._run_ids or name in self._failed_runs)
        if name in self._run_ids:
            return self._run_ids[name]
        why = self._failed_runs.get(name) or self._gone or f"no answer created it within {WAIT_DEADLINE_S:g} s"
        raise LaneError(f"run {name} has no id on {self._authority}: {why}; see its exchanges in the recording")

    async def reached(self, stream: str, seq: int) -> bool:
        """Whether `stream` got to an accepted event `seq` within `WAIT_DEADLINE_S`.

        Answers early when nobody moves who could still bring it there.
        """
        await self._wait(lambda: self._positions.get(stream, 0) >= seq or self._moving == 0)
        return self._positions.get(stream, 0) >= seq

    def moves(self) -> None:
        """One more party (the walker of the plan, a writer with commands) may still bring this authority forward."""
        self._moving += 1

    def rests(self) -> None:
        """One of those parties has nothing to do, or waits for a position itself."""
        self._moving -= 1
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _wait(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(WAIT_DEADLINE_S):
                while not condition() and self._gone is None:
                    await self._changed.wait()
        except TimeoutError:
            return
