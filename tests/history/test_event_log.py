"""The log as it was read."""

from collections.abc import Sequence
from typing import Any

from harness.history.columns import Codes
from harness.history.event_log import Log, event_log

TOPIC = "run:u:events"


def page(number: int, seqs: Sequence[int], head: int, step: int = 9, after: int = 0, limit: int = 3) -> dict[str, Any]:
    rows = ",".join(
        f'{{"seq":{seq},"kind":"k","payload":{{"b":{seq},"a":1}},"published_at":"2026-02-25T12:00:00Z",'
        f'"command_id":"c{seq}"}}'
        for seq in seqs
    )
    return {
        "id": number,
        "purpose": "log",
        "step": step,
        "outcome": "ok",
        "path": f"/internal/v1/streams/x/events?after_seq={after}&limit={limit}",
        "response_body": f'{{"stream":"{TOPIC}","head_seq":{head},"events":[{rows}]}}'.encode(),
    }


def log(*exchanges: dict[str, Any]) -> Log:
    return event_log(exchanges, (Codes(), Codes()), {"c2": 5})


def test_pages_of_one_step_are_one_read() -> None:
    """Rows of all pages, in order, each with the command that made it and the digest of its canonical form."""
    found = log(page(1, [1, 2, 3], 4), page(2, [4], 4, after=3))

    assert [1, 2, 3, 4] == found.rows.seq.tolist()
    assert [-1, 5, -1, -1] == found.command.tolist()
    assert (frozenset({TOPIC}), {TOPIC: 4}) == (found.read, found.heads)
    assert found.has_canonical.all()
    assert (found.canonical != found.rows.raw).any(axis=1).all()


def test_read_that_stopped_early_is_no_read() -> None:
    """A full page below the head, and then nothing: the log was not read."""
    found = log(page(1, [1, 2, 3], 5))

    assert (frozenset(), 0) == (found.read, len(found.rows))


def test_short_last_page_is_the_end_whatever_head_it_names() -> None:
    """A page with fewer rows than asked for is the end, so a row that lacks there is lacking."""
    assert frozenset({TOPIC}) == log(page(1, [1, 2], 5)).read


def test_log_that_changed_between_two_reads_contradicts_itself() -> None:
    """What an earlier read had must still be there, as it was."""
    found = log(page(1, [1, 2], 2, step=5), page(2, [1], 1, step=9))

    assert ((TOPIC, 2),) == found.contradictions
    assert [1] == found.rows.seq.tolist()


def test_answer_that_is_no_page_is_kept_as_such() -> None:
    """What cannot be read is named, never dropped."""
    found = log({**page(1, [1], 1), "response_body": b"{}"})

    assert [1] == [exchange for exchange, _ in found.unreadable]
