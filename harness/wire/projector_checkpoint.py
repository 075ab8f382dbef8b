"""The authority's projector checkpoint of a run: `{"checkpoint": {"topic", "last_seq", …}}` (contract, 1.5)."""

from harness.model.errors import FormatError, ProtocolError
from harness.wire.json_members import members
from harness.wire.json_slices import utf8


def projector_checkpoint(body: bytes) -> int:
    """The last number that the projector has applied. Raises ProtocolError if `body` is no such answer."""
    try:
        return members(utf8(body)).members("checkpoint").uint64("last_seq")
    except FormatError as error:
        raise ProtocolError(f"not a projector checkpoint: {error}") from error
