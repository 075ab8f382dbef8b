"""House rules that no linter knows. Each violation names what to write instead."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE_ROOMS = [("harness", room) for room in ("model", "wire", "history", "checks", "judge", "report")]
GENERATED = ROOT / "harness" / "wire" / "_pb"
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 700

WORLD_MODULES = {
    **dict.fromkeys(
        ("socket", "ssl", "select", "selectors", "http", "urllib", "aiohttp", "websockets"),
        "take bytes as an argument and give events back; the socket belongs to drive/ or lanes/",
    ),
    **dict.fromkeys(
        ("asyncio", "threading", "concurrent", "multiprocessing", "subprocess", "signal"),
        "stay synchronous; concurrency and processes belong to drive/ or lanes/",
    ),
    **dict.fromkeys(("time", "sched"), "take the recording's own instant as an argument"),
    **dict.fromkeys(("random", "secrets"), "take the plan's seed and derive what you need in generate/"),
    **dict.fromkeys(
        ("os", "io", "shutil", "tempfile", "glob", "sqlite3"),
        "take bytes or tables from recording/ and give bytes back",
    ),
}
PURE_MODULES = {"urllib.parse"}
WORLD_CALLS = {
    "open": "take bytes from recording/ and give bytes back",
    "input": "take the value as an argument",
    "print": "return the text; cli.py prints it",
}
WORLD_METHODS = {
    **dict.fromkeys(("now", "utcnow", "today"), "take the recording's wall-clock anchor as an argument"),
    **dict.fromkeys(("uuid1", "uuid4"), "derive the id from what it names"),
    **dict.fromkeys(
        ("read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "iterdir"),
        "take bytes from recording/ and give bytes back",
    ),
}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base"}
# Built from halves, so that this file does not find itself.
LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".ini",
    ".yaml",
    ".yml",
    ".sh",
    ".j2",
    ".html",
    ".css",
    ".proto",
    ".rs",
}


def python_files() -> list[Path]:
    """Every Python file that people write, in name order."""
    folders = (ROOT / name for name in ("harness", "tests", "benchmarks"))
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [path for path in files if not path.is_relative_to(GENERATED)]


def text_files() -> list[Path]:
    """Every text file of the project, outside of environments, caches and runs."""
    left_out = {".git", ".tox", ".venv", "runs", "_pb", "node_modules"}
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in TEXT_SUFFIXES and not left_out.intersection(path.relative_to(ROOT).parts) and path.is_file()
    )


def impurities(source: str) -> Iterator[str]:
    """Each reach for the world in `source`, with its line and what to write instead."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from _banned_modules(node.lineno, [alias.name for alias in node.names])
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from _banned_modules(node.lineno, [node.module])
        elif isinstance(node, ast.Call):
            yield from _banned_call(node)


def _banned_modules(line: int, names: list[str]) -> Iterator[str]:
    for name in names:
        instead = WORLD_MODULES.get(name.partition(".")[0])
        if instead and name not in PURE_MODULES:
            yield f"line {line}: a pure room imports {name}; {instead}"


def _banned_call(call: ast.Call) -> Iterator[str]:
    match call.func:
        case ast.Name(id=name) if name in WORLD_CALLS:
            yield f"line {call.lineno}: a pure room calls {name}(); {WORLD_CALLS[name]}"
        case ast.Attribute(attr=name) if name in WORLD_METHODS:
            yield f"line {call.lineno}: a pure room calls .{name}(); {WORLD_METHODS[name]}"


def long_functions(source: str) -> Iterator[str]:
    """Each function of `source` that is longer than the limit."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"line {node.lineno}: split {node.name}: {lines} lines, at most {FUNCTION_LINES_MAX}"


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_pure_rooms_touch_nothing() -> None:
    """The rooms below the recording reach for no socket, clock, file, process or chance."""
    files = [path for path in python_files() if path.relative_to(ROOT).parts[:2] in PURE_ROOMS]
    found = [f"{_shown(path)} {text}" for path in files for text in impurities(path.read_text(encoding="utf-8"))]

    assert files
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "import socket",
        "import os.path",
        "from datetime import datetime\ndatetime.now()",
        "from asyncio import sleep",
        "def f():\n    import subprocess",
        "with open('x') as f: pass",
        "pathlib.Path('x').write_text('')",
        "import time",
        "import random",
        "import websockets.sync.client",
        "uuid.uuid4()",
    ],
)
def test_a_planted_reach_for_the_world_is_found(planted: str) -> None:
    """Each kind of impurity is found where it is planted, and the words say what to do instead."""
    found = list(impurities(planted))

    assert len(found) == 1
    assert ";" in found[0]


def test_pure_code_is_left_alone() -> None:
    """Names that only look like the world are no impurity."""
    source = "import json\nimport urllib.parse\nfrom . import time\ndatetime.fromisoformat(x)\nself.opened"

    assert list(impurities(source)) == []


def test_functions_are_short() -> None:
    """No function has more than 70 lines."""
    files = python_files()
    found = [f"{_shown(path)} {text}" for path in files for text in long_functions(path.read_text(encoding="utf-8"))]

    assert files
    assert found == []


def test_a_planted_long_function_is_found() -> None:
    """A function of 71 lines is one too long, one of 70 is not."""
    body = "    x = 1\n"

    assert len(list(long_functions("def f():\n" + body * 70))) == 1
    assert list(long_functions("def f():\n" + body * 69)) == []


def test_files_are_short() -> None:
    """No Python file has more than 700 lines."""
    lengths = {_shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}

    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_names_say_what_lives_there() -> None:
    """No module or folder has a name that would fit anything."""
    files = python_files()
    vague = [_shown(p) for p in files if VAGUE_NAMES.intersection((p.stem, *p.relative_to(ROOT).parts[:-1]))]

    assert files
    assert vague == []


def test_nothing_is_left_for_later() -> None:
    """No file says that something is still to be done: it is done, or it is an issue."""
    found = [
        f"{_shown(path)}:{number}: {line.strip()[:80]}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if LEFTOVER.search(line)
    ]

    assert text_files()
    assert found == []


def test_a_lock_names_no_registry() -> None:
    """The locks carry hashes and no address: where packages come from is the reader's own business."""
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    texts = {lock.name: lock.read_text(encoding="utf-8") for lock in locks}

    assert {"lock.txt", "run.txt", "test.txt", "tox.txt"} == set(texts)
    assert [name for name, text in texts.items() if "://" in text or "--hash=sha256:" not in text] == []
