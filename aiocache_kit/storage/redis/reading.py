"""What is read from Redis: payloads, the items in them, and the short way to plain values.

Rule 1: making an item costs as much as all the rest that this process does for a read. So `value` and `values` make
none for what is small, fresh and has no tags; what they give is what the item would have held.
Rule 2: what cannot be read is a miss and counts as an error, or is raised where the configuration is strict. Reading
removes nothing, since what is there may be of a program that is newer.
Rule 3: a storage that degrades answers reads with a miss while Redis is away, and counts that as an error.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from aiocache_kit.errors import (
    CorruptPayloadError,
    PartialFailureError,
    StorageError,
    StorageUnavailableError,
    WrongTypeError,
)
from aiocache_kit.item import Item
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.link import LARGE, Channel
from aiocache_kit.storage.redis.payloads import Payloads, is_bare, version_in
from aiocache_kit.storage.redis.replies import checked, failure
from aiocache_kit.storage.redis.slices import slices
from aiocache_kit.storage.redis.special import SpecialNames
from aiocache_kit.storage.redis.tags import RedisTags, plain
from aiocache_kit.storage.redis.unreached import Unreached, as_a_whole
from aiocache_kit.storage.redis.wire import Lost

_GONE: Final = -2
"""What Redis gives as the time to live of what is not there."""


class Reader:
    """Reads for one storage."""

    def __init__(
        self, channel: Channel, layout: Layout, payloads: Payloads, tags: RedisTags, *, strict: bool, degrades: bool
    ) -> None:
        """Read by `channel` what lies under the names of `layout`."""
        self.errors = 0
        """What was answered by a miss although there was, or may have been, something."""
        self.special = SpecialNames()
        self._call = channel.call
        self._ask = channel.ask
        self._channel = channel
        self._name = layout.name
        self._payloads = payloads
        self._fresh_value = payloads.fresh_value
        self._tags = tags
        self._strict = strict
        self.degrades = degrades

    async def value(self, key: str) -> object:
        """Give the live value under `key`, `MISSING` where there is none."""
        name = self._name(key)
        special = self.special
        is_plain = not (special.unwritten or special.large)
        answer = self._ask(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(name), name), name) if is_plain else None
        try:
            data = await (self._payload(name) if answer is None else answer)
        except Lost as lost:
            data = await self._payload(name, lost)
        if data is None:
            return MISSING
        if data.__class__ is bytes:
            value = self._fresh_value(name, data)
            return value if value is not MISSING else _live(await self.living(key, data))
        return _live(await self.item(key))  # Redis refused the command

    async def young(self, key: str, ahead: float | None) -> tuple[object] | Item[object] | None:
        """Give the live value under `key`, in a tuple, unless the share `ahead` of its ttl is over; the item otherwise.

        None for `ahead`: its whole ttl is its youth. Items are given stale ones included, and None where there is none.
        """
        name = self._name(key)
        special = self.special
        is_plain = not (special.unwritten or special.large)
        answer = self._ask(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(name), name), name) if is_plain else None
        try:
            data = await (self._payload(name) if answer is None else answer)
        except Lost as lost:
            data = await self._payload(name, lost)
        if data is None:
            return None
        if data.__class__ is not bytes:
            return await self.item(key)
        if ahead is None or self._payloads.is_young(data, 1.0 - ahead):
            value = self._fresh_value(name, data)
            if value is not MISSING:
                return (value,)
        return await self.living(key, data)

    async def values(self, keys: Collection[str]) -> dict[str, object]:
        """Give the live values under `keys`, all of them."""
        found: dict[str, object] = {}
        unreached = Unreached()
        for part in slices(list(keys)):
            left: list[tuple[str, bytes]] = []
            named = await self._payloads_of(part, unreached)
            for (key, _, data), value in zip(named, self._payloads.fresh_values(named), strict=True):
                if value is MISSING:
                    left.append((key, data))
                else:
                    found[key] = value
            for item in await self._living(left, unreached):
                if not item.is_stale:
                    found[item.key] = item.value
        unreached.check(found)
        return found

    async def item(self, key: str) -> Item[object] | None:
        """Give the item under `key`, stale ones included; None where there is none that lives and can be read."""
        data = await self._payload(self._name(key))
        return None if data is None else await self.living(key, data)

    async def items(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys` by key."""
        found: dict[str, Item[object]] = {}
        unreached = Unreached()
        for part in slices(list(keys)):
            payloads = [(key, data) for key, _, data in await self._payloads_of(part, unreached)]
            found |= {item.key: item for item in await self._living(payloads, unreached)}
        unreached.check(found)
        return found

    async def living(self, key: str, data: bytes) -> Item[object] | None:
        """Give the item of a payload if it can be read and was not invalidated."""
        found = await self._living([(key, data)])
        return found[0] if found else None

    async def look(self, key: str) -> tuple[bytes, int]:
        """Give the version of what lies under a key, and whether it is an item that can be read and lives."""
        name = self._name(key)
        data = await self._call((b"GET", name), key=name, again=True)
        return (b"", 0) if data is None else (version_in(data), int(await self.is_live(key, data)))

    async def is_live(self, key: str, data: bytes) -> bool:
        """Whether a payload is that of an item which can be read and lives."""
        try:
            item = await self.living(key, data)
        except CorruptPayloadError:
            return False
        return item is not None and not item.is_stale

    async def remove_forgotten(self, names: Iterable[bytes]) -> None:
        """Remove what is old under those of `names` whose writes were forgotten, before a condition is put to it."""
        unwritten = self.special.unwritten
        if not unwritten:
            return
        old = [name for name in names if name in unwritten]
        for reply in await self._channel.call_many([(b"UNLINK", name) for name in old], keys=old, again=True):
            checked(reply)
        for name in old:
            self.special.written(name)

    async def _payload(self, name: bytes, lost: Lost | None = None) -> bytes | None:
        """Give what is stored under a name; `lost` is how an attempt ended that was made before."""
        if name in self.special.unwritten:
            return None
        try:
            if lost is not None and lost.late:
                raise failure(lost)
            data: bytes | None = await self._call(
                (b"GET", name), key=name, again=True, large=name in self.special.large
            )
        except (StorageUnavailableError, WrongTypeError) as error:
            self._answer_instead(error)
            return None
        if data is not None and data.__class__ is not bytes:
            raise StorageError("Redis gave a reply of a kind that no text has")
        return data

    async def _payloads_of(self, keys: list[str], unreached: Unreached) -> list[tuple[str, bytes, bytes]]:
        """Give key, name and payload of each of `keys` under which there is anything; note those out of reach."""
        names = [self._name(key) for key in keys]
        payloads: Sequence[object]
        try:
            payloads = await self._channel.read_many(names)
        except PartialFailureError as partial:
            payloads = (Unreached() if self.degrades else unreached).note(partial, names, keys)
            self.errors += self.degrades
        except StorageUnavailableError as error:
            self._answer_instead(error)
            return []
        unwritten = self.special.unwritten
        return [
            (key, name, data)
            for key, name, data in zip(keys, names, payloads, strict=True)
            if isinstance(data, bytes) and name not in unwritten
        ]

    async def _living(
        self, payloads: list[tuple[str, bytes]], unreached: Unreached | None = None
    ) -> list[Item[object]]:
        bare = [key for key, data in payloads if is_bare(data)]
        lives: dict[str, int] = {}
        if bare:
            try:
                lives = await self._lives(bare)
            except StorageUnavailableError as error:
                self._leave_out(bare, unreached, error)
                payloads = [(key, data) for key, data in payloads if not is_bare(data)]
        items = [item for key, data in payloads if (item := await self._read(key, data, lives.get(key))) is not None]
        try:
            items = await self._tags.living(items)
        except StorageUnavailableError as error:
            self._leave_out([item.key for item in items if item.tags], unreached, error)
            items = [item for item in items if not item.tags]
        return [replace(item, tags=plain(item.tags)) if item.tags else item for item in items]

    async def _lives(self, keys: list[str]) -> dict[str, int]:
        """Give what Redis says of how long bare integers have to live, in milliseconds."""
        names = [self._name(key) for key in keys]
        with as_a_whole():
            replies = await self._channel.call_many([(b"PTTL", name) for name in names], keys=names, again=True)
        return {key: checked(reply) for key, reply in zip(keys, replies, strict=True)}

    async def _read(self, key: str, data: bytes, life: int | None) -> Item[object] | None:
        """Give the item of a payload, with its tags as they are remembered; `life` is that of a bare integer."""
        name = self._name(key)
        if self.special.large or len(data) >= LARGE:
            self.special.note_size(name, len(data))
        if life == _GONE:
            return None
        left = None if life is None or life < 0 else life / 1000
        try:
            return await self._payloads.read(key, data, left)
        except CorruptPayloadError as error:
            self._answer_instead(error)
            return None

    def _leave_out(self, keys: list[str], unreached: Unreached | None, error: StorageUnavailableError) -> None:
        """Go on without what cannot be known of some of the keys that were asked for."""
        if unreached is None or self.degrades:
            self._answer_instead(error)
        else:
            unreached.add(keys, error)

    def _answer_instead(self, error: Exception) -> None:
        """Count what is answered by a miss, None, or raise it where the rules say so."""
        if isinstance(error, StorageUnavailableError):
            if not self.degrades:
                raise error
        elif self._strict:
            raise CorruptPayloadError(
                "what Redis holds under this key is no item that this configuration has written"
            ) from error
        self.errors += 1


def _live(item: Item[object] | None) -> object:
    return MISSING if item is None or item.is_stale else item.value
