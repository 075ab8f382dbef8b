"""Verbs that are commands: create_run, append, register_worker, heartbeat, worker_status."""

import json
from typing import Any

from harness.catalogue.draft import Draft
from harness.catalogue.payloads import numbered, seeded_payload
from harness.model.plan import Command, CommandKind, CommandStep, Expectation


def add_commands(draft: Draft, do: CommandKind, given: dict[str, Any]) -> None:
    """`count` commands of one kind, numbered by "$n". Raises UsageError for a subject that does not exist."""
    subject = given.get("run") or given["worker"]
    _note_subject(draft, do, subject, given)
    count = given.get("count", 1)
    if count > 1 and "label" in given:
        draft.fail("a label names one command; leave out 'count' or 'label'", "label")
    for number in range(1, count + 1):
        _add(draft, do, subject, given, number)
    if "label" in given:
        draft.labels.add(given["label"])


def _note_subject(draft: Draft, do: CommandKind, subject: str, given: dict[str, Any]) -> None:
    """What a refused creation names does not exist."""
    creates = do in ("create_run", "register_worker")
    if creates and "refused" not in given.get("expect", {}):
        (draft.runs if do == "create_run" else draft.workers).add(subject)
    elif do == "append" and subject not in draft.runs:
        draft.fail(f"run {subject!r} is not created by an earlier step; add create_run before", "run")
    elif do in ("heartbeat", "worker_status") and subject not in draft.workers:
        draft.fail(f"worker {subject!r} is not registered by an earlier step; add register_worker before", "worker")


def _add(draft: Draft, do: CommandKind, subject: str, given: dict[str, Any], number: int) -> None:
    index, key = len(draft.steps), given.get("key")
    command = Command(
        do=do,
        subject=subject,
        user=given.get("user", 1),
        event_type=given.get("event_type"),
        payload=_payload(draft, given, index, number),
        key=key.replace("$n", str(number)) if key is not None else None,
        expected_previous_seq=given.get("expected_previous_seq"),
        status=given.get("status"),
        token=given.get("token", "user"),
    )
    expect, after = _expectation(draft, given), draft.after(given, waits=False)
    draft.steps.append(CommandStep(index, given.get("writer", "main"), command, expect, given.get("label"), after))


def _payload(draft: Draft, given: dict[str, Any], index: int, number: int) -> str | None:
    if "payload_json" in given:
        return str(given["payload_json"])
    if "payload_seeded" in given:
        return seeded_payload(given["payload_seeded"], draft.seed, index)
    if "payload_bytes" in given:
        return json.dumps("x" * (given["payload_bytes"] - 2))
    if "payload" not in given:
        return None
    return json.dumps(numbered(given["payload"], "$n", number), ensure_ascii=False, separators=(",", ":"))


def _expectation(draft: Draft, given: dict[str, Any]) -> Expectation:
    expect = given.get("expect", "accepted")
    if expect == "accepted":
        return Expectation()
    if "repeats" in expect:
        if expect["repeats"] not in draft.labels:
            draft.fail(f"no earlier command is labelled {expect['repeats']!r}", "expect", "repeats")
        return Expectation("repeated", same_as=expect["repeats"])
    return Expectation("refused", expect["refused"]["status"], expect["refused"]["error"])
