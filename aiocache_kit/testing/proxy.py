"""A way to a server that breaks when it is told to.

Rule 1: what passes, passes whole and in order; a fault delays, holds or ends the stream and never changes a byte.
Rule 2: it keeps its port from opening to closing, while it refuses connections, too: nobody else is given it meanwhile.
Rule 3: what it has read and may not pass on, it holds, and reads no more of that connection: memory is bounded.
"""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.errors import InvalidArgumentError

Way: TypeAlias = Literal["requests", "replies"]
"""From the client to the server, or back."""

_PIECE: Final = 65_536
"""Bytes to pass on at once, at most."""
_RESET: Final = struct.pack("ii", 1, 0)
"""To wait for nothing when the socket is closed, which the other side sees as a reset."""


@dataclass(slots=True)
class _State:
    """What is ordered for one way, on all connections."""

    delay: float = 0.0
    left: int | None = None
    """Bytes that still pass before a connection is cut; None: no end."""
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def heal(self) -> None:
        self.delay, self.left = 0.0, None
        self.flows.set()

    def takes(self, piece: bytes) -> bytes:
        """Give the part of a piece that still passes."""
        if self.left is None:
            return piece
        passing = piece[: self.left]
        self.left -= len(passing)
        return passing


@dataclass(slots=True, eq=False)
class _Connection:
    """A client and the server, connected by way of here, and who passes on what they say."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passing: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def end(self, *, reset: bool = False) -> None:
        """End both halves; what was passed on already still arrives, unless it is a reset."""
        for writer in (self.client, self.server):
            if reset:
                with suppress(OSError):  # this half is closed already
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()
        for task in self.passing:
            task.cancel()

    def drop(self) -> None:
        """Send nothing more, whatever is left to send."""
        self.client.transport.abort()
        self.server.transport.abort()

    async def ended(self) -> None:
        """Return when both halves are closed."""
        for writer in (self.client, self.server):
            with suppress(OSError):
                await writer.wait_closed()


class FaultyProxy:
    """A proxy before the server at `host` and `port`, which may listen or not; clients are to connect to `self.port`.

    As long as nothing is ordered, bytes pass. Orders hold for all connections, those to come included, until `heal`.
    `of` names the way that they strike: "requests" to the server, "replies" from it, None for both. ::

        async with FaultyProxy("127.0.0.1", 6379) as proxy:
            proxy.cut_after(10)  # of what the server says next, ten bytes arrive, and then the connection ends
    """

    def __init__(self, host: str, port: int, *, clock: Clock | None = None) -> None:
        """Listen to nobody before it is entered; delays are those of `clock`."""
        self.host: Final = "127.0.0.1"
        """Where clients are to connect to."""
        self.port: int = 0
        """The port to connect to, chosen by the system; zero before it is entered."""
        self.accepted: int = 0
        """How many connections were taken so far."""
        self.held: Final = asyncio.Event()
        """Set when `hold` has something to hold up, until `heal`."""
        self._target = (host, port)
        self._clock = SystemClock() if clock is None else clock
        self._states: dict[Way, _State] = {"requests": _State(), "replies": _State()}
        self._reset = False
        self._keeper: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._connections: set[_Connection] = set()
        self._arrived: set[socket.socket] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<FaultyProxy with {len(self._connections)} connections>"

    async def __aenter__(self) -> Self:
        self._keeper = _bound(self.host, 0)
        self.port = self._keeper.getsockname()[1]
        self.heal()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # --- orders ------------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many clients are connected to the server at the moment."""
        return len(self._connections)

    def delay(self, seconds: float, *, of: Way | None = None) -> None:
        """Pass everything on so much later; zero is no delay. A long message, in pieces, waits for each of them.

        Raises `InvalidArgumentError` for a negative number.
        """
        if not seconds >= 0.0:
            raise InvalidArgumentError(f"seconds must be a number from 0 up, not {seconds!r}")
        for state in self._ordered(of):
            state.delay = seconds

    def hold(self, *, of: Way | None = None) -> None:
        """Pass nothing on, not even that one side has left, and keep connections open: to clients, the server is mute.

        What is held up meanwhile is passed on after `heal`.
        """
        for state in self._ordered(of):
            state.flows.clear()

    def cut(self, *, reset: bool = False) -> None:
        """End all connections that there are; with `reset`, as a server's system does that knows nothing of them."""
        for connection in list(self._connections):
            connection.end(reset=reset)

    def cut_after(self, count: int, *, of: Way = "replies", reset: bool = False) -> None:
        """Let `count` more bytes pass, and end the connection, once, that has one more to pass.

        Zero: the next request is answered, and nothing of the answer arrives. Raises `InvalidArgumentError` for a
        negative `count`.
        """
        if count < 0:
            raise InvalidArgumentError(f"count must be a number from 0 up, not {count!r}")
        self._states[of].left = count
        self._reset = reset

    def refuse(self) -> None:
        """End all connections and take no more: whoever connects is told at once that nobody listens."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        self.cut()

    def heal(self) -> None:
        """Take all orders back, pass on what was held up, and take connections again."""
        self.held.clear()
        for state in self._states.values():
            state.heal()
        if self._listener is None and self._keeper is not None:
            self._listener = _bound(self.host, self.port)
            self._listener.listen()
            self._listener.settimeout(0)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def close(self) -> None:
        """End all connections and give the port back; once it returns, nothing is left. Closing twice is fine."""
        self.refuse()
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        for connection in self._connections:
            connection.drop()
        for arrived in self._arrived:
            arrived.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    def _ordered(self, of: Way | None) -> Iterator[_State]:
        return (state for way, state in self._states.items() if of in (None, way))

    # --- connections -------------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        try:
            arrived, _ = listener.accept()
        except OSError:  # it left again before it was its turn
            return
        arrived.settimeout(0)
        self.accepted += 1
        self._arrived.add(arrived)
        task = asyncio.create_task(self._serve(arrived))  # ended by close(), if not before
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, arrived: socket.socket) -> None:
        self._arrived.discard(arrived)
        from_client, to_client = await asyncio.open_connection(sock=arrived)
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
        except BaseException as error:
            to_client.transport.abort()
            if isinstance(error, OSError):
                return
            raise
        connection = _Connection(to_client, to_server)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as both:
                connection.passing.append(both.create_task(self._pass("requests", from_client, connection)))
                connection.passing.append(both.create_task(self._pass("replies", from_server, connection)))
        finally:
            connection.end()
            await connection.ended()
            self._connections.discard(connection)

    async def _pass(self, way: Way, source: asyncio.StreamReader, connection: _Connection) -> None:
        state = self._states[way]
        sink = connection.server if way == "requests" else connection.client
        try:
            while piece := await source.read(_PIECE):
                if state.delay:
                    await self._clock.sleep(state.delay)
                await self._let_through(state)
                passing = state.takes(piece)
                sink.write(passing)
                if len(passing) < len(piece):
                    state.left = None
                    connection.end(reset=self._reset)
                    return
                await sink.drain()
            await self._let_through(state)
            sink.write_eof()
        except OSError:
            connection.end(reset=True)

    async def _let_through(self, state: _State) -> None:
        if not state.flows.is_set():
            self.held.set()
            await state.flows.wait()


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound
