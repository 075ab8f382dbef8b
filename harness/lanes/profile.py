"""What a lane or an authority is said to be: a TOML file, read strictly."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Self

from harness.model.errors import UsageError
from harness.model.plan import Setting

AUTHORITY_HTTP = "authority-http"
TOPIC_WS = "topic-ws"
SPACETIME_V1_JSON = "spacetime-v1-json"
EMBEDDED = "embedded"

_CHOICES: dict[str, tuple[str, ...]] = {
    "role": ("authority", "legacy", "target"),
    "dialect": (AUTHORITY_HTTP, TOPIC_WS, SPACETIME_V1_JSON),
    "adapter": (EMBEDDED,),
}
_COUNTS = ("retention_events", "replay_budget_events", "max_payload_bytes")
_WANTED = {
    "arguments": "a list of texts",
    "relay_arguments": "a list of texts",
    "close_codes": "a table of close codes",
    "knobs": "a table of options, each beginning with --",
}
_LISTS = ("arguments", "relay_arguments")
_NEEDED = {
    AUTHORITY_HTTP: (),
    TOPIC_WS: ("retention_events",),
    SPACETIME_V1_JSON: ("retention_events", "database", "database_program"),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """One lane or authority: what it speaks, how it is started, and the limits that it declares.

    A side is not a dialect: any lane profile may sit on either side. `None` means "not limited here, or left to
    the dialect". `close_codes` are the codes that this lane closes with, by reason.
    """

    name: str
    role: str
    """Where it naturally sits: `authority`, `legacy` or `target`."""
    declared: str
    """What it *is*, for people; shown, never branched on."""
    dialect: str
    """`authority-http`, `topic-ws` or `spacetime-v1-json`."""
    adapter: str
    """How it is brought up; `embedded` = a process of this machine."""
    module: str
    """The Python module that the embedded adapter runs with `-m`."""
    retention_events: int | None = None
    replay_budget_events: int | None = None
    max_payload_bytes: int | None = None
    close_codes: Mapping[str, int] = field(default_factory=dict)
    database: str = ""
    database_program: str = ""
    """Path of the program to publish, inside the package `harness`."""
    arguments: tuple[str, ...] = ()
    """Given to the process as they are."""
    relay_arguments: tuple[str, ...] = ()
    """Given to the relay that feeds this lane."""
    knobs: Mapping[str, str] = field(default_factory=dict)
    """What a plan may set, by name with its unit, and the option that sets it; limits named above are knobs too."""

    def with_settings(self, settings: Iterable[Setting]) -> Self:
        """This profile with the knobs of `settings` turned, whatever seat they name.

        Raises UsageError for a knob that it does not have, naming those that it has, and for a limit below 1.
        """
        changed = self
        for setting in settings:
            changed = changed._turned(setting.knob, setting.value)
        return changed

    def with_defect(self, defect: str) -> Self:
        """This profile with a defect of its service (`name`) or of its relay (`relay.name`) switched on."""
        place, dot, name = defect.partition(".")
        told = "relay_arguments" if dot and place == "relay" else "arguments"
        if not (name if dot else place) or (dot and place != "relay"):
            raise UsageError(f"{self.name}+{defect}: a defect is a name, or relay.<name>; write profile+defect")
        changes: dict[str, Any] = {told: (*getattr(self, told), "--defect", name or place)}
        return replace(
            self, name=f"{self.name}+{defect}", declared=f"{self.declared}, defect {defect} switched on", **changes
        )

    def _turned(self, knob: str, value: int) -> Self:
        if knob not in self.knobs:
            known = ", ".join(self.knobs) or "none"
            raise UsageError(f"profile {self.name} has no knob {knob!r}, its knobs are {known}; choose another profile")
        if knob not in _COUNTS:
            return replace(self, arguments=(*self.arguments, f"{self.knobs[knob]}={value}"))
        if value < 1:
            raise UsageError(f"{knob} is set to {value}, it must be a whole number from 1; correct the plan's settings")
        changes: dict[str, Any] = {knob: value}
        return replace(self, **changes)


def known_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the harness, sorted."""
    names = (entry.name for entry in _shipped().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_profile(name_or_path: str) -> Profile:
    """The profile of that name, or the one in that TOML file (anything with a `/` or ending in `.toml`).

    `<profile>+<defect>` switches a defect of its service on, `<profile>+relay.<defect>` one of the relay that feeds it;
    the profile says so wherever it is shown. Raises UsageError naming the known profiles, or the file and the key that
    is wrong.
    """
    place, *defects = name_or_path.split("+")
    profile = _loaded(place)
    for defect in defects:
        profile = profile.with_defect(defect)
    return profile


def _loaded(name_or_path: str) -> Profile:
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return _profile(name_or_path, _text(Path(name_or_path)))
    if name_or_path not in known_profiles():
        known = ", ".join(known_profiles())
        raise UsageError(f"profile {name_or_path!r} is not known; name one of {known}, or give the path of a TOML file")
    file_name = f"{name_or_path}.toml"
    return _profile(file_name, (_shipped() / file_name).read_text("utf-8"))


def _shipped() -> Any:
    return resources.files("harness") / "lanes" / "profiles"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"profile file {path} cannot be read ({error}); give the path of a TOML file") from error


def _profile(file: str, text: str) -> Profile:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"profile file {file} is not TOML ({error}); correct it there") from error
    _refuse_wrong_keys(file, raw)
    for key, value in raw.items():
        _refuse_wrong_value(file, key, value)
    for key in _NEEDED[raw["dialect"]]:
        if not raw.get(key):
            raise UsageError(f"{file}: {key} is missing, and a lane of dialect {raw['dialect']} needs it; add it")
    lists = {key: tuple(raw.get(key, ())) for key in _LISTS}
    return Profile(**{**raw, **lists})


def _refuse_wrong_keys(file: str, raw: Mapping[str, Any]) -> None:
    known = {entry.name: entry for entry in fields(Profile)}
    for key in raw:
        if key not in known:
            raise UsageError(f"{file}: unknown key {key!r}; the keys are {', '.join(known)}")
    for key, entry in known.items():
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and key not in raw:
            raise UsageError(f"{file}: key {key!r} is missing; add it")


def _refuse_wrong_value(file: str, key: str, value: object) -> None:
    if key in _CHOICES and value not in _CHOICES[key]:
        raise UsageError(f"{file}: {key} is {value!r}, it must be one of {', '.join(_CHOICES[key])}")
    if not _fits(key, value):
        raise UsageError(f"{file}: {key} is {value!r}, it must be {_wanted(key)}")


def _wanted(key: str) -> str:
    if key in _COUNTS:
        return "a whole number from 1"
    return _WANTED.get(key, "a text")


def _fits(key: str, value: object) -> bool:
    if key in _COUNTS:
        return _is_count(value)
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if key == "close_codes":
        return isinstance(value, dict) and all(_is_count(code) for code in value.values())
    if key == "knobs":
        return isinstance(value, dict) and all(isinstance(o, str) and o.startswith("--") for o in value.values())
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
