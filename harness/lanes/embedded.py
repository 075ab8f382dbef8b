"""The embedded adapter: command lines of the reference services, and what code they run."""

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from harness.lanes.process import CommandLine
from harness.lanes.profile import SPACETIME_V1_JSON, TOPIC_WS, Profile
from harness.lanes.secrets import RunSecrets

RELAY_MODULE = "harness.reference.relay"
RELAY_DECLARED = "reference relay from the authority's outbox into one lane"
_RELAY_LANES = {TOPIC_WS: "legacy", SPACETIME_V1_JSON: "spacetime"}


def authority_command(profile: Profile, secrets: RunSecrets, data_dir: Path) -> CommandLine:
    """Starts the authority of `profile` with its data in `data_dir`."""
    options = ["--data-dir", str(data_dir), "--token-secret-file", str(secrets.token_secret_file)]
    options += _option("--max-payload-bytes", profile.max_payload_bytes)
    return lambda port: [*_module(profile.module), *options, "--port", str(port), *profile.arguments]


def lane_command(profile: Profile, secrets: RunSecrets, data_dir: Path) -> CommandLine:
    """Starts the lane of `profile`; the legacy gateway keeps nothing on disk."""
    if profile.dialect == TOPIC_WS:
        options = ["--token-secret-file", str(secrets.token_secret_file)]
        options += _option("--retention-events", profile.retention_events)
        options += _option("--replay-budget-events", profile.replay_budget_events)
        return lambda port: [*_module(profile.module), *options, "--port", str(port), *profile.arguments]
    options = ["--data-dir", str(data_dir)]
    options += ["--jwt-pub-key-path", str(secrets.public_key_file)]
    options += ["--jwt-priv-key-path", str(secrets.signing_key_file)]
    return lambda port: [
        *_module(profile.module, "start"), *options, "--listen-addr", f"127.0.0.1:{port}", *profile.arguments
    ]  # fmt: skip


def relay_command(profile: Profile, secrets: RunSecrets, authority_url: str, lane_url: str) -> CommandLine:
    """Starts the relay that feeds the lane of `profile` from the authority."""
    options = ["--authority-url", authority_url, "--token-secret-file", str(secrets.token_secret_file)]
    options += ["--lane", _RELAY_LANES[profile.dialect], "--lane-url", lane_url]
    if profile.dialect == SPACETIME_V1_JSON:
        options += ["--database", profile.database, "--signing-key-file", str(secrets.signing_key_file)]
    options += ["--control-token-file", str(secrets.control_token_file)]
    options += _option("--retention-events", profile.retention_events)
    return lambda port: [*_module(RELAY_MODULE), *options, "--port", str(port), *profile.relay_arguments]


def child_environment() -> dict[str, str]:
    """This process's environment, with the very package that runs here found first."""
    package_parent = str(Path(str(resources.files("harness"))).parent)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package_parent, known)))}


def program(profile: Profile) -> bytes:
    """The database program that `profile` names. Raises OSError when the package lacks it."""
    return Path(str(resources.files("harness"))).joinpath(profile.database_program).read_bytes()


def source_digest(module: str) -> str:
    """`sha256:` + hex over the Python sources that `module` runs: its own, and the modules beside its package."""
    digest = hashlib.sha256()
    root = Path(str(resources.files("harness"))).parent
    for path in sorted(_sources(root.joinpath(*module.split(".")))):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def _sources(place: Path) -> Iterator[Path]:
    yield from place.parent.glob("*.py")
    yield from place.rglob("*.py")


def _module(module: str, *first: str) -> Sequence[str]:
    return (sys.executable, "-m", module, *first, "--die-with-parent")


def _option(name: str, value: int | None) -> list[str]:
    return [] if value is None else [name, str(value)]
