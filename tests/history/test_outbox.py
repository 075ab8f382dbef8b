"""The outbox as it was read."""

from collections.abc import Sequence
from typing import Any

import pytest

from harness.history.columns import Codes
from harness.history.event_log import event_log
from harness.history.outbox import Outbox, Published, outbox
from tests.history.test_event_log import TOPIC, page

STEP = 9
BODY = '{"b":%d,"a":1}'


def row(ordinal: int, seq: int, body: str = "", kind: str = "k", topic: str = TOPIC) -> str:
    return (
        f'{{"ordinal":{ordinal},"topic":"{topic}","sequence":{seq},"kind":"{kind}","payload":{body or BODY % seq},'
        f'"published_at":"2026-02-25T12:00:00Z","owner_user_id":1,"command_id":"c{seq}"}}'
    )


def answer(number: int, after: int, head: int, rows: Sequence[str] = (), step: int = STEP) -> dict[str, Any]:
    return {
        "id": number,
        "purpose": "outbox",
        "step": step,
        "outcome": "ok",
        "path": f"/internal/v1/outbox?after={after}&limit=3",
        "response_body": f'{{"boot_id":"b","head_ordinal":{head},"rows":[{",".join(rows)}]}}'.encode(),
    }


def read(*answers: dict[str, Any]) -> Outbox:
    """The outbox beside a log that has the events 1 to 3 of the only stream."""
    topics, kinds = Codes(), Codes()
    log = event_log([page(1, [1, 2, 3], 3)], (topics, kinds), {})
    return outbox(answers, Published(log, {TOPIC: 0}.get, topics.texts, kinds))


def test_pages_of_one_step_are_one_outbox() -> None:
    """Rows of all pages in order, each with the row of the log that it should be."""
    found = read(answer(2, 0, 3, [row(1, 1), row(2, 3)]), answer(3, 2, 3, [row(3, 2)]))

    assert (True, 3) == (found.read, len(found))
    assert [1, 3, 2] == found.seq.tolist()
    assert [0, 2, 1] == found.log_row.tolist()
    assert not found.differs.any()


def test_rows_of_other_streams_are_passed_over() -> None:
    """Lanes are shared between plans."""
    found = read(answer(2, 0, 2, [row(1, 1, topic="run:other:events"), row(2, 1)]))

    assert (True, [0], [1]) == (found.read, found.stream.tolist(), found.seq.tolist())


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (row(1, 2), False),
        (row(1, 2, '{"a":1,"b":2}'), False),
        (row(1, 2, '{"a":1,"b":3}'), True),
        (row(1, 2, '{"a":1e999,"b":2}'), True),
        (row(1, 2, kind="other"), True),
    ],
)
def test_kind_and_canonical_body_are_compared(published: str, expected: bool) -> None:
    """Another spelling is no other body."""
    assert [expected] == read(answer(2, 0, 1, [published])).differs.tolist()


def test_number_that_the_log_lacks_has_no_row_there() -> None:
    """It differs from nothing."""
    found = read(answer(2, 0, 1, [row(1, 4)]))

    assert ([-1], [False]) == (found.log_row.tolist(), found.differs.tolist())


def test_read_begins_where_the_plan_began() -> None:
    """What stood there before is of other plans; a read from elsewhere is none."""
    mark, pages = answer(1, 2**63 - 1, 7, step=-1), [answer(2, 7, 8, [row(8, 1)])]

    assert [True, False] == [read(mark, *pages).read, read(*pages).read]


def test_outbox_that_began_anew_is_read_from_its_first_row() -> None:
    """It ends below where it was asked to begin, and is asked again."""
    found = read(answer(1, 2**63 - 1, 7, step=-1), answer(2, 7, 1), answer(3, 0, 1, [row(1, 1)]))

    assert (True, 1) == (found.read, len(found))


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (answer(1, 2**63 - 1, 0, step=-1),),
        (answer(2, 0, 4, [row(1, 1), row(2, 2), row(3, 3)]),),
        (answer(2, 0, 3, [row(1, 1)]), answer(3, 2, 3, [row(3, 3)])),
        ({**answer(2, 0, 0), "outcome": "refused"},),
        ({**answer(2, 0, 0), "response_body": b"{}"},),
        (answer(2, 0, 2, [row(1, 1)]), {**answer(3, 1, 2), "outcome": "indefinite"}),
    ],
)
def test_outbox_not_read_to_its_end_has_no_rows(answers: tuple[dict[str, Any], ...]) -> None:
    """Nothing is said of an outbox that was not read whole: not asked, broken off, with a hole, refused, no page."""
    found = read(*answers)

    assert (False, 0) == (found.read, len(found))


def test_page_with_fewer_rows_than_asked_for_is_the_end() -> None:
    """Whatever ordinal is named as the last: what lacks there is lacking."""
    found = read(answer(2, 0, 3, [row(1, 1), row(2, 2)]))

    assert (True, 2) == (found.read, len(found))


def test_answer_that_is_no_page_is_kept() -> None:
    """With the exchange that it answers."""
    assert [5] == [number for number, _ in read({**answer(5, 0, 0), "response_body": b"{}"}).unreadable]
