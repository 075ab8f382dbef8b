"""`parity prove`, as it is called."""

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.power.bench import tasks


def test_prove_without_a_run_says_what_to_do_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There has to be a run before a fault can be planted."""
    monkeypatch.chdir(tmp_path)

    assert 2 == main(["prove"])
    assert "make one with `parity run`" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_number_of_recordings_starts_with_one(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A proof on no recording proves nothing."""
    with pytest.raises(SystemExit) as refused:
        main(["prove", "--recordings", number])

    assert 2 == refused.value.code
    assert "--recordings" in capsys.readouterr().err


def test_prove_on_a_small_run_says_what_had_no_place(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two scenarios have a place for most faults; what had none makes it inconclusive, by name, and in `power.json`."""
    page = finished_run.parent / "operators.md"
    code = main(["prove", str(finished_run), "--recordings", "1", "--write-docs", str(page)])
    shown = capsys.readouterr()
    power = json.loads((finished_run / "power.json").read_bytes())

    assert (10, 10) == (code, power["exit_code"])
    assert ["stale answer repeated for ever", "legacy"] in power["nowhere"]
    assert [] == [proof["operator"] for proof in power["proofs"] if proof["problem"]]
    assert f"[{len(tasks())}/{len(tasks())}]" in shown.err
    assert "0 did not come out as declared" in shown.out
    assert "| drop one delivery | one side | block | 1 missing | that side | legacy 1, target 1 |" in page.read_text()
