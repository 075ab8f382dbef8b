"""Stale answers: their arithmetic, what is known from outside, and whether they end."""

from pathlib import Path
from typing import Any

import pytest

from harness.checks.stale import CHECKS
from harness.model.finding import FailureClass
from harness.model.names import Side
from tests.builders import World, limited
from tests.checks.running import Found, blames, found, history_of
from tests.checks.windows import BUDGET, HEAD, WINDOW, bend_answer, reading, stale_message
from tests.playing import Link, Message

FLOOR = HEAD - WINDOW
STALE = {check.name for check in CHECKS}


def answered(directory: Path, **changes: Any) -> Found:
    """What is found where the stale answer to cursor 1 is bent."""
    world = reading(1)
    bend_answer(world.link(Side.LEGACY, "at-1"), **changes)
    return found(world, directory)


def test_every_cursor_answered_lawfully_is_silent(tmp_path: Path) -> None:
    """Below, at and above the floor, at the head and beyond it: nothing is found, nothing is owed below the floor."""
    assert {} == found(reading(*range(HEAD + 3)), tmp_path)


def test_budget_alone_and_both_reasons_are_silent_but_for_the_policy(tmp_path: Path) -> None:
    """A small budget makes more cursors stale; the target serves those, which is explained."""
    said = found(reading(*range(HEAD + 3), settings=limited(WINDOW, BUDGET)), tmp_path)

    assert {"pair.answers"} == said.keys()
    assert [(4, "budget is policy"), (3, "budget is policy")] == [(one.seq, one.rule) for one in said["pair.answers"]][
        ::-1
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason_codes": []}, "gives as reasons none, needed was retention_floor_breach"),
        ({"reason_codes": ["replay_budget_exceeded"]}, "needed was retention_floor_breach"),
        (
            {"reason_codes": ["replay_budget_exceeded", "retention_floor_breach"]},
            "gives as reasons replay_budget_exceeded, retention_floor_breach, needed was retention_floor_breach",
        ),
        ({"replay_lag": 5}, "names lag 5, needed was 6"),
        ({"requested_cursor": 0, "replay_lag": 7}, "is to cursor 0, needed was 1"),
        ({"topic": "run:other:events"}, "names topic run:other:events, needed was"),
    ],
)
def test_arithmetic_of_one_answer_holds_its_fields_together(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    """Reasons exactly and in order, lag, cursor and topic: each wrong one is a finding of its own."""
    said = answered(tmp_path, **changes)

    assert {"stale.arithmetic"} == said.keys()
    assert words in said["stale.arithmetic"][0].message
    assert ({FailureClass.STALE}, {"legacy"}) == ({one.failure for one in said["stale.arithmetic"]}, blames(said))


@pytest.mark.parametrize("budget", [4, 5])
def test_reasons_in_the_wrong_order_are_found(tmp_path: Path, budget: int) -> None:
    """Where both apply the floor comes first."""
    world = reading(1, settings=limited(WINDOW, budget))
    bend_answer(world.link(Side.LEGACY, "at-1"), reason_codes=["replay_budget_exceeded", "retention_floor_breach"])

    assert {"stale.arithmetic"} == found(world, tmp_path).keys()


def test_lag_that_equals_the_budget_is_no_reason(tmp_path: Path) -> None:
    """The budget is strict: a lag of 6 against a budget of 6 is good."""
    world = reading(1, settings=limited(WINDOW, 6))
    bend_answer(world.link(Side.LEGACY, "at-1"), reason_codes=["retention_floor_breach", "replay_budget_exceeded"])

    assert {"stale.arithmetic"} == found(world, tmp_path).keys()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oldest_available_cursor": FLOOR + 1}, "names floor 4, needed was 3"),
        ({"oldest_available_cursor": FLOOR - 1}, "names floor 2, needed was 3"),
        ({"replay_budget_events": 19_999}, "names budget 19999, needed was 20000"),
        ({"qos_tier": "cold"}, "names tier cold, needed was warm"),
        (
            {"head_cursor": 6, "oldest_available_cursor": 2, "replay_lag": 5},
            "names head 6, and event 7 had been there before",
        ),
        (
            {"head_cursor": 9, "oldest_available_cursor": 5, "replay_lag": 8},
            "names head 9, and only 8 had been sent",
        ),
    ],
)
def test_window_is_the_declared_one_over_the_known_head(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    """Floor, budget and tier by the profile; the head between what was seen before and what had been sent."""
    world = reading(1)
    link = world.link(Side.LEGACY, "at-1")
    bend_answer(link, **changes)
    if "head_cursor" in changes:
        link.row["closed_ns"] = None

    said = found(world, tmp_path)

    assert words in said["stale.window"][0].message
    assert {"legacy"} == {one.blame.value for one in said["stale.window"]}


def unsaid(world: World, subscriber: str) -> Link:
    """The lane serves a stale cursor from where it stands, as if it were good: the second connection is gone."""
    link, again = world.link(Side.LEGACY, subscriber), world.link(Side.LEGACY, subscriber, attempt=2)
    link.messages = [link.messages[0], *again.messages[1:]]
    link.row.update(closed_by="harness", code=1000, closed_ns=None)
    world.links.remove(again)
    return link


@pytest.mark.parametrize(("cursor", "check"), [(FLOOR - 1, "stale.edges"), (0, "stale.answer")])
def test_stale_cursor_that_is_served_is_found(tmp_path: Path, cursor: int, check: str) -> None:
    """By the least that the head can be the cursor is stale: the lane must say so, at the edge and far from it."""
    world = reading(cursor)
    unsaid(world, f"at-{cursor}")

    said = found(world, tmp_path)

    assert {check} == said.keys() & STALE
    assert f"cursor {cursor} was served, and is stale for every head from 7 on" in said[check][0].message
    assert {"legacy"} == blames({check: said[check]})


def test_lane_that_ends_the_connection_without_a_word_is_found(tmp_path: Path) -> None:
    """A stale cursor that gets no answer but the end of its connection."""
    world = reading(0)
    link = world.link(Side.LEGACY, "at-0")
    link.messages.remove(stale_message(link))

    said = found(world, tmp_path)

    assert "cursor 0 got no stale answer" in said["stale.answer"][0].message
    assert "closing.code" in said


def refused(world: World, cursor: int, **changes: Any) -> None:
    """The lane says that a good cursor is stale, in numbers that hold together."""
    link = world.link(Side.LEGACY, f"at-{cursor}")
    again = world.link(Side.LEGACY, "at-1")
    answer = stale_message(again)
    link.messages = [link.messages[0], Message(link.messages[0].ordinal + 1, "raw", text=answer.text)]
    link.row.update(closed_by="lane", code=4410, closed_ns=link.row["accepted_ns"] + 1)
    bend_answer(link, requested_cursor=cursor, replay_lag=max(HEAD - cursor, 0), **changes)


@pytest.mark.parametrize(("cursor", "check"), [(FLOOR, "stale.edges"), (HEAD - 1, "stale.answer")])
def test_good_cursor_that_is_refused_is_found(tmp_path: Path, cursor: int, check: str) -> None:
    """By the most that the head can be the cursor is good: the lane must serve it, at the edge and far from it."""
    world = reading(1, cursor)
    refused(world, cursor)

    said = found(world, tmp_path)

    assert f"cursor {cursor} was refused as stale, and is good for every head up to {HEAD}" in said[check][0].message
    assert {"legacy"} == blames({name: every for name, every in said.items() if name in STALE})


@pytest.mark.parametrize(("cursor", "near", "far"), [(0, 1, 2), (2, 2, 1), (3, 1, 1), (4, 1, 1), (5, 0, 2)])
def test_edges_count_what_lies_within_one_of_them(tmp_path: Path, cursor: int, near: int, far: int) -> None:
    """So that a report shows whether a scenario came to the edges; who was told stale goes on at the floor."""
    history = history_of(reading(cursor), tmp_path)
    rows = {check.name: check.rows(history) for check in CHECKS}

    assert (near, far) == (rows["stale.edges"], rows["stale.answer"])


def again_and_again(world: World, count: int) -> None:
    """The lane refuses the cursor that it offered, `count` times in a row, in the very words of its first answer."""
    first, last = world.link(Side.LEGACY, "at-1"), world.link(Side.LEGACY, "at-1", attempt=2)
    world.links.remove(last)
    for attempt in range(2, count + 2):
        ordinal = 10 * attempt + max(message.ordinal for link in world.links for message in link.messages)
        row = {**last.row, "id": len(world.links) + attempt, "attempt": attempt, "closed_by": "lane"}
        row.update(ordinal=ordinal, code=4410, closed_ns=last.row["accepted_ns"] + attempt)
        answer = Message(ordinal + 2, "raw", text=stale_message(first).text)
        world.links.append(Link(row, [Message(ordinal + 1, "hello"), answer]))
        bend_answer(world.links[-1], requested_cursor=FLOOR, replay_lag=WINDOW)


def test_offered_cursor_that_is_refused_while_the_head_stands_is_found(tmp_path: Path) -> None:
    """The endless loop begins where a lane takes back its own offer."""
    world = reading(1)
    again_and_again(world, 1)

    said = found(world, tmp_path)

    assert "the one that the lane had offered" in said["stale.bounded"][0].message
    assert {"legacy"} == blames({"stale.bounded": said["stale.bounded"]})


def test_client_that_gave_up_is_found(tmp_path: Path) -> None:
    """A subscription that ended by its own policy was told stale without an end."""
    world = reading(1)
    step = world.link(Side.LEGACY, "at-1").row["step"]
    world.note("subscription_closed", f"{step}/legacy", Side.LEGACY, reason="rebootstrap_max")

    said = found(world, tmp_path)

    assert {"stale.bounded"} == said.keys()
    assert FailureClass.STALE == said["stale.bounded"][0].failure


def test_stale_answers_beyond_the_policy_are_found_without_a_note(tmp_path: Path) -> None:
    """More stale answers than rebootstraps that the client bears, whatever the lane's heads did meanwhile."""
    world = reading(1)
    again_and_again(world, 3)
    for attempt in (2, 3, 4):
        moved = HEAD + attempt
        changes = {"head_cursor": moved, "oldest_available_cursor": moved - WINDOW, "replay_lag": moved - FLOOR}
        bend_answer(world.link(Side.LEGACY, "at-1", attempt), **changes)

    said = found(world, tmp_path)

    assert "told stale 4 times in a row, a client begins anew at most 2 times" == said["stale.bounded"][0].message
