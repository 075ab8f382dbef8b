"""What a plan needs of its lanes, derived from its steps and settings, against what the chosen profiles can do."""

from collections.abc import Iterator, Mapping

from harness.lanes.profile import EMBEDDED, Profile
from harness.model.plan import FaultStep, Plan

# By adapter: what can be done to a service that it brings up, and between it and its subscribers.
_ABILITIES = {EMBEDDED: frozenset({"kill", "stop", "pause", "hold", "wire"})}


def unmet_needs(plan: Plan, profiles: Mapping[str, Profile]) -> tuple[str, ...]:
    """Each need of `plan` that `profiles` (by seat: authority, legacy, target) do not meet, as a sentence, once."""
    return tuple(dict.fromkeys([*_missing_abilities(plan, profiles), *_missing_knobs(plan, profiles)]))


def _missing_abilities(plan: Plan, profiles: Mapping[str, Profile]) -> Iterator[str]:
    for step in plan.steps:
        if isinstance(step, FaultStep):
            ability = "wire" if step.fault.on_wire else step.fault.kind
            what, _, seat = step.fault.subject.partition("/")
            profile = profiles["authority" if what == "authority" else seat]
            if ability not in _ABILITIES[profile.adapter]:
                yield f"{step.fault.subject} has to allow {ability}, which profile {profile.name} does not"


def _missing_knobs(plan: Plan, profiles: Mapping[str, Profile]) -> Iterator[str]:
    for setting in plan.settings:
        profile = profiles[setting.seat]
        if setting.knob not in profile.knobs:
            known = ", ".join(profile.knobs) or "none"
            yield f"{setting.seat}.{setting.knob} has to be set, and the knobs of profile {profile.name} are {known}"
