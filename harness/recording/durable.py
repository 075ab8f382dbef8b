"""Files that are there whole or not at all, also after a power cut."""

import os
from pathlib import Path

from harness.model.errors import FormatError

TEMPORARY = ".tmp"


def write_durably(path: Path, data: bytes) -> None:
    """Writes `data` under a temporary name, syncs it, and gives it its name."""
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    commit(temporary, path)


def commit(temporary: Path, path: Path) -> None:
    """Gives a synced file its final name, replacing what had it, and syncs the directory."""
    temporary.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes renames and removals inside `directory` last."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path) -> bytes:
    """The bytes of `path`. Raises FormatError if it is missing or cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FormatError(f"{path.name} is missing in {path.parent}") from None
    except OSError as error:
        raise FormatError(f"{path.name} in {path.parent} cannot be read ({error.strerror})") from error
