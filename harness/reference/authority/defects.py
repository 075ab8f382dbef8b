"""Original defects that can be switched on by name, each with the effect that a reader can observe."""

PUBLISH_WINDOW_S = 0.002
OMIT_EVERY = 5

DEFECTS = {
    "no_command_auth": "commands need no token (contract 1.1); what an anonymous caller makes has no owner",
    "publish_latest": (
        f"an append publishes the run's latest event, {PUBLISH_WINDOW_S * 1000:g} ms after its own commit (D-04): "
        "with several writers the outbox repeats one number and never has another; a retry repeats the latest"
    ),
    "idempotency_ignores_body": "a key that is reused with another body answers the first event with 200 (D-23)",
    "log_omits_accepted": (
        f"every {OMIT_EVERY}th accepted append of a run is answered with its number but stored nowhere: "
        "log and outbox lack it, and the next append of the run is given the same number"
    ),
}
