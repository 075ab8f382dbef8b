"""A divergence laid out: the aligned neighbourhood of its first place, and the frames behind it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.checks.bodies import differing_paths
from harness.history.history import History
from harness.history.oracles import delivered_oracle, log_oracle
from harness.history.passages import Passage
from harness.history.testimony import Testimony
from harness.model.errors import FormatError
from harness.model.finding import FailureClass, Finding, FrameRef, Grade
from harness.model.names import SIDES, Side
from harness.model.run_record import Exhibit, FrameExcerpt, NeighbourCell, NeighbourRow
from harness.wire.canonical import canonical_json

ROWS_BEFORE, ROWS_AFTER = 3, 2
BODY_CHARACTERS_MAX = 4_000
FRAME_CHARACTERS_MAX = 2_000
EXHIBITS_MAX = 60
"""Classes of one recording that are laid out: how many there are is up to a lane, which chooses names and paths."""

_ABSENT = NeighbourCell("missing", "", "", "")
_SILENT = NeighbourCell("", "", "", "")


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where one oracle's value at one number is, before its body is read; `row` -1 = it has none."""

    oracle: str
    row: int
    mark: str


_Row = tuple[int, tuple[_Cell, _Cell, _Cell]]


def exhibits(history: History, findings: Iterable[Finding], scenario: str, reproduce: str) -> tuple[Exhibit, ...]:
    """One exhibit for the first finding of each fingerprint, divergences before what is explained, at most
    EXHIBITS_MAX.
    """
    first = _shown(findings)
    laid = {name: _neighbourhood(history, finding) for name, finding in first.items()}
    bodies = history.bodies.of(_wanted(row for rows in laid.values() for row in rows))
    excerpts = _excerpts(history, [frame for finding in first.values() for frame in finding.frames])
    return tuple(
        Exhibit(
            fingerprint=name,
            scenario=scenario,
            finding=finding,
            neighbourhood=tuple(_row(history, row, finding, bodies) for row in laid[name]),
            differing_paths=_paths(finding, laid[name], bodies),
            frames=tuple(excerpts[frame] for frame in finding.frames if frame in excerpts),
            reproduce=reproduce,
        )
        for name, finding in first.items()
    )


def _shown(findings: Iterable[Finding]) -> dict[str, Finding]:
    """The findings to lay out, by fingerprint."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.fingerprint, finding)
    ordered = sorted(first.items(), key=lambda item: item[1].grade is not Grade.DIVERGENCE)
    return dict(ordered[:EXHIBITS_MAX])


def _neighbourhood(history: History, finding: Finding) -> list[_Row]:
    """The numbers around the finding's first one, with each oracle's row."""
    if finding.seq is None or finding.stream not in history.streams:
        return []
    code = history.streams.index(finding.stream)
    columns = {side: _column(history, finding, side) for side in SIDES}
    seqs = range(max(finding.seq - ROWS_BEFORE, 0), finding.seq + ROWS_AFTER + 1)
    addresses = {seq: history.space.find(code, seq) for seq in seqs}
    known = [(seq, address) for seq, address in addresses.items() if address >= 0]
    return [(seq, _cells(history, finding, address, columns)) for seq, address in known]


def _column(history: History, finding: Finding, side: Side) -> Passage | None:
    """The subscription to show for a side: the finding's own, or the one that its step opened on the other side."""
    step = finding.subscription.partition("/")[0]
    for passage in history.passages:
        if passage.subscribed.side is side and str(passage.subscribed.plan.step) == step:
            return passage
    return None


def _cells(
    history: History, finding: Finding, address: int, columns: Mapping[Side, Passage | None]
) -> tuple[_Cell, _Cell, _Cell]:
    authority = history.authority_of(finding.sides[0] if finding.sides else Side.LEGACY)
    row = int(authority.held.first[address])
    log = _Cell(log_oracle(authority.name), row, "present" if row >= 0 else "missing")
    legacy, target = (_lane_cell(history, side, address, columns[side]) for side in SIDES)
    return log, legacy, target


def _lane_cell(history: History, side: Side, address: int, passage: Passage | None) -> _Cell:
    """One lane's value at an address: over one subscription where one is shown, else over any."""
    one, name = history.sides[side], delivered_oracle(side)
    if passage is None:
        row = int(one.delivered.held.first[address])
        return _Cell(name, row, _mark(history, side, row) if row >= 0 else "missing")
    at = int(np.searchsorted(passage.addresses, address))
    if at >= len(passage.addresses) or passage.addresses[at] != address:
        return _Cell(name, -1, "missing" if address in passage.missing else "")
    row = int(passage.rows[at])
    if passage.late[at]:
        return _Cell(name, row, "reordered")
    again = one.delivered.held.address[passage.repeats] == address
    mark = _mark(history, side, row)
    return _Cell(name, row, "duplicate" if mark == "present" and bool(again.any()) else mark)


def _mark(history: History, side: Side, row: int) -> str:
    return "changed" if history.sides[side].delivered.differs[row] else "present"


def _wanted(rows: Iterable[_Row]) -> dict[str, set[int]]:
    wanted: dict[str, set[int]] = {}
    for _, cells in rows:
        for cell in cells:
            if cell.row >= 0:
                wanted.setdefault(cell.oracle, set()).add(cell.row)
    return wanted


def _row(history: History, row: _Row, finding: Finding, bodies: Mapping[str, Mapping[int, bytes]]) -> NeighbourRow:
    seq, cells = row
    hit = finding.seq is not None and finding.seq <= seq <= (finding.seq_last or finding.seq)
    log, legacy, target = (_cell_shown(history, cell, bodies) for cell in cells)
    return NeighbourRow(seq, hit, log, legacy, target)


def _cell_shown(history: History, cell: _Cell, bodies: Mapping[str, Mapping[int, bytes]]) -> NeighbourCell:
    if cell.row < 0:
        return _ABSENT if cell.mark else _SILENT
    held = _held(history, cell.oracle)
    text = _canonical(bodies[cell.oracle].get(cell.row, b""))
    kind = history.kinds[held.rows.kind[cell.row]]
    return NeighbourCell(cell.mark, kind, text, f"sha256:{held.rows.raw[cell.row].tobytes().hex()}")


def _held(history: History, oracle: str) -> Testimony:
    kind, _, name = oracle.partition("/")
    return history.authorities[name].held if kind == "log" else history.sides[Side(name)].delivered.held


def _canonical(body: bytes) -> str:
    try:
        text = canonical_json(body).decode()
    except FormatError:
        text = body.decode("utf-8", "replace")
    return text if len(text) <= BODY_CHARACTERS_MAX else f"{text[:BODY_CHARACTERS_MAX]}…"


def _paths(finding: Finding, rows: Sequence[_Row], bodies: Mapping[str, Mapping[int, bytes]]) -> tuple[str, ...]:
    """The JSON paths at which bodies differ where the finding is; none where it is not about a body."""
    if finding.failure not in (FailureClass.BODY, FailureClass.DUPLICATE) or not finding.path:
        return ()
    cells = next((cells for seq, cells in rows if seq == finding.seq), ())
    texts = [bodies[cell.oracle][cell.row] for cell in cells if cell.row >= 0 and cell.row in bodies[cell.oracle]]
    paths = (path for text in texts[1:] if text != texts[0] for path in differing_paths(texts[0], text))
    return tuple(dict.fromkeys(paths)) or (finding.path,)


def _excerpts(history: History, wanted: Sequence[FrameRef]) -> dict[FrameRef, FrameExcerpt]:
    keys = {(frame.connection, frame.frame) for frame in wanted}
    found = dict(history.bodies.frames(keys))
    return {
        frame: FrameExcerpt(
            frame.side.value, frame.connection, frame.frame, "from the lane", _beginning(data), len(data)
        )
        for frame in wanted
        if (data := found.get((frame.connection, frame.frame))) is not None
    }


def _beginning(data: bytes) -> str:
    return data[:FRAME_CHARACTERS_MAX].decode("utf-8", "replace")
