"""Values of one event as several oracles have it: body, kind and instant, compared and described."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import numpy as np

from harness.checks.bodies import differing_paths, shortened
from harness.history.addresses import Mask
from harness.history.history import History, SideHistory
from harness.history.instants import UNREADABLE_NS
from harness.history.standing import LaneOracle
from harness.history.testimony import Reference, Testimony
from harness.model.finding import Seen
from harness.model.names import Side, Topology


class Aspect(Enum):
    """One part of an event's value, and its name in sentences."""

    BODY = "body"
    KIND = "kind"
    INSTANT = "published_at"


@dataclass(frozen=True, slots=True)
class Witness:
    """One row that speaks of an event: `oracle` names it among the oracles, `label` for people (`log`, `legacy`, …)."""

    label: str
    oracle: str
    held: Testimony
    row: int


def wrong_mask(history: History, one: SideHistory, oracle: LaneOracle, aspect: Aspect) -> Mask:
    """By row of a lane's oracle: whether this part of the value is not the log's. Only events that the log has."""
    address = np.maximum(oracle.held.address, 0)
    if not history.space.size:
        return np.zeros(len(oracle.held.rows), np.bool_)
    logged = history.standing.sides[one.side].owned.logged[address] & (oracle.held.address >= 0)
    match aspect:
        case Aspect.BODY:
            return np.asarray(logged & (oracle.compared.variants != 0))
        case Aspect.KIND:
            return np.asarray(logged & (oracle.held.rows.kind != one.reference.kind[address]))
        case Aspect.INSTANT:
            mirrored = history.plan.topology is Topology.MIRRORED
            return np.asarray(
                mirrored & logged & (oracle.held.rows.published_ns != one.reference.published_ns[address])
            )


def first_by_address(held: Testimony, rows: Iterable[int]) -> dict[int, int]:
    """The first of `rows` at each address."""
    found: dict[int, int] = {}
    for row in rows:
        found.setdefault(int(held.address[row]), row)
    return found


def reference_witness(history: History, reference: Reference, address: int) -> Witness:
    """The row that is the reference of an address."""
    oracle = reference.oracles[reference.oracle[address]]
    kind, _, name = oracle.partition("/")
    label = "log" if kind == "log" else name
    return Witness(label, oracle, testimony_of(history, oracle), int(reference.row[address]))


def testimony_of(history: History, oracle: str) -> Testimony:
    """The rows of an oracle."""
    kind, _, name = oracle.partition("/")
    if kind == "log":
        return history.authorities[name].held
    side = history.sides[Side(name)]
    return (side.delivered if kind == "delivered" else side.content).held


Pair = tuple[Witness, Witness]


def described(history: History, pairs: Mapping[int, Pair], aspect: Aspect) -> dict[int, tuple[str, tuple[Seen, ...]]]:
    """JSON path of the first difference (empty unless bodies are compared) and what both witnesses show, by address."""
    if aspect is not Aspect.BODY:
        return {
            address: ("", tuple(Seen(one.label, _text(history, one, aspect)) for one in pair))
            for address, pair in pairs.items()
        }
    wanted: dict[str, set[int]] = {}
    for one in (witness for pair in pairs.values() for witness in pair):
        wanted.setdefault(one.oracle, set()).add(one.row)
    bodies = history.bodies.of(wanted)
    return dict(_described_bodies(pairs, bodies))


def _described_bodies(
    pairs: Mapping[int, Pair], bodies: Mapping[str, Mapping[int, bytes]]
) -> Iterator[tuple[int, tuple[str, tuple[Seen, ...]]]]:
    for address, pair in pairs.items():
        texts = [bodies[one.oracle].get(one.row, b"") for one in pair]
        seen = tuple(Seen(one.label, shortened(text)) for one, text in zip(pair, texts, strict=True))
        yield address, (differing_paths(*texts)[0], seen)


def _text(history: History, one: Witness, aspect: Aspect) -> str:
    rows = one.held.rows
    if aspect is Aspect.KIND:
        return shortened(history.kinds[rows.kind[one.row]])
    return instant_text(int(rows.published_ns[one.row]))


def instant_text(published_ns: int) -> str:
    """RFC 3339 with nanoseconds."""
    if published_ns == UNREADABLE_NS:
        return "no instant"
    seconds, rest = divmod(published_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
