"""Child processes: ready or refused, stopped for certain, missed when they die."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from harness.lanes import process
from harness.lanes.process import Service
from harness.model.errors import LaneError

READY = """
import json, os, sys
def ready(port=4321):
    print(json.dumps({"ready": True, "service": "tiny", "version": "1", "url": f"http://127.0.0.1:{port or 4321}",
                      "pid": os.getpid(), "boot_id": os.urandom(8).hex()}), flush=True)
"""
NOT_READY = READY.replace('"ready": True', '"ready": False')
OBEDIENT = READY + "ready(int(sys.argv[1]))\nsys.stdin.close()\nimport signal; signal.pause()\n"
STUBBORN = READY + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: signal.pause()\n"
WITH_CHILD = READY + (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', "
    "'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()'],"
    " stdout=subprocess.PIPE)\n"
    "child.stdout.read(1); print(child.pid, file=sys.stderr, flush=True); ready()\n"
    "import signal; signal.pause()\n"
)
TALKATIVE = (
    READY
    + "ready()\nfor _ in range(4000): print('x' * 100)\nprint('done', flush=True)\nimport signal; signal.pause()\n"
)

Deaths = list[tuple[int, str]]


def tiny(directory: Path, script: str, deaths: Deaths | None = None) -> Service:
    noted: Deaths = [] if deaths is None else deaths
    return Service(
        "lane/legacy",
        lambda port: (sys.executable, "-c", script, str(port)),
        directory / "lane-legacy.log",
        lambda code, tail: noted.append((code, tail)),
    )


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; the test's own deadline bounds it."""
    while not condition():
        await asyncio.sleep(0.005)


def test_a_service_is_what_its_ready_line_says(tmp_path: Path) -> None:
    """The ready line names the service; SIGTERM ends it."""

    async def story() -> None:
        service = tiny(tmp_path, OBEDIENT)
        ready = await service.start()
        was_alive = service.alive
        exit_code = await service.stop()

        assert ("tiny", "http://127.0.0.1:4321", True) == (ready.service, ready.url, was_alive)
        assert (-signal.SIGTERM, False) == (exit_code, service.alive)
        assert gone(ready.pid)

    run(story)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ladder ends with SIGKILL."""
    monkeypatch.setattr(process, "STOP_GRACE_S", 0.2)

    async def story() -> None:
        service = tiny(tmp_path, STUBBORN)
        await service.start()

        assert -signal.SIGKILL == await service.stop()

    run(story)


def test_what_a_service_started_goes_with_it(tmp_path: Path) -> None:
    """The whole process group ends, even what ignores SIGTERM."""

    async def story() -> None:
        service = tiny(tmp_path, WITH_CHILD)
        await service.start()
        grandchild = int(service.log_tail())
        await service.stop()
        await until(lambda: gone(grandchild))

        assert gone(grandchild)

    run(story)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; print('no disk left', file=sys.stderr); sys.exit(3)", "ended with exit code 3"),
        ("print('hello', flush=True); import signal; signal.pause()", "printed 'hello' instead of a ready line"),
        ("print('[]', flush=True); import signal; signal.pause()", "instead of a ready line"),
        ("print('x' * 200000, flush=True); import signal; signal.pause()", "printed a first line over"),
        (NOT_READY + "ready(); import signal; signal.pause()", "instead of a ready line"),
    ],
)
def test_a_service_that_is_not_ready_is_refused_and_ended(tmp_path: Path, script: str, said: str) -> None:
    """The error says what came instead and shows the end of the log; nothing stays behind."""

    async def story() -> None:
        service = tiny(tmp_path, script)
        with pytest.raises(LaneError) as caught:
            await service.start()

        assert said in str(caught.value)
        assert "lane-legacy.log" in str(caught.value)
        assert not service.alive

    run(story)


def test_the_end_of_the_log_is_shown_when_a_start_fails(tmp_path: Path) -> None:
    """The last 20 lines, no more."""

    async def story() -> None:
        script = "import sys\nfor n in range(100): print(f'line {n}', file=sys.stderr)\nsys.exit(1)"
        with pytest.raises(LaneError) as caught:
            await tiny(tmp_path, script).start()

        assert "line 80\n" in str(caught.value)
        assert "line 79\n" not in str(caught.value)

    run(story)


def test_a_start_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that says nothing is given up, and ended."""
    monkeypatch.setattr(process, "READY_DEADLINE_S", 0.3)

    async def story() -> None:
        service = tiny(tmp_path, "import signal; signal.pause()")
        with pytest.raises(LaneError, match=r"no ready line within 0\.3 s"):
            await service.start()

        assert not service.alive

    run(story)


def test_a_command_that_does_not_exist_is_a_lane_error(tmp_path: Path) -> None:
    """A profile may name a program that is not installed."""

    async def story() -> None:
        service = Service("lane/x", lambda _: ("/nowhere/at-all",), tmp_path / "x.log", lambda *_: None)
        with pytest.raises(LaneError, match="cannot be started"):
            await service.start()

    run(story)


def test_an_unplanned_death_is_told_once_with_the_log(tmp_path: Path) -> None:
    """Who watches a lane hears of its end, how it ended, and what it last said."""

    async def story() -> None:
        deaths: Deaths = []
        script = READY + "ready(); print('oh no', file=sys.stderr, flush=True); os._exit(9)"
        service = tiny(tmp_path, script, deaths)
        await service.start()
        await service.died.wait()
        await service.stop()

        assert [(9, "oh no")] == deaths

    run(story)


def test_a_planned_kill_is_no_death(tmp_path: Path) -> None:
    """What the harness does itself is not told as a surprise."""

    async def story() -> None:
        deaths: Deaths = []
        service = tiny(tmp_path, OBEDIENT, deaths)
        await service.start()

        assert -signal.SIGKILL == await service.kill()
        assert [] == deaths
        assert not service.died.is_set()

    run(story)


def test_a_restart_keeps_the_port_and_is_a_new_life(tmp_path: Path) -> None:
    """Same port, other boot id; the log goes on in the same file."""

    async def story() -> None:
        service = tiny(tmp_path, OBEDIENT)
        first = await service.start()
        second = await service.restart()
        await service.stop()

        assert first.url == second.url
        assert first.boot_id != second.boot_id
        assert first.pid != second.pid

    run(story)


def test_a_talkative_service_does_not_block(tmp_path: Path) -> None:
    """What follows the ready line is read away, into the log."""

    async def story() -> None:
        service = tiny(tmp_path, TALKATIVE)
        await service.start()
        await until(lambda: service.log_tail().endswith("done"))
        await service.stop()

        assert service.log_file.stat().st_size > 400_000

    run(story)


def test_nothing_is_left_when_a_start_is_cancelled(tmp_path: Path) -> None:
    """Ctrl-C while a service is starting ends that service too."""

    async def story() -> None:
        script = "import os, sys; print(os.getpid(), file=sys.stderr, flush=True); import signal; signal.pause()"
        service = tiny(tmp_path, script)
        starting = asyncio.create_task(service.start())
        await until(lambda: service.log_tail().isdigit())
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

        assert gone(int(service.log_tail()))

    run(story)


def kernel_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_paused_service_stands_still_until_it_goes_on(tmp_path: Path) -> None:
    """The whole group is stopped and told to go on; pausing twice is pausing once."""

    async def story() -> None:
        service = tiny(tmp_path, OBEDIENT)
        ready = await service.start()
        await service.pause()
        await service.pause()
        await until(lambda: kernel_state(ready.pid) == "T")
        await service.resume()
        await until(lambda: kernel_state(ready.pid) != "T")

        assert service.alive
        assert -signal.SIGTERM == await service.stop()

    run(story)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_paused_service_can_be_ended(tmp_path: Path, end: str) -> None:
    """SIGTERM would wait for ever in one that stands still, so it goes on first; no grace has to pass."""

    async def story() -> None:
        service = tiny(tmp_path, OBEDIENT)
        ready = await service.start()
        await service.pause()
        exit_code = await getattr(service, end)()

        assert gone(ready.pid)
        assert exit_code == (-signal.SIGTERM if end == "stop" else -signal.SIGKILL)

    run(story)


def test_what_does_not_run_cannot_be_paused(tmp_path: Path) -> None:
    """Nor can its process be named before there is one."""

    async def story() -> None:
        service = tiny(tmp_path, OBEDIENT)
        with pytest.raises(LaneError, match="does not run, so that it cannot be paused"):
            await service.pause()
        with pytest.raises(LaneError, match="has not been started"):
            _ = service.pid

    run(story)


LISTENING = READY + (
    "import socket\nserver = socket.socket()\nserver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
    "server.bind(('127.0.0.1', int(sys.argv[1])))\nserver.listen()\nready(server.getsockname()[1])\n"
    "import signal; signal.pause()\n"
)


def test_the_port_of_a_killed_service_is_kept_for_it(tmp_path: Path) -> None:
    """Whoever connects meanwhile is refused, nobody else is given the port, and the next life listens on it."""

    async def story() -> None:
        service = tiny(tmp_path, LISTENING)
        port = int((await service.start()).url.rpartition(":")[2])
        await service.kill()
        service.reserve_port()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(OSError, match="in use"), socket.socket() as stranger:
            stranger.bind(("127.0.0.1", port))
        again = await service.restart()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await service.stop()

        assert again.url.endswith(f":{port}")

    run(story)
