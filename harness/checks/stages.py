"""Where an event was lost: the stage of its way at which it was last seen, by the same facts that blame is made from.

| stage | facts | blame |
|---|---|---|
| never accepted | the log was read and lacks it, and no answer stands for it; or it has it from nobody | authority |
| accepted, not logged | an answer stands for it, and the log lacks it | authority |
| logged, not published | the outbox was read and lacks it (said of the outbox: a relay may fill holes) | authority |
| logged, not in the lane's own content (feed) | no subscription has it, nor the lane's own content | that side's feed |
| in the lane, not replayed | its command was answered before the last connection opened that owed it | that side |
| replayed, not delivered live | its command was sent after that connection stood | that side |
| delivered, lost by the harness | the driver got it, the recording lacks it | harness |
| ambiguous: … | the log was not read, nor content or word of the lane had; or nobody can say when it was made | |
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum

import numpy as np

from harness.checks.places import Run
from harness.history.connections import NEVER_NS, Connection
from harness.history.history import History
from harness.history.passages import Passage
from harness.history.standing import SideStanding
from harness.model.finding import FailureClass, Finding
from harness.model.names import Side


class Stage(StrEnum):
    """The places where an event can be lost, in the order of its way."""

    NEVER_ACCEPTED = "never accepted"
    NOT_LOGGED = "accepted, not logged"
    NOT_PUBLISHED = "logged, not published"
    NOT_FED = "logged, not in the lane's own content (feed)"
    FED_LATE = "logged, in the lane's own content only after the last barrier (feed)"
    NOT_REPLAYED = "in the lane, not replayed"
    NOT_LIVE = "replayed, not delivered live"
    BY_HARNESS = "delivered, lost by the harness"


_NOWHERE = ""
_MADE_MEANWHILE = "ambiguous: in the lane; its command was under way while the connection opened"
_UNKNOWN_MAKER = "ambiguous: in the lane; no answer says when it was made"
_NO_CONNECTION = "ambiguous: in the lane; no connection stood that owed it when it was made"
_FEED_DOWN = "ambiguous: in the lane; the way to it was broken by the plan while the connection opened"
_LOG_UNREAD = "ambiguous: the log was not read"
_CONTENT_UNREAD = "ambiguous: the lane's own content was not read"
_SEVERAL = " · "


def stage(history: History, address: int, side: Side, passage: Passage | None = None) -> str:
    """Where the event at `address` was lost on its way to the subscription of `passage`, or else to the first one of
    `side` that lacks it; empty where nothing was lost.
    """
    own = history.standing.sides[side]
    owned = own.owned
    if not owned.read[address]:
        return _LOG_UNREAD
    if not owned.logged[address] or owned.disowned[address] or owned.contested[address]:
        return _before_the_log(own, address)
    if address in own.unrecorded:
        return Stage.BY_HARNESS
    shown = bool(own.same[address] or own.other[address])
    if not shown and not own.is_known(address):
        return _CONTENT_UNREAD
    if not shown and not own.was_given(address):
        if owned.unpublished[address]:
            return Stage.NOT_PUBLISHED
        return Stage.FED_LATE if own.fed_late[address] else Stage.NOT_FED
    loser = passage if passage is not None else _loser(history, address, side)
    return Stage.NOT_REPLAYED if loser is None else _by_phase(history, address, loser)


def _before_the_log(own: SideStanding, address: int) -> str:
    if own.owned.accepted[address]:
        return Stage.NOT_LOGGED
    held = own.same[address] or own.other[address] or own.content_same[address] or own.content_other[address]
    return _NOWHERE if held and not own.owned.disowned[address] else Stage.NEVER_ACCEPTED


def _loser(history: History, address: int, side: Side) -> Passage | None:
    """The first subscription of a side that lacks the event; None = none does, but the lane's own content."""
    if not history.standing.sides[side].lacking[address]:
        return None
    own = (passage for passage in history.passages if passage.subscribed.side is side)
    return next((passage for passage in own if _lacks(passage, address)), None)


def _lacks(passage: Passage, address: int) -> bool:
    at = int(np.searchsorted(passage.missing, address))
    return at < len(passage.missing) and int(passage.missing[at]) == address


def _by_phase(history: History, address: int, passage: Passage) -> str:
    """Lost in the replay or live, by the last connection that owed the event."""
    side, maker = passage.subscribed.side, int(history.standing.sides[passage.subscribed.side].owned.maker[address])
    connection = _last_owing(history, address, passage)
    if connection is None:
        return _NO_CONNECTION
    if maker < 0:
        return _UNKNOWN_MAKER
    made, ended = history.commands[maker], connection.ended
    if made.answered_ns is not None and made.answered_ns <= connection.asked.opened_ns:
        broken = _way_broken(history, side, made.answered_ns, ended.accepted_ns)
        return _FEED_DOWN if broken else Stage.NOT_REPLAYED
    if made.sent_ns < ended.accepted_ns:
        return _MADE_MEANWHILE
    closed_ns = NEVER_NS if ended.closed_ns is None else ended.closed_ns
    return Stage.NOT_LIVE if made.sent_ns < closed_ns else _NO_CONNECTION


def _last_owing(history: History, address: int, passage: Passage) -> Connection | None:
    stood = [one for one in passage.subscribed.connections if one.ended.accepted_ns < NEVER_NS]
    if len(stood) > 1:
        _, seq = history.key(address)
        stood = [one for one in stood if one.asked.cursor < seq]
    return stood[-1] if stood else None


def _way_broken(history: History, side: Side, from_ns: int, to_ns: int) -> bool:
    """Whether a fault of the plan stood between authority and lane: an event then comes later than its answer."""
    way = (f"authority/{history.sides[side].authority}", f"relay/{side}", f"lane/{side}")
    return any(one.step.fault.subject in way and one.open_between(from_ns, to_ns) for one in history.faults)


def staged(history: History, run: Run, side: Side, passage: Passage | None = None) -> Iterator[tuple[Run, str]]:
    """A run of events in pieces that were lost at one stage each."""
    stages = [stage(history, address, side, passage) for address in run.addresses]
    begin = 0
    for end in range(1, len(stages) + 1):
        if end == len(stages) or stages[end] != stages[begin]:
            yield _piece(run, begin, end), stages[begin]
            begin = end


def _piece(run: Run, begin: int, end: int) -> Run:
    """Events of a run, which has one number after the other, from one place up to another."""
    if (begin, end) == (0, run.count):
        return run
    return replace(run, first=run.first + begin, last=run.first + end - 1, addresses=run.addresses[begin:end])


class Losses:
    """Gives findings about a loss the stage at which it happened."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._passages = {passage.subscribed.name: passage for passage in history.passages}

    def told(self, finding: Finding) -> Finding:
        """A finding about a loss with its stage, in its field and in its words; any other as it is."""
        lost_at = finding.stage
        if not lost_at and finding.failure is FailureClass.MISSING and finding.seq is not None and finding.sides:
            lost_at = _SEVERAL.join(dict.fromkeys(filter(None, self._stages(finding, finding.seq))))
        if not lost_at:
            return finding
        return replace(finding, stage=str(lost_at), message=f"{finding.message}; lost: {lost_at}")

    def _stages(self, finding: Finding, first: int) -> Iterable[str]:
        """The stage of each event of a finding, on the side that lacks it, in the subscription that it names."""
        history, last = self._history, first if finding.seq_last is None else finding.seq_last
        if finding.stream not in history.streams:
            return ()
        begin, end = history.space.interval(history.streams.index(finding.stream), first - 1, last)
        if begin == end:
            return (event_stage(history, finding.stream, first, finding.sides[0]),)
        passage = self._passages.get(finding.subscription)
        return (
            stage(history, address, _lacking_side(history, finding, address), passage) for address in range(begin, end)
        )


def _lacking_side(history: History, finding: Finding, address: int) -> Side:
    """The side that lacks the event, of those that the finding is about."""
    lacking = (side for side in finding.sides if history.standing.sides[side].lacking[address])
    return next(lacking, finding.sides[0])


def event_stage(history: History, stream: str, seq: int, side: Side, passage: Passage | None = None) -> str:
    """As `stage`, for an event named by stream and number; one that no oracle knows was never accepted."""
    address = history.space.find(history.streams.index(stream), seq) if stream in history.streams else -1
    if address >= 0:
        return stage(history, address, side, passage)
    return Stage.NEVER_ACCEPTED if stream in history.authority_of(side).read else _LOG_UNREAD
