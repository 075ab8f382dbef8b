"""Who answers for an event: the blame table of ARCHITECTURE, one function for every check.

| answers and log | legacy | target | blame |
|---|---|---|---|
| accepted, logged x | x | x | nobody |
| accepted, logged x | x | missing or other | target; its feed if its own content lacks the event too |
| accepted, logged x | missing or other | x | legacy; its feed likewise |
| accepted, logged x | missing | missing | feed, both, or each lane for itself, by their own content |
| accepted, logged x | y | y | both |
| accepted, not logged | any | any | authority |
| logged, not accepted or accepted elsewhere | any | any | authority |
| the number given to several commands | any | any | authority |
| logged x, never published | not fed, or late | any | authority |
| neither accepted nor logged | x | – or x | the lane or lanes that made it up |
| x in one subscription, other or absent in another | | | that lane |
| the driver got x, the recording lacks it | | | harness |
| log not read, or own content not read and no word of the lane covers the event | | | undecided |

Four readings that the table leaves open. A lane whose own content holds the event *otherwise*, or under another
number, did not lack it: it changed it, and answers itself. Nor did a lane lack what it dropped: one that names a floor
at or above an event (in a read of heads, in a stale answer, beside a snapshot) had it; so had one whose content was
asked for and does not reach down to the event, if it ever named or delivered a number as high. An event that came late
counts like one that is missing at its place. Where subscriptions of both sides opened and nothing at all came over
either, both failed in every event.
"""

from enum import Enum
from typing import NamedTuple

from harness.history.history import History
from harness.history.standing import SideStanding, Standing
from harness.model.finding import Blame
from harness.model.names import SIDES, Side


class Culprit(Enum):
    """Who on one side is at fault for one event."""

    NOBODY = "nobody"
    LANE = "lane"
    FEED = "feed"
    AUTHORITY = "authority"
    HARNESS = "harness"
    UNDECIDED = "undecided"


class Fault(NamedTuple):
    """What is wrong with one event on one side: two sides with equal `what` fail alike."""

    culprit: Culprit
    what: object


_NONE = Fault(Culprit.NOBODY, None)


def blame(history: History, address: int, side: Side) -> Blame:
    """Who answers for what `side` shows at `address`.

    Where the event itself stands well everywhere that is `side`'s lane, or the authority that never published it: what
    a lane has of such an event, it has late.
    """
    found = _blame(history.standing, address, side) if address >= 0 else Blame.NOBODY
    if found is not Blame.NOBODY:
        return found
    unpublished = address >= 0 and history.standing.sides[side].owned.unpublished[address]
    return Blame.AUTHORITY if unpublished else Blame.of(side)


def blame_of_event(history: History, stream: str, seq: int, side: Side) -> Blame:
    """As `blame`, for an event named by stream and number."""
    if stream not in history.streams:
        return Blame.of(side)
    return blame(history, history.space.find(history.streams.index(stream), seq), side)


def _blame(standing: Standing, address: int, side: Side) -> Blame:
    own, other = standing.sides[side], standing.sides[side.other]
    if _authority_failed(own, address) or (not standing.agreeing[address] and not _faulty(own, address)):
        return Blame.AUTHORITY
    if own.owned.read[address] and not own.owned.logged[address]:
        return _made_up(own, other, address, side)
    mine, theirs = _fault(own, address), _fault(other, address)
    if mine.culprit is Culprit.HARNESS:
        return Blame.HARNESS
    if mine.culprit is Culprit.AUTHORITY:
        return Blame.AUTHORITY
    if own.silent and other.silent:
        return Blame.FEED if {mine.culprit, theirs.culprit} == {Culprit.FEED} else Blame.BOTH
    if mine.culprit is not Culprit.NOBODY and mine == theirs and mine.culprit is not Culprit.UNDECIDED:
        return Blame.FEED if mine.culprit is Culprit.FEED else Blame.BOTH
    if mine.culprit is not Culprit.NOBODY:
        return _named(mine, side)
    return Blame.AUTHORITY if _authority_failed(other, address) else _named(theirs, side.other)


def _authority_failed(own: SideStanding, address: int) -> bool:
    """Accepted and not logged, or logged and not accepted there, or given to several commands."""
    owned = own.owned
    if not owned.read[address]:
        return False
    refuted = owned.disowned[address] or owned.contested[address]
    return bool(refuted or (owned.accepted[address] and not owned.logged[address]))


def _made_up(own: SideStanding, other: SideStanding, address: int, side: Side) -> Blame:
    """Neither accepted nor logged: whoever shows it made it up; if nobody does, the authority left the number out."""
    if other.owned.logged[address]:
        return Blame.AUTHORITY
    holders = [who for who, one in ((side, own), (side.other, other)) if _shown(one, address)]
    if len(holders) == len(SIDES):
        return Blame.BOTH
    return Blame.of(holders[0]) if holders else Blame.AUTHORITY


def _shown(one: SideStanding, address: int) -> bool:
    flags = (one.same, one.other, one.content_same, one.content_other)
    return any(bool(flag[address]) for flag in flags)


def _faulty(own: SideStanding, address: int) -> bool:
    return _fault(own, address).culprit is not Culprit.NOBODY


def _fault(one: SideStanding, address: int) -> Fault:
    """What is wrong on one side, with an event that its log has (or whose log was not read)."""
    if address in one.unrecorded:
        return Fault(Culprit.HARNESS, "unrecorded")
    same, other, lacking = bool(one.same[address]), bool(one.other[address]), bool(one.lacking[address])
    if (same or other) and lacking:
        return Fault(Culprit.LANE, "missing in one subscription")
    if same and other:
        return Fault(Culprit.LANE, "otherwise in one subscription")
    if other:
        return Fault(_holder(one, address), ("other", int(one.value[address])))
    if lacking:
        return Fault(_loser(one, address), "missing")
    return _unseen_fault(one, address, delivered=same)


def _unseen_fault(one: SideStanding, address: int, *, delivered: bool) -> Fault:
    """What is wrong on one side where its subscriptions show nothing wrong, or do not cover the event."""
    if one.late[address]:
        return Fault(Culprit.LANE, "late")
    if not one.content_read[address] or one.content_same[address] or not one.owned.logged[address]:
        return _NONE
    if one.content_other[address]:
        return Fault(_holder(one, address), ("other", int(one.content_value[address])))
    return Fault(Culprit.LANE if delivered else _loser(one, address), "missing")


def _holder(one: SideStanding, address: int) -> Culprit:
    """Who answers for an event that is there, but not as the log has it."""
    return Culprit.LANE if one.owned.read[address] and one.is_known(address) else Culprit.UNDECIDED


def _loser(one: SideStanding, address: int) -> Culprit:
    """Who answers for an event that is not there: the lane, if it had it by its own content or its own word; the
    authority, if it never published it.
    """
    if not one.owned.read[address] or not one.is_known(address):
        return Culprit.UNDECIDED
    if one.was_given(address):
        return Culprit.LANE
    return Culprit.AUTHORITY if one.owned.unpublished[address] else Culprit.FEED


def _named(fault: Fault, side: Side) -> Blame:
    match fault.culprit:
        case Culprit.LANE:
            return Blame.of(side)
        case Culprit.FEED:
            return Blame.feed_of(side)
        case Culprit.AUTHORITY:
            return Blame.AUTHORITY
        case Culprit.HARNESS:
            return Blame.HARNESS
        case Culprit.UNDECIDED:
            return Blame.UNDECIDED
        case Culprit.NOBODY:
            return Blame.NOBODY
