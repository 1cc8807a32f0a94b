"""Leases in Redis: one load a key among all processes.

A lease on a missing key lies under that key itself, in the place of the item: whoever sets, deletes or clears the key
puts an end to the lease by that, without knowing of it. Where an item is there already, stale or to be loaded anew, it
stays for others to read; the lease is then on its version, and a key beside it says who is at it.

Rule: who asks for a key in this process has been let through by its single flight. So an older lease of this process
that lies there already is of a load that nobody minds any more, and gives way. A lease says whose it is and has a
number, so that this holds in whatever order what was asked comes to the server.
"""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from os import getpid, urandom
from typing import Any, Final, Protocol, cast

from aiocache_kit.errors import CacheError, StorageError, StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import ELSEWHERE, Grant, Leases
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.payloads import version_in
from aiocache_kit.storage.redis.replies import is_full
from aiocache_kit.storage.redis.scripts import DROP, EXTEND, LEASE, TAKE, TAKE_BESIDE
from aiocache_kit.storage.redis.server_time import ServerTime
from aiocache_kit.storage.redis.tags import RedisTags, made_before
from aiocache_kit.storage.redis.unreached import as_a_whole

NOT_HELD: Final = "none"
"""The lease of somebody who may load while Redis is away, or has no room: nothing can be written under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease of this process."""

    place: bytes
    """Where it lies."""
    mark: bytes
    """What lies there."""
    version: bytes | None
    """The version of the item that is loaded anew; None where there was none."""
    generations: dict[str, str]
    """Those of the tags that were known, when the lease was given."""
    since: float
    """When it was given, by the server's clock."""

    def has_seen(self, generations: dict[str, str]) -> bool:
        """Whether none of the tags with these `generations` was invalidated since the lease was given."""
        return all(
            self.generations[tag] == each if tag in self.generations else made_before(each, self.since)
            for tag, each in generations.items()
        )


class Finder(Protocol):
    """Who can tell what a payload is."""

    errors: int
    """How often something else was given than what there is, or may be."""

    async def living(self, key: str, data: bytes) -> Item[object] | None:
        """Give the item, if it can be read and was not invalidated."""
        ...

    async def remove_forgotten(self, names: Iterable[bytes]) -> None:
        """Remove what is old under names whose writes were forgotten."""
        ...


class RedisLeases(Leases):
    """The leases that this process holds in one Redis storage."""

    def __init__(
        self,
        channel: Channel,
        layout: Layout,
        tags: RedisTags,
        time: ServerTime,
        finder: Finder,
        *,
        ttl: float,
        degrades: bool,
    ) -> None:
        """Give leases of `ttl` seconds by `channel`; `degrades`: while Redis is away, everyone may load."""
        self.ttl = ttl
        self._channel = channel
        self._layout = layout
        self._tags = tags
        self._time = time
        self._finder = finder
        self._degrades = degrades
        self._held: dict[str, Held] = {}
        self._process = 0
        self._owner = b""
        self._count = 0
        self._dropping: set[asyncio.Task[None]] = set()
        self._left: list[tuple[bytes, bytes]] = []
        """What was to be ended by tasks that were cancelled, as all are where a program is interrupted."""

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Ask to load the keys; give for each an item, a lease, or `ELSEWHERE`."""
        try:
            with as_a_whole():
                return await self._take(keys, tags, anew=anew)
        except StorageUnavailableError:
            if not self._degrades:
                raise
        except StorageError as error:
            if not is_full(error):
                raise
        self._finder.errors += len(keys)
        return dict.fromkeys(keys, Grant(lease=NOT_HELD))

    async def _take(self, keys: Collection[str], tags: tuple[str, ...], *, anew: bool) -> dict[str, Grant]:
        await self._finder.remove_forgotten(map(self._layout.name, keys))
        since = self._time.now()
        generations = await self._tags.note(tags, self.ttl) if tags else {}
        asked = {
            key: Held(
                place=self._layout.name(key),
                mark=self._next_mark(),
                version=None,
                generations=generations,
                since=since,
            )
            for key in keys
        }
        dead = dict.fromkeys(keys, b"")
        grants: dict[str, Grant] = {}
        try:
            while len(grants) < len(asked):
                left = [key for key in asked if key not in grants]
                calls = [(asked[key].place, self._arguments(asked[key], dead[key], anew=anew)) for key in left]
                for key, reply in zip(left, await TAKE.run_many(self._channel, calls), strict=True):
                    grant = await self._grant(key, reply, asked[key], anew=anew)
                    if grant is None:
                        dead[key] = version_in(reply[0])
                    else:
                        grants[key] = grant
        except BaseException:
            # What was taken on the way is not known, so all of it is given back.
            taken = [held for grant in grants.values() if (held := self._held.pop(grant.lease, None)) is not None]
            self._drop_soon([(held.place, held.mark) for held in (*asked.values(), *taken)])
            raise
        return grants

    def _next_mark(self) -> bytes:
        """Give what will lie in the place of a lease: whose it is, and its number."""
        if self._process != getpid():  # the first time, and after a fork
            self._process, self._owner = getpid(), urandom(8)
        self._count += 1
        return b"%c%b%08d" % (LEASE, self._owner, self._count % 10**8)

    def _arguments(self, held: Held, dead: bytes, *, anew: bool) -> tuple[bytes | int | float, ...]:
        return held.mark, int(self.ttl * 1000), held.since, dead, int(anew)

    async def _grant(self, key: str, reply: Any, held: Held, *, anew: bool) -> Grant | None:  # noqa: ANN401  - what the script gives
        """Say what a reply means; None where what is there turned out to be dead, and is to be written over."""
        if reply == 1:
            return self._keep(held)
        if reply == 0:
            return ELSEWHERE
        if isinstance(reply, list):
            item = await self._finder.living(key, cast("list[bytes]", reply)[0])
            return None if item is None else Grant(item=item)
        beside = replace(held, place=self._layout.refresher(held.place), version=reply)
        try:
            taken = await TAKE_BESIDE.run(self._channel, (beside.place,), held.mark, int(self.ttl * 1000))
        except BaseException:
            self._drop_soon([(beside.place, beside.mark)])
            raise
        if not taken:
            return ELSEWHERE
        # The item may have been replaced after the look at it and before there was a lease beside it.
        try:
            now = await TAKE.run(self._channel, (held.place,), *self._arguments(held, b"", anew=anew))
        except BaseException:
            self._drop_soon([(beside.place, beside.mark)])
            raise
        if isinstance(now, bytes):
            return self._keep(replace(beside, version=now))
        self._drop_soon([(beside.place, beside.mark)])
        return self._keep(held) if now == 1 else ELSEWHERE

    def _keep(self, held: Held) -> Grant:
        lease = held.mark[1:].hex()
        self._held[lease] = held
        return Grant(lease=lease)

    async def extend(self, key: str, lease: str) -> bool:
        """Let the lease end later; say whether it had not ended yet."""
        del key
        held = self._held.get(lease)
        if held is None:
            return False
        return bool(await EXTEND.run(self._channel, (held.place,), held.mark, int(self.ttl * 1000)))

    async def drop(self, key: str, lease: str) -> None:
        """End the lease; does not wait for Redis."""
        del key
        held = self._held.pop(lease, None)
        if held is not None:
            self._drop_soon([(held.place, held.mark)])

    def claim(self, lease: str) -> Held | None:
        """Give a lease to whoever writes under it, and know it no longer; None where there is none."""
        return self._held.pop(lease, None)

    def leave(self, held: Held) -> None:
        """Take away what a lease that was claimed has left behind, where the write has not."""
        self._drop_soon([(held.place, held.mark)])

    def _drop_soon(self, marks: list[tuple[bytes, bytes]]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._dropping.discard(task)
            if task.cancelled():
                self._left += marks

        task = asyncio.get_running_loop().create_task(self._drop(marks), name="aiocache_kit gives leases back")
        self._dropping.add(task)
        task.add_done_callback(ended)

    async def _drop(self, marks: list[tuple[bytes, bytes]]) -> None:
        try:
            await DROP.run_many(self._channel, [(place, (mark,)) for place, mark in marks])
        except CacheError:
            return  # it ends by itself

    async def close(self) -> None:
        """Give back what is held."""
        held, self._held = self._held, {}
        while self._dropping:
            await asyncio.wait(set(self._dropping))
        if held or self._left:
            self._drop_soon([*((each.place, each.mark) for each in held.values()), *self._left])
        while self._dropping:
            await asyncio.wait(set(self._dropping))
