"""The event row of a committed SpacetimeDB transaction, reached without parsing what stands around it.

Most messages of a target lane are one such transaction. Half of its text repeats the reducer's arguments;
it is checked here but never turned into Python values.
"""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C string scanner, absent from the stubs
from typing import NamedTuple

from harness.wire.json_slices import SCAN_FAILURES, STRING

EVENT_TABLE = "sync_event"
HEAD_TABLE = "stream_head"

_N = r"-?(?:0|[1-9][0-9]{0,38})"
_PLAIN = r'[^"\\\x00-\x1f]*+'
_HEAD = (
    rf'\{{"table_id":{_N},"table_name":"{HEAD_TABLE}","num_rows":{_N},'
    rf'"updates":\[\{{"deletes":\[(?:{STRING})?\],"inserts":\[({STRING})\]\}}\]\}}'
)
_BEFORE = re.compile(
    rf'\{{"TransactionUpdate":\{{"status":\{{"Committed":\{{"tables":\[(?:{_HEAD},)?'
    rf'\{{"table_id":{_N},"table_name":"{EVENT_TABLE}","num_rows":{_N},"updates":\[\{{"deletes":\[\],"inserts":\["'
)
_BEHIND = re.compile(
    rf"\]\}}\]\}}(?:,{_HEAD})?\]\}}\}},"
    rf'"timestamp":\{{"__timestamp_micros_since_unix_epoch__":{_N}\}},'
    rf'"caller_identity":\{{"__identity__":"{_PLAIN}"\}},"caller_connection_id":\{{"__connection_id__":{_N}\}},'
    rf'"reducer_call":\{{"reducer_name":"{_PLAIN}","reducer_id":{_N},"args":"'
)
_COST = re.compile(
    rf',"request_id":{_N}\}},"energy_quanta_used":\{{"quanta":{_N}\}},'
    rf'"total_host_execution_duration":\{{"__time_duration_micros__":{_N}\}}\}}\}}'
)


class Rows(NamedTuple):
    """The row texts of one message that concern us: events deleted and inserted, heads inserted."""

    deleted: list[str]
    inserted: list[str]
    heads: list[str]


def committed_rows(text: str) -> Rows | None:
    """The rows of a TransactionUpdate that commits one appended event, else None.

    Exact: every byte is matched in the server's own member order, strings by the C scanner, so a result is
    what a full parse of the text gives. The head's table may stand on either side of the event's.
    """
    before = _BEFORE.match(text)
    if before is None:
        return None
    try:
        event, at = scanstring(text, before.end(), True)
        behind = _BEHIND.match(text, at)
        if behind is None:
            return None
        _, at = scanstring(text, behind.end(), True)
    except SCAN_FAILURES:
        return None
    if _COST.fullmatch(text, at) is None:
        return None
    heads = [scanstring(literal, 1, True)[0] for literal in (before[1], behind[1]) if literal]
    return Rows([], [event], heads)
