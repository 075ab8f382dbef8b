"""What the driver counted, taken out of a tape that is cut."""

import json

from harness.power.account import uncounted


def test_counts_are_taken_out_and_nothing_else() -> None:
    """How far a subscriber came is no fact of a cut tape; that it closed, and that a barrier was reached, still is."""
    closed = {"event": "subscription_closed", "detail": json.dumps({"applied": 7, "seen": 7, "reason": "plan_end"})}
    reached = {"event": "barrier_reached", "detail": json.dumps({"subscription": "1/legacy", "seq": 7, "last_seq": 7})}
    other = {"event": "sentinel", "detail": json.dumps({"seq": 7, "applied": 1})}
    left = [json.loads(row["detail"]) for row in uncounted([closed, reached, other])]

    assert [{"reason": "plan_end"}, {"subscription": "1/legacy", "seq": 7}, {"seq": 7, "applied": 1}] == left
