"""What pip installs holds everything that an installed `parity` needs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built offline with the locked build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=120)
    [built] = folder.glob("lane_parity-*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    """Modules, generated code, templates and the typing marker are all there."""
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "harness").rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
    }

    assert {"harness/__init__.py", "harness/py.typed"} <= package
    assert package - set(wheel.namelist()) == set()


@pytest.mark.parametrize(
    ("folder", "installed"), [("scenarios", "harness/_scenarios"), ("reports/schema", "harness/_schema")]
)
def test_the_wheel_holds_the_data_from_beside_the_package(wheel: zipfile.ZipFile, folder: str, installed: str) -> None:
    """Scenarios and schemas stand at the top of the tree and inside the installed package."""
    beside = {
        f"{installed}/{path.relative_to(ROOT / folder)}"
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert beside
    assert beside - set(wheel.namelist()) == set()


def test_the_wheel_declares_command_and_plugin(wheel: zipfile.ZipFile) -> None:
    """`parity` is a console script, and pytest finds the plugin by itself."""
    [name] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(name).decode()

    assert "parity = harness.cli:main" in text
    assert "[pytest11]\nparity = harness.pytest_plugin" in text
