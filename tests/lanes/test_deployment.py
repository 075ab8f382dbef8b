"""Deployments: all services or none, announced and taken down."""

import asyncio
import os
import signal
import urllib.request
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from harness.lanes.deployment import Deployment
from harness.lanes.embedded import source_digest
from harness.lanes.profile import Profile, load_profile
from harness.lanes.secrets import OWNER_SUBJECT
from harness.model.errors import LaneError, UsageError
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Setting

AUTHORITY = load_profile("authority-reference")
LEGACY = load_profile("legacy-reference")
TARGET = load_profile("target-standin")

Said = list[tuple[str, str, str | None, dict[str, Any]]]


class Listener:
    """What a deployment said, in order."""

    def __init__(self) -> None:
        self.said: Said = []

    def __call__(self, event: str, subject: str, /, side: str | None = None, **detail: Any) -> None:
        self.said.append((event, subject, side, detail))

    def subjects(self, event: str) -> list[str]:
        return sorted(subject for said, subject, _, _ in self.said if said == event)

    def detail(self, event: str, subject: str) -> dict[str, Any]:
        (detail,) = [detail for said, about, _, detail in self.said if (said, about) == (event, subject)]
        return detail


def deployment(
    directory: Path,
    topology: Topology = Topology.MIRRORED,
    listener: Listener | None = None,
    legacy: Profile = LEGACY,
    target: Profile = TARGET,
) -> Deployment:
    return Deployment(
        topology,
        authority_profile=AUTHORITY,
        legacy_profile=legacy,
        target_profile=target,
        log_dir=directory / "logs",
        data_dir=directory / "data",
        on_event=listener,
    )


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 30))


@pytest.mark.parametrize("topology", list(Topology))
def test_every_service_is_announced_and_stopped(tmp_path: Path, topology: Topology) -> None:
    """Who runs is in the timeline, with identity and limits, before anything is sent to it."""
    listener = Listener()

    async def story() -> None:
        async with deployment(tmp_path, topology, listener) as lanes:
            assert lanes.healthy
            assert lanes.authority_url(topology.authorities[0]).startswith("http://127.0.0.1:")
        assert not lanes.healthy

    run(story)

    subjects = sorted(
        [f"authority/{name}" for name in topology.authorities]
        + [f"{what}/{side}" for what in ("lane", "relay") for side in SIDES]
    )
    lane = listener.detail("service_ready", "lane/target")
    assert subjects == listener.subjects("service_ready") == listener.subjects("service_stopped")
    assert ["lane/target"] == listener.subjects("published")
    assert [] == listener.subjects("service_died")
    assert ("target-standin", 1024, source_digest(TARGET.module)) == (
        lane["profile"],
        lane["retention_events"],
        lane["digest"],
    )
    assert lane["banner"].startswith("spacetimedb")
    assert {"url", "pid", "boot_id", "version", "declared"} <= lane.keys()


def test_lanes_are_reached_through_handles(tmp_path: Path) -> None:
    """A handle says all that a subscriber needs; a database is there where the dialect has one."""

    async def story() -> None:
        async with deployment(tmp_path) as lanes:
            legacy, target = lanes.lane(Side.LEGACY), lanes.lane(Side.TARGET)
            url = f"{target.url}/v1/database/{target.database}?token={lanes.secrets.target_token(OWNER_SUBJECT)}"
            with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
                assert 200 == answer.status
            assert ("topic-ws", None) == (legacy.dialect, legacy.database)
            assert ("spacetime-v1-json", "sync") == (target.dialect, target.database)
            assert lanes.relay(Side.LEGACY).url != lanes.relay(Side.TARGET).url

    run(story)


def test_a_lane_may_sit_on_both_sides(tmp_path: Path) -> None:
    """A side is not a dialect: the control pair is a lane against itself."""
    listener = Listener()

    async def story() -> None:
        async with deployment(tmp_path, listener=listener, legacy=TARGET) as lanes:
            assert ["spacetime-v1-json"] * 2 == [lanes.lane(side).dialect for side in SIDES]

    run(story)

    assert ["lane/legacy", "lane/target"] == listener.subjects("published")


def test_a_service_that_does_not_start_takes_the_others_with_it(tmp_path: Path) -> None:
    """All or none; the error names the service and shows its log."""
    listener = Listener()
    broken = replace(LEGACY, arguments=("--no-such-option",))

    async def story() -> None:
        with pytest.raises(LaneError, match=r"lane/legacy ended with exit code 2") as caught:
            async with deployment(tmp_path, listener=listener, legacy=broken):
                pass
        assert "--no-such-option" in str(caught.value)

    run(story)

    assert listener.subjects("service_ready") == listener.subjects("service_stopped")


def test_a_program_that_the_package_lacks_is_a_lane_error(tmp_path: Path) -> None:
    """A target without its module cannot be judged."""

    async def story() -> None:
        with pytest.raises(LaneError, match=r"nowhere\.wasm"):
            async with deployment(tmp_path, target=replace(TARGET, database_program="nowhere.wasm")):
                pass

    run(story)


def test_a_refused_program_is_a_lane_error(tmp_path: Path) -> None:
    """What the lane answered is in the error."""

    async def story() -> None:
        with pytest.raises(LaneError, match="200 was needed"):
            async with deployment(tmp_path, target=replace(TARGET, database_program="__init__.py")):
                pass

    run(story)


def test_a_restart_is_announced_with_its_new_life(tmp_path: Path) -> None:
    """Same address, other boot id; a planned restart is no death."""
    listener = Listener()

    async def story() -> None:
        async with deployment(tmp_path, listener=listener) as lanes:
            before = lanes.service("lane/legacy").ready
            after = await lanes.restart("lane/legacy")
            assert before.url == after.url
            assert before.boot_id != after.boot_id

    run(story)

    assert 2 == listener.subjects("service_ready").count("lane/legacy")
    assert [] == listener.subjects("service_died")


def test_a_death_is_told_at_once(tmp_path: Path) -> None:
    """Whoever listens hears which process ended and how."""
    listener = Listener()

    async def story() -> None:
        async with deployment(tmp_path, listener=listener) as lanes:
            relay = lanes.service("relay/legacy")
            os.kill(relay.ready.pid, signal.SIGKILL)
            await relay.died.wait()
            assert not lanes.healthy

    run(story)

    assert -9 == listener.detail("service_died", "relay/legacy")["exit_code"]
    assert "relay/legacy" not in listener.subjects("service_stopped")


def test_profiles_have_their_seats(tmp_path: Path) -> None:
    """A lane is no authority, an authority is no lane."""
    with pytest.raises(UsageError, match="is an authority"):
        deployment(tmp_path, legacy=AUTHORITY)


def test_nothing_can_be_asked_before_the_start(tmp_path: Path) -> None:
    """Questions that have no answer yet say what to do."""
    lanes = deployment(tmp_path)

    with pytest.raises(LaneError, match="start the deployment first"):
        lanes.authority_url("shared")
    with pytest.raises(LaneError, match="has not been started"):
        _ = lanes.secrets


def test_secrets_are_gone_afterwards(tmp_path: Path) -> None:
    """No key outlives its run."""

    async def story() -> None:
        async with deployment(tmp_path) as lanes:
            file = lanes.secrets.signing_key_file
            assert file.exists()
        assert not file.exists()

    run(story)


def test_planned_ends_are_no_deaths_and_come_back(tmp_path: Path) -> None:
    """A kill and an orderly stop are told as stops with their exit codes; each comes back where it was."""
    listener = Listener()

    async def story() -> None:
        async with deployment(tmp_path, listener=listener) as lanes:
            killed, ended = lanes.service("lane/target").ready, lanes.service("authority/shared").ready
            codes = await lanes.kill("lane/target"), await lanes.end("authority/shared")
            assert (-9, 0) == codes
            assert not lanes.healthy
            again = [await lanes.restart(subject) for subject in ("lane/target", "authority/shared")]
            assert [killed.url, ended.url] == [ready.url for ready in again]
            assert lanes.healthy

    run(story)

    assert -9 == next(detail["exit_code"] for said, *_, detail in listener.said if said == "service_stopped")
    assert [] == listener.subjects("service_died")


def test_what_is_down_cannot_be_taken_down(tmp_path: Path) -> None:
    """Who breaks what is broken already is told so."""

    async def story() -> None:
        async with deployment(tmp_path) as lanes:
            await lanes.kill("relay/legacy")
            for act in (lanes.kill, lanes.end, lanes.pause):
                with pytest.raises(LaneError, match=r"relay/legacy does not run \(exit code -9\); restart it first"):
                    await act("relay/legacy")

    run(story)


def test_every_service_says_that_it_is_there(tmp_path: Path) -> None:
    """The health address of each is answered while it works."""

    async def story() -> None:
        async with deployment(tmp_path) as lanes:
            urls = [lanes.health_url(f"{what}/{side}") for what in ("lane", "relay") for side in SIDES]
            async with aiohttp.ClientSession() as session:
                statuses = [(await session.get(url)).status for url in [*urls, lanes.health_url("authority/shared")]]
            assert [200, 200, 401, 401, 200] == statuses

    run(story)


def test_planned_outage_is_not_healthy(tmp_path: Path) -> None:
    """As long as a fault has a service in its grip nobody else may use the lanes, though all processes run."""

    async def story() -> None:
        async with deployment(tmp_path) as lanes:
            lanes.outages.add("relay/target")
            assert not lanes.healthy
            lanes.outages.clear()
            assert lanes.healthy

    run(story)


def test_settings_reach_the_processes(tmp_path: Path) -> None:
    """The command line of a running service shows the knobs that were turned."""
    legacy = LEGACY.with_settings(
        [Setting("legacy", "replay_budget_events", 5), Setting("legacy", "poll_max_limit", 7)]
    )
    target = TARGET.with_settings([Setting("target", "retention_events", 9)])

    async def story() -> None:
        async with deployment(tmp_path, legacy=legacy, target=target) as lanes:
            lines = {
                subject: Path(f"/proc/{lanes.service(subject).pid}/cmdline").read_text().split("\0")
                for subject in ("lane/legacy", "relay/target")
            }
            assert "--poll-max-limit=7" in lines["lane/legacy"]
            assert "5" == lines["lane/legacy"][lines["lane/legacy"].index("--replay-budget-events") + 1]
            assert "9" == lines["relay/target"][lines["relay/target"].index("--retention-events") + 1]

    run(story)
