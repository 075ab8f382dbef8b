"""Verbs of subscribers: subscribe, resume, unsubscribe, joiners, resume_sweep, ack."""

import random
from itertools import pairwise
from typing import Any

from harness.catalogue.draft import Draft, kept, sides_of
from harness.model.names import SIDES
from harness.model.plan import AckStep, Policy, SubscribeStep, UnsubscribeStep


def subscribe(draft: Draft, given: dict[str, Any]) -> None:
    """One subscription a side. Raises UsageError where it cannot open, or is open."""
    subscriber, stream, sides = given["subscriber"], draft.stream(given["stream"]), sides_of(given)
    cursor = given.get("cursor", 0)
    if cursor is None and (subscriber, stream) not in draft.readers:
        draft.fail(f"subscriber {subscriber!r} has no position yet; subscribe it before it resumes", "subscriber")
    draft.refuse_broken_lane(sides, "no subscription on it opens")
    for side in sides:
        if draft.subscribed.get((subscriber, side), 0) is None:
            draft.fail(f"subscriber {subscriber!r} is still open on {side}; unsubscribe it first", "subscriber")
        draft.subscribed[subscriber, side] = given.get("until")
    draft.readers.add((subscriber, stream))
    draft.steps.append(
        SubscribeStep(
            index=len(draft.steps),
            subscriber=subscriber,
            sides=sides,
            stream=stream,
            cursor=cursor,
            until=given.get("until"),
            user=given.get("user", 1),
            policy=Policy(**given.get("policy", {})),
            after=draft.after(given),
        )
    )


def resume(draft: Draft, given: dict[str, Any]) -> None:
    """A subscription from what its subscriber last applied."""
    subscribe(draft, {**given, "cursor": None})


def unsubscribe(draft: Draft, given: dict[str, Any]) -> None:
    """The end of open subscriptions. Raises UsageError where none was opened."""
    subscriber, sides = given["subscriber"], sides_of(given)
    for side in sides:
        if (subscriber, side) not in draft.subscribed:
            draft.fail(f"subscriber {subscriber!r} was never opened on {side}", "subscriber")
        del draft.subscribed[subscriber, side]
    draft.steps.append(UnsubscribeStep(len(draft.steps), subscriber, sides, draft.after(given)))


def joiners(draft: Draft, given: dict[str, Any]) -> None:
    """Joiners in order of their positions, so that the walker meets them one after the other."""
    low, high = given["between"]
    if low > high:
        draft.fail(f"between [{low}, {high}] is empty; give the lower number first", "between")
    draw = random.Random(f"{draft.seed}/joiners/{len(draft.steps)}")
    positions = sorted(draw.randint(low, high) for _ in range(given["count"]))
    for number, position in enumerate(positions, 1):
        subscribe(
            draft,
            {
                **kept(given, "stream", "user", "policy"),
                "subscriber": f"{given.get('prefix', 'joiner')}-{number}",
                "cursor": draw.choice((0, draw.randint(0, position))),
                "after": {"stream": given["stream"], "seq": position},
            },
        )


def resume_sweep(draft: Draft, given: dict[str, Any]) -> None:
    """A subscription at each cursor; with `cross`, also a reader that moves at each number, both ways."""
    stream = draft.stream(given["stream"])
    head = draft.heads.get(stream, 0)
    cursors = _cursors(draft, given, head)
    prefix, shared = given.get("prefix", "at"), kept(given, "stream", "user", "policy")
    for cursor in cursors:
        subscribe(draft, {**shared, "subscriber": f"{prefix}-{cursor}", "cursor": cursor})
    movers = [(cursor, side) for cursor in cursors if 1 <= cursor <= head for side in SIDES]
    for cursor, side in movers if given.get("cross", False) else []:
        name = f"{prefix}-{cursor}-{side}-to-{side.other}"
        subscribe(draft, {**shared, "subscriber": name, "sides": [side], "until": cursor})
        resume(draft, {**shared, "subscriber": name, "sides": [side.other]})


def _cursors(draft: Draft, given: dict[str, Any], head: int) -> list[int]:
    """Every cursor of the sweep; with `sample`, both edges and that many between them, one of each equal part."""
    first, last = given.get("first", 0), given.get("last", head)
    if first > last:
        draft.fail(f"no cursor lies between {first} and {last}; give 'first' the lower number", "first")
    parts, inner = given.get("sample"), range(first + 1, last)
    if parts is None or parts >= len(inner):
        return list(range(first, last + 1))
    draw = random.Random(f"{draft.seed}/sweep/{len(draft.steps)}")
    edges = [len(inner) * part // parts for part in range(parts + 1)]
    drawn = [inner[draw.randrange(low, high)] for low, high in pairwise(edges)]
    return [first, *drawn, last]


def ack(draft: Draft, given: dict[str, Any]) -> None:
    """How far a subscriber has come, told to its lanes. Raises UsageError where `expect` cannot be what happens."""
    subscriber, stream, sides = given["subscriber"], draft.stream(given["stream"]), sides_of(given)
    if (subscriber, stream) not in draft.readers:
        draft.fail(f"subscriber {subscriber!r} never read {stream}; subscribe it before it acknowledges", "subscriber")
    draft.refuse_broken_lane(sides, "it keeps no checkpoint")
    expect, seq = given.get("expect", "kept"), given.get("seq")
    _refuse_wrong_expectation(draft, (subscriber, stream), seq, expect)
    draft.steps.append(AckStep(len(draft.steps), subscriber, sides, stream, seq, expect))


def _refuse_wrong_expectation(draft: Draft, who: tuple[str, str], seq: int | None, expect: str) -> None:
    earlier, head = draft.acked.get(who, 0), draft.heads.get(who[1], 0)
    quiet = draft.quiet_heads.get(who[1], 0)
    if seq is None:
        outcome = "kept"
    elif quiet < seq <= head:
        draft.fail(f"whether {seq} has reached the lane is not sure here; put a barrier before", "seq")
    else:
        outcome = "refused" if seq > head else "ignored" if seq < earlier else "kept"
    if outcome != expect:
        draft.fail(f"this is {outcome}: acknowledged is {earlier}, the head is {head}; expect {outcome}", "expect")
    if outcome == "kept":
        draft.acked[who] = quiet if seq is None else seq
