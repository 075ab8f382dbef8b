"""The rooms import downwards only (ARCHITECTURE.md), and the contracts that say so are awake."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `lint-imports` says about the package in `folder`."""
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(command), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def _copy_of_the_package(folder: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "harness"


def test_imports_keep_the_contracts() -> None:
    """Every contract of pyproject.toml holds for the tree as it is."""
    answer = _lint_imports(ROOT)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("model", "report"),
        ("recording", "wire"),
        ("wire", "recording"),
        ("history", "checks"),
        ("checks", "judge"),
        ("report", "lanes"),
        ("judge", "drive"),
        ("drive", "history"),
        ("lanes", "checks"),
        ("faults", "report"),
        ("reference", "model"),
        ("recording", "reference"),
        ("cellar", "model"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, importer: str, imported: str) -> None:
    """An import against the order, past the walls or from a room without a place breaks a contract."""
    package = _copy_of_the_package(tmp_path)
    for room in (importer, imported):
        (package / room).mkdir(exist_ok=True)
        (package / room / "__init__.py").touch()
    (package / imported / "plain.py").write_text("", encoding="utf-8")
    (package / importer / "planted.py").write_text(f"import harness.{imported}.plain\n", encoding="utf-8")

    answer = _lint_imports(tmp_path)

    assert answer.returncode == 1
    assert f"harness.{importer}" in answer.stdout
