"""When a live message leaves its connection: at once, in order and once, unless a defect is on.

Replay does not pass through here.
"""

NTH_LIVE = 5
DEFECTS = {
    "drop_nth_live": "the fifth live message of each connection is never sent; replay is whole",
    "repeat_nth_live": "the fifth live message of each connection is sent twice, byte for byte",
    "swap_live": "the fifth live message of each connection is sent after the sixth",
    "loses_last": "the newest live message of each connection is held back until another one comes",
}


class LiveOrder:
    """The live messages of one connection."""

    def __init__(self, defects: frozenset[str]) -> None:
        self._defects = defects
        self._count = 0
        self._held: list[bytes] = []

    def due(self, frame: bytes) -> list[bytes]:
        """What is to be sent now that `frame` has come."""
        self._count += 1
        if "loses_last" in self._defects:
            due, self._held = self._held, [frame]
            return due
        if self._count == NTH_LIVE:
            return self._nth(frame)
        due, self._held = [frame, *self._held], []
        return due

    def _nth(self, frame: bytes) -> list[bytes]:
        if "swap_live" in self._defects:
            self._held = [frame]
            return []
        times = 0 if "drop_nth_live" in self._defects else 2 if "repeat_nth_live" in self._defects else 1
        return [frame] * times
