"""Faults that the stand-in can be told to have, for tests of the harness. None is on by default."""

from harness.reference import live_order

DEFECTS = {
    **live_order.DEFECTS,
    "other_body": "a live row of sync_event whose seq 5 divides has another payload, its hash is left alone",
    "other_hash": "a live row of sync_event whose seq 5 divides has another hash, its payload is left alone",
    "repeat_other_body": "a live row of sync_event whose seq 5 divides comes again, with another payload and hash",
    "stream_misnamed": "a live row of sync_event whose seq 5 divides spells its stream_id with colons for dots",
    "drop_prefix": "a snapshot that begins at seq 1 lacks its first two rows of sync_event, if it has more",
    "foreign_row": "a snapshot of sync_event holds the first row of another stream too, if there is one",
    "cursor_reset": "a snapshot of one stream's events ignores every further condition, `seq > n` too (H-04)",
    "future_cursor_serves_old": "a snapshot above a cursor that lies beyond the head holds the whole stream",
    "head_behind": "stream_head shows a next_seq one too low to all but the database's owner, in SQL and subscriptions",
    "head_backwards": "a live row of stream_head whose next_seq 5 divides says next_seq 1",
    "ack_backwards": "ack_checkpoint lets a checkpoint go back (D-24)",
    "ack_beyond_head": "ack_checkpoint takes a number beyond the head (D-24)",
    "retention_off_by_one": "advance_retention forgets one event more than it is told to",
    "restart_reuses": "after a restart the newest number of each stream stands for an event with another body (D-09)",
    "wrong_close": "at a stop the clients get Close 1001, where the real server just cuts them off",
}
