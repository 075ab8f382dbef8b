"""Scenario files: YAML with lines, held to the published schema."""

from pathlib import Path

import pytest

from harness.catalogue.source import SCENARIO_DIRECTORY, read_source
from harness.model.errors import UsageError

HEAD = "scenario: x\ntitle: a title long enough\nclauses: [N1]\ntopologies: [mirrored]\nsteps:\n"


def scenario_file(directory: Path, text: str) -> Path:
    file = directory / "x.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("steps", "line", "path"),
    [
        ("  - create_run: {run: r1}\n  - fly: {}\n", 7, "$.steps[1]"),
        (
            "  - create_run: {run: r1}\n  - append:\n      run: r1\n      event_type: 3\n",
            9,
            "$.steps[1].append.event_type",
        ),
        ("  - create_run: {run: r1}\n    barrier: {}\n", 6, "$.steps[0]"),
        ("  - subscribe: {subscriber: a, stream: 'nonsense'}\n", 6, "$.steps[0].subscribe.stream"),
    ],
)
def test_schema_error_names_its_place(tmp_path: Path, steps: str, line: int, path: str) -> None:
    """A scenario that breaks the schema is refused with file, line and path of the offending place."""
    file = scenario_file(tmp_path, HEAD + steps)

    with pytest.raises(UsageError) as refusal:
        read_source(file)

    assert str(refusal.value).startswith(f"{file}:{line}: {path}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1\n", "not YAML"),
        ("- 1\n", "a scenario is a mapping"),
        ("", "a scenario is a mapping"),
        (HEAD + "  - create_run: {run: r1, run: r2}\n", "given twice"),
        (HEAD + "  - append: {run: r1, event_type: 2020-01-01}\n", "put it in quotes"),
    ],
)
def test_unreadable_file_says_what_it_is(tmp_path: Path, text: str, said: str) -> None:
    """A file that is no scenario is a usage error that names the file and what was found."""
    file = scenario_file(tmp_path, text)

    with pytest.raises(UsageError, match=said):
        read_source(file)


def test_every_shipped_scenario_is_named_like_its_file() -> None:
    """The catalogue is valid, and a scenario's name is its file's."""
    named = {file.stem: read_source(file).document["scenario"] for file in SCENARIO_DIRECTORY.glob("*.yaml")}

    assert len(named) >= 4
    assert {stem: stem for stem in named} == named
