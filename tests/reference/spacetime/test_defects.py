"""The stand-in's defects: each does what it says to readers, and without it nothing of that is seen."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from harness.reference.spacetime.defects import DEFECTS
from harness.reference.spacetime.telling import ALTERED_HASH
from tests.reference.spacetime.running import (
    RELAY,
    StandIn,
    hello,
    live_rows,
    message,
    running_stand_in,
    snapshot_rows,
    subscribe,
)

Observation = Callable[[StandIn, str], object]
STREAM, SEQ, HASH, PAYLOAD = 0, 1, 4, 5
BODIES = {"00": "body", json.dumps({"altered": True}, separators=(",", ":")).encode().hex(): "altered"}
HASHES = {"h": "hash", ALTERED_HASH: "altered"}


def events_of(stream: str, after: int = 0) -> str:
    return f"SELECT * FROM sync_event WHERE stream_id = '{stream}' AND seq > {after}"


def head_of(stream: str) -> str:
    return f"SELECT * FROM stream_head WHERE stream_id = '{stream}'"


def live(stand_in: StandIn, stream: str, count: int) -> list[tuple[list[Any], list[Any]]]:
    """The event and head rows of the first `count` live messages of a reader that was there before seven events."""
    with stand_in.socket() as connection:
        hello(connection)
        subscribe(connection, 1, events_of(stream), head_of(stream))
        stand_in.append(stream, 1, 7)
        contents = [message(connection)[1] for _ in range(count)]
    return [
        (next(iter(live_rows(one, "sync_event")), []), next(iter(live_rows(one, "stream_head")), []))
        for one in contents
    ]


def live_numbers(stand_in: StandIn, stream: str) -> object:
    return [event[SEQ] for event, _ in live(stand_in, stream, 6)]


def live_bodies(stand_in: StandIn, stream: str) -> object:
    return [(BODIES[event[PAYLOAD]], HASHES[event[HASH]]) for event, _ in live(stand_in, stream, 6)][3:]


def live_names(stand_in: StandIn, stream: str) -> object:
    return [event[STREAM] == stream for event, _ in live(stand_in, stream, 6)][3:]


def live_repeats(stand_in: StandIn, stream: str) -> object:
    return [(event[SEQ], BODIES[event[PAYLOAD]]) for event, _ in live(stand_in, stream, 6)][4:]


def live_heads(stand_in: StandIn, stream: str) -> object:
    return [head[1] for _, head in live(stand_in, stream, 6)][2:]


def held_back(stand_in: StandIn, stream: str) -> object:
    """Whether the newest of seven events comes although no other one follows."""
    with stand_in.socket() as connection:
        hello(connection)
        subscribe(connection, 1, events_of(stream))
        stand_in.append(stream, 1, 7)
        for _ in range(6):
            message(connection)
        with contextlib.suppress(TimeoutError):
            return connection.recv(timeout=0.5) is not None
    return False


def snapshot(stand_in: StandIn, stream: str, after: int) -> list[tuple[bool, int]]:
    """What a reader finds above a cursor in a stream of seven: whether a row is of that stream, and its number."""
    stand_in.append("other.stream", 1, 1)
    stand_in.append(stream, 1, 7)
    with stand_in.socket() as connection:
        hello(connection)
        rows = snapshot_rows(subscribe(connection, 1, events_of(stream, after)), "sync_event")
    return sorted((row["stream_id"] == stream, row["seq"]) for row in rows)


def snapshot_from_zero(stand_in: StandIn, stream: str) -> object:
    return snapshot(stand_in, stream, 0)


def snapshot_inside(stand_in: StandIn, stream: str) -> object:
    return snapshot(stand_in, stream, 5)


def snapshot_at_head(stand_in: StandIn, stream: str) -> object:
    return snapshot(stand_in, stream, 7)


def snapshot_beyond(stand_in: StandIn, stream: str) -> object:
    return snapshot(stand_in, stream, 8)


def snapshot_head(stand_in: StandIn, stream: str) -> object:
    """The next number as a snapshot, a reader's SQL and the owner's SQL have it."""
    stand_in.append(stream, 1, 7)
    with stand_in.socket() as connection:
        hello(connection)
        (row,) = snapshot_rows(subscribe(connection, 1, head_of(stream)), "stream_head")
    asked = [stand_in.rows(head_of(stream), subject=subject)[0][1] for subject in ("reader", RELAY)]
    return [row["next_seq"], *asked]


def kept_after_retention(stand_in: StandIn, stream: str) -> object:
    stand_in.append(stream, 1, 7)
    stand_in.retain(stream, 4)
    stand_in.retain(stream, 5)
    numbers = sorted(seq for (seq,) in stand_in.rows(f"SELECT seq FROM sync_event WHERE stream_id = '{stream}'"))
    return numbers, stand_in.rows(head_of(stream))[0][2]


def acknowledged(stand_in: StandIn, stream: str, *numbers: int) -> tuple[list[int], object]:
    """Statuses of some acknowledgements one after another, and where the checkpoint then is."""
    stand_in.append(stream, 1, 7)
    answers = [stand_in.call("ack_checkpoint", "client", stream, seq, subject="reader").status for seq in numbers]
    query = f"SELECT acked_seq FROM sync_checkpoint WHERE stream_id = '{stream}'"
    return answers, stand_in.rows(query)


def acknowledged_back(stand_in: StandIn, stream: str) -> object:
    return acknowledged(stand_in, stream, 5, 3)


def acknowledged_beyond(stand_in: StandIn, stream: str) -> object:
    return acknowledged(stand_in, stream, 5, 8)


def own(*numbers: int) -> list[tuple[bool, int]]:
    return [(True, number) for number in numbers]


SOUND = ("body", "hash")
SEVEN = own(1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class Effect:
    """What is seen of a stream without a defect, and with it."""

    defect: str
    observation: Observation
    without: object
    with_it: object


EFFECTS = (
    Effect("drop_nth_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 7]),
    Effect("repeat_nth_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 5]),
    Effect("swap_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 5]),
    Effect("loses_last", held_back, True, False),
    Effect("other_body", live_bodies, [SOUND, SOUND, SOUND], [SOUND, ("altered", "hash"), SOUND]),
    Effect("other_hash", live_bodies, [SOUND, SOUND, SOUND], [SOUND, ("body", "altered"), SOUND]),
    Effect("repeat_other_body", live_repeats, [(5, "body"), (6, "body")], [(5, "body"), (5, "altered")]),
    Effect("stream_misnamed", live_names, [True, True, True], [True, False, True]),
    Effect("drop_prefix", snapshot_from_zero, SEVEN, SEVEN[2:]),
    Effect("drop_prefix", snapshot_inside, own(6, 7), own(6, 7)),
    Effect("foreign_row", snapshot_inside, own(6, 7), [(False, 1), *own(6, 7)]),
    Effect("cursor_reset", snapshot_inside, own(6, 7), SEVEN),
    Effect("future_cursor_serves_old", snapshot_beyond, [], SEVEN),
    Effect("future_cursor_serves_old", snapshot_at_head, [], []),
    Effect("head_behind", snapshot_head, [8, 8, 8], [7, 7, 8]),
    Effect("head_behind", live_heads, [4, 5, 6, 7], [3, 4, 5, 6]),
    Effect("head_backwards", live_heads, [4, 5, 6, 7], [4, 1, 6, 7]),
    Effect("ack_backwards", acknowledged_back, ([200, 200], [[5]]), ([200, 200], [[3]])),
    Effect("ack_beyond_head", acknowledged_beyond, ([200, 530], [[5]]), ([200, 200], [[8]])),
    Effect("retention_off_by_one", kept_after_retention, ([5, 6, 7], 5), ([6, 7], 6)),
)
LIVES = {"restart_reuses", "wrong_close"}


def observed(effect: Effect, stand_in: StandIn) -> object:
    """What `effect` looks at, on a stream of its own."""
    return effect.observation(stand_in, f"runtime.{effect.observation.__name__}")


def test_every_defect_has_an_effect() -> None:
    """None is listed that no test below has seen."""
    assert set(DEFECTS) == {effect.defect for effect in EFFECTS} | LIVES


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: f"{effect.defect}-{effect.observation.__name__}")
def test_a_defect_shows(tmp_path: Path, effect: Effect) -> None:
    """What a reader sees changes as the effect says."""
    with running_stand_in(tmp_path, "--defect", effect.defect) as stand_in:
        assert effect.with_it == observed(effect, stand_in)


def test_a_sound_stand_in_shows_none_of_it(tmp_path: Path) -> None:
    """The same observations without a defect."""
    effects = {effect.observation: effect for effect in EFFECTS}
    with running_stand_in(tmp_path) as stand_in:
        seen = {one.__name__: observed(effect, stand_in) for one, effect in effects.items()}

    assert {one.__name__: effect.without for one, effect in effects.items()} == seen
    assert all(effect.without == effects[effect.observation].without for effect in EFFECTS)


def test_own_content_is_right_beside_live_defects(tmp_path: Path) -> None:
    """SQL and a later snapshot have every event as it is: what was wrong was its delivery."""
    defects = ("drop_nth_live", "swap_live", "other_body", "other_hash", "repeat_other_body", "stream_misnamed")
    options = [option for defect in defects for option in ("--defect", defect)]
    with running_stand_in(tmp_path, *options) as stand_in:
        live(stand_in, "x", 3)
        stored = sorted(stand_in.rows("SELECT stream_id, seq, payload_hash, payload_bytes FROM sync_event"))
        with stand_in.socket() as connection:
            hello(connection)
            rows = snapshot_rows(subscribe(connection, 1, events_of("x")), "sync_event")

    expected = [["x", seq, "h", "00"] for seq in range(1, 8)]
    assert expected == stored
    assert expected == [
        [row[name] for name in ("stream_id", "seq", "payload_hash", "payload_bytes")]
        for row in sorted(rows, key=lambda row: int(row["seq"]))
    ]


@pytest.mark.parametrize(("defects", "newest"), [((), ("h", "00")), (("restart_reuses",), (ALTERED_HASH, "altered"))])
def test_restart_reuses(tmp_path: Path, defects: tuple[str, ...], newest: tuple[str, str]) -> None:
    """`restart_reuses`: after a restart the newest event of each stream is another one; the rest is as it was."""
    options = [option for defect in defects for option in ("--defect", defect)]
    with running_stand_in(tmp_path, *options) as first:
        first.append("x", 1, 3)
        first.append("y", 1, 1)
        before = sorted(first.rows("SELECT stream_id, seq, payload_hash FROM sync_event"))
        first.process.terminate()
        assert first.process.wait(timeout=5) == 0
    with running_stand_in(tmp_path, *options, published=False) as second:
        after = sorted(second.rows("SELECT stream_id, seq, payload_hash, payload_bytes FROM sync_event"))
        second.append("x", 4, 4)
        heads = sorted(second.rows("SELECT * FROM stream_head"))

    told_hash, body = newest
    assert [["x", 1, "h"], ["x", 2, "h"], ["x", 3, "h"], ["y", 1, "h"]] == before
    assert [("x", 1, "h"), ("x", 2, "h"), ("x", 3, told_hash), ("y", 1, told_hash)] == [tuple(row[:3]) for row in after]
    assert body in (after[-1][3], BODIES[after[-1][3]])
    assert [["x", 5, 1], ["y", 2, 1]] == heads


@pytest.mark.parametrize(("defects", "code"), [((), None), (("wrong_close",), 1001)])
def test_wrong_close(tmp_path: Path, defects: tuple[str, ...], code: int | None) -> None:
    """`wrong_close`: at SIGTERM a client gets Close 1001, where it otherwise sees the end of the stream only."""
    options = [option for defect in defects for option in ("--defect", defect)]
    with running_stand_in(tmp_path, *options) as stand_in, stand_in.socket() as connection:
        hello(connection)
        stand_in.process.terminate()

        assert code == _close_code(connection)
        assert stand_in.process.wait(timeout=5) == 0


def _close_code(connection: ClientConnection) -> int | None:
    """The code of the Close frame that ended a connection, None if none came."""
    try:
        while True:
            connection.recv(timeout=10)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code
