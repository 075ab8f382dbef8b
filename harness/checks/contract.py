"""The wire contracts: everything decodes, every name is mapped, every envelope fits the proto messages (INV-01)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from harness.checks.blame import blame
from harness.checks.bodies import shortened
from harness.checks.check import Check
from harness.checks.opening import misplaced
from harness.checks.places import FRAMES_MAX, frames
from harness.history.history import History, Phase, SideHistory
from harness.model.errors import FormatError
from harness.model.finding import Blame, FailureClass, Finding, FrameRef
from harness.model.names import SIDES, Side, StreamKey
from harness.wire.events import Delivery
from harness.wire.protobuf import round_trip_v1, round_trip_v2


def decoded(history: History) -> Iterator[Finding]:
    """Every frame and every answer of a lane that is not of its dialect, or that comes where the dialect has no place
    for it (INV-01; contract, 2.1 and 6.2).
    """
    for connection in history.connections.values():
        asked = connection.asked
        for frame, why in connection.heard.undecoded:
            yield _broken(asked.side, asked.stream, f"a frame is not of the dialect: {shortened(why)}", frame, asked.id)
    for out in misplaced(history):
        asked = out.connection.asked
        yield replace(_broken(asked.side, asked.stream, out.why, out.frame, asked.id), count=out.count)
    for side, one in history.sides.items():
        for exchange, why in one.unreadable:
            yield _broken(side, "", f"answer {exchange} is not of the dialect: {shortened(why)}")
        for row in one.delivered.compared.unparsable.tolist():
            stream = history.streams[one.deliveries.stream[row]]
            frame, number = int(one.deliveries.frame[row]), int(one.deliveries.connection[row])
            yield _broken(side, stream, "a body is not one JSON value", frame, number)
    for authority in history.authorities.values():
        sides = tuple(side for side in SIDES if history.sides[side].authority == authority.name)
        for exchange, why in authority.log.unreadable:
            yield Finding(
                check="contract.decoded",
                failure=FailureClass.BODY,
                blame=Blame.AUTHORITY,
                sides=sides,
                stream="",
                message=f"answer {exchange} is no page of a log: {shortened(why)}",
                suffers="nothing can be held against the log",
            )


def _broken(side: Side, stream: str, message: str, frame: int | None = None, connection: int = -1) -> Finding:
    return Finding(
        check="contract.decoded",
        failure=FailureClass.BODY,
        blame=Blame.of(side),
        sides=(side,),
        stream=stream,
        message=message,
        frames=() if frame is None else (FrameRef(side, connection, frame),),
        suffers="a client that knows the dialect cannot read it",
    )


def names(history: History) -> Iterator[Finding]:
    """Every delivered stream name that stands for no stream of the plan, or for two (contract, 4 and 14)."""
    for side, one in history.sides.items():
        delivered = one.delivered.held.rows.name
        used = np.union1d(delivered, one.content.held.rows.name)
        by_name = np.argsort(delivered, kind="stable")
        begins = np.searchsorted(delivered[by_name], used).tolist()
        for code, begin in zip(used.tolist(), begins, strict=True):
            if StreamKey.parse(one.naming.plan_name(one.names[code])).kind == "other":
                rows = by_name[begin : begin + FRAMES_MAX]
                yield _name_finding(history, side, one.names[code], rows[delivered[rows] == code].tolist())
        for collision in one.naming.collisions:
            yield Finding(
                check="contract.names",
                failure=FailureClass.MAPPING,
                blame=Blame.of(side),
                sides=(side,),
                stream=one.naming.plan_name(collision.stream_id),
                message=f"topics {', '.join(collision.topics)} are all stream {collision.stream_id!r}",
                suffers="events of several topics come as one stream",
            )


def _name_finding(history: History, side: Side, name: str, rows: Iterable[int]) -> Finding:
    one = history.sides[side]
    known = one.naming.topic_of(name)
    return Finding(
        check="contract.names",
        failure=FailureClass.MAPPING,
        blame=Blame.of(side),
        sides=(side,),
        stream=one.naming.plan_name(name),
        message=f"stream {shortened(name)!r} is no stream of the plan" + ("" if known else " and stands for no topic"),
        frames=frames(history, side, rows),
        suffers="a client cannot tell what it is shown",
    )


def round_trips(history: History) -> Iterator[Finding]:
    """Every envelope that does not become its proto message and come back, binary and JSON, v1 and v2 (INV-01).

    What the messages have no field for is the contract gap: reported once, as a table. One event makes the way once a
    side, however many subscriptions got it. Of a large recording, every kind of every stream and an even sample of
    500 to 1,000 events a side do: nothing in a message depends on how many there are, and one way costs as much as
    judging a hundred deliveries.
    """
    for side, one in history.sides.items():
        for row, envelope in _sent(one):
            lost = _lost(envelope, replayed=bool(one.phase[row] == Phase.REPLAY))
            if lost:
                yield Finding(
                    check="contract.proto",
                    failure=FailureClass.BODY,
                    blame=blame(history, int(one.delivered.held.address[row]), side),
                    sides=(side,),
                    stream=history.streams[one.deliveries.stream[row]],
                    message=f"event {envelope.seq} does not survive the proto contracts: {lost}",
                    seq=envelope.seq,
                    frames=frames(history, side, [row]),
                    suffers="a client built from the proto contracts holds another event",
                )


def _sent(one: SideHistory) -> list[tuple[int, Delivery]]:
    """The envelopes that make the way; those whose body is no JSON are found elsewhere."""
    unparsable = set(one.delivered.compared.unparsable.tolist())
    return [(row, envelope) for row, envelope in one.sampled if row not in unparsable]


def _lost(envelope: Delivery, *, replayed: bool) -> str:
    """What does not survive, empty where everything does."""
    try:
        lost = [f"v1 {field}" for field in round_trip_v1(envelope)]
        lost += [f"v2 {field}" for field in round_trip_v2(envelope, replayed=replayed)]
    except FormatError as error:
        return shortened(str(error))
    return ", ".join(lost)


def _frames_from_lanes(history: History) -> int:
    return sum(connection.heard.frames_from_lane for connection in history.connections.values())


def _names_used(history: History) -> int:
    used: Mapping[Side, int] = {side: len(history.sides[side].names) for side in SIDES}
    return sum(used.values())


CHECKS = (
    Check(
        "contract.decoded",
        "every frame and every answer is of its dialect, to the last byte, and in its place",
        ("INV-01",),
        decoded,
        _frames_from_lanes,
    ),
    Check(
        "contract.names",
        "every stream name stands for exactly one stream of the plan",
        ("INV-01", "B4", "C3b"),
        names,
        _names_used,
    ),
    Check(
        "contract.proto",
        "every envelope becomes its message of sync v1 and v2 and comes back whole, binary and JSON",
        ("INV-01", "C3a"),
        round_trips,
        lambda history: sum(len(_sent(history.sides[side])) for side in SIDES),
    ),
)
