"""Windows and budgets by connection."""

from pathlib import Path

from harness.checks.retention import Retention
from harness.history.connections import Connection
from harness.model.names import Side
from tests.builders import limited
from tests.checks.running import history_of
from tests.checks.windows import BUDGET, HEAD, WINDOW, reading


def reader(retention: Retention, side: Side, cursor: int) -> Connection:
    return next(
        one
        for one in retention.history.connections.values()
        if one.asked.side is side and one.asked.subscriber == f"at-{cursor}"
    )


def test_budget_is_the_profiles_else_that_of_the_class(tmp_path: Path) -> None:
    """A setting of the plan outranks both; the target has a class's budget, which nobody judges it by."""
    own = Retention(history_of(reading(5, settings=limited(WINDOW, BUDGET)), tmp_path / "own"))
    classes = Retention(history_of(reading(5), tmp_path / "class"))

    assert (BUDGET, WINDOW) == (own.budget(reader(own, Side.LEGACY, 5)), own.window(reader(own, Side.LEGACY, 5)))
    assert 20_000 == classes.budget(reader(classes, Side.LEGACY, 5))


def test_delivered_is_the_highest_number_before_a_frame(tmp_path: Path) -> None:
    """A replay from 4 on: hello is frame 0, event 5 frame 1; at the end the last sentinel has come."""
    retention = Retention(history_of(reading(4), tmp_path))
    connection = reader(retention, Side.LEGACY, 4)

    assert [0, 0, 5, 6] == [retention.delivered(connection, frame) for frame in range(4)]
    assert HEAD + 1 == retention.delivered(connection)


def test_edges_are_near_where_the_head_was_known(tmp_path: Path) -> None:
    """The floor is 3 when the reader comes, whatever the head does later."""
    retention = Retention(history_of(reading(*range(8)), tmp_path))
    near = [retention.near_an_edge(reader(retention, Side.TARGET, cursor), cursor) for cursor in range(8)]

    assert [2, 3, 4] == [cursor for cursor, is_near in enumerate(near) if is_near]
