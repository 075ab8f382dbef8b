"""What was proved, for a terminal, for the documentation and for machines."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from harness.model.names import SIDES
from harness.power.operator import Effect, Operator
from harness.power.operators import OPERATORS
from harness.power.proof import Proof, Sighting
from harness.power.proving import Power, skipped

FORMAT = "lane-parity/power/1"
_WIDTH = 64
DECLARED_COLUMNS = ("operator", "where", "effect", "class", "blame")

Cells = tuple[str, ...]


def declared_row(operator: Operator) -> Cells:
    """What an operator declares, a cell a column of DECLARED_COLUMNS."""
    classes = ", ".join(f"{int(one)} {one.name.lower()}" for one in sorted(operator.classes)) or "–"
    topology = f", {operator.topology} only" if operator.topology else ""
    seen_by = "".join(f", by {check}" for check in sorted(operator.seen_by))
    return operator.name, f"{operator.seat}{topology}", operator.effect.value, classes + seen_by, _blame(operator)


def _blame(operator: Operator) -> str:
    named = sorted({blame.value for side in operator.sides for blame in operator.blames_on(side)})
    if operator.effect is not Effect.BLOCK:
        return "–"
    if len(operator.sides) == len(SIDES) and not operator.blames:
        return "feed of that side" if operator.feed else "that side"
    return " or ".join(named)


# a terminal


def power_text(power: Power) -> str:
    """A line an operator and side, then a line a check, then what is to be done; each ended by a newline."""
    parts = (_operator_lines(power), _check_lines(power), _left_out_lines(power), _end_lines(power))
    return "".join(f"{line}\n" for lines in parts for line in lines)


def _operator_lines(power: Power) -> Iterator[str]:
    sides = {operator.name: operator for operator in OPERATORS}
    for (name, side), own in power.applied.items():
        where = str(sides[name].seat) if sides[name].both else side
        wrong = [proof for proof in own if proof.problem]
        word = "FAILED " if wrong else "ok     " if own else "NOWHERE"
        result = f"{len(own)} proved" if own and not wrong else f"{len(wrong)} of {len(own)} failed" if wrong else "n/a"
        yield f"{word} {name:<{_WIDTH}} {where:<10} {sides[name].effect:<12} {result}"
        yield from (f"        {proof.recording}: {proof.problem}" for proof in wrong)


def _check_lines(power: Power) -> Iterator[str]:
    yield ""
    for check, operators in power.needed.items():
        if operators:
            yield f"without {check:<24} {_named(operators)} would not come out"
        else:
            yield f"without {check:<24} nothing is lost"


def _named(operators: Sequence[str], shown_max: int = 3) -> str:
    more = f" and {len(operators) - shown_max} more" if len(operators) > shown_max else ""
    return "; ".join(operators[:shown_max]) + more


def _left_out_lines(power: Power) -> Iterator[str]:
    yield ""
    n_a = skipped()
    yield f"n/a     {len(n_a)} by the nature of a wire or a topology"
    yield from (f"        {one.operator}, {one.where}: {one.why}" for one in n_a)
    yield from (f"        {name} was left out: {why}" for name, why in power.left_out.items())


def _end_lines(power: Power) -> Iterator[str]:
    planted = sum(len(own) for own in power.applied.values())
    refused = sum(not proof.applied for proof in power.proofs)
    yield ""
    yield f"{planted:,} faults planted, {refused:,} had no place, {len(power.failures):,} did not come out as declared"
    if power.nowhere:
        yield f"applied nowhere: {'; '.join(f'{name} ({side})' for name, side in power.nowhere)}"
        yield "record more scenarios: `parity run`, without naming any, records all that they need"
    elif power.idle:
        yield f"nothing is lost without {', '.join(power.idle)}: a check that changes nothing shows nothing"


# the documentation


def power_markdown(power: Power) -> str:
    """The page of the documentation: the declared columns by the code, the other ones by what was proved."""
    return "".join(f"{line}\n" for line in (*_preface(), *_operator_table(power), *_check_table(power), *_n_a_table()))


def _preface() -> Iterator[str]:
    yield "# Operators: the faults that are planted, and the checks that they need"
    yield ""
    yield "Made by `parity prove --write-docs docs/operators.md`; edit `harness/power/`, not this page."
    yield ""
    yield (
        "Every operator cuts a sealed recording and seals it anew; the judge must then say what the operator declares. "
        "`block` is exit code 1 with every class named and no blame but the one named, `count` is shown as explained, "
        "`silent` adds nothing, `inconclusive` is exit code 10."
    )


def _operator_table(power: Power) -> Iterator[str]:
    yield ""
    yield from _table((*DECLARED_COLUMNS, "applied", "seen by"), (_proved_row(power, one) for one in OPERATORS))


def _proved_row(power: Power, operator: Operator) -> Cells:
    own = [(side, power.applied.get((operator.name, side.value), ())) for side in operator.sides]
    counts = ", ".join(f"{len(found)}" if operator.both else f"{side} {len(found)}" for side, found in own)
    seen = sorted({one.check for _, found in own for proof in found for one in _telling(operator, proof)})
    return (*declared_row(operator), counts, ", ".join(seen) or "–")


def _telling(operator: Operator, proof: Proof) -> Iterator[Sighting]:
    return (one for one in proof.saw if one.failure in operator.classes)


def _check_table(power: Power) -> Iterator[str]:
    yield ""
    yield "## What is lost without a check"
    yield ""
    rows = ((check, "; ".join(operators) or "nothing") for check, operators in power.needed.items())
    yield from _table(("check", "operators whose declared effect does not come out without it"), rows)


def _n_a_table() -> Iterator[str]:
    yield ""
    yield "## Not applicable"
    yield ""
    yield from _table(("operator", "not on", "because"), ((one.operator, one.where, one.why) for one in skipped()))


def _table(head: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    yield _line(head)
    yield _line(tuple("---" for _ in head))
    yield from map(_line, rows)


def _line(cells: Cells) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


# machines


def power_json(power: Power) -> bytes:
    """`power.json`: everything that was proved, the same bytes for the same run, seed and checks."""
    content = {
        "format": FORMAT,
        "run": power.run,
        "seed": power.seed,
        "recordings_max": power.recordings_max,
        "exit_code": int(power.exit_code),
        "nowhere": power.nowhere,
        "idle": power.idle,
        "left_out": dict(sorted(power.left_out.items())),
        "skipped": [asdict(one) for one in skipped()],
        "needed": power.needed,
        "operators": [dict(zip(DECLARED_COLUMNS, declared_row(one), strict=True)) for one in OPERATORS],
        "proofs": [_proof(proof) for proof in power.proofs if proof.applied],
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _proof(proof: Proof) -> dict[str, object]:
    saw = [{**asdict(one), "failure": int(one.failure)} for one in proof.saw]
    return {**asdict(proof), "saw": saw}
