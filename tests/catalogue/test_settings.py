"""Limits that a scenario sets."""

from pathlib import Path

import pytest

from harness.catalogue.settings import settings_of
from harness.model.errors import UsageError
from harness.model.plan import Setting
from tests.catalogue.planning import RUN, source_of


def test_lanes_stands_for_both(tmp_path: Path) -> None:
    """Settings are sorted by seat and knob, those of `lanes` are there for each lane."""
    settings = {"lanes": {"retention_events": 8}, "authority": {"max_payload_bytes": 9}}

    found = settings_of(source_of(tmp_path, RUN, settings=settings))

    assert (
        Setting("authority", "max_payload_bytes", 9),
        Setting("legacy", "retention_events", 8),
        Setting("target", "retention_events", 8),
    ) == found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"legacy": {"Retention": 8}}, r"\$\.settings\.legacy\.Retention: 'Retention' is no knob"),
        ({"legacy": {"retention": 8}}, "is no knob"),
        ({"lanes": {"retention_events": 8}, "target": {"retention_events": 9}}, "of target is set twice"),
        ({"moon": {"retention_events": 8}}, "moon"),
        ({"legacy": {"retention_events": "8"}}, "is not of type 'integer'"),
    ],
)
def test_impossible_setting_is_refused(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    """A name that no knob can have, and a knob that is set twice, are refused with their line."""
    with pytest.raises(UsageError, match=said):
        settings_of(source_of(tmp_path, RUN, settings=settings))
