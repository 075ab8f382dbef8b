"""Dual-lane parity and replay verification harness (ADR-0009).

`open_run(path)` gives the tables of a recorded run as pandas frames.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.evidence.open_run import open_run as open_run

__version__ = "0.1.0"
__all__ = ["__version__", "open_run"]


def __getattr__(name: str) -> Any:
    """Load `open_run` when it is asked for: starting a lane or a worker must not pay for pandas."""
    if name == "open_run":
        from harness.evidence.open_run import open_run

        return open_run
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
