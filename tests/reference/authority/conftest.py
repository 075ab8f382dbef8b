"""One authority for the tests that leave each other alone."""

from collections.abc import Iterator

import pytest

from tests.reference.authority.running import Authority, running_authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """An authority with default settings, shared by a module: every test makes runs and workers of its own."""
    with running_authority(tmp_path_factory.mktemp("authority")) as running:
        yield running
