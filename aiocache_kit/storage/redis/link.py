"""The way to one Redis server, over shared connections: dialled when needed, dialled again when lost.

Rule 1: a command that the server may have done is sent again only where its caller says that doing it twice is doing it
once. One that was refused for now (LOADING, READONLY and such), or never left, may always be sent again.
Rule 2: a call ends in its time: `timeout` seconds from its beginning, whatever it had to wait for.
Rule 3: one task dials for all who wait for a lane, again and again with growing pauses, for as long as anybody waits.
Rule 4: two lanes: what is large has a connection of its own, so that small commands do not stand behind it.
"""

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from random import Random
from typing import Any, Final, Protocol, TypeAlias, cast

import hiredis
from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, StorageUnavailableError
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.storage.redis.dial import Dialer, Place
from aiocache_kit.storage.redis.replies import LATER, code_of, failure, is_final, refusal
from aiocache_kit.storage.redis.wire import Lost, Wire

Command: TypeAlias = tuple[str | int | float | bytes | memoryview, ...]
"""A command with its arguments; a text goes as UTF-8."""

# The stub of hiredis takes a tuple of one argument only.
pack_command: Final = cast("Callable[[Command], bytes]", hiredis.pack_command)

LARGE: Final = 64 * 1024
"""Bytes of a command from which on it goes by the lane for what is large."""
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
"""Seconds between two attempts to connect, or to have a command taken that was refused for now."""
_random: Final = Random()  # noqa: S311  - spreads pauses, guards nothing


class Channel(Protocol):
    """Where commands go: to one server or to many, over shared connections or over a pool of them."""

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401  - what Redis answers
        """Send one command that concerns `key` and give its reply; raise the error that the reply is.

        `again`: it may be done twice. `large`: its reply is expected to be large.
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
        *,
        timeout: float,
        retries: int,
        most_unread: int,
        breaker: CircuitBreaker,
        prepare: "Callable[[Wire], Awaitable[None]] | None" = None,
        on_push: Callable[[Sequence[Any]], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Reach the server at the place that `locate` gives, which is asked before each attempt to connect.

        A call lasts `timeout` seconds at most, and is made `retries` times more where that is allowed. `prepare` is
        done on each new connection of the lane for small commands before anybody else uses it; `on_push` gets what the
        server says there unasked, and `on_end` is called when that connection ends.
        """
        self._dialer = dialer
        self._locate = locate
        self._timeout = timeout
        self._retries = retries
        self._most_unread = most_unread
        self._breaker = breaker
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

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401, D102
        del key
        packed = pack_command(command)
        lane = self._large if large or len(packed) >= LARGE else self._small
        wire = lane.wire
        if wire is None or not wire.ready:
            return await self._call_slowly(lane, packed, again=again)
        start = stopwatch()
        try:
            reply = await wire.send(packed)
        except Lost as lost:
            return await self._call_slowly(lane, packed, again=again, start=start, lost=lost)
        if reply.__class__ is ReplyError:
            return await self._refused(lane, wire, packed, reply, start)
        return reply

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:  # noqa: D102
        del keys
        if not commands:
            return []
        packed = [pack_command(command) for command in commands]
        is_large = sum(map(len, packed)) >= LARGE * 4 or max(map(len, packed)) >= LARGE
        lane = self._large if is_large else self._small
        wire = lane.wire
        start = stopwatch()
        lost: Lost | None = None
        if wire is not None and wire.ready:
            try:
                return list(await wire.send_many(packed))
            except Lost as error:
                lost = error
        return list(await self._within(lane, lambda wire: wire.send_many(packed), again=again, start=start, lost=lost))

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:  # noqa: D102
        found: list[bytes | None] = await self.call(("MGET", *names), again=True)
        return found

    def servers(self) -> "Sequence[Channel]":  # noqa: D102
        return (self,)

    async def _call_slowly(
        self, lane: _Lane, packed: bytes, *, again: bool, start: float | None = None, lost: Lost | None = None
    ) -> Any:  # noqa: ANN401  - what Redis answers
        began = stopwatch() if start is None else start
        reply = await self._within(lane, lambda wire: wire.send(packed), again=again, start=began, lost=lost)
        if reply.__class__ is ReplyError:
            return await self._refused(lane, lane.wire, packed, reply, began)
        return reply

    async def _refused(self, lane: _Lane, wire: Wire | None, packed: bytes, reply: ReplyError, start: float) -> Any:  # noqa: ANN401  - what Redis answers
        """Send a command again that was not taken for now, until the time is over; raise what is final."""
        pause = _FIRST_PAUSE
        while code_of(reply) in LATER and stopwatch() - start + pause < self._timeout:
            if code_of(reply) == "READONLY" and wire is not None:
                wire.end()  # a master that was demoted: the next attempt asks where the master is
            await asyncio.sleep(pause * _random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)
            wire = lane.wire
            reply = await self._within(lane, lambda wire: wire.send(packed), again=False, start=start, lost=None)
            if reply.__class__ is not ReplyError:
                return reply
        raise refusal(reply) from reply

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
        if lane.wire is None and not self._breaker.allows(stopwatch()):
            raise StorageUnavailableError("Redis did not answer of late, and is left alone for a moment")
        try:
            async with asyncio.timeout(max(start + self._timeout - stopwatch(), 0.0)):
                reply = await self._persistently(lane, send, again=again, lost=lost)
        except asyncio.CancelledError:
            self._breaker.abandoned(stopwatch())
            raise
        except TimeoutError as error:
            self._breaker.failed(stopwatch())
            raise _anew(lane.error or failure(error)) from error
        except Lost as error:
            self._breaker.failed(stopwatch())
            raise failure(error) from error
        self._breaker.succeeded(stopwatch())
        return reply

    async def _persistently(
        self, lane: _Lane, send: "Callable[[Wire], asyncio.Future[Any]]", *, again: bool, lost: Lost | None
    ) -> Any:  # noqa: ANN401  - what Redis answers
        left = self._retries
        while True:
            if lost is not None:
                if lost.late or (lost.sent and not again) or not left:
                    raise lost
                left -= 1
            wire = lane.wire
            try:
                if wire is None:
                    wire = await self._connected(lane)
                if not wire.ready:
                    await wire.wait_for_room()
                return await send(wire)
            except Lost as error:
                lost = error

    # --- connections -------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect within the time of a call; raise what is in the way."""
        await self.call(("PING",), again=True)

    async def close(self) -> None:
        """End the connections; who waits for a reply gets `StorageUnavailableError`."""
        self._closed = True
        for lane in (self._small, self._large):
            if lane.dialling is not None:
                lane.dialling.cancel()
                await asyncio.wait([lane.dialling])
            wire = lane.wire
            if wire is not None:
                wire.end()
                await wire.gone()

    async def _connected(self, lane: _Lane) -> Wire:
        """Wait for a connection; whoever is first lets a task dial."""
        if self._closed:
            raise StorageUnavailableError("the connection to Redis is closed")
        loop = asyncio.get_running_loop()
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
        pause = _FIRST_PAUSE
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
                if is_final(lane.error) or not lane.waiting:
                    self._send_away(lane, lane.error)
                    return
                await asyncio.sleep(pause * _random.uniform(0.5, 1.0))
                pause = min(pause * 2, _LONGEST_PAUSE)
        finally:
            self._send_away(lane, StorageUnavailableError("the connection to Redis is closed"))

    def _send_away(self, lane: _Lane, error: CacheError) -> None:
        for waiter in lane.waiting:
            if not waiter.done():
                waiter.set_exception(_anew(error))

    async def _new_wire(self, lane: _Lane) -> Wire:
        transport, held = await self._dialer.dial(await self._locate())
        is_small = lane is self._small
        wire = Wire(
            transport,
            held,
            timeout=self._timeout,
            most_unread=self._most_unread,
            on_end=lambda wire: self._ended(lane, wire),
            on_push=self._on_push if is_small else None,
        )
        if self._prepare is not None and is_small:
            try:
                await self._prepare(wire)
            except BaseException:
                wire.end()
                raise
        if wire.ended:
            raise Lost(sent=False)
        lane.wire = wire
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


def _anew(error: CacheError) -> CacheError:
    """Give the same error for one more caller: each gets a traceback of his own."""
    other = copy(error)
    other.__cause__ = error.__cause__
    return other


_links: Final["weakref.WeakSet[Link]"] = weakref.WeakSet()


def _forget_all() -> None:
    for link in _links:
        link.forget()


os.register_at_fork(after_in_child=_forget_all)
