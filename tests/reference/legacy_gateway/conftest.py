"""One gateway for the tests that need nothing special of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.legacy_gateway.running import RunningGateway, running_gateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with default settings, shared by the whole session: every test takes topics of its own."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    with running_gateway(folder) as started:
        yield started


@pytest.fixture(scope="session")
def small_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with a window of 8 and a budget of 5 that holds `run:edges:events` up to 20."""
    folder = tmp_path_factory.mktemp("small")
    with running_gateway(folder, "--retention-events", "8", "--replay-budget-events", "5") as started:
        started.feed("run:edges:events", 1, 20)
        yield started


@pytest.fixture(scope="session")
def strict_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that counts a lag of more than 20 events as slow."""
    with running_gateway(tmp_path_factory.mktemp("strict"), "--slow-consumer-lag-threshold", "20") as started:
        yield started
