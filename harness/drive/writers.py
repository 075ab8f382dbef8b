"""Writers: each keeps its commands in order, all of them work side by side."""

import asyncio

from harness.drive.authority import AuthorityClient, await_position
from harness.model.plan import CommandStep
from harness.recording.recorder import Recorder

_Queue = asyncio.Queue[CommandStep]


class Writers:
    """One queue and one task for each writer on each authority, so that authorities never wait for each other.

    Whoever gives the commands counts as moving until it drains: it may have more to give.
    """

    def __init__(self, authorities: list[AuthorityClient], recorder: Recorder, group: asyncio.TaskGroup) -> None:
        self._authorities = authorities
        self._recorder = recorder
        self._group = group
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._busy: set[tuple[str, str]] = set()
        for authority in authorities:
            authority.progress.moves()

    def give(self, step: CommandStep) -> None:
        """Puts the command at the end of its writer's queue, on every authority."""
        for authority in self._authorities:
            if (step.writer, authority.name) not in self._busy:
                self._busy.add((step.writer, authority.name))
                authority.progress.moves()
            self._queue(step.writer, authority).put_nowait(step)

    async def drain(self) -> None:
        """Waits until every command given so far was answered or given up; each of those has a deadline."""
        for authority in self._authorities:
            authority.progress.rests()
        await asyncio.gather(*(queue.join() for queue in self._queues.values()))
        for authority in self._authorities:
            authority.progress.moves()

    def dismiss(self) -> None:
        """Ends the writers; call it when nothing is left to drain."""
        for task in self._tasks:
            task.cancel()

    def _queue(self, writer: str, authority: AuthorityClient) -> _Queue:
        key = (writer, authority.name)
        if key not in self._queues:
            self._queues[key] = asyncio.Queue()
            self._tasks.append(self._group.create_task(self._work(self._queues[key], authority)))
        return self._queues[key]

    async def _work(self, queue: _Queue, authority: AuthorityClient) -> None:
        while True:
            step = await queue.get()
            await await_position(step.after, step.index, [authority], self._recorder)
            await authority.send(step.command, purpose="command", step=step.index, writer=step.writer)
            if queue.empty():
                self._busy.discard((step.writer, authority.name))
                authority.progress.rests()
            queue.task_done()
