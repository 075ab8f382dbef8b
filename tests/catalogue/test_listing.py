"""The catalogue as text."""

from collections.abc import Mapping
from pathlib import Path

from harness.catalogue.expansion import expand
from harness.catalogue.last_results import LastResult
from harness.catalogue.listing import scenario_detail, scenario_text
from harness.model.names import Topology
from harness.model.run_record import Verdict
from tests.catalogue.planning import READER, RUN, append, source_of

STEPS: tuple[Mapping[str, object], ...] = (
    RUN,
    READER,
    append(3),
    append(expect={"refused": {"status": 409, "error": "conflict"}}),
    {"fault": {"name": "gone", "kill": "legacy", "after": {"stream": "run:r1", "seq": 2}}},
    {"heal": {"name": "gone"}},
    {"fault": {"name": "torn", "delay": "target", "subscriber": "reader", "stream": "run:r1", "seq": 2, "delay_ms": 9}},
    {"heal": {"name": "torn"}},
    {"barrier": {}},
    {"ack": {"subscriber": "reader", "stream": "run:r1", "sides": ["target"], "seq": 99, "expect": "refused"}},
    {"unsubscribe": {"subscriber": "reader", "sides": ["legacy"]}},
)


def test_a_scenario_says_what_it_needs_and_how_it_ended(tmp_path: Path) -> None:
    """Name, title, clauses, derived needs, and the last result of each topology."""
    source = source_of(tmp_path, *STEPS)
    plans = [expand(source, topology) for topology in Topology]
    last = {"x.mirrored": LastResult(Verdict.PARITY, "2026-11-24", "some-run")}

    assert [
        "x: a title long enough",
        "    clauses  N1",
        "    needs    kill lane/legacy, wire target",
        "    mirrored PARITY, 2026-11-24 (some-run)",
        "    isolated never run here",
    ] == scenario_text(source, plans, last).splitlines()


def test_the_steps_are_told_in_words(tmp_path: Path) -> None:
    """Why the scenario exists, and its steps; alike neighbours share a line."""
    source = source_of(tmp_path, *STEPS, about="Because it was wrong once.", topologies=["mirrored"])
    plan = expand(source, Topology.MIRRORED)

    lines = scenario_detail(source, [plan], {}).splitlines()

    assert "Because it was wrong once." in lines
    assert f"x.mirrored: {len(plan.steps)} steps, seed 1, {plan.digest}" in lines
    assert [
        "create_run run:r1 by main",
        "subscribe from 0: run:r1 by reader",
        "append run:r1 by main × 3",
        "append run:r1 by main, refused",
        "fault gone: kill lane/legacy, after run:r1 2",
        "heal gone",
        "fault torn: delay wire/target of reader at run:r1 2 by 9 ms",
        "heal torn",
        "barrier over run:r1",
        "ack run:r1 by reader at 99 on target: refused",
        "unsubscribe reader on legacy",
        "barrier over run:r1",
        "read run:r1",
    ] == [line.strip() for line in lines[lines.index(next(one for one in lines if "steps, seed" in one)) + 1 :]]
