"""A process group that stands still, for no longer than the harness lives."""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Self

# Says that it is there; when its input ends, because it was closed or because the harness is gone, the group goes on.
_GUARD = 'echo; read _; kill -s CONT -- "-$1"'


@dataclass(frozen=True, slots=True)
class Standstill:
    """Holds a group by SIGSTOP. A process of its own waits for our end, since nobody can catch a SIGKILL for us."""

    group: int
    _guard: asyncio.subprocess.Process

    @classmethod
    async def of_group(cls, group: int) -> Self:
        """Stops the process group. Raises OSError when no shell can be started (POSIX has one)."""
        guard = await asyncio.create_subprocess_exec(
            "/bin/sh",
            *("-c", _GUARD, "guard", str(group)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert guard.stdout is not None
        try:
            await guard.stdout.readline()
        except BaseException:
            guard.kill()
            raise
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGSTOP)
        return cls(group, guard)

    async def end(self) -> None:
        """Lets the group go on."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGCONT)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        await self._guard.wait()
