"""Verbs that are commands."""

from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.model.plan import CommandStep, Expectation
from tests.catalogue.planning import RUN, append, planned

REFUSED = {"refused": {"status": 400, "error": "invalid_request"}}


def test_a_payload_of_a_size_has_exactly_that_size(tmp_path: Path) -> None:
    """`payload_bytes` is the size of the compact JSON, edges included."""
    steps = [append(payload_bytes=size) for size in (2, 4096)]

    payloads = [step.command.payload or "" for step in planned(tmp_path, RUN, *steps).steps[1:3]]  # type: ignore[union-attr]

    assert [2, 4096] == [len(payload.encode()) for payload in payloads]


def test_what_was_refused_to_be_made_is_no_stream(tmp_path: Path) -> None:
    """A creation that must be refused leaves nothing to subscribe to, to wait for or to read."""
    refused = {"register_worker": {"worker": " ", "expect": REFUSED}}

    plan = planned(tmp_path, RUN, refused)

    assert ("run:r1",) == plan.streams == plan.steps[-1].streams  # type: ignore[union-attr]
    assert Expectation("refused", 400, "invalid_request") == plan.steps[1].expect  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="not registered"):
        planned(tmp_path, RUN, refused, {"heartbeat": {"worker": " "}})


def test_a_repeated_answer_names_its_step(tmp_path: Path) -> None:
    """`repeats` points at a label of an earlier step."""
    plan = planned(tmp_path, RUN, append(key="k", label="first"), append(key="k", expect={"repeats": "first"}))

    assert ["accepted", "accepted", "repeated"] == [
        step.expect.outcome for step in plan.steps if isinstance(step, CommandStep)
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([append()], "not created by an earlier step"),
        ([{"heartbeat": {"worker": "w1"}}], "not registered by an earlier step"),
        ([RUN, append(expect={"repeats": "q"})], "no earlier command is labelled 'q'"),
        ([RUN, append(2, label="q")], "a label names one command"),
        ([RUN, append(payload=1, payload_bytes=9)], "should not be valid"),
        ([RUN, append(after={"stream": "worker:w", "seq": 1})], "does not exist yet"),
    ],
)
def test_impossible_command_is_refused(tmp_path: Path, steps: list[dict[str, object]], said: str) -> None:
    """A command that cannot be meant is refused before anything starts."""
    with pytest.raises(UsageError, match=said):
        planned(tmp_path, *steps)
