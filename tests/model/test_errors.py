"""The error tree and what the shell is answered."""

from collections.abc import Iterator

import pytest

from harness.model.errors import (
    ExitCode,
    FormatError,
    HarnessError,
    LaneError,
    ParityError,
    ProtocolError,
    UsageError,
)


def kinds(root: type[ParityError] = ParityError) -> Iterator[type[ParityError]]:
    """The root and everything below it."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def test_exit_codes_are_the_published_ones() -> None:
    """Pipelines depend on these numbers (architecture, section 6); none means two things."""
    published = {0, 1, 2, 10, 11, 12, 130}

    assert published == {int(code) for code in ExitCode}
    assert len(ExitCode.__members__) == len(published)


def test_no_error_ends_as_parity_or_as_a_divergence() -> None:
    """What goes wrong says nothing about the lanes: neither green nor the blame of one of them."""
    ends = {kind.__name__: kind("x").exit_code for kind in kinds()}

    assert len(ends) >= 6
    assert {} == {name: code for name, code in ends.items() if code in (ExitCode.PARITY, ExitCode.DIVERGED)}


@pytest.mark.parametrize("kind", [LaneError, ProtocolError, FormatError, HarnessError])
def test_only_the_callers_own_mistake_is_a_usage_error(kind: type[ParityError]) -> None:
    """A caller who repeats the same command after a usage error gets the same answer; after the others perhaps not."""
    assert (ExitCode.USAGE, ExitCode.COULD_NOT_RUN) == (UsageError("x").exit_code, kind("x").exit_code)
