"""A WebSocket client connection whose messages are taken where they arrive, without a queue or a task."""

import asyncio
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event

from harness.drive.dialects import Route

OPEN_DEADLINE_S = 10.0
CLOSE_DEADLINE_S = 2.0
_PING_INTERVAL_S = 20.0
# A snapshot of a million events fits; what a lane merely claims to send is not waited for.
MESSAGE_BYTES_MAX = 1 << 30

Sink = Callable[["TappedSocket", int, bytes], None]
"""Called with opcode (1 text, 2 binary) and data of every whole message, as received, valid UTF-8 or not."""


class Closed(NamedTuple):
    """How a connection ended: code 1006 = the lane vanished without a close frame, None = it was never open."""

    by: Literal["lane", "harness"]
    code: int | None
    reason: str


class TappedSocket(ClientConnection):
    """The library's connection; data frames go to `sink` inside the read callback, everything else takes its way.

    `over` is done when the connection is lost; whoever wants to leave earlier may complete it too.
    """

    def __init__(self, sink: Sink, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self._sink = sink
        self._fragments: list[Frame] = []
        self._ending: asyncio.TimerHandle | None = None
        self.over: asyncio.Future[str] = self.loop.create_future()

    def process_event(self, event: Event) -> None:
        """One event of the protocol: the handshake's answer, a control frame, or (part of) a message."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        else:
            try:
                if event.fin and event.opcode is not Opcode.CONT:
                    self._sink(self, 1 if event.opcode is Opcode.TEXT else 2, bytes(event.data))
                else:
                    self._gather(event)
            # The library promises nothing for an exception in here; it belongs to whoever awaits `over`.
            except Exception as error:
                if not self.over.done():
                    self.over.set_exception(error)

    def data_received(self, data: bytes) -> None:
        """Bytes came. Once the connection is over for the protocol, the lane has a little time to close it."""
        super().data_received(data)
        # The library would wait for the lane to do so, for ever if need be.
        if self._ending is None and self.protocol.close_expected():
            self._ending = self.loop.call_later(CLOSE_DEADLINE_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        super().connection_lost(exc)
        self.leave("lost")

    def leave(self, why: str) -> None:
        """Completes `over`, once."""
        if not self.over.done():
            self.over.set_result(why)

    def send_now(self, text: bytes) -> None:
        """Sends one text message from inside the read callback."""
        self.protocol.send_text(text)
        self.send_data()

    def closed(self) -> Closed:
        """Who ended the connection, once it has ended."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if received is not None and (sent is None or self.protocol.close_rcvd_then_sent):
            return Closed("lane", int(received.code), received.reason)
        if sent is not None:
            return Closed("harness", int(sent.code), sent.reason)
        return Closed("lane", CloseCode.ABNORMAL_CLOSURE.value, "")

    def _gather(self, frame: Frame) -> None:
        self._fragments.append(frame)
        if frame.fin:
            fragments, self._fragments = self._fragments, []
            opcode = 1 if fragments[0].opcode is Opcode.TEXT else 2
            self._sink(self, opcode, b"".join(fragment.data for fragment in fragments))


class _Direct(connect):
    """Connects to the address given and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """A lane that redirects has refused."""
        return exc


async def open_socket(route: Route, sink: Sink) -> TappedSocket:
    """Opens `route`. Raises OSError, TimeoutError or a WebSocketException (InvalidStatus carries the refusal)."""

    def tapped(protocol: ClientProtocol, **options: Any) -> TappedSocket:
        return TappedSocket(sink, protocol, **options)

    socket = await _Direct(
        route.url,
        subprotocols=route.subprotocols or None,  # type: ignore[arg-type]
        additional_headers=dict(route.headers),
        user_agent_header="lane-parity",
        compression=None,
        proxy=None,
        max_size=MESSAGE_BYTES_MAX,
        open_timeout=OPEN_DEADLINE_S,
        close_timeout=CLOSE_DEADLINE_S,
        ping_interval=_PING_INTERVAL_S,
        create_connection=tapped,  # type: ignore[arg-type]  # documented as a wrapper or a subclass
    )
    assert isinstance(socket, TappedSocket)
    return socket
