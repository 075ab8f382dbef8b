"""What lanes say of their heads and floors, as it lies in the answers to reads and in SpacetimeDB messages."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.model.names import Side
from harness.power.packing import Packet, Row, compact, inserts, parsed, replace_inserts
from harness.power.row_values import HEAD_COLUMNS, changed_row, value_of
from harness.power.tape import Tape


@dataclass(frozen=True, slots=True)
class HeadReport:
    """Head and floor of one stream, as a lane answered one read; `index` is its row in an answer of several."""

    row: Row
    stream: str
    """As the plan calls it."""
    head: int
    floor: int
    index: int | None
    bent: set[tuple[int, str]]

    def say(self, *, head: int | None = None, floor: int | None = None) -> None:
        """Let the answer name another head or floor, once."""
        self.bent.add((self.row["id"], self.stream))
        answer = json.loads(self.row["response_body"])
        if self.index is None:
            answer["head_cursor"] = self.head if head is None else head
            answer["oldest_available_cursor"] = self.floor if floor is None else floor
        else:
            values = answer[0]["rows"][self.index]
            values[1] = 1 + (self.head if head is None else head)
            values[2] = 1 + (self.floor if floor is None else floor)
        self.row["response_body"] = compact(answer).encode()


def head_reports(tape: Tape, side: Side) -> list[HeadReport]:
    """Every report on a stream that somebody subscribed to on a side, in order of the reads, unless it was bent."""
    names = {track.connection["wire_stream"]: track.connection["stream"] for track in tape.subscribers(side)}
    rows = (row for row in tape.exchanges("heads") if row["side"] == side.value and row["outcome"] == "ok")
    found = [report for row in rows for report in _reports(row, names, tape.bent_reports)]
    return [report for report in found if (report.row["id"], report.stream) not in tape.bent_reports]


def _reports(row: Row, names: dict[str, str], bent: set[tuple[int, str]]) -> Iterator[HeadReport]:
    answer = parsed(row["response_body"])
    if isinstance(answer, dict) and answer.get("head_cursor") and row["stream"] in names.values():
        yield HeadReport(row, row["stream"], answer["head_cursor"], answer["oldest_available_cursor"], None, bent)
    elif isinstance(answer, list):
        for index, values in enumerate(answer[0]["rows"] if answer else ()):
            if values[0] in names:
                yield HeadReport(row, names[values[0]], values[1] - 1, values[2] - 1, index, bent)


def final_reports(tape: Tape, side: Side) -> dict[str, HeadReport]:
    """The last report of each stream, where the plan's final read asked for it."""
    reads = {step.index for step in tape.plan.steps if step.step == "read"}
    return {report.stream: report for report in head_reports(tape, side) if report.row["step"] in reads}


def barrier_reports(tape: Tape, side: Side) -> list[HeadReport]:
    """The reports that were read at a barrier."""
    barriers = {step.index for step in tape.plan.steps if step.step == "barrier"}
    return [report for report in head_reports(tape, side) if report.row["step"] in barriers]


def heads_beside(packet: Packet) -> list[int]:
    """The heads that a SpacetimeDB message names beside its events."""
    return [value_of(text, HEAD_COLUMNS[1]) - 1 for text in _head_rows(packet)]


def say_head_beside(packet: Packet, head: int) -> None:
    """Let a SpacetimeDB message name another head."""
    rows = [changed_row(text, HEAD_COLUMNS[1], head + 1) for text in _head_rows(packet)]
    replace_inserts(packet.document, "stream_head", rows)
    packet.touched = True


def _head_rows(packet: Packet) -> list[str]:
    document: Any = packet.document
    return [] if packet.origin not in ("snapshot", "transaction") else list(inserts(document, "stream_head"))
