"""The way in: a recording becomes a history."""

from typing import Protocol

from harness.history.bodies import Recorded
from harness.history.gathering import gathered
from harness.history.history import History
from harness.history.matching import matched
from harness.model.plan import Plan
from harness.recording.manifest import Manifest


class Opened(Recorded, Protocol):
    """An opened recording."""

    @property
    def plan(self) -> Plan: ...

    @property
    def manifest(self) -> Manifest: ...


def load_history(recording: Opened) -> History:
    """The history of `recording`. Raises FormatError where a table is not what a recording holds.

    What a lane or an authority said and cannot be read is no error here: it is kept as said, and judged.
    """
    return matched(gathered(recording, recording.plan, recording.manifest.identities), recording)
