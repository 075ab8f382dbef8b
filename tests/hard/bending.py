"""Worlds of many events, bent as a whole."""

from collections.abc import Callable, Iterable
from pathlib import Path

from harness.model.names import Side
from harness.model.plan import Step
from tests.builders import World, limited, run_plan
from tests.encoding import Event
from tests.playing import Link

KEPT_EVENTS = 10_000_000
Bend = Callable[[Event], Iterable[Event]]


def many(appends: int, *steps: Step) -> World:
    """One run with one subscriber a side from the start; both lanes keep everything."""
    return World.played(run_plan(*steps, appends=appends, settings=limited(KEPT_EVENTS, KEPT_EVENTS)))


def bent(world: World, side: Side, bend: Bend, *, content: bool = True) -> None:
    """Puts what `bend` makes of each event in its place, in all that a side delivers and holds."""

    def change(link: Link) -> None:
        for message in link.messages:
            message.events = [made for event in message.events for made in bend(event)]

    if content:
        world.everywhere(side, change)
    else:
        for link in world.links_of(side):
            change(link)


def written(world: World, directory: Path) -> Path:
    """The directory of the sealed recording."""
    return world.write(directory).directory
