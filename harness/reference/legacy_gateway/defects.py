"""Defects of the gateway, each off unless named, with the effect that its readers can see."""

from harness.reference import live_order

DEFECTS = {
    "no_close_frame": "the connection ends without a Close frame, so that the client sees 1006",
    "wrong_close_code": "every Close frame says 1011 instead of 4410, 4429 or 1001",
    **live_order.DEFECTS,
    "other_body": "every live event whose number 5 divides comes with another payload; replay is right",
    "other_kind": "every live event whose number 5 divides comes with its kind in capitals; replay is right",
    "repeat_other_body": "every live event whose number 5 divides comes again, with another payload",
    "topic_misnamed": "every live event whose number 5 divides spells its topic with dots for colons (D-22)",
    "foreign_event": "beside every live event whose number 5 divides comes one of another topic, if there is one",
    "cursor_reset": "a reader that comes with a cursor is served from the oldest event kept (H-04)",
    "future_cursor_serves_old": "a reader whose cursor lies beyond the head is served from the oldest event kept",
    "head_behind": "polls and stale answers name a head one lower than the newest event",
    "head_backwards": "each poll of a topic names a head one lower than the poll before",
    "floor_off_by_one": "the oldest cursor is taken for one higher than it is once anything was dropped",
    "budget_off_by_one": "a cursor exactly one replay budget behind the head is stale",
    "wrong_stale_reason": "a stale answer names its first reason only",
    "no_stale_answer": "a cursor that is too old goes on from the oldest event kept, silently (H-01)",
    "stale_forever": "the cursors that a stale answer offers are stale too, the oldest and head minus budget (D-07)",
}
