"""A plan, and recordings of it made by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import settings

from harness.model.names import Topology
from harness.model.plan import BarrierStep, Plan
from harness.recording.manifest import RecordingAbout
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets

PLAN = Plan("resume", "A subscriber comes back", (), Topology.MIRRORED, 7, (BarrierStep(0, 1, ("run:r1",)),))
ABOUT = RecordingAbout(
    scenario="resume",
    topology=Topology.MIRRORED,
    plan_digest=PLAN.digest,
    seed=7,
    harness_version="0.1.0",
    harness_commit="0" * 40,
    wall_anchor="2026-02-25T21:00:00Z",
    monotonic_anchor_ns=1_000,
)
SECRET = "4fd0c9/+ e3aé-shared-secret"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJyZWFkZXIifQ.c2lnbmF0dXJl-_x"

PATIENT = settings(deadline=None, max_examples=40)
"""For laws whose every example writes files: a busy disk is no failure."""


def ticking(start_ns: int = 1_000, step_ns: int = 10) -> Iterator[int]:
    """Instants of a clock that moves on by `step_ns` whenever it is read."""
    while True:
        yield start_ns
        start_ns += step_ns


def recorder_in(directory: Path, *secrets: str) -> Recorder:
    """A recorder of PLAN whose clock reads 1000, 1010, 1020 … ns."""
    known = Secrets()
    for secret in secrets:
        known.add(secret)
    instants = ticking()
    return Recorder.create(directory, PLAN.to_json(), ABOUT, known, clock=lambda: next(instants))


def open_exchange(recorder: Recorder, **changes: Any) -> int:
    """Opens a command's exchange."""
    usual = {
        "purpose": "command",
        "service": "authority/shared",
        "side": None,
        "step": 3,
        "writer": "w1",
        "attempt": 1,
        "stream": "run:r1",
        "method": "POST",
        "path": "/internal/v1/runs",
        "request_headers": {"Content-Type": "application/json"},
        "request_body": b'{"event_type":"a"}',
    }
    return recorder.exchange_opened(**{**usual, **changes})


def close_exchange(recorder: Recorder, exchange: int, **changes: Any) -> None:
    """Closes an exchange as answered with 200."""
    usual = {
        "status": 200,
        "response_headers": {"Content-Type": "application/json"},
        "response_body": b"{}",
        "outcome": "ok",
    }
    recorder.exchange_closed(exchange, **{**usual, **changes})


def open_connection(recorder: Recorder, **changes: Any) -> int:
    """Opens a legacy subscriber's connection."""
    usual = {
        "side": "legacy",
        "purpose": "subscriber",
        "subscriber": "s1",
        "step": 4,
        "attempt": 1,
        "stream": "run:r1",
        "wire_stream": "run:0190:events",
        "cursor": 0,
        "dialect": "topic-ws",
        "database": None,
        "url": "ws://127.0.0.1:8080/ws?after_seq=0",
        "request_headers": {"Authorization": "Bearer " + JWT},
    }
    return recorder.connection_opened(**{**usual, **changes})


def close_connection(recorder: Recorder, connection: int, **changes: Any) -> None:
    """Closes a connection as the lane would, without a Close frame."""
    usual = {
        "handshake_status": 101,
        "handshake_headers": {"Upgrade": "websocket"},
        "handshake_body": None,
        "subprotocol": None,
        "closed_by": "lane",
        "code": 1006,
        "reason": "",
    }
    recorder.connection_closed(connection, **{**usual, **changes})


def fill(recorder: Recorder) -> None:
    """A little of everything: 2 exchanges, 2 connections (the last of each left open), 3 frames, 2 events."""
    recorder.event("service_ready", "lane/legacy", side="legacy", profile="embedded", version="1")
    close_exchange(recorder, open_exchange(recorder))
    first = open_connection(recorder)
    recorder.frame(first, 0, 1, b'{"hello":1}')
    recorder.connection_accepted(first)
    second = open_connection(recorder, side="target", subscriber="s2", cursor=2**64 - 1)
    recorder.frame(second, 1, 2, b"\x00\xff")
    recorder.frame(first, 0, 1, b'{"seq":1}')
    close_connection(recorder, first)
    recorder.event("stall", "harness", ms=12)
    open_exchange(recorder, step=5)


def sealed_in(directory: Path) -> Path:
    """A sealed recording of `fill`."""
    recorder = recorder_in(directory)
    fill(recorder)
    return recorder.seal()
