"""Which events an authority stands for: by its answers, and by its log."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, AddressSpace, Keys, Mask
from harness.history.event_log import Log
from harness.history.outbox import Outbox
from harness.history.standing import Owned, flagged
from harness.history.testimony import Testimony
from harness.history.transcript import CommandRow
from harness.model.names import StreamKey
from harness.model.plan import CommandStep, Plan


@dataclass(frozen=True, slots=True)
class Claims:
    """The events that one authority's answers claim: `stream` int32, `seq` uint64, `maker` int32 (position in the
    transcript, -1 where the answer names no number, as with fleet streams).
    """

    keys: Keys
    maker: I32


def claims(plan: Plan, commands: Sequence[CommandRow], authority: str, stream_codes: Mapping[str, int]) -> Claims:
    """What the accepted commands of `authority` made.

    A worker command also appends to its user's fleet stream, which is dense from 1: so many commands, so many events.
    """
    made: list[tuple[int, int, int]] = [
        (stream_codes[row.stream], row.seq, position)
        for position, row in enumerate(commands)
        if row.authority == authority
        and row.outcome == "accepted"
        and row.seq is not None
        and row.stream in stream_codes
    ]
    for fleet, count in fleet_counts(plan, commands, authority, "accepted").items():
        made += [(stream_codes[fleet], seq, -1) for seq in range(1, count + 1) if fleet in stream_codes]
    streams, seqs, makers = zip(*made, strict=True) if made else ((), (), ())
    return Claims((np.array(streams, np.int32), np.array(seqs, np.uint64)), np.array(makers, np.int32))


def fleet_counts(plan: Plan, commands: Sequence[CommandRow], authority: str, outcome: str) -> Counter[str]:
    """How many worker commands ended with `outcome`, by the fleet stream that they also append to."""
    owners = {step.command.subject: step.command.user for step in plan.steps if isinstance(step, CommandStep)}
    counts: Counter[str] = Counter()
    for row in commands:
        key = StreamKey.parse(row.stream) if row.stream else None
        if key is not None and key.kind == "worker" and row.authority == authority and row.outcome == outcome:
            counts[str(StreamKey("fleet", str(owners.get(key.name, 1))))] += 1
    return counts


@dataclass(frozen=True, slots=True)
class Streams:
    """The plan names of all streams by code, those whose log was read whole, and for how many rows of each stream a
    command without a definite answer may account.
    """

    names: Sequence[str]
    read: Container[str]
    excused: Mapping[str, int]


def owned(
    claimed: Claims,
    log: Log,
    outbox: Outbox,
    held: Testimony,
    space: AddressSpace,
    streams: Streams,
    commands: Sequence[CommandRow],
) -> Owned:
    """The flags of one authority, from what it answered (`claimed`), what its log holds, and what it published."""
    accepted_at = space.of(claimed.keys)
    maker, named = np.full(space.size, -1, np.int32), np.full(space.size, -1, np.int32)
    maker[accepted_at] = claimed.maker
    accepted = flagged(accepted_at, space.size)
    logged = held.first >= 0
    named[logged] = log.command[held.first[logged]]
    disowned = (logged & ~accepted & (named < 0)) | _made_elsewhere(named, space, streams.names, commands)
    contested = _contested(accepted_at, claimed, named)
    maker = np.where((maker < 0) | (contested & (named >= 0)), np.maximum(named, -1), maker)
    read = space.marked([name in streams.read for name in streams.names])
    unpublished = logged & read & outbox.read
    unpublished[held.address[outbox.log_row[outbox.log_row >= 0]]] = False
    return Owned(read, logged, accepted, _unexcused(disowned, space, streams), contested, unpublished, maker)


def _contested(accepted_at: I32, claimed: Claims, named: I32) -> Mask:
    """Events that several commands were answered with, and those of other streams that such a command also made."""
    told = accepted_at[claimed.maker >= 0]
    marks = np.bincount(told, minlength=len(named)) > 1
    if marks.any():
        makers = claimed.maker[claimed.maker >= 0][marks[told]]
        marks |= np.isin(named, makers)
    return marks


def _made_elsewhere(named: I32, space: AddressSpace, names: Sequence[str], commands: Sequence[CommandRow]) -> Mask:
    """Rows that name a command which was answered with another number of the same stream."""
    marks = np.zeros(space.size, np.bool_)
    rows = np.flatnonzero(named >= 0)
    codes = {name: code for code, name in enumerate(names)}
    stream = np.array([-1 if row.seq is None else codes.get(row.stream, -1) for row in commands], np.int32)
    answered = np.array([row.seq or 0 for row in commands], np.uint64)
    groups, seqs = space.keys(rows)
    maker = named[rows]
    marks[rows[(stream[maker] == groups) & (answered[maker] != seqs)]] = True
    return marks


def _unexcused(disowned: Mask, space: AddressSpace, streams: Streams) -> Mask:
    """The disowned rows less, in each stream, the first of them that an unanswered command may have made."""
    left = disowned.copy()
    for stream, count in streams.excused.items():
        group = streams.names.index(stream)
        begin, end = int(space.base[group]), int(space.base[group + 1])
        left[np.flatnonzero(disowned[begin:end])[:count] + begin] = False
    return left


def excused(plan: Plan, commands: Sequence[CommandRow], authority: str) -> Counter[str]:
    """How many commands to `authority` have no definite answer, by every stream that they may have appended to."""
    own = (row.stream for row in commands if row.authority == authority and row.outcome == "indefinite")
    return Counter(own) + fleet_counts(plan, commands, authority, "indefinite")
