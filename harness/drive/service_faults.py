"""Faults of processes and relays: done, undone, and each time something seen of it."""

import asyncio
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.drive.authority import AuthorityClient
from harness.drive.relay import RelayClient, RelayStatus
from harness.faults.process_signs import health_status, refuses_connections, stands_still
from harness.lanes.deployment import Deployment
from harness.lanes.profile import SPACETIME_V1_JSON, TOPIC_WS
from harness.model.errors import LaneError
from harness.model.names import Side, StreamKey, Topology
from harness.model.plan import Fault

Proof = Mapping[str, object]

SIGN_DEADLINE_S = 2.0
SILENCE_S = 0.3
"""For so long a paused service must not answer, where the kernel cannot be asked."""
HEALTH_DEADLINE_S = 10.0
HOLD_DEADLINE_S = 30.0
DRAIN_DEADLINE_S = 30.0
REFILL_DEADLINE_S = 30.0
DURABLE_AFTER_S = 1.0
"""A database may lose what it took in the last moments before a kill; nothing is appended while its relay is held."""

_EXIT_CODES = {"kill": -signal.SIGKILL.value, "stop": 0}


@dataclass(slots=True)
class ServiceFaults:
    """Does and undoes faults whose subject is `authority/<name>`, `lane/<side>` or `relay/<side>`.

    `do` and `undo` answer with what was seen, and raise LaneError when nothing was, or when it could not be done.
    """

    deployment: Deployment
    authorities: Mapping[str, AuthorityClient]
    relays: Mapping[Side, RelayClient]
    _held_at_s: dict[Side, float] = field(default_factory=dict)
    _appended: dict[str, Mapping[str, int]] = field(default_factory=dict)
    """By lane that was taken down: what its relay had appended to it by topic."""

    async def do(self, fault: Fault) -> Proof:
        """Does it. From here on what ends at the subject is no surprise to anybody."""
        self.deployment.outages.add(fault.subject)
        match fault.kind:
            case "kill" | "stop":
                return await self._take_down(fault)
            case "pause":
                return await self._pause(fault.subject)
            case _:
                return await self._hold(fault)

    async def undo(self, fault: Fault) -> Proof:
        """Ends it; the outage is over when the proof is there."""
        match fault.kind:
            case "kill" | "stop":
                proof = await self._start_again(fault.subject)
            case "pause":
                proof = await self._resume(fault.subject)
            case _:
                proof = await self._release(fault.subject)
        self.deployment.outages.discard(fault.subject)
        return proof

    # kill and stop

    async def _take_down(self, fault: Fault) -> Proof:
        subject = fault.subject
        url = self.deployment.service(subject).ready.url
        if fault.kind == "kill":
            await self._until_durable(subject)
            exit_code = await self.deployment.kill(subject)
        else:
            exit_code = await self.deployment.end(subject)
        if subject.startswith("lane/"):
            # The relay knows no better before it hears of the next life, so this is all that the lane ever had.
            self._appended[subject] = (await self.relays[_side_of(subject)].status()).appended
        if exit_code != _EXIT_CODES[fault.kind]:
            raise LaneError(f"{subject} ended with exit code {exit_code}, {_EXIT_CODES[fault.kind]} was needed")
        if not await refuses_connections(url, SIGN_DEADLINE_S):
            raise LaneError(f"{subject} has ended and connections to {url} are not refused")
        return {"exit_code": exit_code, "connection": "refused"}

    async def _until_durable(self, subject: str) -> None:
        """Waits until a database that is about to be killed has kept everything that it acknowledged."""
        if self._dialect(subject) != SPACETIME_V1_JSON:
            return
        held_at_s = self._held_at_s.get(_side_of(subject))
        if held_at_s is not None:
            await asyncio.sleep(max(0.0, held_at_s + DURABLE_AFTER_S - time.monotonic()))

    def _dialect(self, subject: str) -> str | None:
        """What the lane speaks; None for what is no lane."""
        return self.deployment.lane(_side_of(subject)).dialect if subject.startswith("lane/") else None

    async def _start_again(self, subject: str) -> Proof:
        before = self.deployment.service(subject).ready
        after = await self.deployment.restart(subject)
        if after.boot_id == before.boot_id or after.url != before.url:
            raise LaneError(f"{subject} is {after.boot_id} at {after.url}: a new life at the same address is needed")
        proof = {"boot_id": after.boot_id, "boot_id_before": before.boot_id, "pid": after.pid}
        if self._dialect(subject) != TOPIC_WS:
            return proof
        return {**proof, **await self._refilled(_side_of(subject), after.boot_id)}

    async def _refilled(self, side: Side, boot_id: str) -> Proof:
        """Waits until a lane that keeps nothing was given all that it had: before, it refuses readers of workers."""
        wanted = self._appended.pop(f"lane/{side}", {})
        if self._feeders(side) & self.deployment.outages:
            return {"refilled": False}

        def is_refilled(status: RelayStatus) -> bool:
            return status.lane_boot_id == boot_id and all(
                status.appended.get(topic, 0) >= seq for topic, seq in wanted.items()
            )

        status = await self.relays[side].until(is_refilled, REFILL_DEADLINE_S)
        return {"refilled": status is not None, "topics": len(wanted)}

    def _feeders(self, side: Side) -> set[str]:
        return {f"relay/{side}", f"authority/{self._topology.authority_of(side)}"}

    @property
    def _topology(self) -> Topology:
        return self.deployment.topology

    # pause

    async def _pause(self, subject: str) -> Proof:
        await self.deployment.pause(subject)
        if await stands_still(self.deployment.service(subject).pid, SIGN_DEADLINE_S):
            return {"process_state": "stopped"}
        if await health_status(self.deployment.health_url(subject), SILENCE_S) is None:
            return {"health": "no answer"}
        raise LaneError(f"{subject} was told to stand still and answers all the same")

    async def _resume(self, subject: str) -> Proof:
        await self.deployment.resume(subject)
        return await self._healthy(subject)

    async def _healthy(self, subject: str) -> Proof:
        status = await health_status(self.deployment.health_url(subject), HEALTH_DEADLINE_S)
        if status is None:
            raise LaneError(
                f"{subject} does not answer within {HEALTH_DEADLINE_S:g} s; its log is beside the recordings"
            )
        return {"health": status}

    # hold

    async def _hold(self, fault: Fault) -> Proof:
        side = _side_of(fault.subject)
        relay = self.relays[side]
        await relay.hold(await self._position(side, fault))
        status = await relay.until(lambda said: said.held is True, HOLD_DEADLINE_S)
        if status is None:
            raise LaneError(f"{fault.subject} does not say within {HOLD_DEADLINE_S:g} s that it is held")
        self._held_at_s[side] = time.monotonic()
        return {"held": True, "pending": status.pending}

    async def _position(self, side: Side, fault: Fault) -> tuple[str, int] | None:
        if fault.stream is None or fault.seq is None:
            return None
        authority = self.authorities[self._topology.authority_of(side)]
        return await authority.topic(StreamKey.parse(fault.stream)), fault.seq

    async def _release(self, subject: str) -> Proof:
        relay = self.relays[_side_of(subject)]
        self._held_at_s.pop(_side_of(subject), None)
        await relay.release()
        status = await relay.until(lambda said: said.held is False and said.pending == 0, DRAIN_DEADLINE_S)
        if status is None:
            seen = await relay.status()
            raise LaneError(
                f"{subject} was released and says held {seen.held}, pending {seen.pending}: {seen.last_error}"
            )
        return {"held": False, "pending": 0}


def _side_of(subject: str) -> Side:
    return Side(subject.partition("/")[2])
