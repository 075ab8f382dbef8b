"""The outbox of a live authority, and of one that cannot show it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web

from harness.drive.exchange import HttpService
from harness.drive.outbox import OutboxReader
from harness.lanes.secrets import RunSecrets
from harness.wire.outbox_rows import outbox_page
from tests.drive import plans
from tests.drive.conftest import Row, Tape
from tests.drive.conftest import run as run_story
from tests.drive.plans import append, barrier, create, read
from tests.drive.real_lanes import driven


def asked(tape: Tape) -> list[Row]:
    """Requests for the outbox with their answers, in order."""
    closed = {row["id"]: row for row in tape.rows("exchanges_closed")}
    return [{**closed[row["id"]], **row} for row in tape.rows("exchanges_opened") if row["purpose"] == "outbox"]


def test_outbox_is_read_from_where_the_plan_began(tmp_path: Path) -> None:
    """Once before the first step, for its end, and once in the final read, for all that was published since."""
    steps = [create(), append(), append(), barrier()]
    tape = driven(tmp_path, plans.plan(*steps, read("run:r1")))
    before, after = asked(tape)

    assert (-1, 4) == (before["step"], after["step"])
    assert [0, 4] == [outbox_page(row["response_body"]).head_ordinal for row in (before, after)]
    assert [1, 2, 3, 4] == [row.seq for row in outbox_page(after["response_body"]).rows]
    assert [] == tape.events("unread")


def page(head: int, *ordinals: int) -> bytes:
    rows = ",".join(
        f'{{"ordinal":{ordinal},"topic":"run:u:events","sequence":{ordinal},"kind":"k","payload":1,'
        f'"published_at":"2026-02-25T12:00:00Z","owner_user_id":1,"command_id":"c"}}'
        for ordinal in ordinals
    )
    return f'{{"boot_id":"b","head_ordinal":{head},"rows":[{rows}]}}'.encode()


def heard(tape: Tape, directory: Path, *answers: tuple[int, bytes]) -> tuple[str, list[str]]:
    """Marks and reads an outbox that gives `answers` one after the other: what is said of it, what it was asked."""
    left, paths, said = list(answers), [], []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.query["after"])
        status, body = left.pop(0)
        return web.Response(status=status, body=body)

    async def story() -> None:
        app = web.Application()
        app.router.add_get("/internal/v1/outbox", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with HttpService(tape.recorder, "authority/shared", None, url) as http:
                reader = OutboxReader(http, RunSecrets(directory))
                await reader.mark()
                said.append(await reader.read(step=4))
        finally:
            await runner.cleanup()

    run_story(story)
    return said[0], paths[1:]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([page(7), page(9, 8), page(9, 9)], ["7", "8"]),
        ([page(7), page(7)], ["7"]),
        ([page(7), page(1), page(1, 1)], ["7", "0"]),
        ([page(0), page(2, 1), page(5, 2, 3)], ["0", "1"]),
        ([page(0), page(2, 1), page(2)], ["0", "1"]),
    ],
    ids=["pages", "nothing new", "begun anew", "growing meanwhile", "less than it names"],
)
def test_pages_are_read_to_the_last_ordinal(
    tape: Tape, tmp_path: Path, answers: Sequence[bytes], expected: Sequence[str]
) -> None:
    """From the mark on, or from the first row where the outbox began anew; what comes meanwhile ends no read late."""
    (tmp_path / "secrets").mkdir()

    assert ("", expected) == heard(tape, tmp_path / "secrets", *((200, body) for body in answers))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([(404, b""), (404, b"")], "the outbox was answered with status 404"),
        ([(200, page(0)), (200, b"{}")], "not a page of the authority's outbox"),
        ([(200, page(0)), (200, page(2, 1)), (200, page(2, 1))], "its page after 1 ends at 1"),
    ],
)
def test_outbox_that_cannot_be_read_says_why(
    tape: Tape, tmp_path: Path, answers: Sequence[tuple[int, bytes]], why: str
) -> None:
    """Refused, no page, or leading nowhere: the read ends."""
    (tmp_path / "secrets").mkdir()

    assert heard(tape, tmp_path / "secrets", *answers)[0].startswith(why)
