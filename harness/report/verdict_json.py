"""The run record as `verdict.json` and back (schema: reports/schema/verdict.schema.json)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from harness.model.errors import FormatError
from harness.model.run_record import RunRecord

FORMAT = "lane-parity/verdict/1"


def verdict_json(record: RunRecord) -> bytes:
    """`record` as ASCII JSON, keys sorted, two blanks of indent, one newline at the end.

    The same record gives the same bytes on every machine; lone surrogates survive as escapes.
    """
    return json.dumps(asdict(record), sort_keys=True, indent=2, ensure_ascii=True).encode() + b"\n"


def run_record_from_json(text: bytes) -> RunRecord:
    """The record that `verdict_json` wrote. Raises FormatError for anything else."""
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        record: RunRecord = _built(RunRecord, raw, "$")
    except (ValueError, RecursionError) as error:
        raise FormatError(f"this is not a verdict.json of this version ({error}); analyze the run again") from error
    return record


def _built(wanted: Any, raw: Any, path: str) -> Any:
    """`raw` as the type `wanted`; a ValueError names the JSON path of what does not fit."""
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _record(wanted, raw, path)
    if get_origin(wanted) is tuple:
        if not isinstance(raw, list):
            raise ValueError(f"{path} is not an array")
        item = get_args(wanted)[0]
        return tuple(_built(item, entry, f"{path}[{index}]") for index, entry in enumerate(raw))
    if isinstance(wanted, UnionType):
        present = next(member for member in get_args(wanted) if member is not type(None))
        return None if raw is None else _built(present, raw, path)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(raw)
    if type(raw) is not wanted:
        raise ValueError(f"{path} is {type(raw).__name__}, not {wanted.__name__}")
    return raw


def _record(wanted: type, raw: Any, path: str) -> Any:
    hints = _field_types(wanted)
    if not isinstance(raw, dict) or raw.keys() != hints.keys():
        raise ValueError(f"{path} does not have exactly the members of {wanted.__name__}")
    return wanted(**{name: _built(hint, raw[name], f"{path}.{name}") for name, hint in hints.items()})


@cache
def _field_types(wanted: type) -> Mapping[str, Any]:
    hints = get_type_hints(wanted)
    return {field.name: hints[field.name] for field in fields(wanted)}
