"""What each operator does to a tape, before anybody judges it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from conftest import Record
from harness.model.names import SIDES, Side
from harness.power import cuts, on_connections, on_deliveries, on_order, on_streams, on_values
from harness.power.operator import Effect, Operator
from harness.power.operators import OPERATORS
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording
from tests.builders import World, run_plan

Seen = Counter[tuple[str, str, int]]
Apply = Callable[[Tape, Side, Random], bool]

PLACED = [(operator, side) for operator in OPERATORS for side in operator.sides]
SIDED = [(operator, side) for operator, side in PLACED if not operator.both]


def named(value: Operator | Side) -> str:
    """How a case is called."""
    return value.name.replace(" ", "_") if isinstance(value, Operator) else value.value


@pytest.fixture(scope="module")
def rich(recorded: Record) -> Recording:
    """A real recording on which most operators find a place."""
    return recorded("single-run.mirrored")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """Two events, one stream, one subscriber a side: most operators find no place."""
    return World.played(run_plan(appends=0)).write(tmp_path_factory.mktemp("bare") / "recording")


@pytest.fixture(scope="module", params=[0, 5])
def lonely(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """One stream and one subscriber a side, with no event between the first and the last or with some."""
    plan = run_plan(appends=request.param)
    return World.played(plan).write(tmp_path_factory.mktemp("lonely") / "recording")


def cut(recording: Recording, operator: Operator, side: Side, directory: Path) -> tuple[bool, Recording]:
    """Whether the operator applies, and what its tape is afterwards."""
    tape = Tape(recording)
    applied = operator.apply(tape, side, Random(f"{operator.name}/{side}"))
    tape.write(directory / "cut")
    return applied, open_recording(directory / "cut")


def contents(recording: Recording) -> list[object]:
    """Everything in a recording but its ordinals."""
    tables = {name: recording.table(name) for name in ("connections", "exchanges", "frames", "timeline")}
    ordinals = ("ordinal", "closed_ordinal")
    return [
        recording.plan,
        *(
            table.drop_columns([name for name in ordinals if name in table.column_names]).to_pylist()
            for table in tables.values()
        ),
    ]


def delivered(tape: Tape, side: Side) -> Seen:
    """How often each number reached each subscriber of a side."""
    return Counter(
        (track.connection["subscriber"], track.connection["stream"], envelope.seq)
        for track in tape.subscribers(side)
        for _, envelope in track.placed()
    )


def test_operators_are_told_apart_by_name() -> None:
    """A proof names its operator, so no two share a name."""
    assert len(OPERATORS) == len({operator.name for operator in OPERATORS}) > 90


@pytest.mark.parametrize(("operator", "side"), PLACED, ids=named)
def test_operator_that_applies_changes_something(
    rich: Recording, tmp_path: Path, operator: Operator, side: Side
) -> None:
    """Also a fault that must stay silent is really there; and who says n/a left everything as it was."""
    applied, after = cut(rich, operator, side, tmp_path)

    assert applied is (contents(rich) != contents(after))


@pytest.mark.parametrize(("operator", "side"), PLACED, ids=named)
def test_operator_without_a_place_changes_nothing(
    lonely: Recording, tmp_path: Path, operator: Operator, side: Side
) -> None:
    """The same where most operators find no place."""
    applied, after = cut(lonely, operator, side, tmp_path)

    assert applied is (contents(lonely) != contents(after))


def test_most_operators_find_no_place_on_a_bare_tape(bare: Recording) -> None:
    """The rule above is about something: holes, swaps and strangers need more than two events of one stream."""
    found = {
        operator.name
        for operator in OPERATORS
        for side in operator.sides
        if not operator.apply(Tape(bare), side, Random(1))
    }

    assert {
        "drop one delivery",
        "swap neighbours in live delivery",
        "cursor reset to 0 on reconnect",
        "event of another stream mixed in",
        "stale answer repeated for ever",
        "number reused with another body after restart",
    } <= found
    assert "shift every seq by one" not in found


@pytest.mark.parametrize(("operator", "side"), SIDED, ids=named)
def test_fault_of_a_side_stays_on_it(rich: Recording, operator: Operator, side: Side) -> None:
    """What a lane is blamed for was done to it alone, unless the other side's eye was closed with it."""
    tape = Tape(rich)
    operator.apply(tape, side, Random(1))
    touched = {track.side for track in tape.tracks for packet in track.packets if packet.touched}

    assert {side} >= touched
    if "other side never opened" not in operator.name:
        assert delivered(Tape(rich), side.other) == delivered(tape, side.other)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("apply", "lost", "extra"),
    [
        (on_deliveries.drop_one_delivery, 1, 0),
        (on_deliveries.drop_live_delivery, 1, 0),
        (on_deliveries.first_one_too_late, 1, 0),
        (on_deliveries.never_the_sentinel, 1, 0),
        (on_deliveries.invent_event, 0, 1),
        (on_deliveries.drop_from_content, 0, 0),
        (on_order.duplicate_same_body, 0, 1),
        (on_order.duplicate_other_body, 0, 1),
        (on_order.swap_live, 0, 0),
        (on_streams.mix_in_other_stream, 0, 1),
        (on_streams.unmapped_name, 0, 0),
        (on_values.change_leaf, 0, 0),
        (on_connections.lose_in_harness, 1, 0),
    ],
)
def test_operator_does_as_much_as_its_name_says(
    rich: Recording, side: Side, apply: Apply, lost: int, extra: int
) -> None:
    """One delivery is one delivery."""
    before, tape = delivered(Tape(rich), side), Tape(rich)
    applied = apply(tape, side, Random(1))
    after = delivered(tape, side)

    assert applied
    assert (lost, extra) == ((before - after).total(), (after - before).total())


@pytest.mark.parametrize("side", SIDES)
def test_dropped_envelope_is_kept_by_the_lane_unless_its_content_is_cut_too(rich: Recording, side: Side) -> None:
    """A lane that does not deliver still holds the event; a lane that was never fed does not."""
    held: dict[bool, int] = {}
    for content, apply in ((False, on_deliveries.drop_envelope), (True, on_deliveries.drop_envelope_and_content)):
        tape = Tape(rich)
        apply(tape, side, Random(1))
        whole = sum(len(packet.envelopes) for packet in Tape(rich).content(side))
        held[content] = whole - sum(len(packet.envelopes) for packet in tape.content(side))

    assert held[False] == 0
    assert held[True] > 0


def test_swapped_snapshot_holds_the_same_rows(rich: Recording) -> None:
    """A snapshot is a set: the swap changes the order of its rows and nothing else."""
    tape = Tape(rich)
    on_order.swap_in_snapshot(tape, Side.TARGET, Random(1))
    (packet,) = (packet for track in tape.tracks for packet in track.packets if packet.touched)
    (was,) = (p for track in Tape(rich).tracks for p in track.packets if p.row["ordinal"] == packet.row["ordinal"])

    assert packet.envelopes != was.envelopes
    assert sorted(packet.envelopes, key=lambda e: e.seq) == sorted(was.envelopes, key=lambda e: e.seq)


def test_same_change_on_both_sides_leaves_them_alike(rich: Recording) -> None:
    """The lanes agree with each other, and neither agrees with the log."""
    tape = Tape(rich)
    on_values.change_leaf_on_both(tape, Side.LEGACY, Random(1))
    bodies = [
        {
            (track.connection["stream"], envelope.seq): envelope.payload_text()
            for track in each.subscribers(side)
            for _, envelope in track.placed()
        }
        for each in (tape, Tape(rich))
        for side in SIDES
    ]

    assert bodies[0] == bodies[1]
    assert 1 == len(bodies[0].items() - bodies[2].items())


@pytest.mark.parametrize(("apply", "fits"), [(on_values.change_leaf, False), (on_values.change_leaf_and_hash, True)])
def test_changed_leaf_carries_its_old_hash_or_a_fitting_one(tmp_path: Path, apply: Apply, fits: bool) -> None:
    """A careless fault keeps the hash of the body that was; a thorough one brings its own."""
    tape = Tape(World.played(run_plan()).write(tmp_path / "recording"))
    apply(tape, Side.TARGET, Random(1))
    carriers = [packet for packet in tape.content(Side.TARGET) if packet.touched]
    misfits = [e.seq for packet in carriers for e in packet.envelopes if cuts.hash_of(e) != e.payload_hash]

    assert len(carriers) == 1
    assert fits is (misfits == [])


def test_only_a_silent_fault_declares_no_class() -> None:
    """What must block, count or leave open says which class it must be seen as."""
    assert {o.name for o in OPERATORS if o.effect is Effect.SILENT} == {o.name for o in OPERATORS if not o.classes}
