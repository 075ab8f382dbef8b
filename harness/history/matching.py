"""From decoded columns to a history: what each oracle says against its reference, and how each event stands."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.history.addresses import Mask
from harness.history.bodies import Bodies, Recorded
from harness.history.comparison import (
    Dictionary,
    ReferenceBodies,
    compared,
    read_bodies,
    reference_bodies,
    unequal_references,
    wanted_rows,
)
from harness.history.connections import NEVER_NS
from harness.history.faults import planned_faults
from harness.history.gathering import Gathered
from harness.history.history import History, Phase, SideHistory
from harness.history.lane_words import content_read, dropped, fed_late, reached
from harness.history.layout import Layout, layout
from harness.history.normalisation import VOLATILE_STREAMS, rule_hits
from harness.history.oracles import Oracles, content_oracle, delivered_oracle, log_oracle, oracles, oracles_of, places
from harness.history.standing import (
    LaneOracle,
    SideStanding,
    Standing,
    ValueCodes,
    content_known,
    differs,
    lacking,
    renumbered,
    valued,
)
from harness.history.testimony import Reference, reference
from harness.history.transcript import stream_kind
from harness.history.unrecorded import unrecorded
from harness.model.names import SIDES, Side, Topology

Referenced = tuple[Reference, ReferenceBodies]


def matched(found: Gathered, recorded: Recorded) -> History:
    """The history of a decoded recording; `recorded` is asked again for the few bodies that must be parsed."""
    known = oracles(found)
    laid = layout(found, known)
    bodies = Bodies(recorded, found.listeners, places(found))
    referenced, lanes, respelled = _held_against(found, laid, bodies)
    agreeing, volatile = _agreeing(found, known, laid, referenced, bodies)
    instants_matter = found.plan.topology is Topology.MIRRORED
    sides = {side: _side(found, known, laid, side, referenced[side], lanes) for side in SIDES}
    return History(
        plan=found.plan,
        plan_streams=found.streams,
        streams=known.streams,
        kinds=found.kinds,
        space=laid.space,
        sides=sides,
        authorities=laid.authorities,
        commands=found.commands,
        connections=found.connections,
        subscriptions=laid.subscriptions,
        passages=laid.passages,
        positions=found.positions,
        checkpoints=found.checkpoints,
        faults=planned_faults(found.plan, found.timeline),
        sentinels=laid.sentinels,
        standing=_standing(found, known, laid, sides, agreeing, instants_matter),
        rules=rule_hits({**_rule_counts(found, known), "canonical JSON": respelled, **volatile}),
        timeline=found.timeline,
        bodies=bodies,
    )


def _held_against(
    found: Gathered, laid: Layout, bodies: Bodies
) -> tuple[dict[Side, Referenced], dict[str, LaneOracle], int]:
    """The reference of each side, both oracles of each lane against it, and how many bodies were merely respelled."""
    logs = {log_oracle(name): log for name, log in found.logs.items()}
    references: dict[Side, Reference] = {}
    wanted: dict[str, set[int]] = {}
    for side in SIDES:
        trusted = {name: laid.held[name] for name in oracles_of(found.plan, side)}
        references[side] = reference(trusted, laid.space.size)
        own = {name: laid.held[name] for name in (content_oracle(side), delivered_oracle(side))}
        for name, rows in wanted_rows(own, references[side], logs).items():
            wanted.setdefault(name, set()).update(rows)
    readings = read_bodies(bodies, wanted)
    dictionary = Dictionary()
    referenced: dict[Side, Referenced] = {}
    lanes, respelled = {}, 0
    for side, chosen in references.items():
        referenced[side] = chosen, reference_bodies(chosen, logs, readings)
        for number, name in enumerate((content_oracle(side), delivered_oracle(side))):
            gathered = (found.sides[side].content, found.sides[side].deliveries)[number]
            result = compared(laid.held[name], referenced[side][1], readings.get(name, {}), dictionary)
            wrong = differs(laid.held[name], result.variants, chosen, found.plan.topology is Topology.MIRRORED)
            lanes[name] = LaneOracle(laid.held[name], result, wrong, gathered.misfits)
            respelled += result.respelled
    return referenced, lanes, respelled


def _agreeing(
    found: Gathered, known: Oracles, laid: Layout, referenced: Mapping[Side, Referenced], bodies: Bodies
) -> tuple[Mask, dict[str, int]]:
    """By address whether the two references are one event, and the hits of the rules that it took to say so."""
    if found.plan.topology is Topology.MIRRORED:
        return np.ones(laid.space.size, np.bool_), {}
    (legacy, _), (target, _) = referenced[Side.LEGACY], referenced[Side.TARGET]
    both = (legacy.oracle >= 0) & (target.oracle >= 0)
    agreeing = ~both | (legacy.kind == target.kind)
    unequal = unequal_references(referenced[Side.LEGACY], referenced[Side.TARGET])
    volatile = np.array([stream_kind(stream) in VOLATILE_STREAMS for stream in known.streams], np.bool_)
    groups, _ = laid.space.keys(unequal)
    agreeing[unequal[~volatile[groups]]] = False
    masked = unequal[volatile[groups]]
    wanted: dict[str, set[int]] = {}
    for one in (legacy, target):
        for address in masked.tolist():
            wanted.setdefault(one.oracles[one.oracle[address]], set()).add(int(one.row[address]))
    readings = read_bodies(bodies, wanted)
    likenesses = (
        [getattr(readings[one.oracles[one.oracle[at]]].get(int(one.row[at])), "likeness", b"") for at in masked]
        for one in (legacy, target)
    )
    same = np.array([one == other for one, other in zip(*likenesses, strict=True)], np.bool_)
    agreeing[masked[~same]] = False
    apart = both & (legacy.published_ns != target.published_ns)
    return agreeing, {"volatile heartbeat_age_ms": int(same.sum()), "volatile published_at": int(apart.sum())}


def _side(
    found: Gathered, known: Oracles, laid: Layout, side: Side, referenced: Referenced, lanes: Mapping[str, LaneOracle]
) -> SideHistory:
    one = found.sides[side]
    return SideHistory(
        side=side,
        authority=found.plan.topology.authority_of(side),
        deliveries=laid.deliveries[side],
        phase=_phases(found, laid, side),
        delivered=lanes[delivered_oracle(side)],
        content=lanes[content_oracle(side)],
        content_read=content_read(found, side),
        reference=referenced[0],
        reference_bodies=referenced[1],
        heads=one.heads,
        head_streams=known.head_streams[side],
        names=one.names,
        naming=one.naming,
        unreadable=one.unreadable,
        sampled=one.deliveries.sampled,
        retention_events=one.retention_events,
    )


def _phases(found: Gathered, laid: Layout, side: Side) -> NDArray[np.int8]:
    """When each delivery came, relative to the command that made its event."""
    deliveries, address = laid.deliveries[side], laid.held[delivered_oracle(side)].address
    phase = np.full(len(address), Phase.UNDETERMINED, np.int8)
    maker = laid.authorities[found.plan.topology.authority_of(side)].owned.maker
    rows = np.flatnonzero(address >= 0)
    rows = rows[maker[address[rows]] >= 0]
    if not len(rows):
        return phase
    sent = np.array([row.sent_ns for row in found.commands], np.int64)
    answered = np.array([NEVER_NS if row.answered_ns is None else row.answered_ns for row in found.commands], np.int64)
    opened, accepted = np.zeros((2, max(found.connections) + 1), np.int64)
    for number, connection in found.connections.items():
        opened[number], accepted[number] = connection.asked.opened_ns, connection.ended.accepted_ns
    made, over = maker[address[rows]], deliveries.connection[rows]
    phase[rows[answered[made] <= opened[over]]] = Phase.REPLAY
    phase[rows[sent[made] >= accepted[over]]] = Phase.LIVE
    return phase


def _standing(
    found: Gathered,
    known: Oracles,
    laid: Layout,
    sides: Mapping[Side, SideHistory],
    agreeing: Mask,
    instants_matter: bool,
) -> Standing:
    values = ValueCodes(instants_matter)
    return Standing({side: _side_standing(found, known, laid, one, values) for side, one in sides.items()}, agreeing)


def _side_standing(found: Gathered, known: Oracles, laid: Layout, one: SideHistory, values: ValueCodes) -> SideStanding:
    size = laid.space.size
    own = [passage for passage in laid.passages if passage.subscribed.side is one.side]
    missing, late = lacking(own, size)
    read = content_known(laid.space, one.content_read, known.codes())
    same, other = valued(one.delivered.held, one.delivered.differs, size)
    content_same, content_other = valued(one.content.held, one.content.differs, size)
    owned = laid.authorities[one.authority].owned
    astray = owned.logged & ~same & ~content_same
    return SideStanding(
        owned=owned,
        lacking=missing,
        same=same,
        other=other,
        late=late,
        content_read=read,
        content_same=content_same,
        content_other=content_other,
        value=values.of(one.delivered),
        content_value=values.of(one.content),
        had=renumbered(one.reference, astray, (one.delivered, one.content), owned.logged)
        | dropped(found, known, laid.space, one.side)
        | (reached(found, known, (same | other) & owned.logged, laid.space, one.side) & ~read),
        fed_late=fed_late(found, known, laid.space, one.side),
        silent=any(passage.subscribed.opened for passage in own) and not len(one.deliveries),
        unrecorded=unrecorded(own, one.heads, found.timeline, laid.space),
    )


def _rule_counts(found: Gathered, known: Oracles) -> dict[str, int]:
    """How often the rules applied that work on names and spellings."""
    runs = np.array([stream_kind(stream) == "run" for stream in known.streams], np.bool_)
    lanes = [rows for one in found.sides.values() for rows in (one.deliveries, one.content)]
    mapped = [side for side in SIDES if found.sides[side].naming.mapped]
    named = np.array([stream_kind(stream) != "other" for stream in known.streams], np.bool_)
    at_mapped = [known.spoken[name(side)].stream for side in mapped for name in (delivered_oracle, content_oracle)]
    return {
        "command attempts": sum(row.attempts > 1 for row in found.commands),
        "run alias": sum(int(runs[spoken.stream].sum()) for spoken in known.spoken.values()),
        "stream mapping": sum(int(named[stream].sum()) for stream in at_mapped),
        "stored envelope": sum(rows.unwrapped for rows in lanes),
        "published_at spelling": sum(rows.respelled_instants for rows in lanes),
    }
