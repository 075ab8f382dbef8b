"""A scenario file as data that remembers its lines, checked against the published JSON Schema."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from harness.model.errors import UsageError

JsonPath = tuple[str | int, ...]

_PACKAGED = Path(__file__).resolve().parent.parent / "_scenarios"
_IN_TREE = Path(__file__).resolve().parent.parent.parent / "scenarios"
SCENARIO_DIRECTORY = _PACKAGED if _PACKAGED.is_dir() else _IN_TREE
"""Where the shipped catalogue lies: inside an installed package, else beside it in the source tree."""


@dataclass(frozen=True, slots=True)
class ScenarioSource:
    """One parsed scenario file. `lines` maps a path inside `document` to its line, counted from 1."""

    file: Path
    document: dict[str, Any]
    lines: dict[JsonPath, int]

    def error(self, path: Sequence[str | int], message: str) -> UsageError:
        """A UsageError that names file, line and path of the offending place."""
        place = tuple(path)
        while place not in self.lines and place:
            place = place[:-1]
        spelled = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        return UsageError(f"{self.file}:{self.lines.get(place, 1)}: {spelled}: {message}")


def read_source(file: Path) -> ScenarioSource:
    """The scenario in `file`. Raises UsageError (file, line, path) for unreadable YAML or a schema violation."""
    try:
        text = file.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as UTF-8 text ({error}); name a scenario file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{file}:{line}: not YAML: {getattr(error, 'problem', None) or error}") from error
    lines: dict[JsonPath, int] = {}
    source = ScenarioSource(file, {}, lines)
    document = _value(node, (), source) if node is not None else None
    if not isinstance(document, dict):
        raise source.error((), "a scenario is a mapping with 'scenario', 'title', 'clauses' and 'steps'")
    source = ScenarioSource(file, document, lines)
    _validate(source)
    return source


def _value(node: yaml.Node, path: JsonPath, source: ScenarioSource) -> Any:
    """Plain data of a node, noting the line of every path; a key given twice is refused."""
    source.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                source.lines[(*path, key)] = key_node.start_mark.line + 1
                raise source.error((*path, key), "this key is given twice; keep one")
            mapping[key] = _value(value_node, (*path, key), source)
            source.lines[(*path, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, index), source) for index, child in enumerate(node.value)]
    return _scalar(node, path, source)


def _scalar(node: yaml.Node, path: JsonPath, source: ScenarioSource) -> Any:
    try:
        value = yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise source.error(path, f"unreadable value ({error})") from error
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise source.error(path, f"{node.value!r} is read by YAML as a {type(value).__name__}; put it in quotes")


@cache
def scenario_schema() -> dict[str, Any]:
    """The published JSON Schema of scenario files."""
    schema: dict[str, Any] = json.loads((SCENARIO_DIRECTORY / "schema" / "scenario.schema.json").read_bytes())
    return schema


def _validate(source: ScenarioSource) -> None:
    validator = jsonschema.Draft202012Validator(scenario_schema())
    problems = sorted(validator.iter_errors(source.document), key=lambda problem: list(map(str, problem.absolute_path)))
    for problem in problems:
        raise source.error(tuple(problem.absolute_path), _explained(problem))


def _explained(problem: jsonschema.ValidationError) -> str:
    if problem.validator in ("maxProperties", "minProperties") and isinstance(problem.instance, dict):
        return f"a step is one verb with its arguments, seen {len(problem.instance)} keys"
    message = str(problem.message)
    return message if len(message) <= 300 else message[:297] + "…"
