"""A service as a child process: ready line, log, death notice, stop ladder, pause, restart on the same port."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.lanes.standstill import Standstill
from harness.model.errors import LaneError

READY_DEADLINE_S = 10.0
STOP_GRACE_S = 3.0
LOG_TAIL_LINES = 20
_LOG_TAIL_BYTES = 64 * 1024
_READY_LINE_BYTES_MAX = 64 * 1024

CommandLine = Callable[[int], Sequence[str]]
"""A port (0 = any free one) to the arguments that start the service there."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a service said of itself in its ready line; `banner` is empty where it gave none."""

    service: str
    version: str
    url: str
    pid: int
    boot_id: str
    banner: str


class Service:
    """One child process in a session of its own, so that the terminal's Ctrl-C stops it only through us.

    Its stderr, and what follows the ready line on stdout, go to `log_file`. `on_death` is called, once a life,
    with the exit code and the end of the log when the process ends and nobody asked it to.
    """

    def __init__(
        self,
        subject: str,
        command_line: CommandLine,
        log_file: Path,
        on_death: Callable[[int, str], None],
        environment: dict[str, str] | None = None,
    ) -> None:
        self.subject = subject
        self.log_file = log_file
        self.died = asyncio.Event()
        self._command_line = command_line
        self._on_death = on_death
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._watchers: tuple[asyncio.Task[None], ...] = ()
        self._ready: Ready | None = None
        self._stopping = False
        self._standstill: Standstill | None = None
        self._reserved_port: socket.socket | None = None

    @property
    def ready(self) -> Ready:
        """The latest ready line. Raises LaneError before the first start."""
        if self._ready is None:
            raise LaneError(f"{self.subject} has not been started; start it first")
        return self._ready

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Of the latest process, whatever its ready line said. Raises LaneError before the first start."""
        if self._process is None:
            raise LaneError(f"{self.subject} has not been started; start it first")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How the last process ended; negative = by that signal, None = it runs or never did."""
        return None if self._process is None else self._process.returncode

    async def start(self, port: int = 0) -> Ready:
        """Starts the process and waits for its ready line.

        Raises LaneError, with the end of the log, if the process ends first or is not ready in time; then nothing
        of it is left running.
        """
        self._stopping = False
        self.died.clear()
        self._process = await self._spawn(port)
        try:
            self._ready = await self._await_ready(self._process)
        except BaseException:
            self._stopping = True
            await self._end(signal.SIGKILL)
            raise
        finally:
            self.release_port()
        watch = asyncio.create_task(self._watch(self._process))
        self._watchers = (watch, asyncio.create_task(self._drain(self._process)))
        return self._ready

    async def stop(self) -> int | None:
        """SIGTERM, after `STOP_GRACE_S` SIGKILL to the whole group; the exit code (None = it never ran).

        One that stands still goes on first, or the signal would wait for ever.
        """
        self._stopping = True
        await self.resume()
        await self._end(signal.SIGTERM)
        if self._watchers:
            _, hanging = await asyncio.wait(self._watchers, timeout=STOP_GRACE_S)
            for watcher in hanging:
                watcher.cancel()
        self._watchers = ()
        return self.exit_code

    async def kill(self) -> int | None:
        """SIGKILL to the whole group, as a planned act: no death notice follows."""
        self._stopping = True
        await self._end(signal.SIGKILL)
        return await self.stop()

    async def pause(self) -> None:
        """SIGSTOP to the whole group, until `resume`. Raises LaneError when it does not run.

        However the harness ends, the group goes on and can be ended.
        """
        if self._process is None or not self.alive:
            raise LaneError(f"{self.subject} does not run, so that it cannot be paused; start it first")
        if self._standstill is None:
            self._standstill = await Standstill.of_group(self._process.pid)

    async def resume(self) -> None:
        """SIGCONT to the whole group, if it was paused."""
        standstill, self._standstill = self._standstill, None
        if standstill is not None:
            await standstill.end()

    def reserve_port(self) -> None:
        """Keeps the port of an ended process for its next life: nobody else is given it, whoever connects is refused.

        Does nothing while the process runs, or when somebody else was quicker.
        """
        port = urlsplit(self.ready.url).port
        if self.alive or port is None or self._reserved_port is not None:
            return
        reserved = socket.socket()
        # With it the next life may bind beside us, as neither of the two listens by then.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind(("127.0.0.1", port))
            self._reserved_port = reserved
        except OSError:
            reserved.close()

    def release_port(self) -> None:
        """Gives up a port that was kept."""
        if self._reserved_port is not None:
            self._reserved_port.close()
            self._reserved_port = None

    async def restart(self) -> Ready:
        """Stops what still runs, then starts again on the same port, with the same arguments and data."""
        await self.stop()
        self.reserve_port()
        port = urlsplit(self.ready.url).port or 0
        return await self.start(port)

    def log_tail(self) -> str:
        """The last `LOG_TAIL_LINES` lines of the log; empty when there is none."""
        try:
            with self.log_file.open("rb") as file:
                file.seek(max(0, self.log_file.stat().st_size - _LOG_TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-LOG_TAIL_LINES:])

    async def _spawn(self, port: int) -> asyncio.subprocess.Process:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            try:
                return await asyncio.create_subprocess_exec(
                    *self._command_line(port),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    env=self._environment,
                    limit=_READY_LINE_BYTES_MAX,
                )
            except OSError as error:
                raise LaneError(f"{self.subject} cannot be started: {error}; check its profile") from error

    async def _await_ready(self, process: asyncio.subprocess.Process) -> Ready:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(READY_DEADLINE_S):
                line = await process.stdout.readline()
                if not line:
                    raise self._not_ready(f"ended with exit code {await process.wait()} before it was ready")
        except TimeoutError:
            raise self._not_ready(f"printed no ready line within {READY_DEADLINE_S:g} s") from None
        except ValueError as error:
            raise self._not_ready(f"printed a first line over {_READY_LINE_BYTES_MAX} bytes") from error
        try:
            return _ready(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            text = line[:200].decode("utf-8", "replace").strip()
            raise self._not_ready(f"printed {text!r} instead of a ready line") from error

    def _not_ready(self, what: str) -> LaneError:
        tail = self.log_tail() or "(empty)"
        return LaneError(f"{self.subject} {what}; the last lines of its log {self.log_file}:\n{tail}")

    async def _end(self, signal_number: signal.Signals) -> None:
        """Signals the group and waits; SIGKILL follows when the grace passes or this wait is cancelled."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            _signal_group(process.pid, signal_number)
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        except TimeoutError:
            _signal_group(process.pid, signal.SIGKILL)
            await process.wait()
        finally:
            # Also for what the service started itself, and when this wait was cancelled.
            _signal_group(process.pid, signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        exit_code = await process.wait()
        if not self._stopping:
            self.died.set()
            self._on_death(exit_code, self.log_tail())

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        """Keeps a talkative service from blocking on a full pipe."""
        assert process.stdout is not None
        with self.log_file.open("ab") as log:
            while chunk := await process.stdout.read(65536):
                log.write(chunk)
                log.flush()


def _signal_group(leader_pid: int, signal_number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader_pid, signal_number)


def _ready(raw: dict[str, Any]) -> Ready:
    """Raises ValueError, KeyError or TypeError for what is not a ready line."""
    if raw["ready"] is not True or not isinstance(raw["pid"], int):
        raise ValueError("not a ready line")
    texts = {name: raw[name] for name in ("service", "version", "url", "boot_id")} | {"banner": raw.get("banner", "")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("not a ready line")
    address = urlsplit(texts["url"])
    if address.scheme != "http" or not address.hostname or not address.port:
        raise ValueError("no URL with a port")
    return Ready(pid=raw["pid"], **texts)
