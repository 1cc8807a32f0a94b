"""The layers of copies together: what goes up after a read, and what happens above after a change.

Rule 1: a change ends above after it has ended below, in the key's turn: what was written is copied, unless something
has crossed it; in every other case the copies are removed.
Rule 2: nothing is copied that may have been overtaken (`traffic`).
Rule 3: while it is not known that changes of other processes arrive, copies live for `distrust_after` seconds at most.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.item import Item
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Kept
from aiocache_kit.storage.layered.dates import as_read, as_written
from aiocache_kit.storage.layered.messages import Action
from aiocache_kit.storage.layered.near import Near
from aiocache_kit.storage.layered.plain import is_plain
from aiocache_kit.storage.layered.traffic import Traffic, Visit
from aiocache_kit.storage.pace import Pace

_STEP: Final = 64
"""Copies that are made between two looks at the watch."""


class Copies:
    """All layers but the lowest, the nearest first."""

    def __init__(self, nears: Sequence[Near], distrust_after: float) -> None:
        """Hold copies in `nears`."""
        self.nears: Final = tuple(nears)
        self.traffic: Final = Traffic()
        self.distrust_after: Final = distrust_after
        self.is_trusted: bool = True
        self.keeps_objects: bool = False
        """Whether the lowest layer gives the very objects that were written."""
        self.marks: TagMarks = TagMarks()
        """The tags that are heeded by who uses the storage, where the lowest layer does not."""

    def use(self, clock: Clock) -> None:
        """Count time by `clock`."""
        self._clock = clock
        for near in self.nears:
            near.clock = clock

    # --- reading -----------------------------------------------------------------------------------------------------

    async def find(self, key: str) -> tuple[int, Item[object] | None]:
        """Give the fresh item of a known version that is nearest, and where; or else the nearest at all."""
        rest: tuple[int, Item[object] | None] = (-1, None)
        for place, near in enumerate(self.nears):
            item = await near.read(key)
            if item is not None:
                if item.version and not item.is_stale:
                    return place, item
                if rest[1] is None:
                    rest = place, item
        return rest

    async def bring_up(self, item: Item[object], visit: Visit, *, to: int | None = None) -> Item[object]:
        """Copy an item that was read below into the layers above `to` (None: into all of them); give it as it is kept.

        Where the nearest layer has that very item already, it stays, and so does its value.
        """
        nears = self.nears[:to]
        async with visit.turn:
            if visit.is_true(item.tags) and not self.marks.killed(item.tags, item.created_at):
                if to is None:
                    value = await nears[0].value_of(item)
                    if value is not MISSING and visit.is_true(item.tags):
                        return replace(item, value=value)
                kept = as_read(item, self._clock)
                for near in reversed(nears):
                    await near.put(item.value, kept)
        return item

    async def bring_up_many(
        self, items: Mapping[str, Item[object]], visits: Mapping[str, Visit], to: int | None = None
    ) -> dict[str, Item[object]]:
        """Copy several."""
        pace = Pace()
        kept: dict[str, Item[object]] = {}
        for count, (key, item) in enumerate(items.items()):
            kept[key] = await self.bring_up(item, visits[key], to=to)
            if count % _STEP == _STEP - 1 and pace.is_over():
                await pace.rest()
        return kept

    async def give_up(self, visit: Visit) -> None:
        """Remove copies of what is not there below."""
        async with visit.turn:
            if visit.is_true(()):
                for near in reversed(self.nears):
                    await near.drop(visit.key)

    # --- after a change ----------------------------------------------------------------------------------------------

    async def written(self, item: Item[object], visit: Visit, begun: float) -> None:
        """Copy what was written below during `visit`, from `begun` on, or remove what it may not be."""
        kept = as_written(item, begun) if self.keeps_objects or is_plain(item.value) else None
        await self._settle(visit, item.value, kept)

    async def written_many(self, items: Iterable[Item[object]], visits: Mapping[str, Visit], begun: float) -> None:
        """Copy several."""
        pace = Pace()
        for count, item in enumerate(items):
            await self.written(item, visits[item.key], begun)
            if count % _STEP == _STEP - 1 and pace.is_over():
                await pace.rest()

    async def removed(self, visit: Visit) -> bool:
        """Remove the copies of what was changed below during `visit`; say whether one was live."""
        return await self._settle(visit, None, None)

    async def _settle(self, visit: Visit, value: object, kept: Kept | None) -> bool:
        gone = False
        async with visit.turn:
            may_copy = kept is not None and visit.is_true(kept.item.tags)
            visit.end_others()
            for near in reversed(self.nears):
                if may_copy and kept is not None:
                    await near.put(value, kept)
                else:
                    gone = await near.drop(visit.key) or gone
        return gone

    async def removed_many(self, visits: Iterable[Visit]) -> int:
        """Remove the copies of several keys; count those of which one was live."""
        pace, gone = Pace(), 0
        for count, visit in enumerate(visits):
            gone += await self.removed(visit)
            if count % _STEP == _STEP - 1 and pace.is_over():
                await pace.rest()
        return gone

    # --- what others did ---------------------------------------------------------------------------------------------

    async def follow(self, action: Action, names: Collection[str]) -> None:
        """Do to the copies what was done below to keys, tags or prefixes."""
        match action:
            case Action.CHANGED:
                await self.forget(names)
            case Action.INVALIDATED:
                await self.kill(names)
            case Action.CLEARED:
                for prefix in names:
                    await self.clear(prefix)
            case Action.HEARTBEAT:
                pass

    async def forget(self, keys: Collection[str]) -> None:
        """Remove the copies of `keys`, which somebody else has changed."""
        pace = Pace()
        for count, key in enumerate(keys):
            self.traffic.cross(key)
            with self.traffic.visits((key,)) as visits:
                await self.removed(visits[key])
            if count % _STEP == _STEP - 1 and pace.is_over():
                await pace.rest()

    async def clear(self, prefix: str) -> None:
        """Remove the copies of all keys that begin with `prefix`."""
        self.traffic.emptied += 1
        for near in self.nears:
            await near.clear(prefix)

    async def empty(self) -> None:
        """Give none of the copies any more that are there now."""
        await self.clear("")

    async def kill(self, tags: Collection[str]) -> None:
        """Give no copy any more that is there now and has one of `tags`."""
        self.traffic.tagged += 1
        for near in self.nears:
            if near.kill(tags):
                await near.empty()

    def trust(self, *, is_trusted: bool) -> None:
        """Let copies live as long as they may, or no longer than while changes of others may not arrive."""
        self.is_trusted = is_trusted
        for near in self.nears:
            near.longest = near.life if is_trusted else min(near.life, self.distrust_after)
