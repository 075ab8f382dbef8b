"""The sync contracts as sources: linted, held against their baseline, compiled and not stale."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROTO = Path(__file__).parents[2] / "proto"
BASELINE = PROTO / "baseline.json"


def buf(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """buf, of this environment or of the path, with a cache of its own and no network to need."""
    beside = Path(sys.executable).with_name("buf")
    command = str(beside) if beside.exists() else shutil.which("buf")
    assert command, "buf is not installed; it comes with the locked test requirements (buf-bin)"
    environment = os.environ | {"BUF_CACHE_DIR": str(cache)}
    return subprocess.run([command, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources, to be spoiled."""
    return Path(shutil.copytree(PROTO, tmp_path / "proto", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The generator, imported from where it lies."""
    spec = importlib.util.spec_from_file_location("proto_generate", PROTO / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def respell(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_sources_are_clean(tmp_path: Path) -> None:
    """Every standard rule holds without an exception, and everything is commented."""
    linted = buf(tmp_path, "lint", str(PROTO))

    assert ("", 0) == (linted.stdout + linted.stderr, linted.returncode)


def test_a_planted_field_without_a_comment_is_found(copy: Path, tmp_path: Path) -> None:
    """The linter really reads these sources."""
    respell(copy / "openagents/sync/v2/streams.proto", "  // The stream the position is in.\n", "")

    linted = buf(tmp_path, "lint", str(copy))

    assert "streams.proto" in linted.stdout
    assert linted.returncode != 0


def test_the_contract_has_not_broken(tmp_path: Path) -> None:
    """Nothing that was published is gone, renumbered or retyped."""
    held = buf(tmp_path, "breaking", str(PROTO), "--against", str(BASELINE))

    assert ("", 0) == (held.stdout + held.stderr, held.returncode)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("v2/sync.proto", "bytes payload_hash = 4;", "bytes payload_hash = 9;"),
        ("v2/sync.proto", "uint64 seq = 2;", "string seq = 2;"),
        ("v2/sync.proto", "bool confirmed_read = 6;", "bool confirmed = 6;"),
        ("v1/sync.proto", "string topic = 1;", "SyncTopic topic = 1;"),
        ("v2/errors.proto", "SYNC_ERROR_CODE_INTERNAL = 10;", "SYNC_ERROR_CODE_INTERNAL = 11;"),
        ("v2/checkpoints.proto", "repeated StreamCheckpoint checkpoints", "StreamCheckpoint checkpoints"),
    ],
)
def test_a_planted_break_is_refused(copy: Path, tmp_path: Path, file: str, old: str, new: str) -> None:
    """A number, a type, a name, a label: whatever would make an older peer misread is found in its file."""
    respell(copy / "openagents/sync" / file, old, new)

    held = buf(tmp_path, "breaking", str(copy), "--against", str(BASELINE))

    assert Path(file).name in held.stdout
    assert held.returncode != 0


def test_a_new_field_is_no_break(copy: Path, tmp_path: Path) -> None:
    """The contract may grow."""
    path = copy / "openagents/sync/v2/streams.proto"
    respell(path, "uint64 watermark = 2;", "uint64 watermark = 2;\n  // Names the epoch.\n  string epoch = 3;")

    assert 0 == buf(tmp_path, "lint", str(copy)).returncode
    assert 0 == buf(tmp_path, "breaking", str(copy), "--against", str(BASELINE)).returncode


def test_the_baseline_is_the_contract_as_it_stands(tmp_path: Path) -> None:
    """A field that was added is held from then on: the baseline is rebuilt with it (the command is in buf.yaml)."""
    built = buf(tmp_path, "build", str(PROTO), "--exclude-source-info", "-o", str(tmp_path / "now.json"))

    assert 0 == built.returncode
    assert BASELINE.read_bytes() == (tmp_path / "now.json").read_bytes()


def test_the_compiled_modules_are_not_stale(generate: ModuleType) -> None:
    """What is imported was compiled from these sources, by the locked compiler."""
    wanted = generate.compiled(PROTO)

    assert "openagents/sync/v2/sync_pb2.py" in wanted
    assert [] == generate.stale(wanted, generate.present(generate.TARGET))


def test_a_changed_source_makes_its_modules_stale(generate: ModuleType, copy: Path) -> None:
    """Exactly the modules of the changed file, code and stub."""
    respell(copy / "openagents/sync/v2/streams.proto", "uint64 watermark = 2;", "uint64 watermark = 3;")
    respell(copy / "openagents/sync/v1/topics.proto", "SYNC_TOPIC_UNSPECIFIED", "SYNC_TOPIC_NOT_SAID")

    names = generate.stale(generate.compiled(copy), generate.present(generate.TARGET))

    assert [
        "openagents/sync/v1/topics_pb2.py",
        "openagents/sync/v1/topics_pb2.pyi",
        "openagents/sync/v2/streams_pb2.py",
    ] == names


def test_writing_makes_the_folder_what_was_compiled(generate: ModuleType, tmp_path: Path) -> None:
    """Missing files come, changed ones are put right, those without a source go."""
    wanted = {"a/__init__.py": "", "a/x_pb2.py": "x = 1\n"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x_pb2.py").write_text("x = 2\n")
    (tmp_path / "a/old_pb2.pyi").write_text("y: int\n")
    before = generate.stale(wanted, generate.present(tmp_path))

    generate.write(wanted, tmp_path)

    assert ["a/__init__.py", "a/old_pb2.pyi", "a/x_pb2.py"] == before
    assert [] == generate.stale(wanted, generate.present(tmp_path))


def test_the_check_has_an_exit_code(tmp_path: Path) -> None:
    """`--check` says 0 for the tree as it stands, and 1 with the names where it is stale."""
    current = subprocess.run([sys.executable, str(PROTO / "generate.py"), "--check"], capture_output=True, check=False)
    tree = tmp_path / "tree"
    shutil.copytree(PROTO, tree / "proto", ignore=shutil.ignore_patterns("__pycache__"))

    missing = subprocess.run(
        [sys.executable, str(tree / "proto/generate.py"), "--check"], capture_output=True, text=True, check=False
    )

    assert 0 == current.returncode
    assert 1 == missing.returncode
    assert "openagents/sync/v2/sync_pb2.py" in missing.stderr
