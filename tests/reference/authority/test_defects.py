"""The planted defects: each is off unless named, and shows what its description says."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from harness.reference.authority.defects import DEFECTS
from tests.reference.authority.running import ALICE, Authority, arguments, running_authority, token, topic
from tests.reference.services import numbers, run_to_end, start


def test_help_teaches() -> None:
    """`--help` has an example and the endpoints."""
    shown = run_to_end("authority", "--help")

    assert 0 == shown.returncode
    assert "python -m harness.reference.authority --data-dir" in shown.stdout
    assert "/internal/v1/outbox" in shown.stdout


@pytest.mark.parametrize("wrong", [["--defect", "typo"], ["--max-payload-bytes", "much"], ["--port"]])
def test_wrong_arguments_are_a_usage_error(tmp_path: Path, wrong: list[str]) -> None:
    """Exit 2, and an unknown defect lists those that exist."""
    ended = run_to_end("authority", *arguments(tmp_path), *wrong)

    assert 2 == ended.returncode
    assert "typo" not in wrong or all(name in ended.stderr for name in DEFECTS)


def test_no_command_auth_lets_anyone_in(tmp_path: Path) -> None:
    """Commands succeed without a token and make things without an owner; the feeds stay closed."""
    with running_authority(tmp_path, "--defect", "no_command_auth") as authority:
        ask = authority.service.ask
        created = ask("POST", "/internal/v1/runs", {})
        run_id = created.json["run"]["id"]
        appended = ask("POST", f"/internal/v1/runs/{run_id}/events", {"event_type": "x"})
        worker = ask("POST", "/internal/v1/workers", {"owner_user_id": 3})
        feed = ask("GET", "/internal/v1/streams")
        owner = authority.streams()[0]["owner_user_id"]

    assert [201, 200, 201] == [created.status, appended.status, worker.status]
    assert (401, "unauthorized", "missing_authorization") == feed.refusal
    assert owner is None


def test_publish_latest_repeats_one_number_and_loses_another(tmp_path: Path) -> None:
    """Two writers at once: the log is dense, the outbox has a duplicate for every hole (D-04)."""
    with running_authority(tmp_path, "--defect", "publish_latest") as authority:
        run_id = authority.run()
        asyncio.run(append_together(authority, run_id, writers=4, each=20))
        log = numbers(authority.log(topic(run_id))["events"])
        published = Counter(numbers(authority.outbox()["rows"], "sequence"))

    missing = set(log) - set(published)
    repeated = sum(times - 1 for times in published.values())
    assert list(range(1, 82)) == log
    assert missing
    assert len(missing) == repeated


def test_publish_latest_republishes_on_retry(tmp_path: Path) -> None:
    """A retry of an old command publishes the latest event again (D-05)."""
    with running_authority(tmp_path, "--defect", "publish_latest") as authority:
        run_id = authority.run()
        authority.append(run_id, idempotency_key="k")
        authority.append(run_id)
        authority.append(run_id, idempotency_key="k")
        published = numbers(authority.outbox()["rows"], "sequence")

    assert [1, 2, 3, 3] == published


def test_idempotency_ignores_body_answers_the_first_event(tmp_path: Path) -> None:
    """A reused key with another body is 200 with the first event (D-23)."""
    with running_authority(tmp_path, "--defect", "idempotency_ignores_body") as authority:
        run_id = authority.run()
        first = authority.append(run_id, payload=1, idempotency_key="k")
        other = authority.append(run_id, payload=2, idempotency_key="k")

    assert 200 == other.status
    assert first.json["event"] == other.json["event"]


def test_log_omits_accepted_loses_every_fifth(tmp_path: Path) -> None:
    """The fifth append is answered with a number that the sixth is given again; the log stays dense."""
    with running_authority(tmp_path, "--defect", "log_omits_accepted") as authority:
        run_id = authority.run()
        answered = [authority.append(run_id, payload=n).json["event"] for n in range(10)]
        log = authority.log(topic(run_id))["events"]
        published = numbers(authority.outbox()["rows"], "sequence")

    assert [2, 3, 4, 5, 6, 6, 7, 8, 9, 10] == numbers(answered)
    assert [0, 1, 2, 3, 5, 6, 7, 8] == [row["payload"] for row in log[1:]]
    assert numbers(log) == published == list(range(1, 10))


@pytest.mark.parametrize(("defects", "fleets"), [((), 3), (("--defect", "skips_publication"), 0)])
def test_skips_publication_keeps_fleets_to_itself(tmp_path: Path, defects: tuple[str, ...], fleets: int) -> None:
    """The log has the fleet's events, the outbox has none of them (D-03); all else is published."""
    with running_authority(tmp_path, *defects) as authority:
        authority.run()
        authority.worker("w")
        authority.worker("w", "heartbeat")
        authority.worker("w", "heartbeat")
        logged = authority.log(f"fleet:user:{ALICE}:workers")["head_seq"]
        published = Counter(row["topic"].partition(":")[0] for row in authority.outbox()["rows"])

    assert 3 == logged
    assert (1, 3, fleets) == tuple(published[kind] for kind in ("run", "worker", "fleet"))


@pytest.mark.parametrize(
    ("defects", "log", "published"),
    [((), [1, 2, 3], [1, 2, 3]), (("--defect", "refusal_is_durable"), [1, 2, 3, 4], [1, 3])],
)
def test_refusal_is_durable(tmp_path: Path, defects: tuple[str, ...], log: list[int], published: list[int]) -> None:
    """An append that answers 413 or 429 is logged under the next number, and its publication is left out (D-02)."""
    limits = ("--max-payload-bytes", "50", "--publish-rate-per-second", "3")
    with running_authority(tmp_path, *limits, *defects) as authority:
        run_id = authority.run()
        answers = [authority.append(run_id, payload=payload) for payload in ("x" * 60, 1, 2)]
        while (late := authority.append(run_id)).status == 200:
            answers.append(late)
        found = numbers(authority.log(topic(run_id))["events"])
        sent = numbers(authority.outbox()["rows"], "sequence")

    assert [413, 200] == [answer.status for answer in answers[:2]]
    assert "khala_publish_rate_limited" == late.json["reason_code"]
    assert log == found[: len(log)]
    assert published == sent[: len(published)]
    assert (found == sent) is not bool(defects)


@pytest.mark.parametrize(("defects", "status"), [((), 200), (("--defect", "state_before_key"), 400)])
def test_state_before_key_refuses_a_lawful_retry(tmp_path: Path, defects: tuple[str, ...], status: int) -> None:
    """A retry of a command whose transition is no longer allowed is refused instead of repeated (contract 1.3)."""
    with running_authority(tmp_path, *defects) as authority:
        run_id = authority.run()
        authority.append(run_id, "run.cancel_requested", idempotency_key="c")
        authority.append(run_id, "run.finished", payload={"status": "failed"})
        retry = authority.append(run_id, "run.cancel_requested", idempotency_key="c")
        head_seq = authority.log(topic(run_id))["head_seq"]

    assert status == retry.status
    assert 3 == head_seq


@pytest.mark.parametrize(
    ("defects", "told"),
    [((), [3, 3, 4]), (("--defect", "checkpoint_ahead"), [4, 4, 5]), (("--defect", "checkpoint_goes_back"), [3, 1, 1])],
)
def test_checkpoints(tmp_path: Path, defects: tuple[str, ...], told: list[int]) -> None:
    """A run's checkpoint is its last event; beyond it, or back at 1, where the defect is on (D-24)."""
    with running_authority(tmp_path, *defects) as authority:
        run_id = authority.run()
        authority.append(run_id)
        authority.append(run_id)
        path = f"/internal/v1/projectors/checkpoints/{run_id}"
        read = [authority.ask("GET", path).json["checkpoint"]["last_seq"] for _ in range(2)]
        authority.append(run_id)
        read.append(authority.ask("GET", path).json["checkpoint"]["last_seq"])

    assert told == read


def restarted(authority: Authority, *more: str) -> Authority:
    """Another authority on the directory of one that is killed."""
    authority.service.kill()
    service = start("authority", *arguments(authority.folder), *more, log=authority.folder / "authority.log")
    return replace(authority, service=service)


def test_restart_forgets_its_numbers(tmp_path: Path) -> None:
    """After a restart the log is empty and runs, workers and fleets are numbered from 1 again (D-09)."""
    defect = ("--defect", "restart_forgets")
    with running_authority(tmp_path, *defect) as first:
        run_id = first.run(metadata={"m": 1})
        before = [first.append(run_id, payload=n).json["event"]["seq"] for n in range(3)]
        first.worker("w")
        second = restarted(first, *defect)
        emptied = second.streams(), second.outbox()["rows"]
        after = [second.append(run_id, payload=-n).json["event"]["seq"] for n in range(2)]
        beaten = second.worker("w", "heartbeat").json["worker"]["worker"]["latest_seq"]
        third = restarted(second, *defect)
        again = third.append(run_id).json["event"]["seq"]
        log = third.log(topic(run_id))["events"]
        third.service.kill()

    assert [2, 3, 4] == before
    assert ([], []) == emptied
    assert ([1, 2], 1, 1) == (after, beaten, again)
    assert [1] == numbers(log)


def test_restart_loses_runs_keeps_the_log(tmp_path: Path) -> None:
    """After a restart a run of before answers 404 while its log is there; new runs work (D-09)."""
    defect = ("--defect", "restart_loses_runs")
    with running_authority(tmp_path, *defect) as first:
        run_id = first.run()
        first.append(run_id)
        second = restarted(first, *defect)
        refused = second.append(run_id)
        log = second.log(topic(run_id))["events"]
        fresh = second.append(second.run())
        second.service.kill()

    assert (404, "not_found") == (refused.status, refused.json["error"])
    assert [1, 2] == numbers(log)
    assert 200 == fresh.status


async def append_together(authority: Authority, run_id: str, *, writers: int, each: int) -> None:
    """So many writers append at the same time, each in order."""
    path = f"/internal/v1/runs/{run_id}/events"
    headers = {"Authorization": f"Bearer {token()}"}
    async with aiohttp.ClientSession(authority.service.url, headers=headers) as session:

        async def write() -> None:
            for _ in range(each):
                async with session.post(path, json={"event_type": "step"}) as answer:
                    assert answer.status == 200

        await asyncio.gather(*(write() for _ in range(writers)))
