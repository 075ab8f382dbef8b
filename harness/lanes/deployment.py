"""Authorities, lanes and relays of one topology, brought up together and taken down together."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp

from harness.lanes.embedded import (
    RELAY_DECLARED,
    RELAY_MODULE,
    authority_command,
    child_environment,
    lane_command,
    program,
    relay_command,
    source_digest,
)
from harness.lanes.failures import first_failure
from harness.lanes.process import CommandLine, Ready, Service
from harness.lanes.profile import AUTHORITY_HTTP, SPACETIME_V1_JSON, Profile
from harness.lanes.secrets import OWNER_SUBJECT, RunSecrets
from harness.model.errors import LaneError, UsageError
from harness.model.names import SIDES, Side, Topology
from harness.model.timeline import SERVICE_DIED, SERVICE_READY, SERVICE_STOPPED

_PUBLISH_DEADLINE_S = 10.0
_HEALTH_PATHS = {SPACETIME_V1_JSON: "/v1/ping"}


class EventSink(Protocol):
    """Where a deployment says what happened: `service_ready`, `service_died`, `service_stopped`, `published`."""

    def __call__(self, event: str, subject: str, /, side: str | None = None, **detail: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class LaneHandle:
    """How subscribers reach the lane of a side; `database` is None where the dialect has none."""

    side: Side
    profile: Profile
    url: str
    dialect: str
    database: str | None


@dataclass(frozen=True, slots=True)
class RelayHandle:
    """How the harness reaches the control API of a side's relay."""

    side: Side
    url: str
    control_token: str


class Deployment:
    """An async context: services start on entry, all of them have ended on exit.

    It can serve several plans of its topology one after another; worker, fleet and user names of those plans must
    not collide. Raises UsageError for a profile on the wrong seat, LaneError when a service does not start (nothing
    is left running then). Subjects of its events are `authority/<name>`, `lane/<side>` and `relay/<side>`.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        legacy_profile: Profile,
        target_profile: Profile,
        authority_profile: Profile,
        log_dir: Path,
        data_dir: Path,
        on_event: EventSink | None = None,
        on_secret: Callable[[str], None] | None = None,
    ) -> None:
        _refuse_wrong_seats(authority_profile, legacy_profile, target_profile)
        self.topology = topology
        self._authority_profile = authority_profile
        self._lane_profiles = {Side.LEGACY: legacy_profile, Side.TARGET: target_profile}
        self._log_dir = log_dir
        self._data_dir = data_dir
        self._on_event = on_event
        self._on_secret = on_secret
        self._services: dict[str, Service] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._secrets: RunSecrets | None = None
        self._secrets_dir: tempfile.TemporaryDirectory[str] | None = None
        self.outages: set[str] = set()
        """Subjects that a planned fault has in its grip, kept by who plans it: what ends there is no death."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts everything, as far as possible at the same time. Raises LaneError; then nothing is left running."""
        self._secrets_dir = tempfile.TemporaryDirectory(prefix="parity-")
        self._secrets = RunSecrets(Path(self._secrets_dir.name))
        if self._on_secret is not None:
            self._secrets.tell(self._on_secret)
        try:
            await self._start_all()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops what runs and forgets the secrets. May be called again."""
        services = list(self._services.values())
        self._services = {}
        try:
            await asyncio.gather(*(self._stop_service(service) for service in services))
        finally:
            if self._secrets_dir is not None:
                self._secrets_dir.cleanup()
                self._secrets_dir = None

    def attach(self, on_event: EventSink, on_secret: Callable[[str], None] | None = None) -> None:
        """Makes a new recording the listener; it first hears `service_ready` of all that runs, and all secrets."""
        self._on_event = on_event
        if on_secret is not None:
            self._on_secret = on_secret
            self.secrets.tell(on_secret)
        for service in self._services.values():
            if service.alive:
                self._announce(service)

    @property
    def secrets(self) -> RunSecrets:
        """What mints the tokens of this run. Raises LaneError before the start."""
        if self._secrets is None:
            raise LaneError("the deployment has not been started; enter it with `async with` first")
        return self._secrets

    @property
    def healthy(self) -> bool:
        """Whether every service of the deployment runs, and no planned fault was left unhealed."""
        running = [service.alive for service in self._services.values()]
        return bool(running) and all(running) and not self.outages

    def service(self, subject: str) -> Service:
        """The process behind `authority/<name>`, `lane/<side>` or `relay/<side>`. Raises LaneError if there is none."""
        if subject not in self._services:
            known = ", ".join(self._services) or "none, start the deployment first"
            raise LaneError(f"no service {subject!r} in this deployment; there are {known}")
        return self._services[subject]

    async def kill(self, subject: str) -> int | None:
        """Ends that service at once, as a planned act; its exit code. Its port is kept for `restart`.

        Raises LaneError when it does not run.
        """
        service = self._running(subject)
        return await self._taken_down(service, service.kill())

    async def end(self, subject: str) -> int | None:
        """Ends that service in order, as a planned act; its exit code. Its port is kept for `restart`.

        Raises LaneError when it does not run.
        """
        service = self._running(subject)
        return await self._taken_down(service, service.stop())

    async def pause(self, subject: str) -> None:
        """Lets that service stand still until `resume`. Raises LaneError when it does not run."""
        await self._running(subject).pause()

    async def resume(self, subject: str) -> None:
        """Lets a paused service go on."""
        await self.service(subject).resume()

    async def restart(self, subject: str) -> Ready:
        """Stops that service if it runs, starts it on the same port with the same data, and announces it again."""
        service = self.service(subject)
        await service.restart()
        self._announce(service)
        return service.ready

    def health_url(self, subject: str) -> str:
        """An address of that service that is answered, with whatever status, while it works."""
        what, _, seat = subject.partition("/")
        dialect = self._lane_profiles[Side(seat)].dialect if what == "lane" else ""
        path = "/status" if what == "relay" else _HEALTH_PATHS.get(dialect, "/healthz")
        return self.service(subject).ready.url + path

    def authority_url(self, name: str) -> str:
        """Base URL of the authority `shared`, `legacy` or `target`."""
        return self.service(f"authority/{name}").ready.url

    def lane(self, side: Side) -> LaneHandle:
        """The lane of `side`."""
        profile = self._lane_profiles[side]
        url = self.service(f"lane/{side}").ready.url
        return LaneHandle(side, profile, url, profile.dialect, profile.database or None)

    def relay(self, side: Side) -> RelayHandle:
        """The relay of `side`."""
        return RelayHandle(side, self.service(f"relay/{side}").ready.url, self.secrets.control_token)

    async def _start_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                authorities = {
                    name: group.create_task(self._start_authority(name)) for name in self.topology.authorities
                }
                for side in SIDES:
                    authority = authorities[self.topology.authority_of(side)]
                    group.create_task(self._start_side(side, authority))
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None

    async def _start_authority(self, name: str) -> str:
        subject, profile = f"authority/{name}", self._authority_profile
        command = authority_command(profile, self.secrets, self._data_of(subject))
        return (await self._start_service(subject, command, _facts_of(profile))).url

    async def _start_side(self, side: Side, authority: asyncio.Task[str]) -> None:
        """The lane first; then its relay, beside the publishing of the database, which the relay waits for."""
        subject, profile = f"lane/{side}", self._lane_profiles[side]
        command = lane_command(profile, self.secrets, self._data_of(subject))
        lane_url = (await self._start_service(subject, command, _facts_of(profile))).url
        relay = relay_command(profile, self.secrets, await authority, lane_url)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_service(f"relay/{side}", relay, _relay_facts(profile)))
            if profile.dialect == SPACETIME_V1_JSON:
                group.create_task(self._publish(side, profile, lane_url))

    async def _start_service(self, subject: str, command: CommandLine, facts: Mapping[str, Any]) -> Ready:
        log_file = self._log_dir / f"{subject.replace('/', '-')}.log"
        service = Service(subject, command, log_file, partial(self._died, subject), child_environment())
        self._services[subject] = service
        self._facts[subject] = facts
        await service.start()
        self._announce(service)
        return service.ready

    def _running(self, subject: str) -> Service:
        service = self.service(subject)
        if not service.alive:
            raise LaneError(f"{subject} does not run (exit code {service.exit_code}); restart it first")
        return service

    async def _taken_down(self, service: Service, ending: Coroutine[Any, Any, int | None]) -> int | None:
        exit_code = await ending
        service.reserve_port()
        self._say(SERVICE_STOPPED, service.subject, exit_code=exit_code)
        return exit_code

    async def _stop_service(self, service: Service) -> None:
        stopped_now = service.alive
        exit_code = await service.stop()
        service.release_port()
        if stopped_now:
            self._say(SERVICE_STOPPED, service.subject, exit_code=exit_code)

    def _announce(self, service: Service) -> None:
        ready, facts = service.ready, self._facts[service.subject]
        said = {"url": ready.url, "pid": ready.pid, "boot_id": ready.boot_id, "version": ready.version}
        self._say(SERVICE_READY, service.subject, **said, banner=ready.banner, **facts)

    def _died(self, subject: str, exit_code: int, log_tail: str) -> None:
        self._say(SERVICE_DIED, subject, exit_code=exit_code, log_tail=log_tail)

    def _say(self, event: str, subject: str, **detail: Any) -> None:
        if self._on_event is not None:
            seat = subject.rpartition("/")[2]
            self._on_event(event, subject, None if seat == "shared" else seat, **detail)

    def _data_of(self, subject: str) -> Path:
        place = self._data_dir / subject.replace("/", "-")
        place.mkdir(parents=True, exist_ok=True)
        return place

    async def _publish(self, side: Side, profile: Profile, lane_url: str) -> None:
        """Puts the sync module into the lane's database; its owner is the relay's identity."""
        subject = f"lane/{side}"
        url = f"{lane_url}/v1/database/{profile.database}"
        headers = {"Authorization": f"Bearer {self.secrets.target_token(OWNER_SUBJECT)}"}
        timeout = aiohttp.ClientTimeout(total=_PUBLISH_DEADLINE_S)
        try:
            content = program(profile)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.put(url, data=content, headers=headers, allow_redirects=False) as answer,
            ):
                status, text = answer.status, (await answer.read()).decode("utf-8", "replace")
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            raise LaneError(f"{subject} did not take PUT {url}: {error or type(error).__name__}") from error
        if status != 200:
            raise LaneError(f"{subject} answered PUT {url} with {status}, 200 was needed: {text[:200]!r}")
        self._say("published", subject, database=profile.database, bytes=len(content))


def _refuse_wrong_seats(authority: Profile, *lanes: Profile) -> None:
    if authority.dialect != AUTHORITY_HTTP:
        raise UsageError(f"profile {authority.name} speaks {authority.dialect}, an authority speaks {AUTHORITY_HTTP}")
    for lane in lanes:
        if lane.dialect == AUTHORITY_HTTP:
            raise UsageError(f"profile {lane.name} is an authority; name the profile of a lane")


def _facts_of(profile: Profile) -> Mapping[str, Any]:
    """What the timeline says of a service beside its ready line: who it claims to be, and its declared limits."""
    return {
        "profile": profile.name,
        "declared": profile.declared,
        "digest": source_digest(profile.module),
        "dialect": profile.dialect,
        "database": profile.database or None,
        "retention_events": profile.retention_events,
        "replay_budget_events": profile.replay_budget_events,
        "max_payload_bytes": profile.max_payload_bytes,
        "close_codes": dict(profile.close_codes),
    }


def _relay_facts(profile: Profile) -> Mapping[str, Any]:
    return {"profile": profile.name, "declared": RELAY_DECLARED, "digest": source_digest(RELAY_MODULE)}
