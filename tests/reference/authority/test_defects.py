"""The planted defects: each is off unless named, and shows what its description says."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from harness.reference.authority.defects import DEFECTS
from tests.reference.authority.running import Authority, arguments, running_authority, token, topic
from tests.reference.services import numbers, run_to_end


def test_help_names_every_defect_and_its_effect() -> None:
    """`--help` teaches: an example, the endpoints, the defects."""
    shown = run_to_end("authority", "--help")

    assert 0 == shown.returncode
    assert "python -m harness.reference.authority --data-dir" in shown.stdout
    assert "/internal/v1/outbox" in shown.stdout
    assert all(f"{name}: {effect}" in shown.stdout for name, effect in DEFECTS.items())


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
