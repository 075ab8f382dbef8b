"""Profiles: what ships, and what is refused."""

from pathlib import Path

import pytest

from harness.lanes.profile import Profile, known_profiles, load_profile
from harness.model.errors import UsageError

MINIMAL = """
name = "mine"
role = "legacy"
declared = "a lane of mine"
dialect = "topic-ws"
adapter = "embedded"
module = "mine.gateway"
retention_events = 64
"""


def loaded(directory: Path, text: str) -> Profile:
    path = directory / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_profile(str(path))


def refusal(directory: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(directory, text)
    return str(caught.value)


def test_every_shipped_profile_loads_under_its_own_name() -> None:
    """A shipped profile is found by the name that it carries."""
    names = known_profiles()

    assert ("authority-reference", "legacy-reference", "target-standin") == names
    assert names == tuple(load_profile(name).name for name in names)


def test_both_shipped_lanes_declare_the_same_window() -> None:
    """Unequal windows would make every long run differ, so the defaults are equal (reference lanes, retention)."""
    windows = {load_profile(name).retention_events for name in ("legacy-reference", "target-standin")}

    assert {1024} == windows


def test_a_profile_may_come_from_a_file(tmp_path: Path) -> None:
    """What is left out keeps its default; lists become tuples."""
    profile = loaded(tmp_path, MINIMAL + 'arguments = ["--poll-interval-ms", "5"]\n[close_codes]\nshutdown = 1006\n')

    assert 64 == profile.retention_events
    assert ("--poll-interval-ms", "5") == profile.arguments
    assert {"shutdown": 1006} == dict(profile.close_codes)
    assert profile.replay_budget_events is None


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """Who mistypes a name learns what there is."""
    with pytest.raises(UsageError) as caught:
        load_profile("legacy-refrence")

    assert all(name in str(caught.value) for name in known_profiles())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINIMAL + "retention = 3\n", "unknown key 'retention'"),
        (MINIMAL.replace('declared = "a lane of mine"\n', ""), "key 'declared' is missing"),
        (MINIMAL.replace('"topic-ws"', '"carrier-pigeon"'), "dialect is 'carrier-pigeon'"),
        (MINIMAL.replace("= 64", "= 0"), "retention_events is 0"),
        (MINIMAL.replace("= 64", "= true"), "retention_events is True"),
        (MINIMAL.replace("retention_events = 64\n", ""), "retention_events is missing"),
        (MINIMAL + 'arguments = "--fast"\n', "arguments is '--fast'"),
        (MINIMAL + '[close_codes]\nshutdown = "1001"\n', "close_codes is"),
        (MINIMAL.replace('"topic-ws"', '"spacetime-v1-json"'), "database is missing"),
        (MINIMAL + "name = ", "is not TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    """A refusal names the file, the key, what was there and what is needed."""
    message = refusal(tmp_path, text)

    assert said in message
    assert "mine.toml" in message


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """A path that cannot be read is the caller's mistake."""
    with pytest.raises(UsageError, match="cannot be read"):
        load_profile(str(tmp_path / "nowhere.toml"))
