"""A recording opened for cutting: everything in it can be changed, then it is sealed anew.

Envelopes are reached through packets (see `packing`); rows of the tables that carry none are changed as they lie.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.model.names import Side, Topology
from harness.power.account import uncounted
from harness.power.packing import (
    Envelope,
    Packet,
    Row,
    answer_packet,
    compact,
    frame_packet,
    packed_answer,
    packed_frame,
    parsed,
)
from harness.recording.reader import Recording
from harness.recording.sealing import write_recording
from harness.recording.tables import SEALED_TABLES

ROOM_BETWEEN_ORDINALS = 1 << 20
_BEHIND = 1 << 19
"""Where rows that were added begin: behind all the frames that a packet of the row before may become."""
_FROM_LANE = 0


@dataclass(slots=True)
class Track:
    """The packets of one connection, in order of arrival."""

    connection: Row
    packets: list[Packet] = field(default_factory=list)

    @property
    def side(self) -> Side:
        """The side the connection was opened on."""
        return Side(self.connection["side"])

    @property
    def subscription(self) -> tuple[int, str]:
        """Step and side: what all connections of one subscription share."""
        return self.connection["step"], self.connection["side"]

    def placed(self) -> Iterator[tuple[Packet, Envelope]]:
        """Every envelope with its packet; rows of one target message in order of seq, since they are a set."""
        for packet in self.packets:
            for envelope in sorted(packet.envelopes, key=lambda envelope: envelope.seq):
                yield packet, envelope


class Tape:
    """All tables of a recording as rows, and its envelopes as tracks."""

    def __init__(self, recording: Recording) -> None:
        self.plan = recording.plan
        self.about = recording.manifest.about
        self.rows: dict[str, list[Row]] = {name: recording.table(name).to_pylist() for name in SEALED_TABLES}
        self._make_room()
        connections = {row["id"]: Track(row) for row in self.rows["connections"]}
        for row in self.rows["frames"]:
            packet = frame_packet(row) if row["direction"] == _FROM_LANE else None
            if packet is not None:
                connections[row["connection"]].packets.append(packet)
        self.tracks = list(connections.values())
        self.pages = [packet for row in self.rows["exchanges"] if (packet := answer_packet(row)) is not None]
        self._command_times = dict(_command_times(self.rows["exchanges"]))
        self.lost_by_harness = False
        """Whether the driver had counted what is cut: then the recording lost it, not the lane."""
        self.bent_reports: set[tuple[int, str]] = set()
        """Exchange and stream of every report on a head that was bent already; no other fault is planted there."""
        self._added = 0
        self._frames = len(self.rows["frames"])

    def _make_room(self) -> None:
        for rows in self.rows.values():
            for row in rows:
                for column in ("ordinal", "closed_ordinal"):
                    if row.get(column) is not None:
                        row[column] *= ROOM_BETWEEN_ORDINALS

    # what is there

    def subscribers(self, side: Side) -> list[Track]:
        """Tracks of the plan's subscribers on a side, own-content reads left out."""
        return [track for track in self.tracks if track.side is side and track.connection["purpose"] == "subscriber"]

    def content_tracks(self, side: Side) -> list[Track]:
        """Tracks over which the harness read the lane's own content."""
        return [track for track in self.tracks if track.side is side and track.connection["purpose"] == "content"]

    def content(self, side: Side) -> list[Packet]:
        """What carries the lane's own content: content sockets on legacy, SQL answers on the target."""
        answers = [page for page in self.pages if page.origin == "sql" and page.row["side"] == side.value]
        return [packet for track in self.content_tracks(side) for packet in track.packets] + answers

    def log(self) -> list[Packet]:
        """Pages of the authorities' logs."""
        return [page for page in self.pages if page.origin == "log"]

    def outbox(self) -> list[Packet]:
        """Pages of what the authorities published."""
        return [page for page in self.pages if page.origin == "outbox"]

    def exchanges(self, *purposes: str) -> list[Row]:
        """Exchanges of these purposes, in order."""
        return [row for row in self.rows["exchanges"] if row["purpose"] in purposes]

    def frames(self, track: Track) -> list[Row]:
        """Every frame of a connection that came from the lane, in order."""
        number = track.connection["id"]
        return [row for row in self.rows["frames"] if row["connection"] == number and row["direction"] == _FROM_LANE]

    def said(self, track: Track, kind: str) -> list[tuple[Row, dict[str, Any]]]:
        """Frames of the legacy dialect of one type (`hello`, `stale_cursor`, `error`), each with its document."""
        documents = ((row, parsed(row["data"])) for row in self.frames(track))
        return [(row, said) for row, said in documents if isinstance(said, dict) and said.get("type") == kind]

    def command_times(self, track: Track, envelope: Envelope) -> tuple[int, int]:
        """When the command behind an envelope was sent and answered, monotonic ns; (0, 0) when no answer names it."""
        side = self.authority_of(track.side)
        return self._command_times.get((side, track.connection["stream"], envelope.seq), (0, 0))

    def authority_of(self, side: Side) -> str:
        """The name of the authority that feeds the lane of a side."""
        return "shared" if self.plan.topology is Topology.MIRRORED else side.value

    # what can be added and taken away

    def add_frame(self, track: Track, behind: Row, data: bytes) -> Row:
        """Let a frame of `data` come from the lane right behind another frame of the connection."""
        self._added += 1
        row = {**behind, "ordinal": behind["ordinal"] + _BEHIND + self._added, "data": data, "redacted": None}
        row["connection"], row["direction"] = track.connection["id"], _FROM_LANE
        self.rows["frames"].append(row)
        return row

    def deliver(self, track: Track, envelopes: Iterable[Envelope], behind: Row) -> None:
        """Let the lane deliver `envelopes` behind a frame of the connection: a frame each, or in the snapshot."""
        packet = next((packet for packet in track.packets if packet.row is behind), None)
        if packet is not None and packet.origin != "message":
            packet.envelopes, packet.touched = [*packet.envelopes, *envelopes], True
            return
        added = [Packet(self.add_frame(track, behind, b""), "message", [one], None, True) for one in envelopes]
        at = 0 if packet is None else track.packets.index(packet) + 1
        track.packets[at:at] = added

    def move_frame(self, row: Row, track: Track) -> None:
        """Let a frame have come over another connection, at the same moment."""
        row["connection"] = track.connection["id"]

    def silence(self, track: Track, *, keep: Callable[[Row], bool] = lambda _: False) -> None:
        """Take away every frame of the connection but those to `keep`."""
        number = track.connection["id"]
        self.rows["frames"] = [row for row in self.rows["frames"] if row["connection"] != number or keep(row)]
        track.packets = [packet for packet in track.packets if keep(packet.row)]

    def forget_tracks(self, tracks: Iterable[Track]) -> None:
        """Take connections away with all that came over them."""
        gone = {track.connection["id"] for track in tracks}
        self.rows["connections"] = [row for row in self.rows["connections"] if row["id"] not in gone]
        self.rows["frames"] = [row for row in self.rows["frames"] if row["connection"] not in gone]
        self.tracks = [track for track in self.tracks if track.connection["id"] not in gone]

    def forget_exchanges(self, forgotten: Callable[[Row], bool]) -> int:
        """Take exchanges away with the pages that they are; how many there were."""
        gone = {row["id"] for row in self.rows["exchanges"] if forgotten(row)}
        self.rows["exchanges"] = [row for row in self.rows["exchanges"] if row["id"] not in gone]
        self.pages = [page for page in self.pages if page.row["id"] not in gone]
        return len(gone)

    def add_connection(self, model: Track, behind: Track, **columns: Any) -> Track:
        """Another connection like `model`, opened after `behind` was; nothing comes over it yet."""
        self._added += 1
        row = {**model.connection, "id": 1 + max(one["id"] for one in self.rows["connections"]), **columns}
        row["ordinal"] = behind.connection["ordinal"] + _BEHIND + self._added
        self.rows["connections"].append(row)
        self.tracks.append(Track(row))
        return self.tracks[-1]

    def note(self, event: str, subject: str, side: Side | None, **detail: Any) -> None:
        """Let the timeline end with one more row."""
        last = max(self.rows["timeline"], key=lambda row: row["ordinal"])
        self._added += 1
        self.rows["timeline"].append(
            {
                "ordinal": last["ordinal"] + _BEHIND + self._added,
                "at_ns": last["at_ns"],
                "event": event,
                "side": side and side.value,
                "subject": subject,
                "detail": json.dumps(detail),
            }
        )

    # the way out

    def write(self, directory: Path) -> None:
        """Seal what the tape is now as a new recording."""
        if self._frames_cut() and not self.lost_by_harness:
            self.rows["timeline"] = uncounted(self.rows["timeline"])
        self.rows["frames"] = list(self._packed_frames())
        for page in self.pages:
            if page.touched:
                page.row["response_body"] = packed_answer(page)
        tables = {
            name: pa.Table.from_pylist(sorted(self.rows[name], key=lambda row: row["ordinal"]), schema=schema)
            for name, schema in SEALED_TABLES.items()
        }
        about = replace(self.about, plan_digest=self.plan.digest)
        write_recording(directory, tables, self.plan.to_json(), about)

    def _frames_cut(self) -> bool:
        packets = (packet for track in self.tracks for packet in track.packets)
        return len(self.rows["frames"]) != self._frames or any(packet.touched for packet in packets)

    def _packed_frames(self) -> Iterator[Row]:
        touched = {id(packet.row): packet for track in self.tracks for packet in track.packets if packet.touched}
        counted: dict[int, int] = {}
        for row in sorted(self.rows["frames"], key=lambda row: row["ordinal"]):
            packet = touched.get(id(row))
            datas = [row["data"]] if packet is None else packed_frame(packet)
            for extra, data in enumerate(datas):
                index = counted.get(row["connection"], 0)
                counted[row["connection"]] = index + 1
                yield {**row, "ordinal": row["ordinal"] + extra, "index": index, "data": data}


def rewrite(row: Row, document: Any) -> None:
    """Let a frame say `document` instead."""
    row["data"] = compact(document).encode()


def _command_times(exchanges: list[Row]) -> Iterator[tuple[tuple[str, str, int], tuple[int, int]]]:
    for row in exchanges:
        answer = parsed(row["response_body"]) if row["purpose"] in ("command", "sentinel") else None
        if isinstance(answer, dict) and row["outcome"] == "ok":
            seq = answer["event"]["seq"] if "event" in answer else answer["worker"]["worker"]["latest_seq"]
            authority = row["service"].partition("/")[2]
            yield (authority, row["stream"], seq), (row["sent_ns"], row["answered_ns"])
