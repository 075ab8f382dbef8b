"""verdict.json and its schema."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from harness.model.errors import ExitCode, FormatError
from harness.model.finding import Finding
from harness.model.run_record import RunRecord
from harness.report.verdict_json import run_record_from_json, verdict_json
from tests.report.any_record import RUN_RECORDS
from tests.report.records import diverged_record, empty_record, parity_record, with_every_text

SCHEMA_FILE = Path(__file__).parent.parent.parent / "reports" / "schema" / "verdict.schema.json"
SCHEMA: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _record_types(wanted: Any, found: dict[str, type]) -> Iterator[type]:
    """Every dataclass that `wanted` is made of."""
    if is_dataclass(wanted) and isinstance(wanted, type) and wanted.__name__ not in found:
        found[wanted.__name__] = wanted
        yield wanted
        for hint in get_type_hints(wanted).values():
            yield from _record_types(hint, found)
    for argument in get_args(wanted):
        yield from _record_types(argument, found)


RECORD_TYPES = list(_record_types(RunRecord, {}))


@pytest.mark.parametrize("record", [parity_record(), diverged_record(), empty_record()])
def test_a_record_fits_the_schema(record: RunRecord) -> None:
    """What we write is what we publish."""
    VALIDATOR.validate(json.loads(verdict_json(record)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(RUN_RECORDS)
def test_any_record_fits_the_schema_and_comes_back(record: RunRecord) -> None:
    """Any record of the types, lone surrogates included, validates and survives the round trip."""
    text = verdict_json(record)

    VALIDATOR.validate(json.loads(text))
    assert run_record_from_json(text) == record


@pytest.mark.parametrize("wanted", RECORD_TYPES, ids=lambda wanted: wanted.__name__)
def test_the_schema_has_exactly_the_fields_of_the_types(wanted: type) -> None:
    """A field that is added to a type must be added to the schema, and explained there."""
    node = SCHEMA if wanted is RunRecord else SCHEMA["$defs"][wanted.__name__]
    names = {field.name for field in fields(wanted)}

    assert set(node["properties"]) == names
    assert set(node["required"]) == names
    assert node["additionalProperties"] is False
    assert node["description"]


def test_the_schema_knows_every_exit_code() -> None:
    """The codes of the schema are those of the model."""
    assert SCHEMA["properties"]["exit_code"]["enum"] == [int(code) for code in ExitCode]


def test_the_schema_is_one() -> None:
    """It is valid under its own draft and defines no type that nothing uses."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)

    assert [name for name in SCHEMA["$defs"] if f'"#/$defs/{name}"' not in text] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "perhaps"),
        (("scenarios", 0, "sides", 0, "deliveries"), -1),
        (("scenarios", 0, "seed"), "1187"),
        (("surprise",), 1),
        (("format",), "lane-parity/verdict/2"),
        (("exhibits", 0, "finding", "blame"), "nobody in particular"),
    ],
)
def test_what_is_no_record_fits_neither_schema_nor_reader(path: tuple[str | int, ...], value: object) -> None:
    """The schema refuses it, and where the types refuse it too the reader says so."""
    raw = json.loads(verdict_json(diverged_record()))
    node = raw
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value

    assert not VALIDATOR.is_valid(raw)
    if value != -1:
        with pytest.raises(FormatError, match="analyze the run again"):
            run_record_from_json(json.dumps(raw).encode())


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"[]", b"{", b'{"format": "lane-parity/verdict/1"}', b"\xff\xfe", b"[" * 200_000, b"NaN"],
)
def test_what_is_no_json_record_is_a_format_error(text: bytes) -> None:
    """Empty, cut, foreign, undecodable or bottomless text: one typed error."""
    with pytest.raises(FormatError):
        run_record_from_json(text)


def test_the_same_record_gives_the_same_bytes() -> None:
    """Keys are sorted, the text is ASCII and ends with one newline."""
    text = verdict_json(with_every_text(diverged_record(), "é\ud800"))

    assert text == verdict_json(with_every_text(diverged_record(), "é\ud800"))
    assert text.isascii()
    assert text.endswith(b"}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_a_finding_keeps_its_fingerprint() -> None:
    """What names a class is equal before and after the file."""
    record = diverged_record()
    back = run_record_from_json(verdict_json(record))

    found: Finding = back.exhibits[0].finding
    assert found.fingerprint == record.exhibits[0].finding.fingerprint
