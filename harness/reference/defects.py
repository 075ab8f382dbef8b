"""Defects that a service can be told to have, each off unless named: how they are asked for and how they are listed."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

STRUCK_EVERY = 5
"""A defect of events strikes those whose number this divides: the same ones for every reader."""
ALTERED_PAYLOAD: Mapping[str, object] = {"altered": True}
"""What an event says instead, where a defect gives it another body."""


def is_struck(seq: int) -> bool:
    """Whether a defect of events strikes the event of that number."""
    return seq % STRUCK_EVERY == 0


def add_defect_arguments(parser: argparse.ArgumentParser, defects: Mapping[str, str]) -> None:
    """Adds --defect, and --list-defects, which prints `defects` (name to effect) as one JSON object and exits."""
    parser.add_argument(
        "--defect",
        action="append",
        default=[],
        choices=sorted(defects),
        metavar="NAME",
        help="switch a defect on, by a name from the list below; repeatable",
    )
    add_defect_list(parser, defects)


def add_defect_list(parser: argparse.ArgumentParser, defects: Mapping[str, str]) -> None:
    """Adds --list-defects alone."""
    parser.add_argument("--list-defects", action=_ListDefects, const=defects, help="print the defects as JSON and exit")


def defect_lines(defects: Mapping[str, str]) -> str:
    """The end of a help text: one line a defect."""
    lines = (f"  {name}: {effect}\n" for name, effect in defects.items())
    return "\ndefects (off unless named):\n" + "".join(lines)


class _ListDefects(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, *, const: Mapping[str, str], **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, const=dict(const), default=argparse.SUPPRESS, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(json.dumps(self.const))
        parser.exit()
