"""The recorder: facts as they happen, without their secrets, and on record before they can be lost."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import HarnessError, UsageError
from harness.recording.journal import FLUSH_BYTES, read_journal
from harness.recording.reader import open_recording
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets
from harness.recording.sealing import seal
from tests.recording.taping import (
    ABOUT,
    JWT,
    PLAN,
    SECRET,
    close_connection,
    close_exchange,
    fill,
    open_connection,
    open_exchange,
    recorder_in,
)

MASKED_JWT = "*" * len(JWT)


def rows_of(directory: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_journal(directory / "journal.bin").tables[table].to_pylist()
    return rows


def test_an_exchange_is_kept_as_it_was(tmp_path: Path) -> None:
    """Every fact of an exchange lands in its column, with the instants of opening and closing."""
    recorder = recorder_in(tmp_path)
    exchange = open_exchange(recorder, side="legacy", request_body=b"\x00\xff", path="/a?b=1")
    close_exchange(recorder, exchange, status=409, outcome="refused", response_body=b"no", response_headers={})
    recorder.close()

    assert [
        {
            "ordinal": 0,
            "id": 0,
            "purpose": "command",
            "service": "authority/shared",
            "side": "legacy",
            "step": 3,
            "writer": "w1",
            "attempt": 1,
            "stream": "run:r1",
            "method": "POST",
            "path": "/a?b=1",
            "request_headers": '{"Content-Type": "application/json"}',
            "request_body": b"\x00\xff",
            "sent_ns": 1000,
            "redacted_request": None,
        }
    ] == rows_of(tmp_path, "exchanges_opened")
    assert [
        {
            "ordinal": 1,
            "id": 0,
            "status": 409,
            "response_headers": "{}",
            "response_body": b"no",
            "answered_ns": 1010,
            "outcome": "refused",
            "error": None,
            "redacted_response": None,
        }
    ] == rows_of(tmp_path, "exchanges_closed")


def test_a_command_is_on_disk_before_it_is_sent(tmp_path: Path) -> None:
    """When `exchange_opened` returns, the journal holds the row and everything noted before it."""
    recorder = recorder_in(tmp_path)
    recorder.event("stall", "harness")
    before = rows_of(tmp_path, "timeline")
    open_exchange(recorder)
    after = [*rows_of(tmp_path, "timeline"), *rows_of(tmp_path, "exchanges_opened")]
    recorder.close()

    assert (0, 2) == (len(before), len(after))


def test_an_answer_that_never_came_has_no_instant(tmp_path: Path) -> None:
    """Without a status there is no answer and no instant of it, but a reason."""
    recorder = recorder_in(tmp_path)
    close_exchange(
        recorder,
        open_exchange(recorder),
        status=None,
        response_headers=None,
        response_body=None,
        outcome="indefinite",
        error="reset",
    )
    recorder.close()
    (row,) = rows_of(tmp_path, "exchanges_closed")

    assert (None, None, None, None, "reset") == tuple(
        row[name] for name in ("status", "response_headers", "response_body", "answered_ns", "error")
    )


def test_a_connection_is_kept_as_it_was(tmp_path: Path) -> None:
    """What was asked, what the handshake answered, when the lane accepted and who closed are on record."""
    recorder = recorder_in(tmp_path)
    connection = open_connection(recorder, cursor=2**64 - 1, database="sync")
    recorder.connection_accepted(connection)
    close_connection(recorder, connection, handshake_body=b"x", subprotocol="v1.json", reason="bye", error="eof")
    recorder.close()
    (opened,) = rows_of(tmp_path, "connections_opened")
    (closed,) = rows_of(tmp_path, "connections_closed")

    assert (2**64 - 1, "sync", "run:0190:events", 1000) == tuple(
        opened[name] for name in ("cursor", "database", "wire_stream", "opened_ns")
    )
    assert {
        "ordinal": 1,
        "id": 0,
        "handshake_status": 101,
        "handshake_headers": '{"Upgrade": "websocket"}',
        "handshake_body": b"x",
        "subprotocol": "v1.json",
        "accepted_ns": 1010,
        "closed_ns": 1020,
        "closed_by": "lane",
        "code": 1006,
        "reason": "bye",
        "error": "eof",
    } == closed


def test_frames_are_counted_by_connection(tmp_path: Path) -> None:
    """The index counts the frames of one connection, both directions together, while ordinals count everything."""
    recorder = recorder_in(tmp_path)
    one, two = open_connection(recorder), open_connection(recorder)
    for connection, direction in ((one, 0), (two, 0), (one, 1), (one, 0)):
        recorder.frame(connection, direction, 2, b"%d" % direction)
    recorder.close()
    frames = rows_of(tmp_path, "frames")

    assert [(2, 0, 0), (3, 1, 0), (4, 0, 1), (5, 0, 2)] == [
        (row["ordinal"], row["connection"], row["index"]) for row in frames
    ]
    assert [(0, b"0"), (0, b"0"), (1, b"1"), (0, b"0")] == [(row["direction"], row["data"]) for row in frames]


def test_secrets_of_frames_are_redacted_with_their_ranges(tmp_path: Path) -> None:
    """In a flush of many frames those with a secret lose it, at equal length, and the others are untouched."""
    recorder = recorder_in(tmp_path, SECRET)
    connection = open_connection(recorder)
    frames = [b"clean", b"J", json.dumps({"token": JWT}).encode(), SECRET.encode()]
    for data in frames:
        recorder.frame(connection, 0, 1, data)
    recorder.close()
    rows = rows_of(tmp_path, "frames")
    secret_bytes = len(SECRET.encode())

    assert [b"clean", b"J", json.dumps({"token": MASKED_JWT}).encode(), b"*" * secret_bytes] == [
        row["data"] for row in rows
    ]
    assert [
        None,
        None,
        [{"column": "data", "offset": 11, "length": len(JWT)}],
        [{"column": "data", "offset": 0, "length": secret_bytes}],
    ] == [row["redacted"] for row in rows]


def test_secrets_of_an_exchange_are_redacted_with_their_ranges(tmp_path: Path) -> None:
    """Path, headers, bodies and errors lose their secrets; the ranges name the column."""
    recorder = recorder_in(tmp_path, SECRET)
    exchange = open_exchange(
        recorder,
        path="/ws?token=opaque",
        request_headers={"Authorization": "Bearer x"},
        request_body=b"a" + SECRET.encode(),
    )
    close_exchange(recorder, exchange, response_headers={"X": JWT}, response_body=JWT.encode(), error=JWT)
    recorder.close()
    (opened,) = rows_of(tmp_path, "exchanges_opened")
    (closed,) = rows_of(tmp_path, "exchanges_closed")

    assert [("path", 10, 6), ("request_headers", 26, 1), ("request_body", 1, len(SECRET.encode()))] == [
        tuple(entry.values()) for entry in opened["redacted_request"]
    ]
    assert [("response_headers", 7, len(JWT)), ("response_body", 0, len(JWT)), ("error", 0, len(JWT))] == [
        tuple(entry.values()) for entry in closed["redacted_response"]
    ]
    assert ("/ws?token=******", '{"X": "' + MASKED_JWT + '"}') == (opened["path"], closed["response_headers"])


@pytest.mark.parametrize("sealed", [False, True])
def test_no_secret_reaches_the_disk(tmp_path: Path, sealed: bool) -> None:
    """Wherever a secret enters, no file of the recording holds a byte of it, before sealing and after."""
    recorder = recorder_in(tmp_path, SECRET)
    carrier = {"plain": f"{JWT} {SECRET}"}
    text = json.dumps(carrier)
    everywhere = {"Authorization": f"Bearer {JWT}", "Cookie": "crumbs-of-cookie", "X": f"{JWT} {SECRET}"}
    exchange = open_exchange(recorder, path=f"/a?token=opaque-credential&x={JWT}", request_headers=everywhere)
    close_exchange(recorder, exchange, response_headers=everywhere, response_body=json.dumps(text).encode(), error=text)
    connection = open_connection(recorder, url=f"ws://u:pass-of-url@h/?token={JWT}", request_headers=everywhere)
    recorder.frame(connection, 0, 1, text.encode())
    close_connection(
        recorder,
        connection,
        handshake_headers=everywhere,
        handshake_body=text.encode(),
        subprotocol=JWT,
        reason=f"bad {SECRET}",
        error=text,
    )
    recorder.event("service_ready", "lane/legacy", note=text, nested={"deep": [JWT]})
    recorder.close()
    if sealed:
        seal(tmp_path)
        tables = open_recording(tmp_path).intact()
        stored = "".join(str(table.to_pylist()) for table in tables.values()).encode()
    else:
        stored = b""
    stored += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert b"service_ready" in stored
    for secret in (*JWT.split("."), "4fd0c9", "shared-secret", "opaque-credential", "crumbs", "pass-of-url"):
        assert secret.encode() not in stored, secret


def test_details_are_json_for_every_parser(tmp_path: Path) -> None:
    """A detail is a JSON object: what JSON has no form for becomes text, and so does a NaN."""
    recorder = recorder_in(tmp_path)
    recorder.event("fault", "relay/target", side="target", event="inner", path=Path("a"), rate=float("nan"))
    recorder.event("healed", "relay/target")
    recorder.close()
    rows = rows_of(tmp_path, "timeline")

    assert [
        ("fault", "target", '{"event": "inner", "path": "a", "rate": "NaN"}'),
        ("healed", None, "{}"),
    ] == [(row["event"], row["side"], row["detail"]) for row in rows]


def test_what_a_hostile_lane_sends_can_be_stored(tmp_path: Path) -> None:
    """Lone surrogates in headers, reasons and errors end up as text instead of ending the recording."""
    recorder = recorder_in(tmp_path)
    connection = open_connection(recorder)
    close_connection(recorder, connection, reason="\udcff", error="\ud800", handshake_headers={"X": "\udcfe"})
    recorder.close()
    (row,) = rows_of(tmp_path, "connections_closed")

    assert ("\\xff", "\\ud800") == (row["reason"], row["error"])
    assert {"X": "\udcfe"} == json.loads(row["handshake_headers"])


def test_closing_twice_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """An exchange or a connection that is not open cannot be closed, and a frame needs a connection."""
    recorder = recorder_in(tmp_path)
    exchange, connection = open_exchange(recorder), open_connection(recorder)
    close_exchange(recorder, exchange)
    close_connection(recorder, connection)

    with pytest.raises(HarnessError, match="exchange 0 is not open"):
        close_exchange(recorder, exchange)
    with pytest.raises(HarnessError, match="connection 0 is not open"):
        close_connection(recorder, connection)
    with pytest.raises(HarnessError, match="connection 0 is not open"):
        recorder.connection_accepted(connection)
    with pytest.raises(HarnessError, match="connection 7 was never opened"):
        recorder.frame(7, 0, 1, b"")
    recorder.close()


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    """A directory that holds a recording, finished or not, is refused."""
    recorder_in(tmp_path).close()

    with pytest.raises(UsageError, match="holds a recording already"):
        recorder_in(tmp_path)


def test_a_recording_is_about_its_plan(tmp_path: Path) -> None:
    """Another plan than the one that `about` names is refused, and nothing is written."""
    with pytest.raises(UsageError, match="pair them"):
        Recorder.create(tmp_path / "new", PLAN.to_json() + b" ", ABOUT, Secrets())

    assert [] == list(tmp_path.iterdir())


def test_a_recording_being_made_cannot_be_sealed_by_another(tmp_path: Path) -> None:
    """While its recorder lives, sealing from outside is refused; afterwards it works."""
    recorder = recorder_in(tmp_path)
    with pytest.raises(UsageError, match="still being recorded"):
        seal(tmp_path)
    recorder.close()

    assert tmp_path == seal(tmp_path)


KILLED = """
import sys
from pathlib import Path
from tests.recording.taping import close_exchange, open_connection, open_exchange, recorder_in

recorder = recorder_in(Path(sys.argv[1]))
close_exchange(recorder, open_exchange(recorder, step=1))
connection = open_connection(recorder)
for _ in range(3 * int(sys.argv[2]) // 1000):
    recorder.frame(connection, 0, 1, bytes(1000))
open_exchange(recorder, step=2)
recorder.frame(connection, 0, 1, b"lost with the process")
print("sent", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_its_command_indefinite(tmp_path: Path) -> None:
    """After kill -9 the journal is readable up to the last flush, and the open command is sealed as indefinite."""
    directory = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(directory), str(FLUSH_BYTES)]
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = child.stdout.readline()
        child.kill()
    journal = read_journal(directory / "journal.bin")
    seal(directory)
    recording = open_recording(directory)
    exchanges = recording.table("exchanges").to_pylist()
    connections = recording.table("connections").to_pylist()

    assert b"sent\n" == said
    assert (False, "recovered") == (journal.complete, recording.manifest.sealed)
    assert [(1, "ok", 200), (2, "indefinite", None)] == [
        (row["step"], row["outcome"], row["status"]) for row in exchanges
    ]
    assert [("nobody", None)] == [(row["closed_by"], row["closed_ns"]) for row in connections]
    assert 3 * FLUSH_BYTES // 1000 == recording.manifest.tables["frames"].rows
    assert ("without an end mark" in recording.damage[0], 1) == (True, len(recording.damage))


def test_sealing_through_the_recorder_closes_first(tmp_path: Path) -> None:
    """`seal` closes the journal and gives the directory of a complete recording."""
    recorder = recorder_in(tmp_path)
    fill(recorder)

    assert "complete" == open_recording(recorder.seal()).manifest.sealed
