"""What outlives the process: a restart rebuilds everything, and a log that is not whole is refused by row."""

import http.client
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.reference.authority.event_log import CorruptLog, Event, EventLog
from tests.reference.authority.running import ALICE, Authority, arguments, dense, running_authority, topic
from tests.reference.services import Answer, eventually, numbers, run_to_end

AT = "2026-02-25T12:00:00Z"


def event(seq: int, stream: str = "run:x:events", payload: str = '{"a":1}') -> Event:
    return Event(stream, seq, "step", payload, AT, f"command-{stream}-{seq}", ALICE, f"key-{seq}", None)


def opened(folder: Path) -> EventLog:
    log = EventLog(folder)
    list(log.replay())
    return log


def write(folder: Path, count: int) -> list[Event]:
    """A closed log of so many events."""
    log = opened(folder)
    events = [event(seq) for seq in range(1, count + 1)]
    for one in events:
        log.append([one])
    log.close()
    return events


def corruption(folder: Path) -> str:
    """Why the log is refused, or `whole`."""
    try:
        log = EventLog(folder)
    except CorruptLog as error:
        return str(error)
    try:
        list(log.replay())
    except CorruptLog as error:
        return str(error)
    finally:
        log.close()
    return "whole"


def state(authority: Authority, run_id: str) -> list[object]:
    """Everything that can be read of a run and a worker, and of the log."""
    reads = [
        f"/internal/v1/runs/{run_id}",
        f"/internal/v1/projectors/checkpoints/{run_id}",
        f"/internal/v1/projectors/run-summary/{run_id}",
        "/internal/v1/workers/w/checkpoint",
    ]
    worker = authority.ask("GET", f"/internal/v1/workers/w?owner_user_id={ALICE}").json["worker"]["worker"]
    return [*(authority.ask("GET", path).json for path in reads), worker, authority.everything()]


def test_a_killed_authority_comes_back_as_it_was(tmp_path: Path) -> None:
    """After SIGKILL the same directory and port give the same runs, workers, keys, log and outbox (D-09)."""

    def command_all(authority: Authority, run_id: str) -> list[Answer]:
        return [
            authority.append(run_id, payload={"n": 1.0}, idempotency_key="k"),
            authority.append(run_id, "run.cancel_requested", idempotency_key="c"),
            authority.worker("w", metadata={"m": 1}, idempotency_key="r"),
            authority.worker("w", "heartbeat", metadata_patch={"h": 2}, idempotency_key="h"),
            authority.ask("POST", "/internal/v1/runs", {"metadata": [1], "idempotency_key": "create"}),
        ]

    with running_authority(tmp_path) as authority:
        run_id = authority.run(metadata={"z": 1, "a": None}, worker_id="w")
        answers = command_all(authority, run_id)
        before = state(authority, run_id)
        first_life = authority.service
        first_life.kill()
    with running_authority(tmp_path, "--port", str(first_life.port)) as authority:
        after = state(authority, run_id)
        retries = command_all(authority, run_id)
        refused = authority.append(run_id, "run.finished", payload={"status": "succeeded"})
        following = authority.append(run_id)
        heartbeat = authority.worker("w", "heartbeat")
        second_life = authority.service

    assert first_life.url == second_life.url
    assert first_life.ready["boot_id"] != second_life.ready["boot_id"]
    assert before == after
    assert [answer.json["command_id"] for answer in answers] == [retry.json["command_id"] for retry in retries]
    assert {200} == {retry.status for retry in retries}
    assert 400 == refused.status
    assert (200, 4) == (following.status, following.json["event"]["seq"])
    assert 3 == heartbeat.json["worker"]["worker"]["latest_seq"]


def test_a_directory_has_one_authority(tmp_path: Path) -> None:
    """A second authority on a directory in use does not start."""
    with running_authority(tmp_path):
        second = run_to_end("authority", *arguments(tmp_path))

    assert 1 == second.returncode
    assert "is another authority using it?" in second.stderr
    assert 1 == len(second.stderr.splitlines())


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    """Events come back equal and in order, by stream and by outbox."""
    log = opened(tmp_path)
    other = event(1, stream="run:y:events", payload='"é\\u0000"')
    log.append([event(1), other])
    log.append([event(2)])

    assert [event(1), event(2)] == log.page("run:x:events", 0, 10)
    assert [event(2)] == log.page("run:x:events", 1, 10)
    assert [(1, event(1)), (2, other), (3, event(2))] == log.outbox_page(0, 10)
    log.close()


def test_a_refused_commit_changes_nothing(tmp_path: Path) -> None:
    """A number that is taken is refused by the database, and nothing of its transaction stays."""
    log = opened(tmp_path)
    log.append([event(1)])

    with pytest.raises(sqlite3.IntegrityError):
        log.append([event(2), event(1)])
    log.append([event(2)])
    log.close()

    assert [event(1), event(2)] == list(EventLog(tmp_path).replay())


TAMPERINGS: list[tuple[str, str]] = [
    ("UPDATE event SET payload = '{\"a\":2}' WHERE ordinal = 3", "event row 3 ('run:x:events' seq 3): content"),
    ("UPDATE event SET kind = 'other' WHERE ordinal = 1", "event row 1 "),
    ("UPDATE event SET owner_user_id = NULL WHERE ordinal = 2", "event row 2 "),
    ("UPDATE event SET idempotency_key = 'k' WHERE ordinal = 2", "event row 2 "),
    ("UPDATE event SET command_id = 'c' WHERE ordinal = 5", "event row 5 "),
    ("DELETE FROM event WHERE ordinal = 2", "row 2 is missing before it"),
    ("DELETE FROM event WHERE ordinal = 5", "outbox row 5: event row 5 is missing"),
    ("DELETE FROM event WHERE ordinal = 5; DELETE FROM outbox WHERE ordinal = 5", "event row 5: missing"),
    ("DELETE FROM outbox WHERE ordinal = 5", "outbox row 5: missing"),
    ("DELETE FROM outbox WHERE ordinal = 3", "row 3 is missing before it"),
    ("UPDATE outbox SET event_ordinal = 1 WHERE ordinal = 3", "outbox row 3: content"),
    ("UPDATE event SET owner_user_id = 'me' WHERE ordinal = 2", "unreadable after event row 1"),
]


@pytest.mark.parametrize(("statements", "named"), TAMPERINGS)
def test_a_changed_row_is_named(tmp_path: Path, statements: str, named: str) -> None:
    """A row that was changed, or is missing anywhere, is refused by its number."""
    write(tmp_path, 5)
    database = sqlite3.connect(tmp_path / "authority.db")
    database.executescript(statements)
    database.close()

    assert named in corruption(tmp_path)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda file: file.unlink(), "acknowledged"),
        (lambda file: file.write_text("x"), "acknowledged"),
        (lambda file: file.write_text("9 9\n"), "event row 6: missing"),
    ],
)
def test_the_witness_is_needed(tmp_path: Path, damage: Callable[[Path], object], named: str) -> None:
    """Without the file of acknowledged numbers nobody knows whether the log is complete."""
    write(tmp_path, 5)
    damage(tmp_path / "acknowledged")

    assert named in corruption(tmp_path)


def test_a_lost_write_ahead_log_is_noticed(tmp_path: Path) -> None:
    """Commits that only the WAL held are missed when it is gone or cut."""
    log = opened(tmp_path / "live")
    for seq in range(1, 6):
        log.append([event(seq)])
    for name, keep_bytes in (("gone", 0), ("cut", 20_000)):
        shutil.copytree(tmp_path / "live", tmp_path / name)
        wal = tmp_path / name / "authority.db-wal"
        wal.write_bytes(wal.read_bytes()[:keep_bytes])
    log.close()

    assert "missing" in corruption(tmp_path / "cut")
    assert "missing" in corruption(tmp_path / "gone")


def test_flipped_bytes_are_found_or_harmless(tmp_path: Path) -> None:
    """A byte changed anywhere in the database is either refused or changes nothing that is read."""
    events = write(tmp_path / "whole", 40)
    chance = random.Random(7)
    whole = (tmp_path / "whole" / "authority.db").read_bytes()
    verdicts = []
    for n in range(60):
        folder = tmp_path / str(n)
        shutil.copytree(tmp_path / "whole", folder)
        position = chance.randrange(len(whole))
        flipped = bytes([whole[position] ^ (1 << chance.randrange(8))])
        (folder / "authority.db").write_bytes(whole[:position] + flipped + whole[position + 1 :])
        found = corruption(folder)
        verdicts.append(found != "whole")
        if found == "whole":
            assert events == list(EventLog(folder).replay())

    assert 10 < sum(verdicts)


def test_a_damaged_index_is_found(tmp_path: Path) -> None:
    """Rows that are whole but can no longer be found by stream and number are refused as well."""
    write(tmp_path, 5)
    database = sqlite3.connect(tmp_path / "authority.db")
    ((root_page,),) = database.execute("SELECT rootpage FROM sqlite_schema WHERE type = 'index'").fetchall()
    ((page_bytes,),) = database.execute("PRAGMA page_size").fetchall()
    database.close()
    whole = (tmp_path / "authority.db").read_bytes()
    index = whole[(root_page - 1) * page_bytes : root_page * page_bytes]
    damaged = whole.replace(index, index.replace(b"run:x:events", b"run:y:events"))
    (tmp_path / "authority.db").write_bytes(damaged)

    assert damaged != whole
    assert "index" in corruption(tmp_path)


def test_a_corrupt_log_ends_the_start_in_one_line(tmp_path: Path) -> None:
    """Exit 1, nothing on stdout, one line on stderr that names the row."""
    with running_authority(tmp_path) as authority:
        run_id = authority.run()
        for n in range(3):
            authority.append(run_id, payload=n)
        authority.service.stop()
    database = sqlite3.connect(tmp_path / "data" / "authority.db")
    database.execute("UPDATE event SET payload = '7' WHERE ordinal = 3")
    database.commit()
    database.close()

    ended = run_to_end("authority", *arguments(tmp_path))

    assert (1, "") == (ended.returncode, ended.stdout)
    assert 1 == len(ended.stderr.splitlines())
    assert f"event row 3 ('{topic(run_id)}' seq 3)" in ended.stderr


def test_what_was_answered_survives_a_kill_in_the_middle(tmp_path: Path) -> None:
    """SIGKILL while four writers append: every answered event is in the log, and a retry makes no second one."""
    answered: dict[str, dict[str, Any]] = {}
    sent: list[str] = []
    with running_authority(tmp_path) as first:
        runs = [first.run() for _ in range(4)]
        begun = threading.Barrier(5)

        def write(run_id: str) -> None:
            begun.wait()
            for n in range(100_000):
                sent.append(f"{run_id} {n}")
                try:
                    answer = first.append(run_id, payload=n, idempotency_key=f"{run_id} {n}")
                except (OSError, http.client.HTTPException):
                    return
                answered[f"{run_id} {n}"] = answer.json

        writers = [threading.Thread(target=write, args=(run_id,)) for run_id in runs]
        for writer in writers:
            writer.start()
        begun.wait()
        eventually(lambda: len(answered) > 200)
        first.service.kill()
        for writer in writers:
            writer.join()
    with running_authority(tmp_path) as second:
        logs = {run_id: second.log(topic(run_id))["events"] for run_id in runs}
        retries = {key: second.append(key.split()[0], payload=int(key.split()[1]), idempotency_key=key) for key in sent}
        heads = [second.log(topic(run_id))["head_seq"] for run_id in runs]

    kept = {row["command_id"]: (run_id, row["seq"], row["payload"]) for run_id, log in logs.items() for row in log}
    told = {
        answer["command_id"]: (key.split()[0], answer["event"]["seq"], answer["event"]["payload"])
        for key, answer in answered.items()
    }
    assert told == {command_id: kept.get(command_id) for command_id in told}
    assert [dense(len(log)) for log in logs.values()] == [numbers(log) for log in logs.values()]
    assert {200} == {answer.status for answer in retries.values()}
    assert {key: answer["command_id"] for key, answer in answered.items()} == {
        key: retries[key].json["command_id"] for key in answered
    }
    assert len(runs) + len(sent) == sum(heads)
