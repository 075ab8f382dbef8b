"""Places on a tape, and what the cuts do there."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.names import SIDES, Side
from harness.model.plan import Command, CommandStep, SubscribeStep
from harness.power import cuts
from harness.power.packing import Envelope
from harness.power.tape import Tape, Track
from harness.recording.reader import Recording
from harness.wire.canonical import canonical_json
from tests.builders import World, run_plan

LATE = (
    SubscribeStep(0, "late", SIDES, "run:r1"),
    CommandStep(0, "main", Command("append", "r1", event_type="note", payload='{"n":9}')),
)
"""Someone joins after six events; a seventh comes live, the sentinel is the eighth."""

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
payloads = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A run of eight events, with one subscriber a side from the start and one that joins after six."""
    return World.played(run_plan(*LATE)).write(tmp_path_factory.mktemp("cuts") / "recording")


@pytest.fixture
def tape(recording: Recording) -> Tape:
    return Tape(recording)


def track_of(tape: Tape, side: Side, subscriber: str) -> Track:
    return next(track for track in tape.subscribers(side) if track.connection["subscriber"] == subscriber)


def numbers(track: Track) -> list[int]:
    return [envelope.seq for _, envelope in track.placed()]


def enveloped(payload: Any) -> Envelope:
    return Envelope("run.r1", 1, "note", payload, "2026-02-25T12:00:00Z")


@pytest.mark.parametrize("side", SIDES)
def test_place_is_the_first_delivery_to_one_subscriber(tape: Tape, side: Side) -> None:
    """Every number has one place a subscriber, and a second arrival adds none."""
    once = [envelope.seq for _, _, envelope in cuts.places(tape, side)]
    _, packet, envelope = cuts.places(tape, side)[4]
    packet.envelopes.append(envelope.doubled())

    assert [1, 2, 3, 4, 5, 6, 7, 8] * 2 == once
    assert once == [envelope.seq for _, _, envelope in cuts.places(tape, side)]


@pytest.mark.parametrize("side", SIDES)
def test_place_at_which_a_fault_was_planted_is_none_any_more(tape: Tape, side: Side) -> None:
    """Faults that are planted one after another never undo each other: what was cut is not chosen again."""
    _, packet, envelope = cuts.places(tape, side)[4]
    cuts.edit(packet, envelope, lambda one: setattr(one, "kind", "other"))

    assert [1, 2, 3, 4, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8] == [one.seq for _, _, one in cuts.places(tape, side)]
    assert [(2, 3), (3, 4), (6, 7), (7, 8), (7, 8)] == [
        (before.seq, after.seq) for (_, before), (_, after) in cuts.live_neighbours(tape, side)
    ]


@pytest.mark.parametrize("side", SIDES)
def test_inner_place_leaves_a_hole_when_it_is_cut(tape: Tape, side: Side) -> None:
    """The first and the last number of a connection are no inner places: without them it would only be shorter."""
    inner = [envelope.seq for _, _, envelope in cuts.inner_places(tape, side)]

    assert [2, 3, 4, 5, 6, 7] * 2 == inner


def test_nothing_is_chosen_from_nothing() -> None:
    """Where no place fits, an operator is told so, and where some do, a seed always gives the same."""
    assert cuts.chosen([], Random(1)) is None
    assert cuts.chosen(list("abcdef"), Random(1)) == cuts.chosen(list("abcdef"), Random(1))


@pytest.mark.parametrize(("content", "copies"), [(False, 2), (True, 3)])
@pytest.mark.parametrize("side", SIDES)
def test_every_copy_of_an_event_is_found(tape: Tape, side: Side, content: bool, copies: int) -> None:
    """An event lies with each subscriber and, if asked, once more in the lane's own content; other events do not."""
    _, _, model = cuts.places(tape, side)[2]
    found = [envelope for _, envelope in cuts.packets_holding(tape, side, model, content=content)]

    assert [(model.stream, 3)] * copies == [(envelope.stream, envelope.seq) for envelope in found]
    assert len({id(envelope) for envelope in found}) == copies


@pytest.mark.parametrize("side", SIDES)
def test_drop_takes_the_very_envelope_and_no_equal_one(tape: Tape, side: Side) -> None:
    """Of two equal copies the one that was named goes; what is not touched is never written back."""
    track, packet, envelope = cuts.places(tape, side)[4]
    copy = envelope.doubled()
    cuts.insert_after(packet, envelope, copy)
    cuts.drop(packet, envelope)

    assert [1, 2, 3, 4, 5, 6, 7, 8] == numbers(track)
    assert any(other is copy for other in packet.envelopes)
    assert [packet] == [each for one in tape.tracks for each in one.packets if each.touched]


@pytest.mark.parametrize("side", SIDES)
def test_swap_changes_two_places_and_undoes_itself(tape: Tape, side: Side) -> None:
    """Two neighbours change places, nothing else moves, and a second swap brings them back."""
    track = track_of(tape, side, "early")
    placed = list(track.placed())
    cuts.swap(placed[3], placed[4])
    swapped = numbers(track)
    cuts.swap((placed[3][0], placed[4][1]), (placed[4][0], placed[3][1]))

    assert ([1, 2, 3, 5, 4, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]) == (swapped, numbers(track))


@pytest.mark.parametrize("side", SIDES)
def test_seam_lies_between_replay_and_live(tape: Tape, side: Side) -> None:
    """Who joined after one event has its seam there, who joined after six has it behind the sixth."""
    seams = {track.connection["subscriber"]: cuts.seam(tape, track) for track in tape.subscribers(side)}

    assert {"early": (1, 2), "late": (6, 7)} == {
        name: (found[0][1].seq, found[1][1].seq) for name, found in seams.items() if found is not None
    }


@pytest.mark.parametrize("side", SIDES)
def test_connection_that_was_only_replayed_has_no_seam(tape: Tape, side: Side) -> None:
    """Without a live delivery there is nothing for replay to meet."""
    track = track_of(tape, side, "late")
    for packet, envelope in list(track.placed())[6:]:
        cuts.drop(packet, envelope)

    assert [1, 2, 3, 4, 5, 6] == numbers(track)
    assert cuts.seam(tape, track) is None


@pytest.mark.parametrize("side", SIDES)
def test_live_neighbours_were_both_sent_while_someone_listened(tape: Tape, side: Side) -> None:
    """Only pairs behind the seam count, each in packets of their own."""
    pairs = cuts.live_neighbours(tape, side)

    assert [(seq, seq + 1) for seq in range(2, 8)] + [(7, 8)] == [(one[1].seq, two[1].seq) for one, two in pairs]
    assert all(one[0] is not two[0] for one, two in pairs)


@given(payloads)
def test_changed_leaf_is_another_value(payload: Any) -> None:
    """Whatever a body is, it becomes another JSON value, and the body it was made from stays as it was."""
    before = json.dumps(payload)
    changed = json.dumps(cuts.with_leaf_changed(payload))

    assert before == json.dumps(payload)
    assert canonical_json(before.encode()) != canonical_json(changed.encode())


@pytest.mark.parametrize(
    ("payload", "changed"),
    [
        ({"a": [{}, 1]}, {"a": ["changed", 1]}),
        ({"a": {"b": "x"}, "c": 1}, {"a": {"b": "x~"}, "c": 1}),
        ([True, True], [False, True]),
        ({"n": 1.5}, {"n": 2.5}),
        ([], "changed"),
        (1e21, "changed"),
        (None, "changed"),
    ],
)
def test_only_the_first_leaf_changes(payload: Any, changed: Any) -> None:
    """The first leaf becomes its neighbour of the same type where it has one, else a text; the rest stays."""
    assert changed == cuts.with_leaf_changed(payload)


def test_hash_is_the_one_that_an_honest_target_carries(tape: Tape) -> None:
    """The hash that a cut makes for every row is the one that came with it."""
    rows = [envelope for _, _, envelope in cuts.places(tape, Side.TARGET)]

    assert len(rows) == 16
    assert [envelope.payload_hash for envelope in rows] == [cuts.hash_of(envelope) for envelope in rows]
