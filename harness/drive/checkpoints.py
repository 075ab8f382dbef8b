"""Checkpoints: how far a reader says it has come, and what lanes and authorities say of it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.drive.authority import AuthorityClient
from harness.drive.database import DatabaseClient
from harness.drive.dialects import wire_stream
from harness.lanes.deployment import Deployment
from harness.model.errors import LaneError
from harness.model.names import Side, StreamKey
from harness.model.plan import AckStep
from harness.recording.recorder import Recorder

ACK_REDUCER = "ack_checkpoint"
_ALL_CHECKPOINTS = "SELECT * FROM sync_checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Acknowledges and reads over one deployment; `databases` are the lanes that keep checkpoints."""

    deployment: Deployment
    recorder: Recorder
    authorities: Mapping[str, AuthorityClient]
    databases: Mapping[Side, DatabaseClient]

    async def ack(self, step: AckStep, position: Callable[[Side], int]) -> None:
        """Acknowledges on each side of `step` and reads back; `position` = what the subscriber has applied there.

        A side whose dialect keeps none is `unsupported` in the timeline. Raises LaneError when the stream's run has
        no id in time.
        """
        await asyncio.gather(*(self._ack_on(step, side, position) for side in step.sides))

    async def read_table(self, step: int) -> None:
        """Reads the checkpoints that the lanes keep, all of them."""
        reads = [one.sql(_ALL_CHECKPOINTS, purpose="checkpoints", step=step) for one in self.databases.values()]
        await asyncio.gather(*reads)

    async def read_own(self, stream: StreamKey, *, user: int, step: int) -> None:
        """Reads each authority's own checkpoint of a run's stream; one whose run has no id is `unread`."""
        for authority in self.authorities.values():
            try:
                await authority.checkpoint(stream, user=user, step=step)
            except LaneError as error:
                service = f"authority/{authority.name}"
                self.recorder.event("unread", str(stream), step=step, service=service, why=str(error))

    async def _ack_on(self, step: AckStep, side: Side, position: Callable[[Side], int]) -> None:
        if side not in self.databases:
            self.recorder.event("unsupported", f"{step.index}/{side}", side, what="ack", subscriber=step.subscriber)
            return
        authority = self.authorities[self.deployment.topology.authority_of(side)]
        topic = await authority.topic(StreamKey.parse(step.stream))
        seq = position(side) if step.seq is None else step.seq
        await self.databases[side].call(
            ACK_REDUCER,
            [step.subscriber, wire_stream(self.deployment.lane(side), topic), seq],
            subject=f"subscriber:{step.subscriber}",
            purpose="ack",
            step=step.index,
            stream=step.stream,
        )
        await self.databases[side].sql(_ALL_CHECKPOINTS, purpose="checkpoints", step=step.index, stream=step.stream)
