"""Every oracle laid over one address space, and what came over each subscription."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, U64, AddressSpace, address_space
from harness.history.connections import Connection
from harness.history.coverage import Interval, highest_numbers, lawful_floors, snapshot_heads, spared
from harness.history.gathering import Gathered
from harness.history.history import AuthorityHistory, Deliveries
from harness.history.oracles import Oracles, delivered_oracle, log_oracle
from harness.history.ownership import Claims, Streams, claims, excused, owned
from harness.history.passages import Arrivals, Passage, passages
from harness.history.subscribed import LoggedRow, SentinelSeqs, Subscribed, sentinels, subscribed
from harness.history.testimony import Testimony, testimony
from harness.model.names import SIDES, Side


@dataclass(frozen=True, slots=True)
class Layout:
    """Addresses, and everything that is by address or by subscription."""

    space: AddressSpace
    held: Mapping[str, Testimony]
    """Every oracle by name."""
    deliveries: Mapping[Side, Deliveries]
    authorities: Mapping[str, AuthorityHistory]
    sentinels: SentinelSeqs
    subscriptions: tuple[Subscribed, ...]
    passages: tuple[Passage, ...]


def layout(found: Gathered, known: Oracles) -> Layout:
    """The layout of a decoded recording."""
    codes = known.codes()
    marks = sentinels(found.plan, found.commands, dict(_sentinel_rows(found, known)), found.timeline)
    subscriptions = subscribed(found.plan, found.connections.values(), codes, marks)
    deliveries = {side: _deliveries(found, known, side, subscriptions) for side in SIDES}
    claimed = {name: claims(found.plan, found.commands, name, codes) for name in found.logs}
    counted = {name: np.ones(len(spoken.rows), np.bool_) for name, spoken in known.spoken.items()}
    for side, one in deliveries.items():
        counted[delivered_oracle(side)] = ~(one.foreign | one.below)
    keys = [(spoken.stream[counted[name]], spoken.rows.seq[counted[name]]) for name, spoken in known.spoken.items()]
    space = address_space(len(known.streams), [*keys, *(one.keys for one in claimed.values())])
    held = {name: testimony(one.rows, one.stream, counted[name], space) for name, one in known.spoken.items()}
    authorities = {
        name: _authority(found, known, name, claimed[name], space, held[log_oracle(name)]) for name in found.logs
    }
    through: dict[int, Passage] = {}
    for side in SIDES:
        expected = authorities[found.plan.topology.authority_of(side)].owned.expected
        own = [one for one in subscriptions if one.side is side]
        arrivals = _arrivals(deliveries[side], held[delivered_oracle(side)])
        through |= passages(own, arrivals, space, expected, _spared(found, known, side, own, deliveries[side]))
    return Layout(
        space, held, deliveries, authorities, marks, subscriptions, tuple(through[one.code] for one in subscriptions)
    )


def _sentinel_rows(found: Gathered, known: Oracles) -> Iterator[tuple[str, list[LoggedRow]]]:
    """The rows of each log that came of a sentinel."""
    sentinel = np.array([row.sentinel for row in found.commands], np.bool_)
    for authority, log in found.logs.items():
        spoken = known.spoken[log_oracle(authority)]
        rows = np.flatnonzero(log.command >= 0)
        rows = rows[sentinel[log.command[rows]]]
        yield (
            authority,
            [
                (known.streams[spoken.stream[row]], int(log.rows.seq[row]), int(log.command[row]))
                for row in rows.tolist()
            ],
        )


def _deliveries(found: Gathered, known: Oracles, side: Side, subscriptions: Sequence[Subscribed]) -> Deliveries:
    gathered, stream = found.sides[side].deliveries, known.spoken[delivered_oracle(side)].stream
    subscription, cursor = _by_connection(found.connections, subscriptions)
    connection, frame = gathered.carriers.connection, gathered.carriers.frame
    over = subscription[connection]
    asked_stream = np.array([*(one.stream_code for one in subscriptions), -1], np.int32)
    below = gathered.rows.seq <= cursor[connection]
    return Deliveries(stream, connection, frame, over, asked_stream[over] != stream, below)


def _by_connection(connections: Mapping[int, Connection], subscriptions: Sequence[Subscribed]) -> tuple[I32, U64]:
    """Subscription (int32, -1 = none) and asked cursor (uint64) of each connection, by its id."""
    size = max(connections, default=-1) + 1
    subscription, cursor = np.full(size, -1, np.int32), np.zeros(size, np.uint64)
    for number, connection in connections.items():
        cursor[number] = connection.asked.cursor
    for one in subscriptions:
        for connection in one.connections:
            subscription[connection.asked.id] = one.code
    return subscription, cursor


def _spared(
    found: Gathered, known: Oracles, side: Side, own: Sequence[Subscribed], deliveries: Deliveries
) -> dict[int, tuple[Interval, ...]]:
    """By subscription of a side: the numbers that it is not owed; as a rule there are none."""
    one = found.sides[side]
    connections = {number: held for number, held in found.connections.items() if held.asked.side is side}
    snapshots = snapshot_heads(one.heads, known.head_streams[side], connections, known.codes())
    floors = lawful_floors(one.heads, snapshots, one.retention_events)
    if not floors and not any(held.stale for held in connections.values()):
        return {}
    counted = ~(deliveries.foreign | deliveries.below)
    highest = highest_numbers(deliveries.connection, one.deliveries.rows.seq, counted)
    return {
        subscription.code: spared(subscription.asked or 0, subscription.connections, highest, floors)
        for subscription in own
    }


def _authority(
    found: Gathered, known: Oracles, name: str, claimed: Claims, space: AddressSpace, held: Testimony
) -> AuthorityHistory:
    log, naming = found.logs[name], found.namings[name]
    read = frozenset(map(naming.plan_name, log.read))
    streams = Streams(known.streams, read, excused(found.plan, found.commands, name))
    own = owned(claimed, log, found.outboxes[name], held, space, streams, found.commands)
    heads = {naming.plan_name(topic): head for topic, head in log.heads.items()}
    return AuthorityHistory(name, log, found.outboxes[name], held, own, read, heads, naming)


def _arrivals(deliveries: Deliveries, held: Testimony) -> Arrivals:
    rows = np.flatnonzero((held.address >= 0) & (deliveries.subscription >= 0)).astype(np.int32)
    return Arrivals(rows, deliveries.subscription[rows], held.rows.seq[rows], held.address[rows])
