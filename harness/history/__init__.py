"""From a recording to columns: what every oracle said, in arrival order, judged by nobody yet."""

from harness.history.history import History, Phase
from harness.history.loading import load_history

__all__ = ["History", "Phase", "load_history"]
