"""Runs folded from their events."""

from harness.reference.authority.runs import Run

AT = "2026-02-25T12:00:00Z"


def test_the_projection_hash_is_that_of_the_contract() -> None:
    """The worked example of contract 1.5: compact JSON in insertion order."""
    run = Run(
        id="018f0000-0000-7000-8000-000000000001",
        owner_user_id=1,
        worker_id=None,
        metadata="null",
        status="running",
        projected="running",
        latest_seq=2,
        latest_kind="step",
        created_at=AT,
        updated_at=AT,
    )

    expected = "sha256:23b6f3253832b04bdc58129a384c8c4e31e2d836890996eb7a2c34543cd0360a"
    assert expected == run.summary()["projection_hash"]
