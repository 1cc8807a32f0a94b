"""The way to one Redis server, over shared connections: dialled when needed, dialled again when lost.

Rule 1: a call ends in its time, and is tried again, as `attempts` has it.
Rule 2: one task dials for all who wait for a lane, again and again with growing pauses, for as long as anybody waits.
Rule 3: two lanes: what is large has a connection of its own, so that small commands do not stand behind it, and more
time for its answer, since sending it counts.
"""

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

import hiredis
from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, StorageUnavailableError
from aiocache_kit.storage.redis.attempts import FIRST_PAUSE, LONGEST_PAUSE, Attempts, Deadline, anew, spread
from aiocache_kit.storage.redis.dial import Dialer, Place
from aiocache_kit.storage.redis.replies import code_of, failure, is_final
from aiocache_kit.storage.redis.wire import Lost, Wire

Command: TypeAlias = tuple[str | int | float | bytes | memoryview, ...]
"""A command with its arguments; a text goes as UTF-8."""

# The stub of hiredis takes a tuple of one argument only.
pack_command: Final = cast("Callable[[Command], bytes]", hiredis.pack_command)  # pyright: ignore[reportUnknownMemberType]  - untyped

LARGE: Final = 64 * 1024
"""Bytes of a command from which on it goes by the lane for what is large."""
_CLOSED: Final = "the connection to Redis is closed"


class Channel(Protocol):
    """Where commands go: to one server or to many, over shared connections or over a pool of them."""

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401  - what Redis answers
        """Send one command that concerns `key` and give its reply; raise the error that the reply is.

        `again`: it may be done twice. `large`: its reply is expected to be large.
        """
        ...

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":
        """Send one packed command that concerns `key` at once, where that takes no waiting; None: use `call`.

        What is given ends with the reply, which may be a `hiredis.ReplyError`, or with `Lost`.
        """
        ...

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:
        """Send several, each concerning the key at its place; give the replies, errors among them as they are.

        Raises where a reply did not come.
        """
        ...

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """Give what is stored as text under each of `names`, of which there is at least one."""
        ...

    def servers(self) -> "Sequence[Channel]":
        """Give one channel for each server that holds keys of its own."""
        ...

    async def open(self) -> None:
        """Connect, so that what is wrong is known at once."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class _Lane:
    """One connection at a time, and who waits for it."""

    __slots__ = ("dialling", "error", "waiting", "wire")

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.dialling: asyncio.Task[None] | None = None
        self.waiting: set[asyncio.Future[Wire]] = set()
        self.error: CacheError | None = None
        """Why the last attempt to connect failed."""


class Link:
    """Shared connections to one server."""

    def __init__(
        self,
        dialer: Dialer,
        locate: Callable[[], Awaitable[Place]],
        attempts: Attempts,
        *,
        most_unread: int,
        prepare: "Callable[[Wire], Awaitable[None]] | None" = None,
        on_push: Callable[[Sequence[Any]], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Reach the server at the place that `locate` gives, which is asked before each attempt to connect.

        A reply of more than `most_unread` bytes ends the connection. `prepare` is done on each new connection of the
        lane for small commands before anybody else uses it; `on_push` gets what the server says there unasked, and
        `on_end` is called when that connection ends.
        """
        self._dialer = dialer
        self._locate = locate
        self._attempts = attempts
        self._most_unread = most_unread
        self._prepare = prepare
        self._on_push = on_push
        self._on_end = on_end
        self._small = _Lane()
        self._large = _Lane()
        self._closed = False
        _links.add(self)

    @property
    def wire(self) -> Wire | None:
        """The connection of the lane for small commands, where it is open."""
        return self._small.wire

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401, D102  - see Channel
        del key
        packed = pack_command(command)
        return await self._send(packed, again=again, large=large or len(packed) >= LARGE)

    async def _send(self, packed: bytes, *, again: bool, large: bool) -> Any:  # noqa: ANN401  - what Redis answers
        # Where a connection is there, a call needs no deadline and no closures: the connection itself ends in time.
        lane = self._large if large else self._small
        wire = lane.wire
        if wire is None or not wire.ready:
            return await self._call_slowly(lane, packed, again=again)
        start = stopwatch()
        try:
            reply = await wire.send(packed)
        except Lost as lost:
            return await self._call_slowly(lane, packed, again=again, start=start, lost=lost)
        if reply.__class__ is ReplyError:
            return await self._refused(lane, packed, reply, start)
        return reply

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":  # noqa: ARG002, D102  - see Channel
        wire = self._small.wire
        return wire.send(packed) if wire is not None and wire.ready else None

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:  # noqa: D102  - see Channel
        del keys
        if not commands:
            return []
        packed = [pack_command(command) for command in commands]
        is_large = sum(map(len, packed)) >= LARGE * 4 or max(map(len, packed)) >= LARGE
        lane = self._large if is_large else self._small
        wire = lane.wire
        start = stopwatch()
        lost: Lost | None = None
        replies: list[Any] = []
        if wire is not None and wire.ready:
            try:
                replies = await wire.send_many(packed)
            except Lost as error:
                lost = error
        if not replies:
            replies = await self._within(lane, lambda wire: wire.send_many(packed), again=again, start=start, lost=lost)
        for place, reply in enumerate(replies):
            if reply.__class__ is ReplyError and self._attempts.is_for_now(reply):
                try:
                    replies[place] = await self._refused(lane, packed[place], reply, start)
                except CacheError as error:
                    replies[place] = error.__cause__ or error
        return list(replies)

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:  # noqa: D102  - see Channel
        # Twice as fast as `pack_command` for many short arguments.
        packed = b"*%d\r\n$4\r\nMGET\r\n%b" % (
            len(names) + 1,
            b"".join([b"$%d\r\n%b\r\n" % (len(name), name) for name in names]),
        )
        found: list[bytes | None] = await self._send(packed, again=True, large=len(packed) >= LARGE)
        return found

    def servers(self) -> "Sequence[Channel]":  # noqa: D102  - see Channel
        return (self,)

    async def _call_slowly(
        self, lane: _Lane, packed: bytes, *, again: bool, start: float | None = None, lost: Lost | None = None
    ) -> Any:  # noqa: ANN401  - what Redis answers
        began = stopwatch() if start is None else start
        reply = await self._within(lane, lambda wire: wire.send(packed), again=again, start=began, lost=lost)
        if reply.__class__ is ReplyError:
            return await self._refused(lane, packed, reply, began)
        return reply

    async def _refused(self, lane: _Lane, packed: bytes, reply: ReplyError, start: float) -> Any:  # noqa: ANN401  - what Redis answers
        """Send a command again that was not taken for now; raise what is final."""
        asked = lane.wire  # that which refused it: by now there may be another one, which has done nothing wrong

        def send_by(wire: Wire) -> "asyncio.Future[Any]":
            nonlocal asked
            asked = wire
            return wire.send(packed)

        async def send(refused: ReplyError) -> Any:  # noqa: ANN401  - as above
            if code_of(refused) == "READONLY" and asked is not None and asked is lane.wire:
                asked.end()  # a master that was demoted: the next attempt asks where the master is
            return await self._within(lane, send_by, again=False, start=start, lost=None)

        return await self._attempts.insist(reply, start, send)

    async def _within(
        self,
        lane: _Lane,
        send: "Callable[[Wire], asyncio.Future[Any]]",
        *,
        again: bool,
        start: float,
        lost: Lost | None,
    ) -> Any:  # noqa: ANN401  - what Redis answers
        """Send, after whatever must be waited for, and again where that is allowed, until the time is over."""
        return await self._attempts.run(
            lambda deadline: self._attempt(lane, send, deadline),
            again=again,
            start=start,
            lost=lost,
            is_open=self._small.wire is not None or self._large.wire is not None,  # somebody has got through
            reason=lambda: lane.error if lane.wire is None else None,
        )

    async def _attempt(self, lane: _Lane, send: "Callable[[Wire], asyncio.Future[Any]]", deadline: Deadline) -> Any:  # noqa: ANN401  - what Redis answers
        times = self._attempts.times
        wire = lane.wire
        if wire is None:
            deadline.step(times.connect)
            wire = await self._connected(lane)
        if not wire.ready:
            deadline.step(times.send)
            await wire.wait_for_room()
        deadline.step(times.whole)  # the connection itself sees to it that the answer comes in time
        return await send(wire)

    # --- connections -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect within the time of a call; raise what is in the way."""
        await self.call(("PING",), again=True)

    async def close(self) -> None:
        """End the connections; who waits for a reply gets `StorageUnavailableError`.

        All of it is ended before anything is waited for: if that is cancelled, the rest comes about by itself.
        """
        self._closed = True
        lanes = (self._small, self._large)
        loop = asyncio.get_running_loop()  # a task of another one was lost with it, as in `_connected`
        dialling = [task for lane in lanes if (task := lane.dialling) is not None and task.get_loop() is loop]
        wires = [lane.wire for lane in lanes if lane.wire is not None]
        for task in dialling:
            task.cancel()
        for wire in wires:
            wire.end()
        for lane in lanes:  # a task that was ended before it began sends nobody away
            self._send_away(lane, StorageUnavailableError(_CLOSED))
        if dialling:
            await asyncio.wait(dialling)
        for wire in wires:
            await wire.gone()

    async def _connected(self, lane: _Lane) -> Wire:
        """Wait for a connection; whoever is first lets a task dial."""
        if self._closed:
            raise StorageUnavailableError(_CLOSED)
        loop = asyncio.get_running_loop()
        # A task of another loop was lost with it, and will never be done.
        if lane.dialling is None or lane.dialling.done() or lane.dialling.get_loop() is not loop:
            lane.dialling = loop.create_task(self._dial(lane), name="aiocache_kit connects to Redis")
        waiter: asyncio.Future[Wire] = loop.create_future()
        lane.waiting.add(waiter)
        try:
            return await waiter
        finally:
            lane.waiting.discard(waiter)

    async def _dial(self, lane: _Lane) -> None:
        """Connect, and tell those who wait; give up when nobody does, or when trying again cannot help."""
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    wire = await self._new_wire(lane)
                except Exception as error:  # noqa: BLE001  - mapped; whatever redis-py raises
                    lane.error = failure(error)
                    lane.error.__cause__ = error
                else:
                    lane.error = None
                    for waiter in lane.waiting:
                        if not waiter.done():
                            waiter.set_result(wire)
                    return
                if is_final(lane.error) or not lane.waiting or self._closed:
                    self._send_away(lane, lane.error)
                    return
                await asyncio.sleep(spread(pause))
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:  # whoever waits still does so because `close` has cancelled this
            self._send_away(lane, StorageUnavailableError(_CLOSED))

    def _send_away(self, lane: _Lane, error: CacheError) -> None:
        for waiter in lane.waiting:
            if not waiter.done():
                waiter.set_exception(anew(error))

    async def _new_wire(self, lane: _Lane) -> Wire:
        transport, held = await self._dialer.dial(await self._locate())
        if self._closed:  # redis-py, on Python 3.11, may swallow that it was cancelled
            transport.abort()
            raise StorageUnavailableError(_CLOSED)
        is_small = lane is self._small
        times = self._attempts.times
        wire = Wire(
            transport,
            held,
            timeout=times.answer if is_small else times.answer + times.send,
            most_unread=self._most_unread,
            send_timeout=times.send,
            on_end=lambda wire: self._ended(lane, wire),
            on_push=self._on_push if is_small else None,
        )
        if self._prepare is not None and is_small:
            try:
                await self._prepare(wire)
            except BaseException:
                wire.end()
                raise
        if wire.ended:  # while it was made ready: `_ended` has been called, and did not know it
            if is_small and self._prepare is not None and self._on_end is not None:
                self._on_end()
            raise Lost(sent=False)
        lane.wire = wire
        self._attempts.connected()
        return wire

    def _ended(self, lane: _Lane, wire: Wire) -> None:
        if lane.wire is wire:
            lane.wire = None
            if lane is self._small and self._on_end is not None:
                self._on_end()

    def forget(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._small = _Lane()
        self._large = _Lane()


_links: Final["weakref.WeakSet[Link]"] = weakref.WeakSet()


def _forget_all() -> None:
    for link in _links:
        link.forget()


os.register_at_fork(after_in_child=_forget_all)
