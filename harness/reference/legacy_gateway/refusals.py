"""The refusals that only this lane has (contract 2 and 7.1)."""

from harness.reference.refusals import Refused


def invalid_request(message: str, status: int = 400) -> Refused:
    """A request that the gateway cannot read."""
    return Refused(status, "invalid_request", message)


def unauthorized(reason_code: str) -> Refused:
    """A reader's missing or bad token."""
    return Refused(401, "unauthorized", "khala sync authorization failed", reason_code=reason_code)


def topic_forbidden(reason_code: str) -> Refused:
    """A good token that does not open this topic."""
    return Refused(403, "forbidden_topic", "topic subscription is not authorized", reason_code=reason_code)
