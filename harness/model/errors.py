"""The error tree. A type exists only where somebody acts differently; each carries its exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What `parity` and `pytest scenarios` answer the shell (architecture, section 6)."""

    PARITY = 0
    DIVERGED = 1
    USAGE = 2
    INCONCLUSIVE = 10
    COULD_NOT_RUN = 11
    LEDGER = 12
    INTERRUPTED = 130


class ParityError(Exception):
    """Root of everything this project raises on purpose."""

    exit_code: ExitCode = ExitCode.COULD_NOT_RUN


class UsageError(ParityError):
    """The caller asked for something that does not exist or cannot be meant."""

    exit_code = ExitCode.USAGE


class LaneError(ParityError):
    """A lane, an authority or a relay did not start, did not answer, or died."""


class ProtocolError(ParityError):
    """The peer broke its wire protocol: the bytes are not of the dialect."""


class FormatError(ParityError):
    """A file or text is not what it claims to be (recording, scenario, JSON, hash, timestamp)."""


class HarnessError(ParityError):
    """The harness itself could not do its work (disk, own event loop, a bug)."""
