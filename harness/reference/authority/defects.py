"""Original defects that can be switched on by name, each with the effect that can be seen from outside."""

PUBLISH_WINDOW_S = 0.002
OMIT_EVERY = 5
READER_LATE_MS = 30

DEFECTS = {
    "no_command_auth": "commands need no token (contract 1.1); what an anonymous caller makes has no owner",
    "publish_latest": (
        f"an append publishes the run's latest event, {PUBLISH_WINDOW_S * 1000:g} ms after its own commit (D-04): "
        "with several writers the outbox repeats one number and never has another; a retry repeats the latest; "
        "a relay that fills holes from the log hides it, one with trusts_outbox stands still at the first hole"
    ),
    "skips_publication": "the events of fleet streams are logged and never enter the outbox (D-03): no lane gets them",
    "refusal_is_durable": (
        "an append that is refused with 413 or 429 is in the log all the same, under the next number, and not in the "
        "outbox (D-02)"
    ),
    "idempotency_ignores_body": "a key that is reused with another body answers the first event with 200 (D-23)",
    "state_before_key": (
        "a retry whose transition is no longer allowed is refused with 400 instead of repeated (contract 1.3)"
    ),
    "log_omits_accepted": (
        f"every {OMIT_EVERY}th accepted append of a run is answered with its number but stored nowhere: "
        "log and outbox lack it, and the next append of the run is given the same number"
    ),
    "answers_by_delivery": (
        "every command but the creation of a run is answered 500 although it is durable, while a reader of the outbox "
        f"has been away, or its lane without progress, for more than {READER_LATE_MS} ms (contract 3.6, INV-06)"
    ),
    "checkpoint_ahead": "a run's projector checkpoint names a number one beyond the run's last event (D-24)",
    "checkpoint_goes_back": "from its second reading on, a run's projector checkpoint names number 1 (D-24)",
    "restart_forgets": (
        "after a restart log and outbox are empty and the numbers of every stream start again at 1, with other "
        "bodies; runs and workers stay known (D-09)"
    ),
    "restart_loses_runs": "after a restart the runs of before are unknown (404), their log stays (D-09)",
}
