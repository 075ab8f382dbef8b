"""Writers keep their own order and never wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from harness.drive.authority import AuthorityClient
from harness.drive.exchange import HttpService
from harness.drive.writers import Writers
from harness.lanes.secrets import RunSecrets
from harness.model.plan import Command, CommandStep
from tests.drive.conftest import Tape, run

STORY_S = 10.0


@dataclass
class Heard:
    """What an authority got, in order; it answers the command called `held` only when it is let go."""

    held: str = ""
    status: int = 200
    silent: int = 0
    """So many requests it hangs up on, without an answer."""
    put_off: int = 0
    """So many requests it answers with 429."""
    anonymous: list[str] = field(default_factory=list)
    """Commands that came without a token."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    commands: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["worker"]
        async with self.changed:
            self.commands.append(name)
            self.changed.notify_all()
        if self.silent:
            self.silent -= 1
            assert request.transport is not None
            request.transport.abort()
        if "Authorization" not in request.headers:
            self.anonymous.append(name)
        if self.put_off:
            self.put_off -= 1
            return web.json_response({"error": "rate_limited"}, status=429)
        if name == self.held:
            await self.let_go.wait()
        self.answered.append(name)
        return web.json_response({"command_id": name}, status=self.status)

    async def arrival(self, name: str) -> None:
        """Waits until the command called `name` is heard."""
        async with self.changed:
            await self.changed.wait_for(lambda: name in self.commands)


@asynccontextmanager
async def authority(tape: Tape, directory: Path, name: str, heard: Heard) -> AsyncIterator[AuthorityClient]:
    """A client of an authority that only listens."""
    app = web.Application()
    app.router.add_post("/internal/v1/workers/{worker}/heartbeat", heard.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (directory / name).mkdir()
    try:
        async with HttpService(tape.recorder, f"authority/{name}", None, url) as service:
            yield AuthorityClient(name, service, RunSecrets(directory / name), tape.recorder)
    finally:
        await runner.cleanup()


def step(writer: str, number: int, key: str | None = None) -> CommandStep:
    """A command whose answer depends on nothing; its subject is how it is heard."""
    return CommandStep(number, writer, Command("heartbeat", f"{writer}{number}", key=key))


def told(tape: Tape, directory: Path, story: Callable[[Writers], Awaitable[None]], *authorities: Heard) -> None:
    """Runs `story` with writers on an authority for each of `authorities`."""

    async def whole() -> None:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            clients = [
                await stack.enter_async_context(authority(tape, directory, f"a{number}", heard))
                for number, heard in enumerate(authorities)
            ]
            writers = Writers(clients, tape.recorder, group)
            await story(writers)
            writers.dismiss()

    run(whole, STORY_S)


def test_writer_keeps_its_order(tape: Tape, tmp_path: Path) -> None:
    """Commands of one writer are heard in the order in which they were given, each after the answer to the last."""
    heard = Heard(held="w1")

    async def story(writers: Writers) -> None:
        for number in range(1, 4):
            writers.give(step("w", number))
        drained = asyncio.create_task(writers.drain())
        await heard.arrival("w1")

        assert ["w1"] == heard.commands
        heard.let_go.set()
        await drained

    told(tape, tmp_path, story, heard)

    assert ["w1", "w2", "w3"] == heard.answered == heard.commands


def test_writer_does_not_wait_for_another(tape: Tape, tmp_path: Path) -> None:
    """While one writer has no answer yet, the other gets all of its own."""
    heard = Heard(held="slow1")

    async def story(writers: Writers) -> None:
        for number in range(1, 3):
            writers.give(step("slow", number))
            writers.give(step("fast", number))
        await heard.arrival("fast2")

        assert "slow2" not in heard.commands
        heard.let_go.set()
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert {"slow1", "slow2", "fast1", "fast2"} == set(heard.answered)


def test_authority_does_not_wait_for_another(tape: Tape, tmp_path: Path) -> None:
    """The same writer goes on where it is answered, however far behind it is elsewhere."""
    slow, fast = Heard(held="w1"), Heard()

    async def story(writers: Writers) -> None:
        for number in range(1, 3):
            writers.give(step("w", number))
        await fast.arrival("w2")

        assert [] == slow.answered
        slow.let_go.set()
        await writers.drain()

    told(tape, tmp_path, story, slow, fast)

    assert ["w1", "w2"] == slow.answered == fast.answered


def test_drained_is_what_was_answered(tape: Tape, tmp_path: Path) -> None:
    """A drain lasts until the last answer, and what is given after it can be drained again."""
    heard = Heard(held="w1")

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1))
        drained = asyncio.create_task(writers.drain())
        await heard.arrival("w1")

        assert not drained.done()
        heard.let_go.set()
        await drained
        writers.give(step("w", 2))
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert ["w1", "w2"] == heard.answered


@pytest.mark.parametrize("status", [409, 503])
def test_refused_command_stops_no_writer(tape: Tape, tmp_path: Path, status: int) -> None:
    """A refusal and a failure are answers to one command; the next one is sent all the same."""
    heard = Heard(status=status)

    async def story(writers: Writers) -> None:
        for number in range(1, 3):
            writers.give(step("w", number))
        await writers.drain()

    told(tape, tmp_path, story, heard)
    outcomes = [row["outcome"] for row in tape.rows("exchanges_closed")]

    assert ["w1", "w2"] == heard.answered
    assert outcomes == ["refused" if status == 409 else "indefinite"] * 2


def test_nothing_given_is_drained_at_once(tape: Tape, tmp_path: Path) -> None:
    """Without a command there is nothing to wait for."""
    heard = Heard()
    told(tape, tmp_path, lambda writers: writers.drain(), heard)

    assert [] == heard.commands


def attempts(tape: Tape) -> list[tuple[int, int, str]]:
    """Step, attempt and outcome of every exchange."""
    outcomes = {row["id"]: row["outcome"] for row in tape.rows("exchanges_closed")}
    return [(row["step"], row["attempt"], outcomes[row["id"]]) for row in tape.rows("exchanges_opened")]


def test_keyed_command_without_answer_is_sent_again(tape: Tape, tmp_path: Path) -> None:
    """Every attempt is an exchange of its own, and the writer's next command waits for the last of them."""
    heard = Heard(silent=2)

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1, key="k1"))
        writers.give(step("w", 2, key="k2"))
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert [(1, 1, "indefinite"), (1, 2, "indefinite"), (1, 3, "ok"), (2, 1, "ok")] == attempts(tape)


def test_command_without_key_is_never_sent_twice(tape: Tape, tmp_path: Path) -> None:
    """What may have taken effect cannot be repeated: it stays indefinite."""
    heard = Heard(silent=1)

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1))
        writers.give(step("w", 2))
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert [(1, 1, "indefinite"), (2, 1, "ok")] == attempts(tape)


def test_resending_is_bounded(tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that never answers is given up, command by command."""
    monkeypatch.setattr("harness.drive.authority.RESEND_DEADLINE_S", 0.1)
    heard = Heard(silent=1000)

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1, key="k1"))
        await writers.drain()

    told(tape, tmp_path, story, heard)
    outcomes = {outcome for _, _, outcome in attempts(tape)}

    assert {"indefinite"} == outcomes
    assert 2 < len(attempts(tape)) < 10


@pytest.mark.parametrize("status", [409, 503])
def test_answer_is_an_answer_whatever_it_says(tape: Tape, tmp_path: Path, status: int) -> None:
    """A key is no reason to ask again where the authority has spoken."""
    heard = Heard(status=status)

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1, key="k1"))
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert ["w1"] == heard.commands


@pytest.mark.parametrize(("purpose", "heard_times"), [("sentinel", 3), ("command", 1)])
def test_sentinel_is_sent_again_while_it_is_put_off(tape: Tape, tmp_path: Path, purpose: str, heard_times: int) -> None:
    """A barrier waits for its sentinel, so that a rate limit only delays it; a command is told off for good."""
    heard = Heard(put_off=2)

    async def story() -> None:
        async with authority(tape, tmp_path, "shared", heard) as client:
            await client.send(step("w", 1, key="k1").command, purpose=purpose, step=1)

    run(story)

    assert heard_times == len(heard.commands)


def test_command_without_a_token_is_sent_without_one(tape: Tape, tmp_path: Path) -> None:
    """Only the command that the plan wants anonymous is."""
    heard = Heard()

    async def story(writers: Writers) -> None:
        writers.give(step("w", 1))
        writers.give(replace(step("w", 2), command=replace(step("w", 2).command, token="none")))
        await writers.drain()

    told(tape, tmp_path, story, heard)

    assert ["w2"] == heard.anonymous
