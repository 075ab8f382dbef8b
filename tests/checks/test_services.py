"""The processes of a run."""

from pathlib import Path

import pytest

from harness.model.finding import FailureClass
from harness.model.names import Side
from tests.builders import World
from tests.checks.running import bent, blames


@pytest.mark.parametrize(
    ("subject", "side", "blame"),
    [
        ("lane/target", Side.TARGET, "target"),
        ("relay/legacy", Side.LEGACY, "feed of legacy"),
        ("authority/shared", None, "authority"),
    ],
)
def test_service_that_dies_unplanned_is_found(tmp_path: Path, subject: str, side: Side | None, blame: str) -> None:
    """A process that was ready and died is silence of whoever it belongs to."""

    def bend(world: World) -> None:
        world.note("service_died", subject, side, exit_code=-9, log_tail="last words")

    said = bent(bend, tmp_path)

    assert [FailureClass.SILENCE] == [one.failure for one in said["services.alive"]]
    assert {blame} == blames(said)
