"""Subscribers against a lane that misbehaves on cue."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from harness.drive.dialects import Reader
from harness.drive.subscriber import Ask, Subscriber
from harness.lanes.secrets import RunSecrets
from harness.model.names import StreamKey
from harness.model.plan import Policy
from tests.drive.conftest import Tape, run
from tests.drive.scripted_lane import (
    EVICTED,
    TOPIC,
    Script,
    ScriptedLane,
    hello,
    message,
    says,
    scripted_lane,
    stale,
    vanishes,
)

Story = Callable[[Subscriber, ScriptedLane], Awaitable[None]]
QUICK = Policy(reconnect_max=3, backoff_ms=1)


def told(
    tape: Tape,
    directory: Path,
    *scripts: Script | HTTPStatus,
    cursor: int = 0,
    until: int | None = None,
    rules: Policy = QUICK,
    in_outage: Callable[[], bool] = bool,
    story: Story,
) -> ScriptedLane:
    """Runs one subscriber against the scripts, and `story` beside it; answers with the lane."""
    lanes: list[ScriptedLane] = []

    async def whole() -> None:
        async with scripted_lane(*scripts) as lane, asyncio.TaskGroup() as group:
            lanes.append(lane)
            reader = Reader(StreamKey("run", "r1"), TOPIC, 1, "reader")
            ask = Ask("subscriber", 7, reader, cursor, until, rules)
            one = Subscriber(ask, lane.handle, RunSecrets(directory), tape.recorder, asyncio.Event(), in_outage)
            one.start(group)
            await story(one, lane)
            await one.close("unsubscribed")

    run(whole)
    return lanes[0]


async def ends(one: Subscriber, _: ScriptedLane) -> None:
    while one.ended is None:
        await asyncio.sleep(0.002)


async def seen(one: Subscriber, _: ScriptedLane) -> None:
    assert await one.reached(51, 5)


def reasons(tape: Tape) -> list[str]:
    return [row["detail"]["reason"] for row in tape.events("subscription_closed")]


def test_every_message_is_recorded_as_it_came(tape: Tape, tmp_path: Path) -> None:
    """Bytes, opcode and order of what the lane sent; the subscriber leaves with 1000."""
    frames = [hello(), message(1), message(2, '{"a":"é"}')]

    async def story(one: Subscriber, _: ScriptedLane) -> None:
        assert await one.reached(2, 5)
        assert (2, 2, True) == (one.seen, one.applied, one.opened)

    told(tape, tmp_path, says(*frames), story=story)

    assert frames == [row["data"] for row in tape.rows("frames")]
    assert {(0, 1)} == {(row["direction"], row["opcode"]) for row in tape.rows("frames")}
    (closed,) = tape.rows("connections_closed")
    assert (101, "harness", 1000) == (closed["handshake_status"], closed["closed_by"], closed["code"])
    assert closed["accepted_ns"] is not None


def test_a_connection_says_what_it_asked_for(tape: Tape, tmp_path: Path) -> None:
    """Cursor, stream by both names, subscription; the token is not in it."""
    lane = told(tape, tmp_path, says(hello(5), message(6)), cursor=5, until=6, story=ends)

    (opened,) = tape.rows("connections_opened")
    wanted = {"side": "legacy", "subscriber": "reader", "step": 7, "attempt": 1, "stream": "run:r1", "cursor": 5}
    assert wanted == {name: opened[name] for name in wanted}
    assert (TOPIC, "topic-ws") == (opened["wire_stream"], opened["dialect"])
    assert [5] == lane.cursors
    assert lane.tokens[0].partition(" ")[2] not in opened["request_headers"]


def test_until_ends_the_subscription_by_itself(tape: Tape, tmp_path: Path) -> None:
    """The position stays at `until`, whatever else was on its way."""

    async def story(one: Subscriber, lane: ScriptedLane) -> None:
        await ends(one, lane)
        assert (3, True) == (one.applied, one.seen >= 3)

    told(tape, tmp_path, says(hello(), *map(message, range(1, 6))), until=3, story=story)

    assert ["until"] == reasons(tape)


@pytest.mark.parametrize("goodbye", [says(hello(), message(1), EVICTED, code=4429), vanishes(hello(), message(1))])
def test_a_lost_connection_goes_on_from_what_was_applied(tape: Tape, tmp_path: Path, goodbye: Script) -> None:
    """Eviction and a dropped socket are met alike: a new token, the applied number as cursor."""
    lane = told(tape, tmp_path, goodbye, says(hello(1), message(2)), until=2, story=ends)

    assert [0, 1] == lane.cursors
    assert 2 == len(set(lane.tokens))
    assert ["until"] == reasons(tape)


def test_how_a_lane_closed_is_recorded(tape: Tape, tmp_path: Path) -> None:
    """A close code is the lane's; without a close frame the client sees 1006."""
    evicted, gone = says(hello(), message(1), EVICTED, code=4429), vanishes(hello(1), message(2))
    told(tape, tmp_path, evicted, gone, says(hello(2), message(3)), until=3, story=ends)

    ends_seen = [(row["closed_by"], row["code"]) for row in tape.rows("connections_closed")]
    assert [("lane", 4429), ("lane", 1006), ("harness", 1000)] == ends_seen


@pytest.mark.parametrize(
    ("oldest", "head", "budget", "cursor"),
    [(40, 50, 20000, 45), (40, 50, 10, 45), (40, 50, 8, 46), (40, 50, 0, 50), (0, 50, 4, 48), (60, 50, 5, 60)],
)
def test_a_rebootstrap_goes_on_half_way_between_what_is_served_and_the_head(
    tape: Tape, tmp_path: Path, oldest: int, head: int, budget: int, cursor: int
) -> None:
    """Served is from the oldest cursor that is left, or from the lowest that the budget reaches, up to the head."""
    told_stale = says(stale(0, oldest, head, budget), code=4410)
    lane = told(tape, tmp_path, told_stale, says(hello(cursor), message(51)), until=51, story=seen)

    assert [0, cursor] == lane.cursors


def test_a_stale_subscription_comes_to_its_end(tape: Tape, tmp_path: Path) -> None:
    """One stale answer, one rebootstrap, and the subscription ends where it was to end."""
    lane = told(
        tape,
        tmp_path,
        says(stale(0, 40, 50), code=4410),
        says(hello(45), message(46)),
        until=46,
        story=ends,
    )

    assert [0, 45] == lane.cursors
    assert ["until"] == reasons(tape)
    assert 4410 == tape.rows("connections_closed")[0]["code"]


def test_rebootstraps_are_bounded(tape: Tape, tmp_path: Path) -> None:
    """A lane that is stale for ever is given up."""
    lane = told(tape, tmp_path, says(stale(0, 40, 50), code=4410), story=ends)

    assert [0, 45, 45] == lane.cursors
    assert ["rebootstrap_max"] == reasons(tape)


def test_an_event_in_between_makes_a_rebootstrap_count_anew(tape: Tape, tmp_path: Path) -> None:
    """A client that moves on is in no loop, however often the window turns over under it."""
    told_stale = [says(stale(0, 40, 50), code=4410)]
    for cursor in (45, 55, 65):
        told_stale.append(
            says(hello(cursor), message(cursor + 1), stale(cursor + 1, cursor + 5, cursor + 15), code=4410)
        )
    lane = told(tape, tmp_path, *told_stale, says(hello(75), message(76)), until=76, story=ends)

    assert [0, 45, 55, 65, 75] == lane.cursors
    assert ["until"] == reasons(tape)


def test_reconnects_are_bounded(tape: Tape, tmp_path: Path) -> None:
    """A lane that drops every connection is given up."""
    lane = told(tape, tmp_path, vanishes(hello()), story=ends)

    assert 1 + QUICK.reconnect_max == len(lane.cursors)
    assert ["reconnect_max"] == reasons(tape)


def test_a_refused_handshake_is_recorded_and_final(tape: Tape, tmp_path: Path) -> None:
    """Status, headers and body of the refusal are facts; nobody asks again."""
    told(tape, tmp_path, HTTPStatus.FORBIDDEN, story=ends)

    (closed,) = tape.rows("connections_closed")
    assert (403, b'{"error":"forbidden_topic"}', "lane") == (
        closed["handshake_status"],
        closed["handshake_body"],
        closed["closed_by"],
    )
    assert closed["code"] is None
    assert ["refused"] == reasons(tape)


@pytest.mark.parametrize("refusal", [HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY])
def test_a_later_refusal_is_tried_again(tape: Tape, tmp_path: Path, refusal: HTTPStatus) -> None:
    """A subscription that stood is taken up again by its policy, though a lane that refills refuses it for a while."""
    lane = told(
        tape,
        tmp_path,
        vanishes(hello(), message(1)),
        refusal,
        refusal,
        says(hello(1), message(2)),
        until=2,
        story=ends,
    )

    assert [0, 1, 1, 1] == lane.cursors
    assert ["until"] == reasons(tape)


def test_no_refusal_is_final_during_an_outage(tape: Tape, tmp_path: Path) -> None:
    """A lane that the plan has broken refuses a new subscription only for now; the policy still bounds it."""
    always = told(tape, tmp_path, HTTPStatus.FORBIDDEN, in_outage=lambda: True, story=ends)

    assert 1 + QUICK.reconnect_max == len(always.cursors)
    assert ["reconnect_max"] == reasons(tape)


def test_a_server_error_is_tried_again(tape: Tape, tmp_path: Path) -> None:
    """A 5xx says nothing about the subscription."""
    lane = told(tape, tmp_path, HTTPStatus.BAD_GATEWAY, says(hello(), message(1)), until=1, story=ends)

    assert [0, 0] == lane.cursors
    assert ["until"] == reasons(tape)


def test_what_cannot_be_decoded_is_kept_and_passed_over(tape: Tape, tmp_path: Path) -> None:
    """Broken UTF-8 and unknown frames are recorded byte by byte; the subscription goes on."""
    broken = [b"\xff\xfe", b'{"type":"poem"}', b"", b'{"type":"message","message":{"topic":']
    told(tape, tmp_path, says(hello(), *broken, message(1)), until=1, story=ends)

    assert [hello(), *broken, message(1)] == [row["data"] for row in tape.rows("frames")]
    assert len(broken) == len(tape.events("undecodable"))


def test_a_binary_message_is_recorded_as_binary(tape: Tape, tmp_path: Path) -> None:
    """The opcode is a fact of its own."""
    told(tape, tmp_path, says(hello(), message(1), binary=True), until=1, story=ends)

    assert [2, 2] == [row["opcode"] for row in tape.rows("frames")]


def test_a_fragmented_message_is_one_message(tape: Tape, tmp_path: Path) -> None:
    """Fragments are put together before anything is recorded."""

    async def fragments(socket: ServerConnection) -> None:
        text = message(1)
        await socket.send([hello()[:9], hello()[9:]], text=True)
        await socket.send([text[:5], text[5:50], text[50:]], text=True)
        await socket.wait_closed()

    told(tape, tmp_path, fragments, until=1, story=ends)

    assert [hello(), message(1)] == [row["data"] for row in tape.rows("frames")]


def test_another_stream_s_number_moves_nothing(tape: Tape, tmp_path: Path) -> None:
    """A delivery of a foreign topic is recorded but counts for nobody."""
    foreign = message(1, topic="run:other:events")

    async def story(one: Subscriber, lane: ScriptedLane) -> None:
        await ends(one, lane)
        assert 1 == one.applied

    told(tape, tmp_path, says(hello(), foreign, message(1)), until=1, story=story)

    assert 3 == len(tape.rows("frames"))


def test_a_gap_stops_what_is_applied_but_not_what_is_seen(tape: Tape, tmp_path: Path) -> None:
    """`until` behind a gap is given up soon after a later number was seen, not after the whole deadline."""

    async def story(one: Subscriber, _: ScriptedLane) -> None:
        assert not await one.finish(20)
        assert (1, 4) == (one.applied, one.seen)

    told(tape, tmp_path, says(hello(), message(1), message(3), message(4)), until=3, story=story)

    assert ["until_missed"] == reasons(tape)


def test_a_redirect_is_not_followed(tape: Tape, tmp_path: Path) -> None:
    """A credential goes to the address of the profile and nowhere else."""
    told(tape, tmp_path, HTTPStatus.TEMPORARY_REDIRECT, rules=Policy(reconnect_max=0, backoff_ms=1), story=ends)

    assert [307] == [row["handshake_status"] for row in tape.rows("connections_closed")]


def test_a_dead_lane_is_not_asked_again(tape: Tape, tmp_path: Path) -> None:
    """Once the process behind a lane is known to be gone, its subscribers end."""

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            died = asyncio.Event()
            died.set()
            reader = Reader(StreamKey("run", "r1"), TOPIC, 1, "reader")
            ask = Ask("subscriber", 0, reader, 0, None, Policy())
            nobody = ScriptedLane("http://127.0.0.1:9").handle
            one = Subscriber(ask, nobody, RunSecrets(tmp_path), tape.recorder, died)
            one.start(group)

    run(story)

    assert ["lane_died"] == reasons(tape)
    assert "refused" in tape.rows("connections_closed")[0]["error"].lower()


def test_an_interrupted_subscriber_says_so(tape: Tape, tmp_path: Path) -> None:
    """Cancellation closes the row too: by the harness, interrupted."""

    async def story(one: Subscriber, _: ScriptedLane) -> None:
        await one.reached(1, 5)
        assert one._task is not None
        one._task.cancel()
        await ends(one, _)

    told(tape, tmp_path, says(hello(), message(1)), story=story)

    assert [("harness", "interrupted")] == [(row["closed_by"], row["error"]) for row in tape.rows("connections_closed")]
    assert ["interrupted"] == reasons(tape)


def test_the_receive_path_does_not_hide_a_failing_recorder(tape: Tape, tmp_path: Path) -> None:
    """What the journal does not take ends the run instead of passing unseen."""

    async def story(one: Subscriber, lane: ScriptedLane) -> None:
        tape.recorder.close()
        await ends(one, lane)

    with pytest.raises(ExceptionGroup) as caught:
        told(tape, tmp_path, says(hello(), message(1)), story=story)

    assert "after the journal was closed" in repr(caught.value.exceptions)
