"""From recorded frames to a verdict, against `json.loads` and SHA-256 over the same frames, in one process.

A synthetic recording is written first: five runs, some subscribers a run and side, realistic bodies, live frames of
both dialects, the authority's answers and log, heads and own content. It is as honest as a real one: it must be
judged parity, or the numbers mean nothing. The floor is over the frames alone; the second ratio counts the answers too
(commands, log, own content), which weigh the more the fewer subscribers share an event. Seconds are CPU seconds, so
that whatever else runs here weighs little.

    python benchmarks/pipeline.py [--subscribers 10] [DELIVERIES_A_SIDE ...]          # 100,000 and 1,000,000
"""

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.judge.verdict import judge_recording
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import BarrierStep, Command, CommandStep, Plan, ReadStep, Step, SubscribeStep
from harness.recording.manifest import RecordingAbout
from harness.recording.reader import open_recording
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets
from harness.recording.sealing import seal
from harness.wire.canonical import payload_hash
from harness.wire.mapping import stream_id

RUNS = 5
DEFAULT_SUBSCRIBERS = 10
RATIO_MAX = 1.5
LOG_PAGE_EVENTS = 1000
DEFAULT_SIZES = (100_000, 1_000_000)
_DIALECTS = {Side.LEGACY: "topic-ws", Side.TARGET: "spacetime-v1-json"}
_TICK_NS = 1_000


def plan_of(events: int, subscribers: int) -> Plan:
    """Runs, subscribers from the start, `events` appends a run, a barrier and the final read."""
    steps: list[Step] = [CommandStep(0, "main", Command("create_run", name)) for name in run_names()]
    for name in run_names():
        steps += [SubscribeStep(0, f"{name}-{number}", SIDES, f"run:{name}") for number in range(subscribers)]
    for index in range(events):
        steps += [
            CommandStep(0, "main", Command("append", name, event_type="tool.finished", payload=body(name, index)))
            for name in run_names()
        ]
    streams = tuple(f"run:{name}" for name in run_names())
    steps += [BarrierStep(0, 1, streams), ReadStep(0, streams)]
    numbered = tuple(_numbered(step, index) for index, step in enumerate(steps))
    return Plan("pipeline", "a synthetic recording", ("N3",), Topology.MIRRORED, 1, numbered)


def _numbered(step: Step, index: int) -> Step:
    object.__setattr__(step, "index", index)
    return step


def run_names() -> list[str]:
    """Plan names of the runs."""
    return [f"r{number}" for number in range(1, RUNS + 1)]


def run_id(name: str) -> str:
    """The authority's id of a run."""
    return f"018f0000-0000-7000-8000-{int(name[1:]):012d}"


def topic_of(name: str) -> str:
    """The topic of a run."""
    return f"run:{run_id(name)}:events"


def body(name: str, index: int) -> str:
    """About 120 bytes of JSON, keys in the order in which somebody wrote them."""
    return (
        f'{{"tool":"search","params":{{"query":"needle {index % 97}","path":"src/lib.rs"}},"latency_ms":{index % 400},'
        f'"ok":true,"lines":[{index},{index + 7}],"run":"{name}"}}'
    )


@dataclass(frozen=True)
class Event:
    """One event with the texts that all its copies share."""

    topic: str
    seq: int
    kind: str
    body: str
    published_at: str
    command_id: str

    def legacy_frame(self) -> bytes:
        """The `message` frame of the legacy dialect."""
        return (
            f'{{"type":"message","message":{{"topic":"{self.topic}","sequence":{self.seq},"kind":"{self.kind}",'
            f'"payload":{self.body},"published_at":"{self.published_at}"}}}}'
        ).encode()

    def row(self) -> list[Any]:
        """The `sync_event` row of the target, by position."""
        stream = stream_id(self.topic)
        key = f"topic:{self.topic}:seq:{self.seq}:kind:{self.kind}"
        instant = self.published_at[:-1] + "+00:00"
        stored = (
            f'{{"topic":"{self.topic}","sequence":{self.seq},"kind":"{self.kind}","published_at":"{instant}",'
            f'"payload":{self.body}}}'
        )
        carried = "sha256:" + payload_hash(self.body.encode()).hex()
        committed = [1_795_358_666_191_655 + self.seq]
        return [stream, self.seq, key, f"{stream}\x1f{key}", carried, stored.encode().hex(), committed, self.seq]

    def target_frame(self) -> bytes:
        """A full `TransactionUpdate` with the arguments of the call (wire sheet, F3)."""
        row = self.row()
        heads = [_compact([row[0], self.seq + extra, 1]) for extra in (0, 1)]
        tables = [
            _table(4098, "stream_head", heads[:1], heads[1:]),
            _table(4100, "sync_event", [], [_compact(row)]),
        ]
        message = {
            "status": {"Committed": {"tables": tables}},
            "timestamp": {"__timestamp_micros_since_unix_epoch__": 1_795_358_666_191_655 + self.seq},
            "caller_identity": {"__identity__": "0x" + "c2" * 32},
            "caller_connection_id": {"__connection_id__": 256_332_671_152_196_060_485_325_094_239_260_033_561},
            "reducer_call": {
                "reducer_name": "append_sync_event",
                "reducer_id": 2,
                "args": json.dumps([row[0], {"some": self.seq}, row[2], row[4], row[5]]),
                "request_id": 0,
            },
            "energy_quanta_used": {"quanta": 11_778_000},
            "total_host_execution_duration": {"__time_duration_micros__": 100},
        }
        return _compact({"TransactionUpdate": message}).encode()

    def log_row(self) -> str:
        """The row of the authority's log."""
        return (
            f'{{"seq":{self.seq},"kind":"{self.kind}","payload":{self.body},"published_at":"{self.published_at}",'
            f'"command_id":"{self.command_id}"}}'
        )


def _table(number: int, name: str, deletes: list[str], inserts: list[str]) -> dict[str, Any]:
    updates = [{"deletes": deletes, "inserts": inserts}]
    return {"table_id": number, "table_name": name, "num_rows": len(deletes) + len(inserts), "updates": updates}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Writer:
    """Writes the recording through the recorder that real runs use."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        about = RecordingAbout(
            plan.scenario, plan.topology, plan.digest, plan.seed, "0", "0" * 40, "2026-02-25T12:00:00Z", 0
        )
        self._plan = plan
        self._now_ns = 0
        self._recorder = Recorder.create(directory, plan.to_json(), about, Secrets(), self._tick)
        self._logs: dict[str, list[Event]] = {name: [] for name in run_names()}
        self._subscribers: dict[str, list[tuple[Side, int]]] = {name: [] for name in run_names()}

    def _tick(self) -> int:
        self._now_ns += _TICK_NS
        return self._now_ns

    def write(self) -> None:
        """Plays the plan."""
        for side in SIDES:
            detail = {"profile": f"{side}-synthetic", "retention_events": None, "dialect": _DIALECTS[side]}
            self._recorder.event("service_ready", f"lane/{side}", side.value, **detail)
        for step in self._plan.steps:
            match step:
                case CommandStep():
                    self._command(step.index, step.command, "command")
                case SubscribeStep():
                    self._subscribe(step)
                case BarrierStep():
                    for name in run_names():
                        command = Command("append", name, event_type="parity.sentinel", payload='{"barrier":1}')
                        self._command(step.index, command, "sentinel")
                case ReadStep():
                    for name in run_names():
                        self._read(step.index, name)
        self._recorder.close()

    def _exchange(self, purpose: str, service: str, side: Side | None, step: int, stream: str | None, path: str) -> int:
        return self._recorder.exchange_opened(
            purpose=purpose, service=service, side=side and side.value, step=step, writer="main", attempt=1,
            stream=stream, method="POST", path=path, request_headers={}, request_body=b"",
        )  # fmt: skip

    def _answered(self, exchange: int, answer: bytes) -> None:
        self._recorder.exchange_closed(exchange, status=200, response_headers={}, response_body=answer, outcome="ok")

    def _command(self, step: int, command: Command, purpose: str) -> None:
        name, created = command.subject, command.do == "create_run"
        exchange = self._exchange(purpose, "authority/shared", None, step, f"run:{name}", "/internal/v1/runs")
        log = self._logs[name]
        seq = len(log) + 1
        kind = "run.started" if created else command.event_type or ""
        text = '{"source":"runtime"}' if created else command.payload or "null"
        seconds, rest = divmod(self._now_ns, 1_000_000_000)
        published_at = f"2026-02-25T12:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:09d}Z"
        log.append(Event(topic_of(name), seq, kind, text, published_at, f"{name}-{seq:09d}"))
        self._deliver(name, log[-1])
        said = {
            "run": {"id": run_id(name), "latest_seq": seq},
            "event": {"seq": seq, "event_type": kind},
            "command_id": log[-1].command_id,
        }
        self._answered(exchange, _compact(said).encode())

    def _deliver(self, name: str, event: Event) -> None:
        if not self._subscribers[name]:
            return
        frames = {Side.LEGACY: event.legacy_frame(), Side.TARGET: event.target_frame()}
        for side, connection in self._subscribers[name]:
            self._recorder.frame(connection, 0, 1, frames[side])

    def _subscribe(self, step: SubscribeStep) -> None:
        name = step.stream.removeprefix("run:")
        for side in step.sides:
            connection = self._open(side, "subscriber", step.subscriber, step.index, name)
            self._subscribers[name].append((side, connection))

    def _open(self, side: Side, purpose: str, subscriber: str, step: int, name: str) -> int:
        topic = topic_of(name)
        connection = self._recorder.connection_opened(
            side=side.value, purpose=purpose, subscriber=subscriber, step=step, attempt=1, stream=f"run:{name}",
            wire_stream=topic if side is Side.LEGACY else stream_id(topic), cursor=0, dialect=_DIALECTS[side],
            database=None if side is Side.LEGACY else "sync", url="ws://127.0.0.1/", request_headers={},
        )  # fmt: skip
        for text in self._opening(side, name):
            self._recorder.frame(connection, 0, 1, text)
        self._recorder.connection_accepted(connection)
        return connection

    def _opening(self, side: Side, name: str) -> Iterator[bytes]:
        """Hello, or identity and snapshot; then, of the legacy lane, what there was before."""
        log = self._logs[name]
        if side is Side.LEGACY:
            hello = {"type": "hello", "topic": topic_of(name), "after_seq": 0, "limit": 200}
            yield _compact(hello).encode()
            yield from (event.legacy_frame() for event in log)
            return
        identity = {"identity": {"__identity__": "0xc2"}, "token": "", "connection_id": {"__connection_id__": 7}}
        yield _compact({"IdentityToken": identity}).encode()
        head = [_compact([stream_id(topic_of(name)), len(log) + 1, 1])]
        tables = [
            _table(4098, "stream_head", [], head),
            _table(4100, "sync_event", [], [_compact(event.row()) for event in log]),
        ]
        applied = {"request_id": 1, "total_host_execution_duration_micros": 9, "query_id": {"id": 1}}
        yield _compact({"SubscribeMultiApplied": {**applied, "update": {"tables": tables}}}).encode()

    def _read(self, step: int, name: str) -> None:
        log, topic, stream = self._logs[name], topic_of(name), f"run:{name}"
        for start in range(0, len(log), LOG_PAGE_EVENTS):
            path = f"/internal/v1/streams/{quote(topic, safe='')}/events?after_seq={start}&limit={LOG_PAGE_EVENTS}"
            rows = ",".join(event.log_row() for event in log[start : start + LOG_PAGE_EVENTS])
            page = f'{{"stream":"{topic}","head_seq":{len(log)},"events":[{rows}]}}'
            self._answered(self._exchange("log", "authority/shared", None, step, stream, path), page.encode())
        poll = {"topic": topic, "head_cursor": len(log), "oldest_available_cursor": 0}
        path = f"/internal/v1/khala/topics/{topic}/messages"
        self._answered(self._exchange("heads", "lane/legacy", Side.LEGACY, step, stream, path), _compact(poll).encode())
        content = self._open(Side.LEGACY, "content", f"content:{stream}", step, name)
        self._recorder.connection_closed(
            content, handshake_status=101, handshake_headers={}, handshake_body=None, subprotocol=None,
            closed_by="harness", code=1000, reason="until",
        )  # fmt: skip
        heads = [[stream_id(topic), len(log) + 1, 1]]
        for purpose, table, rows_of in (("heads", "stream_head", heads), ("content", "sync_event", None)):
            answer = _sql(table, rows_of if rows_of is not None else [event.row() for event in log])
            exchange = self._exchange(purpose, "lane/target", Side.TARGET, step, stream, "/v1/database/sync/sql")
            self._answered(exchange, answer)


_COLUMNS = {
    "stream_head": ("stream_id", "next_seq", "retained_from"),
    "sync_event": (
        "stream_id", "seq", "idempotency_key", "stream_idempotency_key", "payload_hash", "payload_bytes",
        "committed_at", "durable_offset",
    ),
}  # fmt: skip


def _sql(table: str, rows: list[list[Any]]) -> bytes:
    elements = [{"name": {"some": name}, "algebraic_type": {"String": []}} for name in _COLUMNS[table]]
    return _compact([{"schema": {"elements": elements}, "rows": rows, "total_duration_micros": 1}]).encode()


def floor_s(directory: Path) -> tuple[float, float]:
    """CPU seconds that `json.loads` and SHA-256 take over every frame, and over every answer, reading not counted."""
    recording = open_recording(directory)
    frames_s = sum(_parsing_s(batch.column("data").to_pylist()) for batch in recording.frames(["data"]))
    return frames_s, _parsing_s(recording.table("exchanges").column("response_body").to_pylist())


def _parsing_s(texts: list[bytes]) -> float:
    loads, sha256 = json.loads, hashlib.sha256
    start_s = time.process_time()
    for text in texts:
        loads(text)
        sha256(text).digest()
    return time.process_time() - start_s


def judged_s(directory: Path) -> tuple[float, str]:
    """CPU seconds, of all threads, from an opened recording to its verdict, and the verdict with its first reason."""
    recording = open_recording(directory)
    start_s = time.process_time()
    record = judge_recording(recording).record
    return time.process_time() - start_s, " ".join([record.verdict.value, *record.reasons[:1]])


def peak_mib() -> float:
    """Highest resident size of this process so far.

    `ru_maxrss` would be that of the parent where the parent was larger: Linux hands it on through fork and exec.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.partition(":")[::2] for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _child(what: str, directory: str) -> None:
    """One measurement in a process of its own, so that its peak is its own."""
    if what == "judge":
        seconds, verdict = judged_s(Path(directory))
        result: dict[str, Any] = {"seconds": seconds, "verdict": verdict}
    else:
        frames_s, answers_s = floor_s(Path(directory))
        result = {"frames": frames_s, "answers": answers_s}
    print(json.dumps({**result, "peak_mib": peak_mib()}))


def _measured(what: str, directory: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, str(directory)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def measure(deliveries: int, subscribers: int, directory: Path) -> None:
    """Writes a recording of that size into `directory`, judges it, and prints the ratios."""
    recording = directory / f"pipeline-{deliveries}-{subscribers}"
    if not recording.exists():
        Writer(plan_of(max(deliveries // (RUNS * subscribers) - 2, 1), subscribers), recording).write()
        seal(recording)
    floor, judged = _measured("floor", recording), _measured("judge", recording)
    ratio = judged["seconds"] / floor["frames"]
    with_answers = judged["seconds"] / (floor["frames"] + floor["answers"])
    print(
        f"{deliveries:>9,} deliveries a side, {subscribers} subscribers a run: floor {floor['frames']:.2f} s, "
        f"judged in {judged['seconds']:.2f} s, ratio {ratio:.2f} (wanted at most {RATIO_MAX}), "
        f"{with_answers:.2f} with answers, peak {judged['peak_mib']:.0f} MiB, verdict {judged['verdict']}"
    )


def main() -> None:
    """Measures every size asked for."""
    if sys.argv[1:2] == ["--child"]:
        _child(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(description="From recorded frames to a verdict, as a ratio to a plain parse.")
    parser.add_argument("deliveries", nargs="*", type=int, default=DEFAULT_SIZES, help="deliveries a side")
    parser.add_argument("--subscribers", type=int, default=DEFAULT_SUBSCRIBERS, help="subscribers of each run")
    parser.add_argument("--keep", type=Path, help="write the recordings here, and use those that are there")
    options = parser.parse_args()
    directory = options.keep or Path(tempfile.mkdtemp(prefix="parity-pipeline-"))
    try:
        for deliveries in options.deliveries:
            measure(deliveries, options.subscribers, directory)
    finally:
        if options.keep is None:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
