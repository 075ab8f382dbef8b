"""Faults of the authority: answers that are not what happened, and a log that is not what was answered."""

import json
from collections.abc import Callable, Iterator
from random import Random

from harness.model.finding import FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.model.timeline import FAULT, HEALED, SERVICE_READY
from harness.power import cuts
from harness.power.operator import Operator, Seat, block
from harness.power.packing import Envelope, Packet, Row, compact, parsed
from harness.power.tape import Tape

INTERNAL = 500


def log_omits_accepted(tape: Tape, _: Side, draw: Random) -> bool:
    """The authority answered a command with an event that its log does not have."""
    page = cuts.chosen([page for page in tape.log() if len(page.envelopes) > 2], draw)
    if page is None:
        return False
    victim = draw.choice(page.envelopes[1:-1])
    for each, envelope in _logged(tape, page):
        if envelope.command_id == victim.command_id:
            cuts.drop(each, envelope)
    return True


def _logged(tape: Tape, like: Packet) -> list[tuple[Packet, Envelope]]:
    """Every row of every page of the log that a page belongs to."""
    pages = [page for page in tape.log() if page.row["service"] == like.row["service"]]
    return [(page, envelope) for page in pages for envelope in page.envelopes]


def answer_beyond_log(tape: Tape, _: Side, draw: Random) -> bool:
    """A command is answered with a number that the log never came to."""
    row = cuts.chosen(_accepted(tape), draw)
    if row is None:
        return False
    answer = json.loads(row["response_body"])
    heads = [one.seq for page in tape.log() if page.row["stream"] == row["stream"] for one in page.envelopes]
    if not heads:
        return False
    answer["event"]["seq"] = max(heads) + 7
    row["response_body"] = compact(answer).encode()
    return True


def _accepted(tape: Tape, purpose: str = "command") -> list[Row]:
    """Appends that were answered with their event, each event with its first answer."""
    found: dict[tuple[str, str, int], Row] = {}
    for row in tape.exchanges(purpose):
        answer = parsed(row["response_body"])
        event = answer.get("event") if isinstance(answer, dict) and row["path"].endswith("/events") else None
        if row["outcome"] == "ok" and event:
            found.setdefault((row["service"], row["stream"], event["seq"]), row)
    return list(found.values())


def log_names_other_command(tape: Tape, _: Side, draw: Random) -> bool:
    """A row of the log names another command than the one that was answered with it."""
    page = cuts.chosen([page for page in tape.log() if page.row["stream"].startswith("run:") and page.envelopes], draw)
    if page is None:
        return False
    victim = draw.choice(page.envelopes)
    strange = next((one.command_id for one in page.envelopes if one.command_id != victim.command_id), None)
    if strange is None:
        return False
    for each, envelope in _logged(tape, page):
        if (envelope.stream, envelope.seq) == (victim.stream, victim.seq):
            cuts.edit(each, envelope, lambda one: setattr(one, "command_id", strange))
    return True


def log_has_number_twice(tape: Tape, _: Side, draw: Random) -> bool:
    """A row of the log is there twice."""
    page = cuts.chosen([page for page in tape.log() if page.envelopes], draw)
    if page is None:
        return False
    envelope = draw.choice(page.envelopes)
    cuts.insert_after(page, envelope, envelope.doubled())
    return True


def log_keeps_other_body(tape: Tape, _: Side, draw: Random) -> bool:
    """The log has, and so both lanes deliver, another body than the command said."""
    row = cuts.chosen([row for row in _accepted(tape) if tape.plan.topology is Topology.MIRRORED], draw)
    if row is None:
        return False
    seq = json.loads(row["response_body"])["event"]["seq"]
    return _rewrite_everywhere(tape, SIDES, row["stream"], seq, cuts.change_leaf_and_hash) > 0


def logs_apart(tape: Tape, side: Side, draw: Random) -> bool:
    """Isolated: one authority logs, and its lane delivers, another body than the other authority, after one command."""
    bodies = [page for page in tape.log() if page.row["side"] == side.value and page.envelopes]
    page = cuts.chosen([page for page in bodies if not page.row["stream"].startswith("fleet:")], draw)
    if page is None or tape.plan.topology is not Topology.ISOLATED:
        return False
    # The first event of a stream is one whose body no command says.
    first = page.envelopes[0].seq
    return _rewrite_everywhere(tape, (side,), page.row["stream"], first, cuts.change_leaf_and_hash) > 0


def _rewrite_everywhere(
    tape: Tape, sides: tuple[Side, ...], stream: str, seq: int, change: Callable[[Envelope], None]
) -> int:
    """Change an event with the authorities that feed `sides` and in all that their lanes deliver and hold; how many
    places.
    """
    authorities = {f"authority/{tape.authority_of(side)}" for side in sides}
    names = {one.connection["wire_stream"] for one in tape.tracks if one.connection["stream"] == stream}
    carriers = [packet for track in tape.tracks if track.side in sides for packet in track.packets]
    carriers += [packet for side in sides for packet in tape.content(side) if packet.origin == "sql"]
    spots = cuts.kept_by_authorities(tape, stream, seq, authorities)
    spots += [(packet, e) for packet in carriers for e in packet.envelopes if e.seq == seq and e.stream in names]
    for packet, envelope in spots:
        cuts.edit(packet, envelope, change)
    return len(spots)


# what it publishes


def outbox_omits(tape: Tape, _: Side, draw: Random) -> bool:
    """A logged event was never published."""
    return _republish(tape, draw, cuts.drop)


def outbox_repeats(tape: Tape, _: Side, draw: Random) -> bool:
    """An event was published twice."""
    return _republish(tape, draw, lambda page, one: cuts.insert_after(page, one, one.doubled()))


def outbox_tells_otherwise(tape: Tape, _: Side, draw: Random) -> bool:
    """An event was published with another body than the log has."""
    return _republish(tape, draw, lambda page, one: cuts.edit(page, one, cuts.change_leaf_and_hash))


def _republish(tape: Tape, draw: Random, change: Callable[[Packet, Envelope], None]) -> bool:
    """Change one publication of the plan's own streams; an outbox also holds those of other plans."""
    topics = {page.document["stream"] for page in tape.log()}
    spots = [(page, one) for page in tape.outbox() for one in page.envelopes if one.stream in topics]
    spot = cuts.chosen(spots, draw)
    if spot is None:
        return False
    change(*spot)
    return True


# answers


def number_given_again(tape: Tape, _: Side, draw: Random) -> bool:
    """After a restart of the authority, a command is answered with a number that another one was given before it."""
    rows = _accepted(tape)
    pairs = [
        (before, after)
        for service, at_ns in _restarts(tape)
        for before in rows
        for after in rows
        if before["service"] == after["service"] == service and before["stream"] == after["stream"]
        if before["answered_ns"] < at_ns < after["sent_ns"]
    ]
    pair = cuts.chosen(pairs, draw)
    if pair is None:
        return False
    before, after = pair
    answer = json.loads(after["response_body"])
    answer["event"]["seq"] = json.loads(before["response_body"])["event"]["seq"]
    after["response_body"] = compact(answer).encode()
    return True


def _restarts(tape: Tape) -> Iterator[tuple[str, int]]:
    """Each authority that began a second life, and when, monotonic ns."""
    lives: set[str] = set()
    for note in tape.rows["timeline"]:
        if note["event"] == SERVICE_READY and note["subject"].startswith("authority/"):
            if note["subject"] in lives:
                yield note["subject"], note["at_ns"]
            lives.add(note["subject"])


def refusal_answered_otherwise(tape: Tape, _: Side, draw: Random) -> bool:
    """A command that had to be refused is refused with another status and error, by every authority that got it."""
    rows = [row for row in tape.exchanges("command") if row["outcome"] == "refused" and not _disturbed(tape, row)]
    chosen = cuts.chosen(rows, draw)
    alike = [row for row in rows if chosen is not None and row["step"] == chosen["step"]]
    for row in alike:
        _answer(row, 418, {"error": "teapot"})
    return bool(alike)


def refused_while_lane_down(tape: Tape, _: Side, draw: Random) -> bool:
    """A command that was sent while a lane or its relay was down is answered with a server error."""
    rows = [row for row in tape.exchanges("command") if row["answered_ns"] and _disturbed(tape, row)]
    message = "fanout mirror publish failed"
    return _answer(cuts.chosen(rows, draw), INTERNAL, {"error": "internal", "message": message})


def _answer(row: Row | None, status: int, body: dict[str, str]) -> bool:
    if row is None:
        return False
    outcome = "refused" if status < INTERNAL else row["outcome"]
    row.update(status=status, response_body=compact(body).encode(), outcome=outcome)
    return True


def _disturbed(tape: Tape, row: Row) -> bool:
    """Whether a lane or a relay was down when a command was sent or answered."""
    until_ns = row["answered_ns"] or row["sent_ns"]
    return any(from_ns <= until_ns and row["sent_ns"] <= to_ns for from_ns, to_ns in _outages(tape))


def _outages(tape: Tape) -> Iterator[tuple[int, int]]:
    """When lanes and relays were down by the plan, monotonic ns."""
    healed: dict[str, int] = {_name(note): note["at_ns"] for note in tape.rows["timeline"] if note["event"] == HEALED}
    for note in tape.rows["timeline"]:
        if note["event"] == FAULT and note["subject"].partition("/")[0] in ("lane", "relay"):
            from_ns: int = note["at_ns"]
            yield from_ns, healed.get(_name(note), from_ns)


def _name(note: Row) -> str:
    return str(json.loads(note["detail"]).get("name"))


def answered_apart(tape: Tape, _: Side, draw: Random) -> bool:
    """Isolated: one authority accepts a command with another status than the other one."""
    rows = [row for row in _accepted(tape) if tape.plan.topology is Topology.ISOLATED and row["status"] == 200]
    row = cuts.chosen(rows, draw)
    if row is None:
        return False
    row["status"] = 202
    return True


def refusal_without_reason(tape: Tape, _: Side, draw: Random) -> bool:
    """A refusal for size or rate does not say which limit it means."""
    rows = [row for row in tape.exchanges("command") if row["outcome"] == "refused" and row["status"] in (413, 429)]
    row = cuts.chosen(rows, draw)
    if row is None:
        return False
    row["response_body"] = compact({**json.loads(row["response_body"]), "reason_code": "unspecified"}).encode()
    return True


def checkpoint_behind(tape: Tape, _: Side, draw: Random) -> bool:
    """The authority's projector names a checkpoint below the head when all is quiet."""
    rows = [row for row in tape.exchanges("checkpoint") if _checkpoint(row)]
    row = cuts.chosen(rows, draw)
    if row is None:
        return False
    answer = json.loads(row["response_body"])
    answer["checkpoint"]["last_seq"] -= 1
    row["response_body"] = compact(answer).encode()
    return True


def _checkpoint(row: Row) -> int:
    answer = parsed(row["response_body"])
    return answer["checkpoint"].get("last_seq", 0) if isinstance(answer, dict) and "checkpoint" in answer else 0


_MISSING, _DUPLICATE, _BODY = FailureClass.MISSING, FailureClass.DUPLICATE, FailureClass.BODY
_CURSOR, _COMMAND, _RESTART = FailureClass.CURSOR, FailureClass.COMMAND, FailureClass.RESTART
_HERE = {"seat": Seat.AUTHORITY}
_ISOLATED = {**_HERE, "topology": Topology.ISOLATED, "elsewhere": "one authority feeds both lanes"}

OPERATORS: tuple[Operator, ...] = (
    block("accepted command missing from the log", log_omits_accepted, _MISSING, **_HERE),
    block("a command is answered with a number beyond the log", answer_beyond_log, _MISSING, _COMMAND, **_HERE),
    block("the log names another command than was answered", log_names_other_command, _COMMAND, **_HERE),
    block("the log has a number twice", log_has_number_twice, _DUPLICATE, **_HERE),
    block("the log keeps another body than was sent", log_keeps_other_body, _BODY, **_HERE),
    block("a logged event was never published", outbox_omits, _MISSING, **_HERE),
    block("an event was published twice", outbox_repeats, _DUPLICATE, **_HERE),
    block("an event was published with another body", outbox_tells_otherwise, _BODY, **_HERE),
    block("a number is given again after a restart", number_given_again, _RESTART, **_HERE),
    block("a command is refused otherwise than it must be", refusal_answered_otherwise, _COMMAND, **_HERE),
    block("command answer differs because a lane is down", refused_while_lane_down, _COMMAND, **_HERE),
    block("two authorities accept one command differently", answered_apart, _COMMAND, **_ISOLATED),
    block("a refusal does not name its limit", refusal_without_reason, _COMMAND, **_HERE),
    block("the projector's checkpoint is behind", checkpoint_behind, _CURSOR, **_HERE),
)
