"""Faults that the stand-in can be told to have, for tests of the harness. None is on by default."""

from enum import Enum

NTH_LIVE = 5


class Defect(Enum):
    """A fault by its name on the command line."""

    DROP_NTH_LIVE = "drop_nth_live"
    REPEAT_NTH_LIVE = "repeat_nth_live"


MEANINGS = {
    Defect.DROP_NTH_LIVE: "never send the fifth transaction message of each connection",
    Defect.REPEAT_NTH_LIVE: "send the fifth transaction message of each connection twice",
}
