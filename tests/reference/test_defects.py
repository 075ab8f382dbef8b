"""How defects are asked for and listed, by every service alike."""

import json

import pytest

from harness.reference.authority.defects import DEFECTS as AUTHORITY
from harness.reference.legacy_gateway.defects import DEFECTS as LEGACY
from harness.reference.relay.defects import DEFECTS as RELAY
from harness.reference.spacetime.defects import DEFECTS as SPACETIME
from tests.reference.services import run_to_end

SERVICES = [
    ("authority", (), AUTHORITY),
    ("legacy_gateway", (), LEGACY),
    ("relay", (), RELAY),
    ("spacetime", (), SPACETIME),
    ("spacetime", ("start",), SPACETIME),
]
EVERY_SERVICE = pytest.mark.parametrize(("name", "verb", "defects"), SERVICES)


@EVERY_SERVICE
def test_the_list_is_one_json_object(name: str, verb: tuple[str, ...], defects: dict[str, str]) -> None:
    """`--list-defects` prints name to effect on stdout and needs no other argument."""
    listed = run_to_end(name, *verb, "--list-defects")

    assert (0, "") == (listed.returncode, listed.stderr)
    assert dict(defects) == json.loads(listed.stdout)


@EVERY_SERVICE
def test_help_tells_every_effect(name: str, verb: tuple[str, ...], defects: dict[str, str]) -> None:
    """`--help` ends with one line a defect."""
    shown = run_to_end(name, *(verb or (("start",) if name == "spacetime" else ())), "--help")

    assert 0 == shown.returncode
    assert [f"  {known}: {effect}" for known, effect in defects.items()] == shown.stdout.splitlines()[-len(defects) :]


@EVERY_SERVICE
def test_an_unknown_defect_is_refused(name: str, verb: tuple[str, ...], defects: dict[str, str]) -> None:
    """Exit 2, and the names that exist are on stderr."""
    refused = run_to_end(name, *(verb or (("start",) if name == "spacetime" else ())), "--defect", "typo")

    assert 2 == refused.returncode
    assert all(known in refused.stderr for known in defects)
