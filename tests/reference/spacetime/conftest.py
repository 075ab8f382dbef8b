"""One stand-in for the tests that need nothing special of it."""

from collections.abc import Iterator

import pytest

from tests.reference.spacetime.running import StandIn, running_stand_in


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in with the module published as `sync`; every test takes streams or databases of its own."""
    with running_stand_in(tmp_path_factory.mktemp("stand-in")) as started:
        yield started
