"""How the scenarios ended when they were last run here, from the verdicts of the runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.run_record import Verdict
from harness.report.verdict_json import FORMAT
from harness.report.visible import clipped


@dataclass(frozen=True, slots=True)
class LastResult:
    """How one `<scenario>.<topology>` ended, when it was recorded (RFC 3339, UTC), and the run's directory."""

    verdict: Verdict
    recorded_at: str
    run: str


def last_results(runs: Path) -> dict[str, LastResult]:
    """By `<scenario>.<topology>`: the result in the newest run below `runs` that has one. Unreadable verdicts are
    passed over: a damaged run has no result.
    """
    found: dict[str, LastResult] = {}
    for file in sorted(runs.glob("*/verdict.json")):  # runs are named by the time of their start
        found |= dict(_results(file))
    return found


def _results(file: Path) -> Iterator[tuple[str, LastResult]]:
    for scenario in _scenarios(file):
        try:
            verdict, recorded_at = Verdict(scenario["verdict"]), clipped(str(scenario["recorded_at"]), 40)
            yield str(scenario["name"]), LastResult(verdict, recorded_at, file.parent.name)
        except (ValueError, KeyError, TypeError):
            continue


def _scenarios(file: Path) -> list[Any]:
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(record, dict) or record.get("format") != FORMAT or not isinstance(record.get("scenarios"), list):
        return []
    return list(record["scenarios"])
