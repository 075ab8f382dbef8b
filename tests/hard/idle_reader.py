"""A WebSocket client on a plain socket that reads nothing until it is told to."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

RECEIVE_BUFFER_BYTES = 4096
PATIENCE_S = 10.0


class IdleReader(AbstractContextManager["IdleReader"]):
    """Opens `url` with a small receive buffer; what comes stays in the socket until `rest` is asked for."""

    def __init__(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str] = ()) -> None:
        address = urlsplit(url)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect((address.hostname, address.port))
        self._protocol = ClientProtocol(
            parse_uri(url), subprotocols=[Subprotocol(name) for name in subprotocols] or None, max_size=None
        )
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()
        self._read_head()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, text: bytes) -> None:
        """Sends one text message."""
        self._protocol.send_text(text)
        self._flush()

    def rest(self) -> list[Frame]:
        """Everything that still comes, to the end of the connection; a torn frame at its end is left out."""
        try:
            while data := self._socket.recv(1 << 20):
                self._protocol.receive_data(data)
                self._flush()
        except (ConnectionError, TimeoutError):
            pass
        return [event for event in self._protocol.events_received() if isinstance(event, Frame)]

    def _read_head(self) -> None:
        """The answer to the handshake and not a byte more."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(1)
        assert b" 101 " in head.partition(b"\r\n")[0], head
        self._protocol.receive_data(head)
        self._protocol.events_received()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.sendall(data)


def texts(frames: Sequence[Frame]) -> list[bytes]:
    """The text messages among them."""
    return [bytes(frame.data) for frame in frames if frame.opcode is Opcode.TEXT]
