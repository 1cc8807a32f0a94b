"""What is written to Redis, and removed: plainly, or where a condition holds.

Rule 1: an item lives in Redis for as long as Redis lets it (``PX``), so that death needs nobody's clock but the
server's.
Rule 2: an integer that is counted on lies bare, so that ``INCRBY`` works on it.
Rule 3: a storage that degrades forgets plain writes while Redis is away. The keys of those are misses here until Redis
is back and what is old under them was removed. Whatever else cannot be done is raised.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from hiredis import ReplyError

from aiocache_kit.errors import PartialFailureError, StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Condition, ConditionKind
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.leases import RedisLeases
from aiocache_kit.storage.redis.left import MAYBE_LARGE, Left
from aiocache_kit.storage.redis.link import LARGE, Channel, Command
from aiocache_kit.storage.redis.payloads import MOST_BARE, Payloads, life_of_item, millis, version_sought
from aiocache_kit.storage.redis.reading import Reader
from aiocache_kit.storage.redis.replies import checked, failure
from aiocache_kit.storage.redis.room import Room
from aiocache_kit.storage.redis.scripts import END_LEASE, INCREMENT, REMOVE, STORE
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.slices import slices
from aiocache_kit.storage.redis.tags import RedisTags, remembered
from aiocache_kit.storage.redis.unreached import Unreached, name_text
from aiocache_kit.storage.redis.wire import Lost

_KINDS: Final = {
    ConditionKind.ALWAYS: b"",
    ConditionKind.ABSENT: b"A",
    ConditionKind.PRESENT: b"P",
    ConditionKind.VERSION: b"V",
}


class EndOfSet(NamedTuple):
    """What SET ends with: most programs have few ttls, and need not make it anew each time."""

    start: bytes
    """What a packed SET is made of, by the lengths of name and payload, both of these, and `packed`."""
    packed: bytes
    rest: Command
    """The same as arguments."""


_END_WITHOUT_TTL: Final = EndOfSet(b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b%b", b"\r\n", ())


def end_of_set(ttl: float | None) -> EndOfSet:
    """Give what the SET of an item that is to live for `ttl` seconds ends with."""
    px = None if ttl is None else millis(ttl)
    if px is None:
        return _END_WITHOUT_TTL
    text = b"%d" % px
    packed = b"\r\n$2\r\nPX\r\n$%d\r\n%b\r\n" % (len(text), text)
    return EndOfSet(b"*5" + _END_WITHOUT_TTL.start[2:], packed, (b"PX", px))


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
        self._last_ttl: float | None = None
        self._last_end = _END_WITHOUT_TTL
        self._room = Room()
        self._left = Left()
        self._left_writes = self._left.writes

    async def let_end(self, names: Collection[bytes] | None = None) -> None:
        """Wait for writes of `names`, None: of any, whose callers have left."""
        if self._left_writes:
            await self._left.let_end(names)

    async def close(self) -> None:
        """Wait until nothing is written any more; the channel is closed by then."""
        await self._left.close()

    # --- plain writes ------------------------------------------------------------------------------------------------

    async def put(self, key: str, value: object, ttl: float | None) -> bool:
        """Store a plain value the short way, without an item; False where that is not possible."""
        name = self._name(key)
        payload = self._plain_payload(name, value, ttl)
        if payload is None or self._special.unwritten or self._special.large or self._left_writes:
            return False
        if ttl != self._last_ttl:
            self._last_ttl, self._last_end = ttl, end_of_set(ttl)
        end = self._last_end
        size = len(payload)
        if size >= LARGE:
            made = [payload]
            del payload
            return await self._put_large(name, value, ttl, made)
        answer = self._ask(end.start % (len(name), name, size, payload, end.packed), name)
        try:
            reply = await (self._call((b"SET", name, payload, *end.rest), key=name) if answer is None else answer)
            if reply.__class__ is ReplyError:  # it was refused: nothing was done
                await self._call((b"SET", name, payload, *end.rest), key=name)
        except StorageUnavailableError as error:
            self._forget([name], error)
        except Lost as lost:
            await self._after(lost, (b"SET", name, payload, *end.rest), name)
        return True

    async def _put_large(self, name: bytes, value: object, ttl: float | None, made: list[bytes]) -> bool:
        """Store what is large; its payload, in `made`, is thrown away for as long as there is no room for it."""
        size = len(made[0])
        try:
            if not self._room.take(size):
                made.clear()
                await self._room.wait(size)
            try:
                payload = made.pop() if made else self._plain_payload(name, value, ttl)
                if payload is None:
                    return False
                await self._left.outlive((name,), self._call((b"SET", name, payload, *end_of_set(ttl).rest), key=name))
            finally:
                self._room.give(size)
        except StorageUnavailableError as error:
            self._forget([name], error)
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
        end = end_of_set(ttl).rest
        unreached = Unreached()
        for part in slices(list(values)):
            commands: list[Command] = []
            size = 0
            for key in part:
                name = names[key]
                payload = self._plain_payload(name, values[key], ttl)
                if payload is None:
                    return False
                size += len(name) + len(payload)
                commands.append((b"SET", name, payload, *end))
            its_names = [names[key] for key in part]
            await self._set_all(part, its_names, commands, unreached, is_large=size >= MAYBE_LARGE)
        unreached.check({})
        return True

    async def write(self, item: Item[object]) -> None:
        """Store `item`."""
        name = self._name(item.key)
        taken = 0
        if self._left_writes:
            await self._left.let_end((name,))
        try:
            generations = await self._generations([item])
            made = [await self._set_command(item, generations)]
            size = _size(made[0])
            if size >= LARGE:
                if not self._room.take(size):
                    made.clear()
                    await self._room.wait(size)
                taken = size
            sent = self._call(made.pop() if made else await self._set_command(item, generations), key=name)
            await (self._left.outlive((name,), sent) if size >= MAYBE_LARGE else sent)
        except StorageUnavailableError as error:
            self._forget([name], error)
        else:
            self._special.written(name)
        finally:
            self._room.give(taken)

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item."""
        unreached = Unreached()
        for part in slices(list(items)):
            names = [self._name(item.key) for item in part]
            try:
                generations = await self._generations(part)
            except StorageUnavailableError as error:
                self._forget(names, error)
            else:
                commands = [await self._set_command(item, generations) for item in part]
                is_large = sum(map(_size, commands)) >= MAYBE_LARGE
                await self._set_all([item.key for item in part], names, commands, unreached, is_large=is_large)
        unreached.check({})

    async def _set_all(
        self, keys: list[str], names: list[bytes], commands: list[Command], unreached: Unreached, *, is_large: bool
    ) -> None:
        if self._left_writes:
            await self._left.let_end(names)
        sent = self._channel.call_many(commands, keys=names)
        try:
            replies: Sequence[Any] = await (self._left.outlive(names, sent) if is_large else sent)
        except PartialFailureError as partial:
            lost = [name for name in names if name_text(name) in partial.failed]
            if self._reader.degrades:
                self._forget(lost, partial)
                unreached = Unreached()
            found = zip(names, unreached.note(partial, names, keys), strict=True)
            done = {name: reply for name, reply in found if name not in lost}
            names, replies = list(done), list(done.values())
        except StorageUnavailableError as error:
            self._forget(names, error)
            return
        for reply in replies:
            if reply.__class__ is not bytes:
                checked(reply)
        if self._special.unwritten:
            for name in names:
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
        await self._reader.remove_forgotten([self._name(item.key)])
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
            if not stored or held.version is not None:
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
        if self._left_writes:
            await self._left.let_end((name,))
        while True:
            life = b"" if px is None else px
            condition = (kind, wanted, self._time.now(), looked_at, is_alive)
            sent = STORE.run(self._channel, (name,), payload, life, *condition)
            is_large = len(payload) + len(name) >= MAYBE_LARGE
            reply = await (self._left.outlive((name,), sent) if is_large else sent)
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
        name = self._name(item.key)
        if self._left_writes:
            await self._left.let_end((name,))
        await self._reader.remove_forgotten((name,))
        px = millis(life_of_item(item))
        sum_ = await INCREMENT.run(
            self._channel,
            (name,),
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
        if self._left_writes:
            await self._left.let_end((name,))
        await self._reader.remove_forgotten([name])
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
        unreached = Unreached()
        for part in slices(list(keys)):
            names = [self._name(key) for key in part]
            if self._left_writes:
                await self._left.let_end(names)
            await self._reader.remove_forgotten(names)
            calls = [(name, (b"", b"", self._time.now(), b"", 1)) for name in names]
            try:
                replies: Sequence[Any] = await REMOVE.run_many(self._channel, calls)
            except PartialFailureError as partial:
                replies = unreached.note(partial, names, part)
            for key, reply in zip(part, replies, strict=True):
                count += await self._was_live(key, reply)
        unreached.check({})
        return count

    async def _was_live(self, key: str, reply: Any) -> bool:  # noqa: ANN401  - what the script gives
        return await self._reader.is_live(key, reply) if isinstance(reply, bytes) else bool(reply)


def _size(command: Command) -> int:
    """Give how many bytes the names and payloads of a command have."""
    return sum(len(each) for each in command if isinstance(each, bytes))
