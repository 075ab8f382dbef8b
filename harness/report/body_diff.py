"""Up to three canonical JSON bodies as aligned lines: authority's log, legacy, target.

Linear in the size of the bodies. A line knows its JSON path, so every difference has one. Arrays are aligned
at their common head and right-aligned after it: one inserted element shows as one line.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Final

DEPTH_MAX = 24
LINES_MAX = 200
CONTEXT_LINES = 2
FOLD_LINES_MIN = 3

Trio = tuple[Any, Any, Any]


class _Absent:
    """Stands where a document has nothing at a path."""


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A piece of JSON as it was spelled: the numbers 1 and 1.0 differ, and no digit is lost."""

    text: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of the aligned bodies, or a fold: `equal` lines left out because all sides agree."""

    path: str
    texts: tuple[str | None, ...] = ()
    """Log, legacy, target, without indent; None = absent there, empty = no body to look into."""
    depth: int = 0
    differs: bool = False
    equal: int = 0


@dataclass(frozen=True, slots=True)
class BodyDiff:
    """The lines to draw and how many of the whole were left out; `problem` says why there are none."""

    lines: tuple[DiffLine, ...]
    left_out: int = 0
    problem: str = ""


def body_diff(log: str, legacy: str, target: str) -> BodyDiff:
    """The bodies side by side; an empty text is a body that is not there, and no difference by itself."""
    try:
        values = [_parsed(log), _parsed(legacy), _parsed(target)]
        present = [value for value in values if value is not ABSENT]
        if len(present) < 2:
            return BodyDiff((), problem="fewer than two bodies are there to lay side by side")
        aligned = [present[0] if value is ABSENT else value for value in values]
        lines = tuple(_folded(list(_walk("$", "", _trio(aligned), 0))))
    except RecursionError:
        return BodyDiff((), problem="a body is nested too deep to lay out; its bytes are in the frames below")
    except ValueError:
        return BodyDiff((), problem="a body was shortened or is not JSON, and is shown as text")
    there = tuple(value is not ABSENT for value in values)
    drawn = tuple(_only(line, there) for line in lines[:LINES_MAX])
    return BodyDiff(drawn, max(0, len(lines) - LINES_MAX))


def _only(line: DiffLine, there: tuple[bool, ...]) -> DiffLine:
    """The line with the columns emptied whose body is not there."""
    return replace(line, texts=tuple(text if seen else "" for text, seen in zip(line.texts, there, strict=False)))


def _parsed(text: str) -> Any:
    if not text:
        return ABSENT
    return json.loads(
        text, parse_int=_Spelled, parse_float=_Spelled, parse_constant=_Spelled, object_pairs_hook=_members
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _walk(path: str, label: str, values: Trio, depth: int) -> Iterator[DiffLine]:
    present = [value for value in values if value is not ABSENT]
    for container, brackets in ((dict, "{}"), (list, "[]")):
        if depth < DEPTH_MAX and present and all(isinstance(value, container) and value for value in present):
            yield _line(path, [label + brackets[0] for _ in values], values, depth)
            yield from _children(path, values, depth + 1)
            yield _line(path, [brackets[1] for _ in values], values, depth)
            return
    yield _line(path, ["" if value is ABSENT else label + _compact(value) for value in values], values, depth)


def _line(path: str, spelled: Sequence[str], values: Trio, depth: int) -> DiffLine:
    texts = tuple(None if value is ABSENT else text for text, value in zip(spelled, values, strict=True))
    return DiffLine(path, texts, depth, differs=len(set(texts)) > 1)


def _children(path: str, values: Trio, depth: int) -> Iterator[DiffLine]:
    containers = [value for value in values if value is not ABSENT]
    if isinstance(containers[0], dict):
        for key in sorted({key for container in containers for key in container}):
            parts = [ABSENT if value is ABSENT else value.get(key, ABSENT) for value in values]
            yield from _walk(f"{path}.{key}", f"{_quoted(key)}: ", _trio(parts), depth)
    else:
        for index, elements in enumerate(zip(*_aligned(values), strict=True)):
            yield from _walk(f"{path}[{index}]", "", _trio(elements), depth)


def _aligned(values: Trio) -> list[list[Any]]:
    """The arrays at one length: each keeps the head it shares with the longest, the rest moves to the end."""
    arrays = [[] if value is ABSENT else value for value in values]
    longest = max(arrays, key=len)
    return [_stretched(array, longest) for array in arrays]


def _stretched(array: list[Any], longest: list[Any]) -> list[Any]:
    head = 0
    while head < len(array) and array[head] == longest[head]:
        head += 1
    return array[:head] + [ABSENT] * (len(longest) - len(array)) + array[head:]


def _trio(parts: Sequence[Any]) -> Trio:
    return parts[0], parts[1], parts[2]


def _compact(value: Any) -> str:
    """One line of JSON with numbers as they were spelled, however deep."""
    pieces: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, _Spelled):
            pieces.append(item.text)
        elif isinstance(item, dict | list):
            waiting.extend(reversed(list(_tokens(item))))
        else:
            pieces.append(_quoted(item))
    return "".join(pieces)


def _tokens(container: dict[str, Any] | list[Any]) -> Iterator[Any]:
    """The members of `container` with the punctuation around them."""
    labels = map(_label, container) if isinstance(container, dict) else repeat("")
    members = container.values() if isinstance(container, dict) else container
    opening, closing = "{}" if isinstance(container, dict) else "[]"
    yield _Spelled(opening)
    for index, (label, member) in enumerate(zip(labels, members, strict=False)):
        yield _Spelled(f",{label}" if index else label)
        yield member
    yield _Spelled(closing)


def _label(key: str) -> str:
    return f"{_quoted(key)}:"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _folded(lines: list[DiffLine]) -> Iterator[DiffLine]:
    """The lines with every stretch that is far from a difference replaced by its length."""
    near: set[int] = set()
    for index, line in enumerate(lines):
        if line.differs:
            near.update(range(index - CONTEXT_LINES, index + CONTEXT_LINES + 1))
    run: list[DiffLine] = []
    for index, line in enumerate(lines):
        if index in near:
            yield from _fold(run)
            run = []
            yield line
        else:
            run.append(line)
    yield from _fold(run)


def _fold(run: list[DiffLine]) -> Iterator[DiffLine]:
    if len(run) < FOLD_LINES_MIN:
        yield from run
    else:
        yield DiffLine("", equal=len(run))
