"""Compiles the sync contracts into `harness/wire/_pb/`.

    python proto/generate.py            writes
    python proto/generate.py --check    writes nothing; names every stale file and exits 1 if there is one

The generated modules import one another from inside the package, so that no other distribution can stand in
for them. Needs the locked grpcio-tools; another version may write another header.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
TARGET = SOURCES.parent / "harness" / "wire" / "_pb"
PACKAGE = "harness.wire._pb"
_IMPORT = re.compile(r"^from (openagents\.\S+) import ", re.MULTILINE)
_PACKAGE_DOC = '"""Generated from proto/ by proto/generate.py. Do not edit."""\n'


def compiled(sources: Path) -> dict[str, str]:
    """Text of every generated file, by its path below the target folder.

    Raises subprocess.CalledProcessError if a source does not compile.
    """
    protos = sorted(path.relative_to(sources).as_posix() for path in sources.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={sources}"]
        subprocess.run([*command, f"--python_out={folder}", f"--pyi_out={folder}", *protos], check=True)
        files = {
            path.relative_to(folder).as_posix(): _IMPORT.sub(rf"from {PACKAGE}.\1 import ", path.read_text("utf-8"))
            for path in sorted(Path(folder).rglob("*.py*"))
        }
    folders = {parent for name in files for parent in Path(name).parents}
    return files | {(parent / "__init__.py").as_posix(): _PACKAGE_DOC for parent in sorted(folders)}


def present(target: Path) -> dict[str, str]:
    """Text of every Python file and stub that lies in the target folder, by its path below it."""
    return {
        path.relative_to(target).as_posix(): path.read_text("utf-8")
        for path in sorted(target.rglob("*.py*"))
        if path.suffix in (".py", ".pyi")
    }


def stale(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    """Paths that are missing, differ, or have no source any more."""
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(wanted: dict[str, str], target: Path) -> None:
    """Makes the target folder hold `wanted` and no other Python file."""
    for name in present(target).keys() - wanted.keys():
        (target / name).unlink()
    for name, text in wanted.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def main() -> int:
    """Writes or checks; the exit code is 1 if the check found something stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file is stale")
    wanted = compiled(SOURCES)
    if not parser.parse_args().check:
        write(wanted, TARGET)
        return 0
    names = stale(wanted, present(TARGET))
    if names:
        print(f"stale in {TARGET}: {', '.join(names)}; run python proto/generate.py", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
