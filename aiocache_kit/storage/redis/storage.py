"""`RedisStorage`: items in Redis, shared by all processes that use the same prefix.

Rule 1: an item lives in Redis for as long as Redis lets it (``PX``), so that death needs nobody's clock but the
server's. Whether it is stale is judged by its dates, which are counted by the server's clock too (`server_time`).
Rule 2: an integer that is counted on lies bare, so that ``INCRBY`` works on it.
Rule 3: what cannot be read is a miss and counts as an error, or is raised where the configuration is strict. A
condition takes it for absent; reading removes nothing, since it may be of a program that is newer.
Rule 4: a storage that degrades answers reads with a miss while Redis is away, and forgets plain writes; the keys of
those are misses here until Redis is back and the old items under them were removed. Everything else is raised.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CorruptPayloadError, StorageUnavailableError, WrongTypeError
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.key_hashing import KeyHasher
from aiocache_kit.storage.base import (
    ALWAYS,
    Capabilities,
    Condition,
    ConditionKind,
    Size,
    Storage,
    whole_number,
)
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.leases import RedisLeases
from aiocache_kit.storage.redis.link import LARGE, Channel, Command
from aiocache_kit.storage.redis.locks import RedisLocks
from aiocache_kit.storage.redis.payloads import Payloads, is_bare, life_of_item, millis, version_in, version_sought
from aiocache_kit.storage.redis.replies import checked
from aiocache_kit.storage.redis.scripts import INCREMENT, REMOVE, STORE
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.tags import RedisTags, plain, remembered

T = TypeVar("T")
SLICE: Final = 256
"""Keys that are worked on in one turn of the loop."""
_SCANNED: Final = 1000
_MOST_UNWRITTEN: Final = 10_000
_MOST_LARGE: Final = 4096
_MOST_BARE: Final = 10**18
_KINDS: Final = {
    ConditionKind.ALWAYS: b"",
    ConditionKind.ABSENT: b"A",
    ConditionKind.PRESENT: b"P",
    ConditionKind.VERSION: b"V",
}


class RedisStorage(Storage):
    """Items in Redis under the names that begin with a prefix."""

    capabilities = Capabilities(shared=True, persistent=True, leases=True, tags=True, locks=True)
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
        clock: Clock | None = None,
    ) -> None:
        """Keep items by `channel`, written by `codec`, under `prefix`; `hasher` hides their keys.

        `strict`: what cannot be read is raised. `degrades`: see rule 4. A lease that nobody extends ends after
        `lease_ttl` seconds.
        """
        if clock is not None:
            self.clock = clock
        self._channel = channel
        self._layout = Layout(prefix, hasher)
        self._codec = codec
        self._strict = strict
        self._degrades = degrades
        self._errors = 0
        self._unwritten: dict[bytes, None] = {}
        """Names whose plain writes were forgotten."""
        self._large: dict[bytes, None] = {}
        """Names whose items were large when last seen; they are read by the other lane."""
        self._time = ServerTime(self.clock)
        self._payloads = Payloads(codec, self._layout, self._time)
        self.tags = self._tags = RedisTags(channel, self._layout, self._time)
        self.locks = RedisLocks(channel, self._layout)
        self.leases = self._leases = RedisLeases(
            channel, self._layout, self._tags, self._time, self, ttl=lease_ttl, degrades=degrades
        )

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
            self._errors += 1

    async def close(self) -> None:
        """Give leases back, and let go of all connections."""
        try:
            await self._leases.close()
        finally:
            await self._channel.close()

    async def ping(self) -> None:
        """Return once every server has answered."""
        for server in self._channel.servers():
            await server.call(("PING",), again=True)

    async def size(self) -> Size:
        """Give the errors; Redis cannot count the items of one prefix."""
        return Size(errors=self._errors)

    async def tidy(self) -> None:
        """Ask for the server's time now and then, and remove what is old under keys whose writes were forgotten."""
        if self._time.is_old:
            await self._time.ask(self._channel)
        if self._unwritten:
            names = list(self._unwritten)
            for reply in await self._channel.call_many([("UNLINK", name) for name in names], keys=names, again=True):
                checked(reply)
            for name in names:
                self._unwritten.pop(name, None)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`, stale ones included; None where there is none that lives and can be read."""
        name = self._layout.name(key)
        if self._unwritten and name in self._unwritten:
            return None
        try:
            data = await self._channel.call(("GET", name), key=name, again=True, large=name in self._large)
        except StorageUnavailableError:
            self._degrade()
            return None
        except WrongTypeError:
            self._refuse()
            return None
        return None if data is None else await self.living(key, data)

    async def living(self, key: str, data: bytes) -> Item[object] | None:
        """Give the item of a payload if it can be read and was not invalidated."""
        item = await self._item(key, data)
        if item is None or not item.tags:
            return item
        living = await self._tags.living((item,))
        return replace(item, tags=plain(item.tags)) if living else None

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items that `read` would give, by key."""
        found: dict[str, Item[object]] = {}
        for part in _slices(list(keys)):
            names = [self._layout.name(key) for key in part]
            try:
                payloads = await self._channel.read_many(names)
            except StorageUnavailableError:
                self._degrade()
                continue
            items: list[Item[object]] = []
            for key, name, data in zip(part, names, payloads, strict=True):
                item = None if data is None or name in self._unwritten else await self._item(key, data)
                if item is not None:
                    items.append(item)
            for item in await self._tags.living(items):
                found[item.key] = replace(item, tags=plain(item.tags)) if item.tags else item
        return found

    async def _item(self, key: str, data: bytes) -> Item[object] | None:
        """Give the item of a payload, with its tags as they are remembered."""
        left: float | None = None
        name = self._layout.name(key)
        if len(data) >= LARGE or self._large:
            self._note_size(name, len(data))
        if is_bare(data):
            px = await self._channel.call(("PTTL", name), key=name, again=True)
            left = None if px < 0 else px / 1000
        try:
            return await self._payloads.read(key, data, left)
        except CorruptPayloadError:
            self._refuse()
            return None

    def _refuse(self) -> None:
        """Count what cannot be read, or raise it where the configuration is strict."""
        if self._strict:
            raise CorruptPayloadError("what Redis holds under this key is no item that this configuration has written")
        self._errors += 1

    def _note_size(self, name: bytes, size: int) -> None:
        if size < LARGE:
            self._large.pop(name, None)
            return
        self._large[name] = None
        if len(self._large) > _MOST_LARGE:
            del self._large[next(iter(self._large))]

    def _degrade(self) -> None:
        """Count what is answered without Redis, or raise the error that is being handled."""
        if not self._degrades:
            raise  # noqa: PLE0704  - called where an error is handled
        self._errors += 1

    # --- writing -----------------------------------------------------------------------------------------------------

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds; say whether it was stored."""
        if condition.kind is ConditionKind.LEASE:
            return await self._write_leased(item, condition.lease)
        if condition.kind is not ConditionKind.ALWAYS:
            payload = await self._payload(item)
            return await self._store(item, payload, _KINDS[condition.kind], version_sought(condition.version))
        try:
            command = await self._set_command(item)
            await self._channel.call(command, key=self._layout.name(item.key))
        except StorageUnavailableError:
            self._forget_write([item.key])
        else:
            if self._unwritten:
                self._unwritten.pop(self._layout.name(item.key), None)
        return True

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item."""
        for part in _slices(list(items)):
            tagged = [item for item in part if item.tags]
            try:
                generations = await self._generations(tagged)
                commands = [await self._set_command(item, generations) for item in part]
                names = [self._layout.name(item.key) for item in part]
                for reply in await self._channel.call_many(commands, keys=names):
                    checked(reply)
            except StorageUnavailableError:
                self._forget_write([item.key for item in part])

    async def _generations(self, items: Sequence[Item[object]]) -> dict[str, str]:
        if not items:
            return {}
        tags = list(dict.fromkeys(tag for item in items for tag in item.tags))
        return await self._tags.note(tags, max(map(life_of_item, items)))

    async def _payload(self, item: Item[object], generations: dict[str, str] | None = None) -> bytes:
        if not item.tags:
            return await self._payloads.write(item)
        if generations is None:
            generations = await self._generations([item])
        return await self._payloads.write(item, remembered(generations, item.tags))

    async def _set_command(self, item: Item[object], generations: dict[str, str] | None = None) -> Command:
        name = self._layout.name(item.key)
        life = life_of_item(item)
        payload = await self._payload(item, generations)
        if life <= 0:
            return ("UNLINK", name)
        px = millis(life)
        return ("SET", name, payload) if px is None else ("SET", name, payload, "PX", px)

    def _forget_write(self, keys: list[str]) -> None:
        """Treat plain writes that could not be done as rule 4 says, or raise the error that is being handled."""
        if len(self._unwritten) + len(keys) > _MOST_UNWRITTEN:
            raise  # noqa: PLE0704  - called where an error is handled
        self._degrade()
        self._unwritten.update(dict.fromkeys(map(self._layout.name, keys)))

    async def _write_leased(self, item: Item[object], lease: str) -> bool:
        held = self._leases.claim(lease)
        if held is None:
            return False
        stored = False
        try:
            generations = await self._generations([item] if item.tags else [])
            if held.has_seen(generations):
                payload = await self._payload(item, generations)
                kind, wanted = (b"L", held.mark) if held.version is None else (b"S", held.version)
                stored = await self._store(item, payload, kind, wanted)
        finally:
            if stored and held.version is None:
                self._leases.written(held)
            else:
                self._leases.leave(held)
        return stored

    async def _store(self, item: Item[object], payload: bytes, kind: bytes, wanted: bytes) -> bool:
        """Store a payload if a condition holds, looking at tags and at what cannot be read where that matters."""
        name = self._layout.name(item.key)
        px = millis(life_of_item(item))
        looked_at, is_alive = b"", 1
        while True:
            reply = await STORE.run(
                self._channel,
                (name,),
                payload,
                "" if px is None else px,
                kind,
                wanted,
                self._time.now(),
                looked_at,
                is_alive,
            )
            if reply == 1:
                if self._unwritten:
                    self._unwritten.pop(name, None)
                return True
            if reply == 0 and (kind != b"A" or not is_alive):
                return False
            version, is_alive = await self._look(item.key)
            if reply == 0 and (is_alive or not version):
                return False
            looked_at = version

    async def _look(self, key: str) -> tuple[bytes, int]:
        """Give the version of what lies under a key, and whether it is an item that can be read and lives."""
        name = self._layout.name(key)
        data = await self._channel.call(("GET", name), key=name, again=True)
        if data is None:
            return b"", 0
        try:
            item = await self.living(key, data)
        except CorruptPayloadError:
            item = None
        return version_in(data), int(item is not None and not item.is_stale)

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add to the integer under a key, or begin with the value of `item`; give the sum."""
        if not self._codec.has_bare_integers or item.tags or item.cost is not None:
            return await super().increment(item, delta)
        name, first = self._layout.name(item.key), item.value + delta
        px = millis(life_of_item(item))
        while -_MOST_BARE < delta < _MOST_BARE:
            reply = await INCREMENT.run(
                self._channel,
                (name,),
                delta,
                "" if px is None else px,
                first if -_MOST_BARE < first < _MOST_BARE else "",
                self._time.now(),
            )
            if reply is not None:
                return int(reply)
            current = await self.read(item.key)
            if current is None or current.is_stale:
                break
            total = whole_number(current.value) + delta
            if current.tags or current.cost is not None or abs(total) >= _MOST_BARE:
                break
            left = replace(current, ttl=self._time_left(current), stale_until=None)
            if await self._store(left, b"%d" % total, b"V", version_sought(current.version)):
                return total
        return await super().increment(item, delta)

    # --- removing ----------------------------------------------------------------------------------------------------

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds; say whether a live item went away."""
        if condition.kind is ConditionKind.LEASE:
            await self._leases.drop(key, condition.lease)
            return False
        return await self._remove(key, _KINDS[condition.kind], version_sought(condition.version))

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key and count the live items that went away."""
        count = 0
        for part in _slices(list(keys)):
            calls = [(self._layout.name(key), (b"", b"", self._time.now(), b"", 1)) for key in part]
            for key, reply in zip(part, await REMOVE.run_many(self._channel, calls), strict=True):
                count += await self._was_live(key, reply)
        return count

    async def _remove(self, key: str, kind: bytes, wanted: bytes) -> bool:
        """Remove what is under a key if a condition holds; say whether it was live."""
        name = self._layout.name(key)
        looked_at, is_alive = b"", 1
        while True:
            reply = await REMOVE.run(self._channel, (name,), kind, wanted, self._time.now(), looked_at, is_alive)
            if not kind:
                return await self._was_live(key, reply)
            if not isinstance(reply, bytes):
                return bool(reply)
            looked_at, is_alive = await self._look(key)

    async def _was_live(self, key: str, reply: Any) -> bool:  # noqa: ANN401  - what the script gives
        if not isinstance(reply, bytes):
            return bool(reply)
        try:
            item = await self.living(key, reply)
        except CorruptPayloadError:
            return False
        return item is not None and not item.is_stale

    async def clear(self, prefix: str = "") -> None:
        """Remove all items whose keys begin with `prefix`, and the leases on such keys."""
        self._layout.check_prefix(prefix)
        async for server, names in self._scan(prefix):
            replies = await server.call_many([("UNLINK", name) for name in names], keys=names, again=True)
            for reply in replies:
                checked(reply)
        for name in [name for name in self._unwritten if (self._layout.key(name) or "").startswith(prefix)]:
            del self._unwritten[name]

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the keys of live items that begin with `prefix`, each once."""
        self._layout.check_listing()
        seen: set[bytes] = set()
        async for _, names in self._scan(prefix):
            new = [name for name in names if name not in seen and name not in self._unwritten]
            seen.update(new)
            keys = [key for name in new if (key := self._layout.key(name)) is not None]
            items = await self.read_multi(keys)
            for key in keys:
                item = items.get(key)
                if item is not None and not item.is_stale:
                    yield key

    async def _scan(self, prefix: str) -> AsyncIterator[tuple[Channel, list[bytes]]]:
        """Go over the names of items, server by server and slice by slice."""
        pattern = self._layout.pattern(prefix)
        for server in self._channel.servers():
            cursor: Any = b"0"
            while True:
                cursor, found = await server.call(
                    ("SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED), again=True, large=True
                )
                names = [name for name in found if self._layout.key(name) is not None]
                for part in _slices(names):
                    yield server, part
                if int(cursor) == 0:
                    break


def _slices(things: list[T]) -> Iterable[list[T]]:
    return [things[start : start + SLICE] for start in range(0, len(things), SLICE)]
