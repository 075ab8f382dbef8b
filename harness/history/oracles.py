"""The oracles of a recording by name: the log of each authority, own content and deliveries of each lane."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, Keys
from harness.history.bodies import Place
from harness.history.columns import Codes, Envelopes
from harness.history.gathering import Gathered
from harness.history.names import Naming
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Plan


def log_oracle(authority: str) -> str:
    """Name of an authority's log."""
    return f"log/{authority}"


def content_oracle(side: Side) -> str:
    """Name of a lane's own content."""
    return f"content/{side}"


def delivered_oracle(side: Side) -> str:
    """Name of a lane's deliveries."""
    return f"delivered/{side}"


def oracles_of(plan: Plan, side: Side) -> tuple[str, ...]:
    """The oracles that a side is held against, the most trusted first: of all, where one log feeds both lanes."""
    log = log_oracle(plan.topology.authority_of(side))
    sides = SIDES if plan.topology is Topology.MIRRORED else (side,)
    return (log, *map(content_oracle, sides), *map(delivered_oracle, sides))


@dataclass(frozen=True, slots=True)
class Spoken:
    """Rows of one oracle with the code of the plan stream that each belongs to (int32)."""

    rows: Envelopes
    stream: I32

    @property
    def keys(self) -> Keys:
        """(stream, seq) of every row."""
        return self.stream, self.rows.seq


@dataclass(frozen=True, slots=True)
class Oracles:
    """Every oracle by name. `streams` are the plan names by code, those of the plan first."""

    streams: tuple[str, ...]
    spoken: Mapping[str, Spoken]
    head_streams: Mapping[Side, I32]
    """Stream code of every head that came beside events."""

    def codes(self) -> dict[str, int]:
        """Code of each stream."""
        return {stream: code for code, stream in enumerate(self.streams)}


def oracles(found: Gathered) -> Oracles:
    """The oracles of a decoded recording, their delivered names read as plan names."""
    codes = Codes()
    for stream in found.streams:
        codes[stream]
    spoken: dict[str, Spoken] = {}
    head_streams = {}
    for authority, log in found.logs.items():
        lookup = _lookup(codes, found.log_names[authority], found.namings[authority])
        spoken[log_oracle(authority)] = _spoken(log.rows, lookup)
    for side, one in found.sides.items():
        lookup = _lookup(codes, one.names, one.naming)
        spoken[content_oracle(side)] = _spoken(one.content.rows, lookup)
        spoken[delivered_oracle(side)] = _spoken(one.deliveries.rows, lookup)
        head_streams[side] = lookup[one.heads.name] if len(one.heads) else one.heads.name
    return Oracles(codes.texts, spoken, head_streams)


def _lookup(codes: Codes, names: Iterable[str], naming: Naming) -> I32:
    return np.array([codes[naming.plan_name(name)] for name in names], np.int32)


def _spoken(rows: Envelopes, lookup: I32) -> Spoken:
    return Spoken(rows, lookup[rows.name] if len(rows) else rows.name)


def places(found: Gathered) -> dict[str, Place]:
    """Where the bytes of every oracle's rows are."""
    by_name = {log_oracle(authority): Place(log.rows, False) for authority, log in found.logs.items()}
    for side, one in found.sides.items():
        by_name[content_oracle(side)] = Place(one.content.rows, one.content.framed)
        by_name[delivered_oracle(side)] = Place(one.deliveries.rows, one.deliveries.framed)
    return by_name
