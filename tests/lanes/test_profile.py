"""Profiles: what ships, and what is refused."""

from pathlib import Path

import pytest

from harness.lanes.profile import Profile, known_profiles, load_profile
from harness.model.errors import UsageError
from harness.model.plan import Setting

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
        (MINIMAL + '[knobs]\nretention_events = "retention"\n', "knobs is"),
        (MINIMAL + "[knobs]\nretention_events = 7\n", "knobs is"),
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


def test_settings_turn_limits_and_options(tmp_path: Path) -> None:
    """A limit of the profile is replaced; another knob becomes an option behind those that the profile has."""
    text = MINIMAL + 'arguments = ["--calm"]\n[knobs]\nretention_events = "--window"\nclock_offset_ms = "--offset"\n'
    settings = (Setting("legacy", "retention_events", 8), Setting("legacy", "clock_offset_ms", -5))
    turned = loaded(tmp_path, text).with_settings(settings)

    assert (8, ("--calm", "--offset=-5")) == (turned.retention_events, turned.arguments)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            Setting("legacy", "replay_budget_events", 5),
            "no knob 'replay_budget_events', its knobs are retention_events",
        ),
        (Setting("legacy", "retention_events", 0), "retention_events is set to 0, it must be a whole number from 1"),
    ],
)
def test_what_cannot_be_set_is_refused(tmp_path: Path, setting: Setting, said: str) -> None:
    """A knob that a profile does not list cannot be turned, even where the profile states that limit."""
    profile = loaded(tmp_path, MINIMAL + '[knobs]\nretention_events = "--window"\n')
    with pytest.raises(UsageError) as caught:
        profile.with_settings([setting])

    assert said in str(caught.value)


def test_shipped_profiles_have_the_knobs_of_the_catalogue() -> None:
    """Windows on both lanes, budgets and slow consumers on the legacy one, limits on the authority."""
    knobs = {name: set(load_profile(name).knobs) for name in known_profiles()}

    assert {"max_payload_bytes", "publish_rate_per_second", "clock_offset_ms"} == knobs["authority-reference"]
    assert {"retention_events", "replay_budget_events", "slow_consumer_max_strikes"} <= knobs["legacy-reference"]
    assert {"retention_events"} == knobs["target-standin"]


def test_plus_switches_a_defect_on_and_the_profile_says_so() -> None:
    """`profile+defect` starts the service with that defect, and nobody can take the lane for a sound one."""
    profile = load_profile("legacy-reference+drop_nth_live+relay.drops_nth")

    assert ("--defect", "drop_nth_live") == profile.arguments[-2:]
    assert ("--defect", "drops_nth") == profile.relay_arguments
    assert profile.name == "legacy-reference+drop_nth_live+relay.drops_nth"
    assert profile.declared.endswith("defect drop_nth_live switched on, defect relay.drops_nth switched on")


@pytest.mark.parametrize("spelled", ["legacy-reference+", "legacy-reference+relay.", "legacy-reference+lane.x"])
def test_defect_without_a_name_is_refused(spelled: str) -> None:
    """What is no defect is said, not passed on to the service."""
    with pytest.raises(UsageError, match=r"a defect is a name, or relay\.<name>"):
        load_profile(spelled)
