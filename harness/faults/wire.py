"""A proxy between the subscribers of one side and their lane, which does to the wire what a plan orders."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from harness.faults.wire_connection import LaneAddress, WireConnection
from harness.faults.wire_dialects import wire_dialect
from harness.faults.wire_downstream import Line
from harness.faults.wire_ends import End
from harness.faults.wire_faults import OrderedFault
from harness.model.errors import HarnessError, UsageError
from harness.model.names import Side
from harness.model.plan import Fault

_LOOPBACK = "127.0.0.1"


class WireProxy:
    """Listens on loopback, one port a subscriber, and passes all bytes both ways but for the faults injected.

    `dialect` is `topic-ws` or `spacetime-v1-json`. Raises UsageError for another one, and for a lane that is
    not reached by plain HTTP.
    """

    def __init__(self, side: Side, lane_url: str, dialect: str) -> None:
        parts = urlsplit(lane_url)
        if parts.scheme != "http" or not parts.hostname:
            raise UsageError(f"lane url {lane_url!r} cannot be proxied; give an http:// one")
        self._side = side
        self._path = parts.path.rstrip("/")
        self._lane = LaneAddress(parts.hostname, parts.port or 80, parts.netloc.rpartition("@")[2])
        self._dialect = wire_dialect(dialect)
        self._servers: dict[str, asyncio.Server] = {}
        self._opening = asyncio.Lock()
        self._running = False
        self._accepted: Counter[str] = Counter()
        self._connections: set[WireConnection] = set()
        self._faults: dict[str, OrderedFault] = {}
        self._failures: list[Exception] = []

    async def start(self) -> None:
        """Takes subscribers from now on."""
        self._running = True

    async def stop(self) -> None:
        """Ends every connection with a reset and closes every port; nothing of it is left behind.

        Raises HarnessError, when all that is done, if the proxy itself broke a connection.
        """
        async with self._opening:
            self._running = False
            servers, self._servers = self._servers, {}
        for server in servers.values():
            server.close()
        while self._connections:
            await asyncio.gather(*(connection.close() for connection in list(self._connections)))
        for server in servers.values():
            await server.wait_closed()
        self._refuse_failures()

    async def url_for(self, subscriber: str) -> str:
        """The base URL that stands for the lane's to `subscriber`; the same one whenever it is asked for.

        Raises HarnessError if the proxy does not run.
        """
        async with self._opening:
            if not self._running:
                raise HarnessError(f"the wire proxy of {self._side} does not run; start it before asking for a url")
            if subscriber not in self._servers:
                accept, loop = partial(self._accept, subscriber), asyncio.get_running_loop()
                self._servers[subscriber] = await loop.create_server(accept, _LOOPBACK, 0)
            port = self._servers[subscriber].sockets[0].getsockname()[1]
        return f"http://{_LOOPBACK}:{port}{self._path}"

    def inject(self, name: str, fault: Fault, wire_stream: str) -> None:
        """Has `fault` act wherever event `fault.seq` of `wire_stream`, as the wire spells it, passes from now on.

        A cut is done once a subscriber; all else on every connection concerned, until healed. Raises UsageError for
        a name that was given before, and for a fault that acts on no wire.
        """
        if name in self._faults:
            raise UsageError(f"fault {name!r} is already on the wire of {self._side}; give each its own name")
        self._faults[name] = OrderedFault(name, self._side, fault, wire_stream)

    async def proven(self, name: str, deadline_s: float) -> Mapping[str, object] | None:
        """What was seen when the fault acted first; waits for that, None if it does not come in time.

        It says `side`, `kind`, `seq`, `subscriber`, `connection` (of that subscriber, from 1), `message_index` (as the
        lane sent it on that connection, from 0); of `cut` also `bytes_passed`, `bytes_of_message`; of `half_open` and
        `stall` `bytes_withheld`; of `delay` `late_ms`; of `drop`, `duplicate`, `change` `bytes_came` and
        `bytes_passed` (a list, one a message); of `swap` `swapped_with`, `messages_between`. Raises UsageError for an
        unknown name.
        """
        return await self._fault(name).wait(deadline_s)

    async def heal(self, name: str) -> Mapping[str, object]:
        """Ends the fault. It says `kind`, how often it `acted`, `left_alone` (reason → times) and what was `healed`.

        A half-open connection is `aborted`, a stalled one `resumed`, a delayed one `drained` (waited for; what is
        not out in time counts as `undrained`), a swap that waits for the next event `released`. Raises UsageError
        for an unknown name, HarnessError if the proxy itself broke a connection.
        """
        fault = self._fault(name)
        fault.active = False
        self._refuse_failures()
        healed: Counter[str] = Counter()
        drained = []
        for connection in list(self._connections):
            undone = connection.heal(fault)
            if undone == "drained":
                drained.append(connection.drained())
            elif undone is not None:
                healed[undone] += 1
        healed.update("drained" if empty else "undrained" for empty in await asyncio.gather(*drained))
        return {**fault.report(), "healed": dict(healed)}

    def _fault(self, name: str) -> OrderedFault:
        if name not in self._faults:
            raise UsageError(f"no fault {name!r} on the wire of {self._side}; there are {sorted(self._faults)}")
        return self._faults[name]

    def _refuse_failures(self) -> None:
        if self._failures:
            first = self._failures[0]
            what = f"the wire proxy of {self._side} broke {len(self._failures)} connections itself"
            raise HarnessError(f"{what}, the first by {type(first).__name__}: {first}; the run says nothing") from first

    def _concerning(self, subscriber: str) -> list[OrderedFault]:
        return [fault for fault in self._faults.values() if fault.concerns(subscriber)]

    def _accept(self, subscriber: str) -> End:
        self._accepted[subscriber] += 1
        line = Line(subscriber, self._accepted[subscriber], partial(self._concerning, subscriber))
        connection = WireConnection(line, self._dialect, self._lane, self._failures.append)
        self._connections.add(connection)
        connection.over.add_done_callback(lambda _: self._connections.discard(connection))
        return connection.subscriber
