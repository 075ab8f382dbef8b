"""What a lane still has to serve, by connection: its declared window and budget over what is known of its head."""

from collections.abc import Callable, Mapping
from functools import cached_property

from harness.checks.cursor_law import ServiceLevel, at_an_edge, service_level
from harness.history.addresses import I32
from harness.history.connections import NEVER_NS, Connection
from harness.history.declared import Declared, declared
from harness.history.history import History
from harness.history.known_heads import KnownHeads, rows_by_code
from harness.model.names import SIDES, Side


class Retention:
    """The windows of one history."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.known = KnownHeads(history)
        self._declared = {side: declared(history.timeline, history.plan.settings, side) for side in SIDES}

    def declared(self, side: Side) -> Declared:
        """What the lane of a side declares."""
        return self._declared[side]

    def window(self, connection: Connection) -> int | None:
        """The declared window in events; None = none is declared."""
        return self.history.sides[connection.asked.side].retention_events

    def level(self, connection: Connection) -> ServiceLevel:
        """What the dialect gives the class of the topic."""
        return service_level(connection.asked.stream)

    def budget(self, connection: Connection) -> int:
        """The profile's replay budget; where it declares none, that of the topic's class (contract, 3.1)."""
        given = self._declared[connection.asked.side].replay_budget_events
        return self.level(connection).replay_budget_events if given is None else given

    def highest(self, connection: Connection) -> int | None:
        """The head was not above this before the connection ended; None = nobody knows."""
        closed_ns = connection.ended.closed_ns
        until_ns = NEVER_NS if closed_ns is None else closed_ns
        return self.known.highest(connection.asked.side, connection.asked.stream, until_ns)

    def near_an_edge(self, connection: Connection, cursor: int) -> bool:
        """Whether a cursor lay within one of the floor or the budget when it was answered, by what is known."""
        window, budget = self.window(connection), self.budget(connection)
        if window is None:
            return False
        asked, accepted_ns = connection.asked, connection.ended.accepted_ns
        known = self.known.highest(asked.side, asked.stream, accepted_ns)
        highest = self.highest(connection) if connection.stale else known
        heads = {self.known.lowest(connection), highest or 0}
        return any(at_an_edge(cursor, window, head, budget) for head in heads)

    def delivered(self, connection: Connection, before_frame: int | None = None) -> int:
        """The highest number that came over the connection (before a frame, if one is named); 0 where none did."""
        one = self.history.sides[connection.asked.side]
        rows = self._rows[connection.asked.side](connection.asked.id)
        rows = rows[one.delivered.held.address[rows] >= 0]
        if before_frame is not None:
            rows = rows[one.deliveries.frame[rows] < before_frame]
        return int(one.delivered.held.rows.seq[rows].max()) if len(rows) else 0

    @cached_property
    def _rows(self) -> Mapping[Side, Callable[[int], I32]]:
        """By side: the deliveries of each connection."""
        return {side: rows_by_code(one.deliveries.connection) for side, one in self.history.sides.items()}
