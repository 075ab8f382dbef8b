"""Who reads the outbox, and what the defect `answers_by_delivery` makes of it."""

import contextlib
import http.client
import threading
from pathlib import Path

import pytest

from harness.reference.authority.defects import READER_LATE_MS
from harness.reference.authority.readers import OutboxReaders
from harness.reference.refusals import Refused
from tests.reference.authority.running import Authority, running_authority, token, topic
from tests.reference.services import eventually

DEFECT = ("--defect", "answers_by_delivery")


def is_late(readers: OutboxReaders) -> bool:
    try:
        readers.check_delivery()
    except Refused:
        return True
    return False


def test_a_reader_is_late_when_it_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the limit after its last request it is not, while a request is open it never is."""
    now_s = 50.0
    monkeypatch.setattr("harness.reference.authority.readers.time.monotonic", lambda: now_s)
    readers = OutboxReaders()
    seen = [is_late(readers)]
    with readers.reading("r", stalled_ms=0):
        now_s += 60
        seen.append(is_late(readers))
    now_s += READER_LATE_MS / 1000 - 0.001
    seen.append(is_late(readers))
    now_s += 0.002
    seen.append(is_late(readers))

    assert [False, False, False, True] == seen


def test_a_reader_is_late_when_its_lane_stands_still() -> None:
    """What it last said counts, and one late reader is enough."""
    readers = OutboxReaders()
    with readers.reading("good", stalled_ms=0), readers.reading("bad", stalled_ms=READER_LATE_MS):
        at_limit = is_late(readers)
        with readers.reading("bad", stalled_ms=READER_LATE_MS + 1):
            beyond = is_late(readers)
        with readers.reading("bad", stalled_ms=0):
            recovered = is_late(readers)

    assert (False, True, False) == (at_limit, beyond, recovered)


def open_poll(authority: Authority, stalled_ms: int) -> threading.Thread:
    """A reader whose request stays open until the authority ends."""
    path = f"/internal/v1/outbox?after={2**62}&wait_s=30&stalled_ms={stalled_ms}"
    reader = token(scope="sync.log.read")

    def poll() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            authority.service.ask("GET", path, token=reader)

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("defect", "statuses"), [((), {200}), (DEFECT, {200, 500})])
def test_an_answer_hangs_on_a_reader_or_not(tmp_path: Path, defect: tuple[str, ...], statuses: set[int]) -> None:
    """With the defect a stalled reader turns answers into 500; what they answer for is durable all the same."""
    seen: list[int] = []
    with running_authority(tmp_path, *defect) as authority:
        run_id = authority.run()
        seen.append(authority.append(run_id).status)
        open_poll(authority, stalled_ms=READER_LATE_MS + 1)

        def appended() -> bool:
            seen.append(authority.append(run_id).status)
            return statuses == set(seen) and len(seen) > 20

        eventually(appended)
        head_seq = authority.log(topic(run_id))["head_seq"]

    assert statuses == set(seen)
    assert 1 + len(seen) == head_seq
