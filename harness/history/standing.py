"""How each event stands with each oracle, as flags by address: what blame is worked out from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, AddressSpace, Mask
from harness.history.columns import Misfit
from harness.history.comparison import Compared
from harness.history.coverage import SEQ_MAX
from harness.history.passages import Passage
from harness.history.testimony import Reference, Testimony
from harness.model.names import Side


@dataclass(frozen=True, slots=True)
class Owned:
    """One authority's flags, by address.

    `read` (the stream's log was read), `logged`, `accepted` (an answer says that a command made the event), `disowned`
    (logged, though no command was accepted that made it there), `contested` (the answers to several commands name it:
    its number was given out again), `unpublished` (logged, and not in the authority's outbox, where that was read),
    `maker` int32: position in the transcript of the command that made the event, -1 = none is known; of a contested one
    the command that the log names.
    """

    read: Mask
    logged: Mask
    accepted: Mask
    disowned: Mask
    contested: Mask
    unpublished: Mask
    maker: I32

    @property
    def expected(self) -> Mask:
        """By address: whether a lane of this authority has to deliver the event."""
        return self.logged | self.accepted


@dataclass(frozen=True, slots=True)
class SideStanding:
    """One side's flags, by address.

    Deliveries: `lacking` (a subscription that opened covers the event and never got it), `same` and `other` (some
    subscription got it as the reference has it, or otherwise), `late` (some subscription got it after a higher number).
    Own content: `content_read` (the stream's content was read), `content_same`, `content_other`. `value` and
    `content_value` int32 number what was delivered or held otherwise, 0 = nothing; equal numbers, equal values.
    """

    owned: Owned
    lacking: Mask
    same: Mask
    other: Mask
    late: Mask
    content_read: Mask
    content_same: Mask
    content_other: Mask
    value: I32
    content_value: I32
    had: Mask
    """The lane was given the event, though its content may not show it: it has it under another number, or names a
    floor at or above it, or, where its content was asked for and does not reach down to it, had come that far.
    """
    fed_late: Mask
    """The feed had not brought the event when the last barrier gave up waiting for it."""
    silent: bool
    """Subscriptions opened, and not one event came over any of them."""
    unrecorded: frozenset[int] = frozenset()
    """Addresses of the events that are lacking although the driver got them: lost by the harness."""

    def was_given(self, address: int) -> bool:
        """Whether the lane had the event in time, by its own content or by its own word."""
        given = self.content_same[address] or self.content_other[address] or self.had[address]
        return bool(given and not self.fed_late[address])

    def is_known(self, address: int) -> bool:
        """Whether anybody can say that the lane had the event, or that it had not."""
        return bool(self.content_read[address] or self.fed_late[address]) or self.was_given(address)


@dataclass(frozen=True, slots=True)
class Standing:
    """Both sides, and by address whether the events of their two logs are the same (always, where they share one)."""

    sides: Mapping[Side, SideStanding]
    agreeing: Mask


@dataclass(frozen=True, slots=True)
class LaneOracle:
    """One oracle of a lane against the reference of its side.

    `differs` bool by row: body, kind or (where one log feeds both lanes) instant is not the reference's.
    """

    held: Testimony
    compared: Compared
    differs: Mask
    misfits: tuple[Misfit, ...]


def differs(held: Testimony, variants: I32, reference: Reference, instants_matter: bool) -> Mask:
    """By row: whether body, kind or instant is not the reference's. Rows without an address do not differ."""
    address = np.maximum(held.address, 0)
    if not len(reference.kind):
        return np.zeros(len(held.rows), np.bool_)
    wrong = (variants != 0) | (held.rows.kind != reference.kind[address])
    if instants_matter:
        wrong |= held.rows.published_ns != reference.published_ns[address]
    return np.asarray(wrong & (held.address >= 0))


def content_known(space: AddressSpace, read: Mapping[str, int], codes: Mapping[str, int]) -> Mask:
    """By address: whether the lane's own content was read there; `read` names the streams and the cursors."""
    marks = np.zeros(space.size, np.bool_)
    for stream, cursor in read.items():
        begin, end = space.interval(codes[stream], cursor, SEQ_MAX)
        marks[begin:end] = True
    return marks


def flagged(addresses: I32, size: int) -> Mask:
    """By address: whether it is among `addresses`."""
    marks = np.zeros(size, np.bool_)
    marks[addresses] = True
    return marks


def valued(held: Testimony, wrong: Mask, size: int) -> tuple[Mask, Mask]:
    """By address: whether some row is as the reference has it, and whether some row is not."""
    addressed = held.address >= 0
    return flagged(held.address[addressed & ~wrong], size), flagged(held.address[wrong], size)


def lacking(passages: Iterable[Passage], size: int) -> tuple[Mask, Mask]:
    """By address: whether some subscription lacks it, and whether some subscription got it late."""
    missing, late = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    for passage in passages:
        missing[passage.missing] = True
        late[passage.addresses[passage.late]] = True
    return missing, late


class ValueCodes:
    """Codes of values (body, kind, instant) that are not the reference's, from 1 on: equal codes, equal values."""

    def __init__(self, instants_matter: bool) -> None:
        self._instants_matter = instants_matter
        self._codes: dict[tuple[int, int, int], int] = {}

    def of(self, oracle: LaneOracle) -> I32:
        """By address: the code of the first row that is not as the reference has it, 0 = none."""
        held, found = oracle.held, np.zeros(len(oracle.held.first), np.int32)
        likenesses = oracle.compared.variants if self._instants_matter else oracle.compared.likenesses
        for row in np.flatnonzero(oracle.differs)[::-1].tolist():
            instant = int(held.rows.published_ns[row]) if self._instants_matter else 0
            value = (int(likenesses[row]), int(held.rows.kind[row]), instant)
            found[held.address[row]] = self._codes.setdefault(value, len(self._codes) + 1)
        return found


def renumbered(reference: Reference, astray: Mask, oracles: Iterable[LaneOracle], logged: Mask) -> Mask:
    """By address: whether an event that is `astray` is held under another number, where the log has another event.

    Body, kind and instant together tell the event.
    """
    marks = np.zeros(len(astray), np.bool_)
    found = np.flatnonzero(astray)
    if not len(found):
        return marks
    elsewhere = {value for oracle in oracles for value in _strangers(oracle, reference, logged)}
    for address in found.tolist():
        event = (reference.raw[address].tobytes(), reference.kind[address], reference.published_ns[address])
        marks[address] = event in elsewhere
    return marks


def _strangers(oracle: LaneOracle, reference: Reference, logged: Mask) -> Iterator[tuple[bytes, int, int]]:
    """The events that stand under a number where the log has another one, or none.

    The instant tells them apart even where it is not compared: it tells two heartbeats with one body apart.
    """
    held, address = oracle.held, np.maximum(oracle.held.address, 0)
    other_instant = held.rows.published_ns != reference.published_ns[address]
    strange = (held.address >= 0) & (oracle.differs | other_instant | ~logged[address])
    for row in np.flatnonzero(strange).tolist():
        yield held.rows.raw[row].tobytes(), held.rows.kind[row], held.rows.published_ns[row]
