"""Plans driven over the embedded lanes, and what their recordings hold."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from harness.drive.driver import drive
from harness.lanes.deployment import Deployment
from harness.lanes.profile import Profile, load_profile
from harness.model.names import Topology
from harness.model.plan import Plan
from harness.wire.codec import Codec
from harness.wire.events import Batch
from harness.wire.spacetime_json import SpacetimeJson
from harness.wire.topic_socket import TopicSocket
from tests.drive.conftest import Row, Tape, new_tape, run


class Arrival(NamedTuple):
    """One envelope that reached a subscriber."""

    side: str
    purpose: str
    subscriber: str
    step: int
    stream: str
    seq: int


@asynccontextmanager
async def lanes(
    directory: Path,
    topology: Topology = Topology.MIRRORED,
    legacy: Profile | None = None,
    target: Profile | None = None,
) -> AsyncIterator[Deployment]:
    """A deployment of the shipped profiles, or of the given ones."""
    deployment = Deployment(
        topology,
        authority_profile=load_profile("authority-reference"),
        legacy_profile=legacy or load_profile("legacy-reference"),
        target_profile=target or load_profile("target-standin"),
        log_dir=directory / "logs",
        data_dir=directory / "data",
    )
    async with deployment:
        yield deployment


def with_arguments(name: str, *arguments: str, **limits: int) -> Profile:
    """A shipped profile with more arguments and other limits."""
    profile = load_profile(name)
    return replace(profile, arguments=(*profile.arguments, *arguments), **limits)  # type: ignore[arg-type]


def driven(directory: Path, plan: Plan, within_s: float = 60.0) -> Tape:
    """The recording of `plan`, driven over fresh lanes."""
    tape = new_tape(directory / "recording", plan)

    async def story() -> None:
        async with lanes(directory, plan.topology) as deployment:
            deployment.attach(tape.recorder.event, tape.secrets.add)
            await drive(plan, deployment, tape.recorder)

    run(story, within_s)
    return tape


def arrivals(tape: Tape) -> list[Arrival]:
    """Every delivery in the recorded frames, decoded anew."""
    frames: dict[int, list[bytes]] = {}
    for frame in tape.rows("frames"):
        if frame["direction"] == 0:
            frames.setdefault(frame["connection"], []).append(frame["data"])
    return [
        Arrival(row["side"], row["purpose"], row["subscriber"], row["step"], row["stream"], seq)
        for row in tape.rows("connections_opened")
        for seq in _sequences(row, frames.get(row["id"], []))
    ]


def numbers(tape: Tape, subscriber: str, side: str, step: int | None = None) -> list[int]:
    """What one subscriber got on one side, in order of arrival."""
    return [
        one.seq
        for one in arrivals(tape)
        if (one.subscriber, one.side) == (subscriber, side) and step in (None, one.step)
    ]


def _sequences(row: Row, frames: list[bytes]) -> Iterator[int]:
    codec: Codec = TopicSocket(row["wire_stream"], row["cursor"])
    if row["dialect"] != "topic-ws":
        codec = SpacetimeJson(row["wire_stream"], row["cursor"], row["database"])
    for frame in frames:
        for event in codec.receive(frame):
            if isinstance(event, Batch):
                yield from sorted(delivery.seq for delivery in event.deliveries)
