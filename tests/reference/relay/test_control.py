"""The relay's control API and command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.relay.running import Relay, running_relay
from tests.reference.services import run_to_end


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with running_relay(tmp_path_factory.mktemp("relay"), "legacy", open_lane=False) as running:
        yield running


@pytest.mark.parametrize(("method", "path"), [("GET", "/status"), ("POST", "/hold"), ("POST", "/release")])
@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
def test_control_needs_its_token(relay: Relay, method: str, path: str, token: str | None) -> None:
    """Every control route refuses a request without the control token, and changes nothing."""
    refused = relay.control(method, path, token=token)

    assert (401, "unauthorized", "invalid_token") == refused.refusal
    assert relay.status()["held"] is False


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "invalid_json", None)),
        (b"[]", (422, "invalid_request", None)),
        ({"after": "now"}, (422, "invalid_request", None)),
        ({"after": {"stream": "x"}}, (422, "invalid_request", None)),
        ({"after": {"stream": "x", "seq": True}}, (422, "invalid_request", None)),
        ({"after": {"stream": "x", "seq": -1}}, (422, "invalid_request", None)),
    ],
)
def test_a_hold_that_cannot_be_read_is_refused(
    relay: Relay, body: object, expected: tuple[int, str, str | None]
) -> None:
    """A body must be an object with a stream and a whole number, or absent; else nothing is held."""
    refused = relay.control("POST", "/hold", body)

    assert expected == refused.refusal
    assert relay.status()["held"] is False


def test_status_has_the_agreed_fields(relay: Relay) -> None:
    """An idle relay without a lane says so, and which life it is in."""
    status = relay.status()

    assert [
        "held", "boot_id", "lane_boot_id", "appended", "retained_from", "pending", "last_error",
    ] == list(status)  # fmt: skip
    assert (relay.service.ready["boot_id"], None) == (status["boot_id"], status["lane_boot_id"])


@pytest.mark.parametrize("body", [None, {}, {"after": None}])
def test_hold_and_release_answer_the_status(relay: Relay, body: object) -> None:
    """Both answer 200 with the status after them; an idle relay is held at once."""
    held, released = relay.control("POST", "/hold", body), relay.control("POST", "/release")

    assert [(200, True), (200, False)] == [(answer.status, answer.json["held"]) for answer in (held, released)]


def test_the_command_line_teaches(tmp_path: Path) -> None:
    """Help shows both start lines; a target without database or key is a usage error."""
    shown = run_to_end("relay", "--help")
    secret = tmp_path / "secret"
    secret.write_text("x" * 32)
    files = ["--token-secret-file", str(secret), "--control-token-file", str(secret)]
    urls = ["--authority-url", "http://127.0.0.1:9", "--lane-url", "http://127.0.0.1:9"]
    wrong = run_to_end("relay", *files, *urls, "--lane", "spacetime")

    assert 0 == shown.returncode
    assert "--lane spacetime --lane-url" in shown.stdout
    assert 2 == wrong.returncode
    assert "needs --database and --signing-key-file" in wrong.stderr
