"""`parity doctor`: is this machine fit, does an honest run come out as parity, and is a planted fault found?"""

import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.catalogue.catalogue import select
from harness.evidence.judged_run import Statement
from harness.model.names import Side, Topology
from harness.model.run_record import Verdict
from harness.power.operators import OPERATORS
from harness.power.proof import Control, prove
from harness.recording.reader import Recording, open_recording
from harness.session import Profiles, Session

FREE_BYTES_MIN = 256 * 1024**2
_FAULT = "drop one envelope"


def examine(say: Callable[[str], None]) -> Iterator[Statement]:
    """One statement a thing looked at, in the order in which the next one needs it.

    Raises LaneError when the embedded lanes do not start here.
    """
    yield _interpreter()
    yield _loopback()
    with tempfile.TemporaryDirectory(prefix="parity-doctor-") as directory:
        yield _room(Path(directory))
        say("recording the smallest scenario on embedded lanes …")
        control = Control.of(_recorded(Path(directory)))
        yield _honest_run(control)
        say(f"planting a fault: {_FAULT}, target …")
        yield _fault_found(control, Path(directory) / "planted")


def _interpreter() -> Statement:
    version = ".".join(map(str, sys.version_info[:3]))
    return Statement(sys.version_info >= (3, 11), f"Python {version} (3.11 or newer is needed)")


def _loopback() -> Statement:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return Statement(True, f"loopback can be bound (port {server.getsockname()[1]} was free)")
    except OSError as error:
        return Statement(False, f"127.0.0.1 cannot be bound ({error}); lanes need ports on loopback")


def _room(directory: Path) -> Statement:
    free = shutil.disk_usage(directory).free
    text = f"{free // 1024**2:,} MiB are free in {directory.parent} ({FREE_BYTES_MIN // 1024**2} MiB are needed)"
    return Statement(free >= FREE_BYTES_MIN, text)


def _recorded(directory: Path) -> Recording:
    plan = select(["single-run"], [Topology.MIRRORED]).plans[0]
    with Session(directory / "run", Profiles()) as session:
        return open_recording(session.record(plan))


def _honest_run(control: Control) -> Statement:
    record = control.judged.record
    deliveries = " and ".join(f"{side.deliveries:,} {side.side}" for side in record.sides)
    text = f"an untouched run of {record.name} is {record.verdict.printed} ({deliveries} deliveries)"
    return Statement(record.verdict is Verdict.PARITY, "; ".join([text, *record.reasons]))


def _fault_found(control: Control, directory: Path) -> Statement:
    operator = next(operator for operator in OPERATORS if operator.name == _FAULT)
    proof = prove(control, operator, Side.TARGET, seed=1, directory=directory)
    if proof.applied and not proof.problem:
        return Statement(True, f"the planted fault ({_FAULT}, target) is found: DIVERGED, class 1, blame target")
    return Statement(False, f"the planted fault ({_FAULT}, target) is not found: {proof.problem or 'it had no place'}")
