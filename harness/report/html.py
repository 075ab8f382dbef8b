"""The report as one HTML file: no request, no script, every lane text inert.

All values reach the page through `_output`, so none can be forgotten: numbers get thousands separators, texts
are made visible and cut, and Jinja's escaping does the rest. No address is ever made from a value; the only
links go to anchors of this page.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.model.run_record import CursorRow, Exhibit, RunRecord, ScenarioRecord
from harness.report import words
from harness.report.body_diff import BodyDiff, body_diff
from harness.report.clause_coverage import NOT_EXERCISED, clause_rows, clause_states
from harness.report.totals import (
    capped,
    check_rows,
    command_total,
    commands_by_authority,
    floor_rows,
    identities,
    lane_identities,
    measure_rows,
    missed_floors,
    rule_rows,
    side_total,
)
from harness.report.visible import clipped, shortened

EXHIBITS_MAX = 60
REASONS_MAX = 40
DIFFS_PER_EXHIBIT_MAX = 3
MATRIX_COLUMNS_MAX = 40

_MARK_SHAPES = {"changed": "≠", "duplicate": "◐", "reordered": "↕", "stale": "⊘"}
_STATES = {
    "parity": ("state-parity", "=", "parity"),
    "diverged": ("state-diverged", "≠", "diverged"),
    "unknown": ("state-unknown", "?", "inconclusive"),
    NOT_EXERCISED: ("state-not", "–", NOT_EXERCISED),
}
"""By state of a clause: style class, shape and word; the shape is never the only carrier."""


@dataclass(frozen=True, slots=True)
class _DrawnLine:
    """A line of a diff with the columns (0 log, 1 legacy, 2 target) that are unlike the reference."""

    path: str
    indent: Markup
    texts: tuple[str | None, ...]
    differs: bool
    equal: int
    odd: frozenset[int]


@dataclass(frozen=True, slots=True)
class _DrawnDiff:
    """The body at one sequence number of an exhibit."""

    seq: int
    body: BodyDiff
    lines: tuple[_DrawnLine, ...]


@dataclass(frozen=True, slots=True)
class _DrawnExhibit:
    """An exhibit, the id of its element, and the diffs under it."""

    id: str
    exhibit: Exhibit
    diffs: tuple[_DrawnDiff, ...]


@dataclass(frozen=True, slots=True)
class _PlacedCursor:
    """A cursor row and the scenario at whose end it was read."""

    scenario: str
    cursor: CursorRow


def render_html(record: RunRecord) -> Iterator[str]:
    """The pieces of the page, in order; joined and encoded as UTF-8 they are `report.html`.

    The same record gives the same bytes. Nothing in it can add an element, an attribute or a request.
    """
    environment = _environment()
    style = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    view = _view(record) | {"style": Markup(style), "style_hash": Markup(f"sha256-{digest}")}
    yield from environment.get_template("report.html.j2").generate(view)


def anchor(text: str) -> str:
    """`text` as part of an element's id: letters, digits, `.`, `_` and `-` stay, the rest becomes `-`."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:200]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_output,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "anchor": anchor,
        "blame_words": words.blame_words,
        "class_words": words.class_words,
        "clip": lambda text, characters_max: escape(clipped(text, characters_max)),
        "command_total": command_total,
        "counted": words.counted,
        "delivered": _delivered,
        "digest": lambda text: escape(shortened(text.removeprefix("sha256:"), 6)),
        "ink": _ink,
        "mark_shape": lambda mark: _MARK_SHAPES.get(mark, ""),
        "middle": lambda text: escape(shortened(text)),
        "state_words": lambda state: _STATES.get(state, _STATES[NOT_EXERCISED]),
    }
    environment.filters.update(filters)
    environment.globals["place"] = words.place
    return environment


def _output(value: object) -> object:
    """What a template expression puts on the page; Jinja escapes the text that comes back."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else clipped(str(value))


def _ink(name: str) -> str:
    """The style class of a side or of a blame that is about one side."""
    side = name.removeprefix("feed of ")
    return f"{side}-ink" if side in ("legacy", "target") else ""


def _delivered(scenario: ScenarioRecord, side: str) -> int:
    return sum(row.deliveries for row in scenario.sides if row.side == side)


def _view(record: RunRecord) -> dict[str, Any]:
    return (
        {"record": record}
        | _verdict_view(record)
        | _exercise_view(record)
        | _finding_view(record)
        | _place_view(record)
    )


def _verdict_view(record: RunRecord) -> dict[str, Any]:
    diverged, explained = words.divergences(record), words.explained(record)
    return {
        "advice": words.ADVICE[record.verdict],
        "at_parity": words.at_parity(record),
        "commands": command_total(row for scenario in record.scenarios for row in scenario.commands),
        "diverged": diverged,
        "divergences_total": sum(row.count for row in diverged),
        "explained": explained,
        "explained_total": sum(row.count for row in explained),
        "first": words.first_divergence(record),
        "lanes": {side: lane_identities(record, side)[:8] for side in ("legacy", "target")},
        "legacy": side_total(record, "legacy"),
        "reasons": capped(words.reasons(record), REASONS_MAX),
        "target": side_total(record, "target"),
    }


def _exercise_view(record: RunRecord) -> dict[str, Any]:
    floors = floor_rows(record)
    held = sum(row.held == row.scenarios for row in floors)
    states = clause_states(record)
    return {
        "authorities": commands_by_authority(record)[:20],
        "checks": capped(check_rows(record)),
        "clauses": capped(clause_rows(record)),
        "clauses_phrase": " · ".join(f"{states[state]:,} {_STATES[state][2]}" for state in _STATES),
        "columns": capped(record.scenarios, MATRIX_COLUMNS_MAX),
        "floors": capped(floors),
        "floors_phrase": f"{held:,} of {words.counted(len(floors), 'floor')} reached",
        "measures": measure_rows(record),
        "missed": capped(missed_floors(record), REASONS_MAX),
        "scenarios": capped(record.scenarios),
        "states": states,
    }


def _finding_view(record: RunRecord) -> dict[str, Any]:
    exhibits = capped(record.exhibits, EXHIBITS_MAX)
    diverged, explained = words.divergences(record), words.explained(record)
    count = sum(row.count for row in diverged)
    waived = sum(row.count for row in explained)
    return {
        "classes": capped(chain(diverged, explained)),
        "classes_phrase": f"{count:,} in {words.counted(len(diverged), 'class', 'classes')}, {waived:,} explained",
        "exhibits": capped(_drawn_exhibits(exhibits.rows), EXHIBITS_MAX),
        "exhibits_left_out": exhibits.left_out,
        "findings_phrase": f"{len(exhibits.rows):,} of {words.counted(len(record.exhibits), 'exhibit')} drawn",
        "shown": frozenset(exhibit.fingerprint for exhibit in exhibits.rows),
    }


def _place_view(record: RunRecord) -> dict[str, Any]:
    cursors = [_PlacedCursor(item.name, row) for item in record.scenarios for row in item.cursors]
    rules, processes = rule_rows(record), identities(record)
    hits = sum(rule.hits for rule in rules)
    return {
        "cursors": capped(cursors),
        "cursors_phrase": words.counted(len(cursors), "stream"),
        "digests": (
            ("Run", record.run_digest),
            ("Policy", record.policy_digest),
            ("Harness", f"{record.harness_version} {record.harness_commit}".strip()),
        ),
        "identities_phrase": words.counted(len(processes), "process", "processes"),
        "processes": capped(processes),
        "rules": capped(rules),
        "rules_phrase": f"{words.counted(len(rules), 'rule')}, {words.counted(hits, 'hit')}",
    }


def _drawn_exhibits(exhibits: tuple[Exhibit, ...]) -> Iterator[_DrawnExhibit]:
    """Each exhibit with an id of its own: the class's anchor for its first, numbered ones after that."""
    seen: dict[str, int] = {}
    for exhibit in exhibits:
        name = f"finding-{anchor(exhibit.fingerprint)}"
        seen[name] = seen.get(name, 0) + 1
        own = name if seen[name] == 1 else f"{name}-{seen[name]}"
        yield _DrawnExhibit(own, exhibit, tuple(_diffs(exhibit))[:DIFFS_PER_EXHIBIT_MAX])


def _diffs(exhibit: Exhibit) -> Iterator[_DrawnDiff]:
    """The bodies of the rows that the finding hit, where at least two oracles have one and they differ."""
    for row in exhibit.neighbourhood:
        bodies = (row.log.body, row.legacy.body, row.target.body)
        if row.hit and len({body for body in bodies if body}) > 1:
            diff = body_diff(*bodies)
            yield _DrawnDiff(row.seq, diff, tuple(_drawn_lines(diff, bodies)))


def _drawn_lines(diff: BodyDiff, bodies: tuple[str, str, str]) -> Iterator[_DrawnLine]:
    if diff.problem:
        yield _DrawnLine("$", Markup(""), bodies, True, 0, frozenset())
    for line in diff.lines:
        indent = Markup("  ") * line.depth
        yield _DrawnLine(line.path, indent, line.texts, line.differs, line.equal, _odd(line.texts))


def _odd(texts: tuple[str | None, ...]) -> frozenset[int]:
    """The columns unlike the log's; where the log has no body, both lanes' columns."""
    if not texts or texts[0] == "":
        return frozenset({1, 2})
    return frozenset(column for column in (1, 2) if texts[column] not in (texts[0], ""))
