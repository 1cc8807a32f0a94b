"""The way to one Redis server by a pool of connections, each of which serves one call at a time.

Rule 1: a call ends in its time, and is tried again, as `attempts` has it; redis-py itself tries nothing again, since it
would repeat an INCR.
Rule 2: what is done with a connection is done by a task of this pool, which is interrupted once at most and never while
it cleans up. So whoever is cancelled leaves at once, and no connection is lost or goes on in the middle of a reply.
Rule 3: a connection is given back after whole replies only; otherwise it is closed. After a loss, the pool of redis-py
is left for a new one, at the place that is the right one by then.
"""

import asyncio
import os
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import CacheError, StorageUnavailableError
from aiocache_kit.storage.redis.attempts import FIRST_PAUSE, LONGEST_PAUSE, Attempts, Deadline, spread
from aiocache_kit.storage.redis.dial import Connections, Dialer, Place, send, take
from aiocache_kit.storage.redis.link import Channel, Command, pack_command
from aiocache_kit.storage.redis.replies import as_cause, as_reply, code_of, failure, is_final, refusal
from aiocache_kit.storage.redis.wire import Lost

_NONE_FREE: Final = "no connection to Redis was free in time: raise redis_config.pool_size"
_CLOSED: Final = "the connection to Redis is closed"


class Pool:
    """Connections to one server."""

    def __init__(
        self, dialer: Dialer, locate: Callable[[], Awaitable[Place]], attempts: Attempts, *, size: int
    ) -> None:
        """Have `size` connections at most to the server at the place that `locate` gives."""
        self._dialer = dialer
        self._locate = locate
        self._attempts = attempts
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._connections: Connections | None = None
        self._visits: set[asyncio.Task[Any]] = set()
        self._error: CacheError | None = None
        """Why the last attempt to connect failed."""
        self._closed = False
        self._inherited: Connections | None = None
        """What belongs to the process that this one was forked from, and must not be closed."""
        _pools.add(self)

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, command: Command, *, key: bytes = b"", again: bool = False, large: bool = False) -> Any:  # noqa: ANN401, D102  - see Channel
        del key, large
        start = stopwatch()
        packed = [pack_command(command)]
        (reply,) = await self._replies(packed, again=again, start=start)
        return await self._refused(packed, reply, start) if isinstance(reply, ReplyError) else reply

    def ask(self, packed: bytes, key: bytes) -> "asyncio.Future[Any] | None":  # noqa: ARG002, D102  - see Channel
        return None  # a connection is to be had first

    async def call_many(self, commands: Sequence[Command], *, keys: Sequence[bytes], again: bool = False) -> list[Any]:  # noqa: D102  - see Channel
        del keys
        if not commands:
            return []
        start = stopwatch()
        packed = [pack_command(command) for command in commands]
        replies = await self._replies(packed, again=again, start=start)
        for place, reply in enumerate(replies):
            if self._attempts.is_for_now(reply):
                try:
                    replies[place] = await self._refused([packed[place]], reply, start)
                except CacheError as error:
                    replies[place] = error.__cause__ or error
        return replies

    async def read_many(self, names: Sequence[bytes]) -> list[bytes | None]:  # noqa: D102  - see Channel
        found: list[bytes | None] = await self.call((b"MGET", *names), again=True)
        return found

    def servers(self) -> Sequence[Channel]:  # noqa: D102  - see Channel
        return (self,)

    async def _refused(self, packed: list[bytes], reply: ReplyError, start: float) -> Any:  # noqa: ANN401  - what Redis answers
        asked = self._connections

        async def send(refused: ReplyError) -> Any:  # noqa: ANN401  - as above
            nonlocal asked
            if code_of(refused) == "READONLY" and asked is not None:
                self._leave(asked)  # a master that was demoted: a new pool asks where the master is
            (answer,) = await self._replies(packed, again=False, start=start)
            asked = self._connections
            return answer

        return await self._attempts.insist(reply, start, send)

    async def _replies(self, packed: list[bytes], *, again: bool, start: float) -> list[Any]:
        """Send commands by one connection and give the replies, refusals as `hiredis.ReplyError`."""
        waits = False

        async def attempt(deadline: Deadline) -> list[Any]:
            nonlocal waits
            waits = True
            deadline.step(self._attempts.times.free)
            await self._free.acquire()
            waits = False
            return await self._by_visit(packed, deadline)

        def reason() -> CacheError | None:
            if waits:
                return StorageUnavailableError(_NONE_FREE)
            return self._error if self._connections is None else None

        is_open = self._connections is not None
        return await self._attempts.run(attempt, again=again, start=start, is_open=is_open, reason=reason)

    # --- connections -------------------------------------------------------------------------------------------------

    async def _by_visit(self, packed: list[bytes], deadline: Deadline) -> list[Any]:
        """Let a task visit the server, which is waited for or left alone; it frees the place that was taken."""
        if self._closed:
            self._free.release()
            raise StorageUnavailableError(_CLOSED)
        visit = asyncio.create_task(self._visit(packed, deadline), name="aiocache_kit asks Redis")
        self._visits.add(visit)
        visit.add_done_callback(self._visited)
        try:
            await asyncio.wait([visit])
        except asyncio.CancelledError:
            visit.cancel()
            raise
        if visit.cancelled():
            raise StorageUnavailableError(_CLOSED)
        return visit.result()

    def _visited(self, visit: "asyncio.Task[Any]") -> None:
        self._visits.discard(visit)
        self._free.release()
        if not visit.cancelled():
            visit.exception()  # known by now to whoever waited; who has left does not want to know

    async def _visit(self, packed: list[bytes], deadline: Deadline) -> list[Any]:
        times = self._attempts.times
        deadline.step(times.connect)
        connections, connection = await self._connected()
        is_whole = False
        replies: list[Any] = []
        try:
            deadline.step(times.send)
            await send(connection, packed)
            deadline.step(times.answer)
            for _ in packed:
                replies.append(await _reply(connection))  # noqa: PERF401  - what there is is needed, if it ends too soon
            is_whole = True
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._leave(connections)
            refused = as_reply(error)
            if refused is None:
                raise Lost(sent=True) from error
            if not self._attempts.is_for_now(refused):
                raise refusal(refused) from as_cause(refused)
            # A server that is loading says so to all, and redis-py hangs up at the first.
            return [*replies, *[refused] * (len(packed) - len(replies))]
        else:
            return replies
        finally:
            if not is_whole or connections is not self._connections:
                await connection.disconnect(nowait=True)
            await connections.release(connection)

    async def _connected(self) -> tuple[Connections, Any]:
        """Give a connection that is open, trying again and again; raise what only somebody can mend."""
        pause = FIRST_PAUSE
        while True:
            connections = self._connections
            try:
                if connections is None:
                    connections = await self._new_connections()
                connection = await take(connections)
            except Exception as error:
                self._error = failure(error)
                self._error.__cause__ = error
                if connections is not None:
                    self._leave(connections)
                if is_final(self._error):
                    raise self._error from error
                await asyncio.sleep(spread(pause))
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return connections, connection

    async def _new_connections(self) -> Connections:
        place = await self._locate()
        if self._connections is None:
            self._connections = self._dialer.connections(place, size=self._size)
        return self._connections

    def _leave(self, connections: Connections) -> None:
        """Have new connections from now on; those of `connections` that serve a call close when it is over."""
        if self._connections is not connections:
            return
        self._connections = None
        closing = asyncio.create_task(connections.disconnect(inuse_connections=False), name="aiocache_kit leaves Redis")
        self._visits.add(closing)
        closing.add_done_callback(self._visits.discard)

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect within the time of a call; raise what is in the way."""
        await self.call((b"PING",), again=True)

    async def close(self) -> None:
        """End the connections; who waits for a reply gets `StorageUnavailableError`.

        If that is cancelled, it goes on by itself.
        """
        self._closed = True
        for visit in self._visits:
            visit.cancel()
        await asyncio.wait([asyncio.create_task(self._end(), name="aiocache_kit leaves Redis")])

    async def _end(self) -> None:
        while self._visits:
            await asyncio.wait(self._visits)
        if self._connections is not None:
            connections, self._connections = self._connections, None
            await connections.disconnect()

    def forget(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._inherited, self._connections = self._connections, None
        self._visits = set()
        self._free = asyncio.Semaphore(self._size)


async def _reply(connection: Any) -> Any:  # noqa: ANN401  - what redis-py has, and what Redis answers
    """Read one reply; give a refusal, and raise what else goes wrong."""
    try:
        return await connection.read_response()
    except Exception as error:
        refused = as_reply(error)
        if refused is None or not connection.is_connected:
            raise
        return refused


_pools: Final["weakref.WeakSet[Pool]"] = weakref.WeakSet()


def _forget_all() -> None:
    for pool in _pools:
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
