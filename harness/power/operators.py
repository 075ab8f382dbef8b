"""Every operator: the rows of the failure classes sheet, and what shows that each check is needed.

One entry an operator; a new one is a function that cuts a tape, and a line that declares its effect.
"""

from harness.model.finding import Blame, FailureClass
from harness.model.names import Topology
from harness.power import (
    on_authority,
    on_connections,
    on_cursors,
    on_deliveries,
    on_order,
    on_positions,
    on_streams,
    on_values,
)
from harness.power.blinding import (
    EITHER_SIDE,
    UNDECIDED,
    alone,
    blinded,
    content_unread,
    log_and_answers_unread,
    log_unread,
    never_opened,
    other_never_opened,
)
from harness.power.operator import Operator, Seat, block

_SEEING: tuple[Operator, ...] = (
    *on_deliveries.OPERATORS,
    *on_order.OPERATORS,
    *on_values.OPERATORS,
    *on_cursors.OPERATORS,
    *on_positions.OPERATORS,
    *on_streams.OPERATORS,
    *on_authority.OPERATORS,
    *on_connections.OPERATORS,
)
_BY_NAME = {operator.name: operator for operator in _SEEING}
_LOG, _ANSWERS, _CONTENT, _OPENED = "log unread", "log and answers unread", "own content unread", "never opened"
_CURSOR, _BODY = FailureClass.CURSOR, FailureClass.BODY
_ONE_LOG = {"topology": Topology.MIRRORED, "elsewhere": "two unread logs may have been two histories"}

_CLOSED: tuple[Operator, ...] = (
    alone(_LOG, log_unread, Seat.BOTH),
    alone(_CONTENT, content_unread, Seat.ONE_SIDE),
    alone(f"subscriptions {_OPENED}", never_opened, Seat.ONE_SIDE),
)

_BLINDED: tuple[Operator, ...] = (
    blinded(_BY_NAME["drop one envelope"], log_unread, _LOG, blames=UNDECIDED),
    blinded(_BY_NAME["drop one delivery"], log_and_answers_unread, _ANSWERS),
    blinded(_BY_NAME["drop one envelope, own content too"], content_unread, _CONTENT, blames=UNDECIDED),
    blinded(_BY_NAME["change one leaf, hash unchanged"], log_unread, _LOG, blames=UNDECIDED, **_ONE_LOG),
    blinded(_BY_NAME["change one leaf, hash unchanged"], content_unread, _CONTENT, blames=UNDECIDED),
    blinded(_BY_NAME["kind changed"], log_unread, _LOG, blames=UNDECIDED, **_ONE_LOG),
    blinded(_BY_NAME["no stale answer at an edge"], other_never_opened, f"the other side {_OPENED}"),
    blinded(_BY_NAME["no stale answer far from the edges"], other_never_opened, f"the other side {_OPENED}"),
    blinded(_BY_NAME["published_at moved by a second"], log_unread, _LOG, blames=UNDECIDED),
    blinded(
        block("lane-reported head is not the other lane's", on_positions.head_apart, _CURSOR),
        log_unread,
        _LOG,
        blames=EITHER_SIDE,
    ),
    blinded(
        block("both lanes report a head below what they delivered", on_positions.heads_below_on_both, _CURSOR),
        log_unread,
        _LOG,
        seat=Seat.BOTH,
        blames=EITHER_SIDE | {Blame.BOTH},
    ),
    blinded(
        block("two logs of one history differ", on_authority.logs_apart, _BODY),
        other_never_opened,
        f"the other side {_OPENED}",
        topology=Topology.ISOLATED,
        elsewhere="one authority feeds both lanes",
        blames=frozenset({Blame.AUTHORITY}),
    ),
)

OPERATORS: tuple[Operator, ...] = (*_SEEING, *_CLOSED, *_BLINDED)
