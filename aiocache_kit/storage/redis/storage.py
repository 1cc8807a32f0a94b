"""`RedisStorage`: items in Redis, shared by all processes that use the same prefix.

What is read and written is in `reading` and `writing`; here is what goes over many names, and the life of the storage.

Rule: whether an item is stale is judged by its dates, which are counted by the server's clock (`server_time`), whatever
the clock of the process that wrote it says.
"""

import math
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.key_hashing import KeyHasher
from aiocache_kit.stats import Stats
from aiocache_kit.storage.base import (
    ALWAYS,
    Capabilities,
    Condition,
    ConditionKind,
    Size,
    Storage,
    whole_number,
)
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.redis.circuits import Circuits
from aiocache_kit.storage.redis.kept_reads import sides_of
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.leases import RedisLeases
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.locks import RedisLocks
from aiocache_kit.storage.redis.payloads import MOST_BARE, Payloads, version_sought
from aiocache_kit.storage.redis.rates import RedisRates
from aiocache_kit.storage.redis.reading import Reader
from aiocache_kit.storage.redis.replies import checked
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.slices import slices
from aiocache_kit.storage.redis.tags import RedisTags
from aiocache_kit.storage.redis.tracking import Tracking
from aiocache_kit.storage.redis.writing import Writer

_SCANNED: Final = 1000
"""Names that Redis looks at for one step of a scan."""


class RedisStorage(Storage):
    """Items in Redis under the names that begin with a prefix."""

    capabilities = Capabilities(shared=True, persistent=True, leases=True, tags=True, locks=True, rates=True)
    name = "redis"

    def __init__(
        self,
        channel: Channel,
        codec: Codec,
        *,
        prefix: str,
        hasher: KeyHasher | None = None,
        strict: bool = False,
        degrades: bool = False,
        lease_ttl: float = 5.0,
        tracking: Tracking | None = None,
        circuits: Circuits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Keep items by `channel`, written by `codec`, under `prefix`; `hasher` hides their keys.

        `strict`: what cannot be read is raised, instead of being a miss. `degrades`: while Redis is away, reads are
        misses and plain writes are forgotten (`reading`, `writing`). A lease that nobody extends ends after `lease_ttl`
        seconds. `tracking` keeps what is read, if `channel` was made with its hooks. `circuits` are the breakers of
        `channel`, for who watches them.
        """
        if clock is not None:
            self.clock = clock
        sides = sides_of(channel, tracking)
        self._tracking = tracking
        self._circuits = circuits
        self._channel = sides.writes
        self._layout = Layout(prefix, hasher)
        self._codec = codec
        self._degrades = degrades
        self._time = ServerTime(self.clock)
        payloads = Payloads(codec, self._layout, self._time)
        tags = RedisTags(channel, self._layout, self._time)
        kept_tags = RedisTags(sides.tags, self._layout, self._time)
        self._reader = Reader(sides.items, self._layout, payloads, kept_tags, strict=strict, degrades=degrades)
        looker = self._reader
        if tracking is not None:  # what decides of a write is what Redis says now
            looker = Reader(sides.writes, self._layout, payloads, tags, strict=strict, degrades=degrades)
            looker.special = self._reader.special
        self._readers = {self._reader, looker}
        self._leases = RedisLeases(
            sides.writes, self._layout, tags, self._time, looker, ttl=lease_ttl, degrades=degrades
        )
        self._writer = Writer(
            sides.writes, self._layout, payloads, looker, tags=tags, leases=self._leases, time=self._time
        )
        self.tags = RedisTags(sides.writes, self._layout, self._time)
        self.leases = self._leases
        self.locks = RedisLocks(channel, self._layout)
        self.rates = RedisRates(channel, self._layout)
        self.shortcuts = _PlainValues(self._reader, self._writer)

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, and ask for the server's time."""
        self._time.use(self.clock)
        try:
            await self._channel.open()
            await self._time.ask(self._channel)
        except StorageUnavailableError:
            if not self._degrades:
                raise
            self._reader.errors += 1

    async def close(self) -> None:
        """Give leases back, and let go of all connections."""
        try:
            await self._leases.close()
        finally:
            try:
                await self._channel.close()
            finally:
                await self._writer.close()

    def observe(self, observer: Observer) -> None:
        """Tell of the circuit before the servers, and of calls."""
        super().observe(observer)
        if self._circuits is not None:
            self._circuits.observe(observer)

    async def ping(self) -> None:
        """Return once every server has answered."""
        for server in self._channel.servers():
            await server.call((b"PING",), again=True)

    async def size(self) -> Size:
        """Give the errors; Redis cannot count the items of one prefix."""
        return Size(errors=sum(reader.errors for reader in self._readers), counted=False)

    async def layers(self) -> Mapping[str, Stats]:
        """Tell of what is kept by this process, as ``client_cache``, where anything may be."""
        return {} if self._tracking is None else {"client_cache": self._tracking.stats()}

    async def tidy(self) -> None:
        """Ask for the server's time now and then, and remove what is old under keys whose writes were forgotten."""
        if self._time.is_old:
            await self._time.ask(self._channel)
        for names in slices(list(self._reader.special.unwritten)):
            await self._reader.remove_forgotten(names)

    # --- single items ------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`, stale ones included; None where there is none that lives and can be read."""
        return await self._reader.item(key)

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items that `read` would give, by key."""
        return await self._reader.items(keys)

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds; say whether it was stored."""
        if condition.kind is not ConditionKind.ALWAYS:
            return await self._writer.write_if(item, condition)
        await self._writer.write(item)
        return True

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item."""
        await self._writer.write_multi(items)

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds; say whether a live item went away."""
        return await self._writer.remove(key, condition)

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key and count the live items that went away."""
        return await self._writer.remove_multi(keys)

    async def read_latest(self, key: str) -> Item[object] | None:
        """Give what Redis has under `key` now, whatever is kept."""
        self._look_anew(key)
        return await self.read(key)

    async def touch(self, item: Item[None]) -> bool:
        """Give the live item under the key of `item` the ttl of `item`; say whether there was one."""
        await self._writer.let_end((self._layout.name(item.key),))
        self._look_anew(item.key)
        return await super().touch(item)

    def _look_anew(self, key: str) -> None:
        """Let the next read of `key` ask Redis: what is kept does not decide whether there is anything to change."""
        if self._tracking is not None:
            self._tracking.forget(self._layout.name(key))

    async def expire(self, key: str) -> bool:
        """Make the live item under `key` stale; say whether there was one.

        What anybody is loading for the key is not stored: a lease ends, and an item that is stale already changes its
        version.
        """
        await self._writer.let_end((self._layout.name(key),))
        self._look_anew(key)
        while True:
            current = await self.read(key)
            if current is None:
                await self._writer.end_lease(key)
                return False
            death = current.stale_until if current.stale_until is not None else current.expiration
            ended = replace(
                current, ttl=0.0, expiration=self.clock.time(), stale_until=math.inf if death is None else death
            )
            if await self._writer.write_same(ended, current.version):
                return not current.is_stale

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add to the integer under a key, or begin with the value of `item`; give the sum."""
        while self._codec.has_bare_integers:
            total = await self._writer.increment(item, delta)
            if total is not None:
                return total
            # Set as a value, it is made bare, unless it has what only an envelope holds.
            current = await self.read(item.key)
            if current is None or current.is_stale or current.tags or current.cost is not None or item.tags:
                break
            total = whole_number(current.value) + delta
            if abs(total) >= MOST_BARE:
                break
            bare = replace(current, ttl=self._time_left(current), stale_until=None)
            if await self._writer.store(bare, b"%d" % total, b"V", version_sought(current.version)):
                return total
        return await super().increment(item, delta)

    # --- many items --------------------------------------------------------------------------------------------------

    async def clear(self, prefix: str = "") -> None:
        """Remove all items whose keys begin with `prefix`, and the leases on such keys."""
        self._layout.check_prefix(prefix)
        await self._writer.let_end()
        async for server, names in self._scan(prefix):
            for reply in await server.call_many([(b"UNLINK", name) for name in names], keys=names, again=True):
                checked(reply)
        for name in list(self._reader.special.unwritten):
            if (self._layout.key(name) or "").startswith(prefix):
                self._reader.special.written(name)

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the keys of live items that begin with `prefix`, each once."""
        self._layout.check_listing()
        seen: set[str] = set()
        async for _, names in self._scan(prefix):
            keys = [key for name in names if (key := self._layout.key(name)) is not None and key not in seen]
            seen.update(keys)
            for key, item in (await self.read_multi(keys)).items():
                if not item.is_stale:
                    yield key

    async def _scan(self, prefix: str) -> AsyncIterator[tuple[Channel, list[bytes]]]:
        """Go over the names of items, server by server and slice by slice."""
        pattern = self._layout.pattern(prefix)
        for server in self._channel.servers():
            cursor: Any = b"0"
            while True:
                cursor, found = await server.call(
                    (b"SCAN", cursor, b"MATCH", pattern, b"COUNT", _SCANNED), again=True, large=True
                )
                for part in slices([name for name in found if self._layout.key(name) is not None]):
                    yield server, part
                if int(cursor) == 0:
                    break


class _PlainValues:
    """The short way of plain values: `Shortcuts`, without a frame of its own."""

    __slots__ = ("put", "put_multi", "value", "values", "young")

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.value = reader.value
        self.values = reader.values
        self.young = reader.young
        self.put = writer.put
        self.put_multi = writer.put_multi
