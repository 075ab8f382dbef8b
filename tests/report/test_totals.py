"""Sums over scenarios."""

from dataclasses import replace

from harness.model.run_record import CommandExercise
from harness.report import totals
from tests.report.records import diverged_record, empty_record, parity_record


def test_sides_are_summed_over_scenarios() -> None:
    """Two scenarios of 312 deliveries are 624."""
    assert totals.side_total(parity_record(), "legacy").deliveries == 624
    assert totals.side_total(empty_record(), "legacy").deliveries == 0


def test_commands_are_summed_by_authority() -> None:
    """Both scenarios used the shared authority."""
    assert totals.commands_by_authority(parity_record()) == (CommandExercise("shared", 120, 104, 8, 8, 0, 104),)


def test_rows_are_capped_with_a_count() -> None:
    """What is not drawn is counted."""
    assert totals.capped(range(7), 5) == totals.Capped((0, 1, 2, 3, 4), 2)
    assert totals.capped([]).left_out == 0


def test_a_missed_floor_is_named_with_its_scenario() -> None:
    """The one floor that was not reached, and nothing else."""
    missed = totals.missed_floors(diverged_record())

    assert [(row.scenario, row.floor.measure) for row in missed] == [("resume_every_cursor.mirrored", "resumes done")]
    assert totals.missed_floors(parity_record()) == ()


def test_floors_are_summed_by_measure_and_side() -> None:
    """Each pair of measure and side is one row."""
    rows = totals.floor_rows(diverged_record())

    assert [(row.side, row.scenarios, row.held, row.needed, row.seen) for row in rows] == [
        ("legacy", 2, 2, 600, 624),
        ("target", 2, 2, 600, 624),
        ("", 2, 2, 4, 4),
        ("target", 1, 0, 11, 9),
    ]


def test_checks_and_rules_are_summed_by_name() -> None:
    """A check or rule of two scenarios is one row."""
    checks, rules = totals.check_rows(parity_record()), totals.rule_rows(parity_record())

    assert [(row.check, row.rows) for row in checks] == [("lane.order", 1248), ("pair.body", 624)]
    assert [(row.rule, row.hits) for row in rules] == [("published_at-spelling", 624), ("volatile-fields", 0)]


def test_a_crashed_check_stays_visible_in_the_sum() -> None:
    """One crash among scenarios is not averaged away."""
    record = parity_record()
    crashed = replace(record.scenarios[0].checks[0], crashed="KeyError: 'seq'")
    first = replace(record.scenarios[0], checks=(crashed,))

    rows = totals.check_rows(replace(record, scenarios=(first, record.scenarios[1])))

    assert rows[0].crashed == "KeyError: 'seq'"


def test_processes_are_counted_once_with_their_starts() -> None:
    """The same process of two scenarios is one row with two starts."""
    found = totals.identities(parity_record())

    assert [identity.role for identity, _ in found] == sorted(identity.role for identity, _ in found)
    assert [starts for _, starts in found] == [2] * 5
    assert [identity.role for identity in totals.lane_identities(parity_record(), "target")] == ["lane/target"]


def test_both_lanes_stand_beside_each_other() -> None:
    """Each measure has a number for legacy and one for target, undecoded frames raise an alarm."""
    rows = totals.measure_rows(parity_record())

    assert [(row.legacy, row.target) for row in rows if row.measure == "Deliveries"] == [(624, 624)]
    assert [row.measure for row in rows if row.alarm] == ["Frames undecoded"]
