"""The authority's projector checkpoint."""

import pytest

from harness.model.errors import ProtocolError
from harness.wire.projector_checkpoint import projector_checkpoint


def test_checkpoint_names_the_last_number() -> None:
    """Whatever else comes along, up to the largest u64."""
    body = b'{"checkpoint":{"topic":"run:u:events","last_seq":18446744073709551615,"updated_at":"x"},"more":1}'

    assert 2**64 - 1 == projector_checkpoint(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"checkpoint":null}', b'{"checkpoint":{}}', b'{"checkpoint":{"last_seq":"7"}}', b"\xff"],
)
def test_what_is_no_checkpoint_is_refused(body: bytes) -> None:
    """A member that is missing or of another type is a ProtocolError."""
    with pytest.raises(ProtocolError, match="not a projector checkpoint"):
        projector_checkpoint(body)
