"""Fixtures over real lanes: recordings and finished runs, made once a process when they are first asked for."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from harness.recording.reader import Recording

Record = Callable[[str], Recording]

collect_ignore = ["tests/quality/seams.yaml"]
"""A scenario that a test drives itself; without this the gate plugin would collect it as one of its own."""

hypothesis.settings.register_profile("ci", deadline=None, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """`recorded("single-run.mirrored")`: that plan of the catalogue, driven over lanes the first time it is asked."""
    from harness.catalogue.catalogue import select
    from harness.recording.reader import open_recording
    from harness.session import Profiles, Session

    done: dict[str, Recording] = {}
    with Session(tmp_path_factory.mktemp("recorded"), Profiles()) as session:

        def record(name: str) -> Recording:
            if name not in done:
                (plan,) = select([name]).plans
                done[name] = open_recording(session.record(plan))
            return done[name]

        yield record


@pytest.fixture(scope="session")
def _pristine_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from harness import session
    from harness.catalogue.catalogue import select

    run_directory = tmp_path_factory.mktemp("run") / "pristine"
    selection = select(["single-run", "retry-and-conflict"])
    session.record_run(run_directory, selection, session.Repeat(("single-run", "retry-and-conflict")), lambda _: None)
    session.analyze(run_directory)
    return run_directory


@pytest.fixture
def finished_run(_pristine_run: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged at will, of a real finished run of two scenarios in both topologies."""
    copy = tmp_path / "a-run"
    shutil.copytree(_pristine_run, copy)
    return copy
