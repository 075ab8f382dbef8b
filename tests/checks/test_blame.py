"""The blame table, row by row, over one event."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.checks.blame import blame
from harness.history.history import History
from harness.history.standing import Owned, SideStanding, Standing
from harness.model.finding import Blame
from harness.model.names import Side

LEGACY, TARGET = Side.LEGACY, Side.TARGET
GOOD = {"same", "content_same"}
MISSING = {"lacking", "content_same"}
MISSING_FED = {"lacking"}
OTHER = {"other", "content_same"}
ABSENT: set[str] = set()


@dataclass
class Case:
    """What each side shows of one event, and what the authority says of it."""

    legacy: set[str]
    target: set[str]
    log: set[str] = field(default_factory=lambda: {"read", "logged", "accepted"})
    target_log: set[str] | None = None
    values: tuple[int, int] = (1, 1)
    agreeing: bool = True


def flag(names: set[str], name: str) -> Any:
    return np.array([name in names])


def side_standing(shows: set[str], log: set[str], value: int) -> SideStanding:
    owned = Owned(
        read=flag(log, "read"),
        logged=flag(log, "logged"),
        accepted=flag(log, "accepted"),
        disowned=flag(log, "disowned"),
        contested=flag(log, "contested"),
        unpublished=flag(log, "unpublished"),
        maker=np.array([0], np.int32),
    )
    return SideStanding(
        owned=owned,
        lacking=flag(shows, "lacking"),
        same=flag(shows, "same"),
        other=flag(shows, "other"),
        late=flag(shows, "late"),
        content_read=~flag(shows, "content unread"),
        content_same=flag(shows, "content_same"),
        content_other=flag(shows, "content_other"),
        value=np.array([value], np.int32),
        content_value=np.array([value], np.int32),
        had=flag(shows, "had"),
        fed_late=flag(shows, "fed late"),
        silent="silent" in shows,
    )


def blamed(case: Case, side: Side) -> Blame:
    sides = {
        LEGACY: side_standing(case.legacy, case.log, case.values[0]),
        TARGET: side_standing(case.target, case.target_log or case.log, case.values[1]),
    }
    standing = Standing(sides, np.array([case.agreeing]))
    return blame(cast(History, SimpleNamespace(standing=standing)), 0, side)


TABLE = {
    "nothing wrong: the side that the finding is about": (Case(GOOD, GOOD), Blame.LEGACY),
    "missing on one side": (Case(MISSING, GOOD), Blame.LEGACY),
    "missing on one side and in its own content": (Case(MISSING_FED, GOOD), Blame.LEGACY_FEED),
    "missing on the other side": (Case(GOOD, MISSING), Blame.TARGET),
    "missing on the other side and in its own content": (Case(GOOD, MISSING_FED), Blame.TARGET_FEED),
    "otherwise on one side": (Case(OTHER, GOOD), Blame.LEGACY),
    "otherwise on one side, and in its own content": (Case({"other", "content_other"}, GOOD), Blame.LEGACY),
    "missing on both, both hold it": (Case(MISSING, MISSING), Blame.BOTH),
    "missing on both, neither holds it": (Case(MISSING_FED, MISSING_FED), Blame.FEED),
    "missing on both, one holds it": (Case(MISSING, MISSING_FED), Blame.LEGACY),
    "the same otherwise on both": (Case(OTHER, OTHER), Blame.BOTH),
    "two values otherwise": (Case(OTHER, OTHER, values=(1, 2)), Blame.LEGACY),
    "in one subscription and not in another": (Case({"same", "lacking", "content_same"}, GOOD), Blame.LEGACY),
    "otherwise in one subscription": (Case({"same", "other", "content_same"}, GOOD), Blame.LEGACY),
    "late on one side": (Case(GOOD | {"late"}, GOOD), Blame.LEGACY),
    "late on both sides": (Case(GOOD | {"late"}, GOOD | {"late"}), Blame.BOTH),
    "accepted and not logged": (Case(GOOD, GOOD, {"read", "accepted"}), Blame.AUTHORITY),
    "logged and not accepted": (Case(GOOD, GOOD, {"read", "logged", "disowned"}), Blame.AUTHORITY),
    "made up by one lane": (Case({"same"}, ABSENT, {"read"}), Blame.LEGACY),
    "made up by the other lane": (Case(ABSENT, {"same"}, {"read"}), Blame.TARGET),
    "made up by both": (Case({"same"}, {"same"}, {"read"}), Blame.BOTH),
    "a number that nobody has": (Case(ABSENT, ABSENT, {"read"}), Blame.AUTHORITY),
    "own content not read": (Case({"lacking", "content unread"}, GOOD), Blame.UNDECIDED),
    "log not read": (Case(MISSING, GOOD, {"accepted"}), Blame.UNDECIDED),
    "log not read, two subscriptions disagree": (Case({"same", "lacking"}, GOOD, set()), Blame.LEGACY),
    "missing, and had by other signs than its content": (Case({"lacking", "had"}, GOOD), Blame.LEGACY),
    "missing, content not read, and had by its word": (Case({"lacking", "content unread", "had"}, GOOD), Blame.LEGACY),
    "missing, content not read, in it all the same": (Case(MISSING | {"content unread"}, GOOD), Blame.LEGACY),
    "missing, had by its word, log not read": (Case({"lacking", "had"}, GOOD, {"accepted"}), Blame.UNDECIDED),
    "otherwise, content not read": (Case({"other", "content unread"}, GOOD), Blame.UNDECIDED),
    "otherwise, content not read, and had by its word": (Case({"other", "content unread", "had"}, GOOD), Blame.LEGACY),
    "nothing came over either side": (Case(MISSING | {"silent"}, {"content_same", "silent"}), Blame.BOTH),
    "nothing came, nothing was held": (Case({"lacking", "silent"}, {"lacking", "silent"}), Blame.FEED),
    "brought to the lane only after the last barrier": (Case(MISSING | {"fed late"}, GOOD), Blame.LEGACY_FEED),
    "never published, and there in the end": (
        Case(GOOD, GOOD, {"read", "logged", "accepted", "unpublished"}),
        Blame.AUTHORITY,
    ),
    "never published, and on neither lane": (
        Case(MISSING_FED, MISSING_FED, {"read", "logged", "accepted", "unpublished"}),
        Blame.AUTHORITY,
    ),
    "never published, and the other lane lacks it": (
        Case(GOOD, MISSING_FED, {"read", "logged", "accepted", "unpublished"}),
        Blame.AUTHORITY,
    ),
    "never published, and the lane had it all the same": (
        Case(MISSING, GOOD, {"read", "logged", "accepted", "unpublished"}),
        Blame.LEGACY,
    ),
    "two logs differ": (Case(GOOD, GOOD, agreeing=False), Blame.AUTHORITY),
    "two logs differ, and a lane lost it": (Case(MISSING, GOOD, agreeing=False), Blame.LEGACY),
    "the other log alone has it": (Case({"same"}, GOOD, {"read"}, {"read", "logged", "accepted"}), Blame.AUTHORITY),
    "not covered here, and not held": (Case(ABSENT, GOOD), Blame.LEGACY_FEED),
    "delivered, and not held": (Case({"same"}, GOOD), Blame.LEGACY),
}


@pytest.mark.parametrize(("case", "expected"), TABLE.values(), ids=TABLE)
def test_table(case: Case, expected: Blame) -> None:
    """Who is asked about the legacy side gets the answer of the table."""
    assert expected is blamed(case, LEGACY)


@pytest.mark.parametrize("case", [Case(MISSING, MISSING), Case(OTHER, OTHER), Case(MISSING_FED, MISSING_FED)])
def test_common_faults_have_one_blame(case: Case) -> None:
    """What both sides fail alike is blamed alike, whichever side is asked about."""
    assert blamed(case, LEGACY) is blamed(case, TARGET)
