"""What every subscription codec offers, so that one subscriber drives all dialects alike."""

from typing import NamedTuple, Protocol

from harness.model.errors import UsageError
from harness.wire.events import Event
from harness.wire.json_members import UINT64_MAX

_PLAIN_IN_PATH = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:")


class Handshake(NamedTuple):
    """What to ask for when the WebSocket is opened: path with query, and the subprotocols to offer."""

    path: str
    subprotocols: tuple[str, ...]


class Codec(Protocol):
    """One subscription of one dialect, without a socket.

    Connect with `handshake()`, send `opening()`, then for every message: `receive()` and send `replies()`.
    """

    def handshake(self) -> Handshake:
        """Path and subprotocols of the connection."""

    def opening(self) -> list[bytes]:
        """Frames to send as soon as the connection stands."""

    def receive(self, message: bytes) -> list[Event]:
        """What `message` said. Raises ProtocolError if it is not of the dialect, and nothing else."""

    def replies(self) -> list[bytes]:
        """Frames to send now; each is handed out once."""


def cursor(after_seq: int) -> int:
    """`after_seq` itself. Raises UsageError if no lane could be asked for it (0 to 2**64 - 1, contract 2.1)."""
    if not 0 <= after_seq <= UINT64_MAX:
        raise UsageError(f"cursor {after_seq} is not between 0 and {UINT64_MAX}; give the last applied sequence number")
    return after_seq


def path_segment(name: str) -> str:
    """`name` as one segment of a URL's path: UTF-8, percent-encoded but for unreserved characters and `:`."""
    return "".join(chr(byte) if byte in _PLAIN_IN_PATH else f"%{byte:02X}" for byte in name.encode())
