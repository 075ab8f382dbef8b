"""What a lane declares."""

from harness.history.declared import Declared, declared
from harness.model.names import Side
from harness.model.plan import Setting

READY = {
    "event": "service_ready",
    "subject": "lane/legacy",
    "detail": {"replay_budget_events": 9, "close_codes": {"shutdown": 1001, "odd": "x"}},
}


def test_profile_speaks_for_its_own_lane() -> None:
    """Limits and codes are those that the lane of the side announced; what is no code is left out."""
    assert Declared(9, {"shutdown": 1001}) == declared([READY], (), Side.LEGACY)
    assert Declared(None, {}) == declared([READY], (), Side.TARGET)


def test_setting_of_the_plan_outranks_the_profile() -> None:
    """A lane is started with what the plan sets, whatever its profile says; another seat's setting is not its own."""
    own, other = Setting("legacy", "replay_budget_events", 5), Setting("target", "replay_budget_events", 6)

    assert 5 == declared([READY], (own, other), Side.LEGACY).replay_budget_events
