"""What is written to Redis, and removed: plainly, or where a condition holds.

Rule 1: an item lives in Redis for as long as Redis lets it (``PX``), so that death needs nobody's clock but the
server's.
Rule 2: an integer that is counted on lies bare, so that ``INCRBY`` works on it.
Rule 3: a storage that degrades forgets plain writes while Redis is away. The keys of those are misses here until Redis
is back and what is old under them was removed. Whatever else cannot be done is raised.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hiredis import ReplyError

from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Condition, ConditionKind
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.leases import RedisLeases
from aiocache_kit.storage.redis.link import LARGE, Channel, Command, pack_command
from aiocache_kit.storage.redis.payloads import Payloads, life_of_item, millis, version_sought
from aiocache_kit.storage.redis.reading import Reader
from aiocache_kit.storage.redis.replies import checked, failure
from aiocache_kit.storage.redis.scripts import END_LEASE, INCREMENT, REMOVE, STORE
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.slices import slices
from aiocache_kit.storage.redis.tags import RedisTags, remembered
from aiocache_kit.storage.redis.wire import Lost

MOST_BARE: Final = 10**18
"""What a bare integer is below, whatever its sign; a larger one lies in an envelope."""
_KINDS: Final = {
    ConditionKind.ALWAYS: b"",
    ConditionKind.ABSENT: b"A",
    ConditionKind.PRESENT: b"P",
    ConditionKind.VERSION: b"V",
}


class Writer:
    """Writes for one storage."""

    def __init__(
        self,
        channel: Channel,
        layout: Layout,
        payloads: Payloads,
        reader: Reader,
        *,
        tags: RedisTags,
        leases: RedisLeases,
        time: ServerTime,
    ) -> None:
        """Write by `channel` under the names of `layout`."""
        self._channel = channel
        self._call = channel.call
        self._ask = channel.ask
        self._name = layout.name
        self._payloads = payloads
        self._plain_payload = payloads.plain
        self._reader = reader
        self._special = reader.special
        self._tags = tags
        self._leases = leases
        self._time = time

    # --- plain writes ------------------------------------------------------------------------------------------------

    async def put(self, key: str, value: object, ttl: float | None) -> bool:
        """Store a plain value the short way, without an item; False where that is not possible."""
        name = self._name(key)
        payload = self._plain_payload(name, value, ttl)
        if payload is None or self._special:
            return False
        px = None if ttl is None else millis(ttl)
        command: Command = (b"SET", name, payload) if px is None else (b"SET", name, payload, b"PX", px)
        answer = self._ask(pack_command(command), name) if len(payload) < LARGE else None
        try:
            reply = await (self._call(command, key=name) if answer is None else answer)
            if reply.__class__ is ReplyError:
                await self._call(command, key=name)  # it was refused: nothing was done
        except StorageUnavailableError as error:
            self._forget([name], error)
        except Lost as lost:
            await self._after(lost, command, name)
        return True

    async def _after(self, lost: Lost, command: Command, name: bytes) -> None:
        """Go on where the connection was lost: a write that the server may have got is not sent again."""
        try:
            if lost.sent:
                raise failure(lost)
            await self._call(command, key=name)
        except StorageUnavailableError as error:
            self._forget([name], error)

    async def put_multi(self, values: Mapping[str, object], ttl: float | None) -> bool:
        """Store plain values the short way; False, and nothing was done, where that is not possible."""
        names = {key: self._name(key) for key in values}
        px = None if ttl is None else millis(ttl)
        end: Command = () if px is None else (b"PX", px)
        for part in slices(list(values)):
            commands: list[Command] = []
            for key in part:
                name = names[key]
                payload = self._plain_payload(name, values[key], ttl)
                if payload is None:
                    return False
                commands.append((b"SET", name, payload, *end))
            await self._set_all([names[key] for key in part], commands)
        return True

    async def write(self, item: Item[object]) -> None:
        """Store `item`."""
        name = self._name(item.key)
        command = await self._set_command(item, await self._generations([item]))
        try:
            await self._call(command, key=name)
        except StorageUnavailableError as error:
            self._forget([name], error)
        else:
            self._special.written(name)

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item."""
        for part in slices(list(items)):
            names = [self._name(item.key) for item in part]
            try:
                generations = await self._generations(part)
            except StorageUnavailableError as error:
                self._forget(names, error)
            else:
                await self._set_all(names, [await self._set_command(item, generations) for item in part])

    async def _set_all(self, names: list[bytes], commands: list[Command]) -> None:
        try:
            replies = await self._channel.call_many(commands, keys=names)
        except StorageUnavailableError as error:
            self._forget(names, error)
            return
        for name, reply in zip(names, replies, strict=True):
            checked(reply)
            self._special.written(name)

    def _forget(self, names: list[bytes], error: StorageUnavailableError) -> None:
        """Treat plain writes that could not be done as rule 3 says."""
        if not self._reader.degrades or not self._special.forget_write(names):
            raise error
        self._reader.errors += 1

    async def _generations(self, items: Sequence[Item[object]]) -> dict[str, str]:
        tags = list(dict.fromkeys(tag for item in items for tag in item.tags))
        return await self._tags.note(tags, max(map(life_of_item, items))) if tags else {}

    async def _set_command(self, item: Item[object], generations: dict[str, str]) -> Command:
        name, life = self._name(item.key), life_of_item(item)
        payload = await self._payloads.write(item, remembered(generations, item.tags))
        if life <= 0:
            return (b"UNLINK", name)
        px = millis(life)
        return (b"SET", name, payload) if px is None else (b"SET", name, payload, b"PX", px)

    # --- writes under a condition ------------------------------------------------------------------------------------

    async def write_if(self, item: Item[object], condition: Condition) -> bool:
        """Store `item` if `condition` holds; say whether it was stored."""
        if condition.kind is ConditionKind.LEASE:
            return await self._write_leased(item, condition.lease)
        payload = await self._payloads.write(item, remembered(await self._generations([item]), item.tags))
        return await self.store(item, payload, _KINDS[condition.kind], version_sought(condition.version))

    async def _write_leased(self, item: Item[object], lease: str) -> bool:
        held = self._leases.claim(lease)
        if held is None:
            return False
        stored = False
        try:
            generations = await self._generations([item])
            if held.has_seen(generations):
                payload = await self._payloads.write(item, remembered(generations, item.tags))
                kind, wanted = (b"L", held.mark) if held.version is None else (b"S", held.version)
                stored = await self.store(item, payload, kind, wanted)
        finally:
            if stored and held.version is None:
                self._leases.written(held)
            else:
                self._leases.leave(held)
        return stored

    async def write_same(self, item: Item[object], version: int) -> bool:
        """Store `item` over the one with `version`, be it stale; False where that is not there, or was invalidated."""
        generations = await self._generations([item])
        there = await self._reader.item(item.key)  # after the generations: an invalidation is seen here or there
        if there is None or there.version != version:
            return False
        payload = await self._payloads.write(item, remembered(generations, item.tags))
        return await self.store(item, payload, b"S", version_sought(version))

    async def end_lease(self, key: str) -> None:
        """Let nobody store what is being loaded for a missing key."""
        name = self._name(key)
        await END_LEASE.run(self._channel, (name,))

    async def store(self, item: Item[object], payload: bytes, kind: bytes, wanted: bytes) -> bool:
        """Store a payload if a condition holds, looking at tags and at what cannot be read where that matters."""
        name = self._name(item.key)
        px = millis(life_of_item(item))
        looked_at, is_alive = b"", 1
        while True:
            life = b"" if px is None else px
            condition = (kind, wanted, self._time.now(), looked_at, is_alive)
            reply = await STORE.run(self._channel, (name,), payload, life, *condition)
            if reply == 1:
                self._special.written(name)
                return True
            if reply == 0 and (kind != b"A" or not is_alive):
                return False
            version, is_alive = await self._reader.look(item.key)
            if reply == 0 and (is_alive or not version):
                return False
            looked_at = version

    async def increment(self, item: Item[int], delta: int) -> int | None:
        """Add to the bare integer under the key of `item`, or begin one; None where it cannot be, or stay, bare."""
        first = item.value + delta
        if item.tags or item.cost is not None or abs(delta) >= MOST_BARE:
            return None
        px = millis(life_of_item(item))
        sum_ = await INCREMENT.run(
            self._channel,
            (self._name(item.key),),
            delta,
            b"" if px is None else px,
            first if abs(first) < MOST_BARE else b"",
            self._time.now(),
        )
        return None if sum_ is None else int(sum_)

    # --- removing ----------------------------------------------------------------------------------------------------

    async def remove(self, key: str, condition: Condition) -> bool:
        """Remove what is under `key` if `condition` holds; say whether it was live."""
        if condition.kind is ConditionKind.LEASE:
            await self._leases.drop(key, condition.lease)
            return False
        name, kind, wanted = self._name(key), _KINDS[condition.kind], version_sought(condition.version)
        looked_at, is_alive = b"", 1
        while True:
            reply = await REMOVE.run(self._channel, (name,), kind, wanted, self._time.now(), looked_at, is_alive)
            if not kind:
                return await self._was_live(key, reply)
            if not isinstance(reply, bytes):
                return bool(reply)
            looked_at, is_alive = await self._reader.look(key)

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key and count the live items that went away."""
        count = 0
        for part in slices(list(keys)):
            calls = [(self._name(key), (b"", b"", self._time.now(), b"", 1)) for key in part]
            for key, reply in zip(part, await REMOVE.run_many(self._channel, calls), strict=True):
                count += await self._was_live(key, reply)
        return count

    async def _was_live(self, key: str, reply: Any) -> bool:  # noqa: ANN401  - what the script gives
        return await self._reader.is_live(key, reply) if isinstance(reply, bytes) else bool(reply)
