"""Reading: from the nearest layer that has it, and up again from there.

Rule 1: what is fresh and of a known version is an answer; where the nearest layer has that, nothing else is looked at.
Rule 2: whatever is read below a layer is read during a visit (`traffic`), and copied upward as far as that is true.
Rule 3: what the lowest layer does not have is removed above; where that cannot be asked, any copy is better than none.
"""

from collections.abc import Awaitable, Callable, Collection

from aiocache_kit.errors import PartialFailureError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.lowest import Lowest
from aiocache_kit.storage.layered.traffic import Visit
from aiocache_kit.storage.pace import Pace

_STEP = 64
"""Keys that are looked up between two looks at the watch."""


class Reads:
    """The reads of one storage."""

    def __init__(self, copies: Copies, lowest: Lowest, on_miss: Callable[[], None]) -> None:
        """Read from `copies`, then from `lowest`; `on_miss` counts, or raises, the error that is being handled."""
        self._copies = copies
        self._lowest = lowest
        self._on_miss = on_miss

    async def one(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        copies = self._copies
        place, near = await copies.find(key)
        if place == 0 and _is_answer(near):
            return near
        with copies.traffic.visits((key,)) as visits:
            visit = visits[key]
            if _is_answer(near):
                near = await self._from_between(key, visit)
                if _is_answer(near):
                    return near
            try:
                return await self._from_lowest(visit, self._lowest.read, is_copied=near is not None)
            except StorageError:
                self._on_miss()
                return near

    async def latest(self, key: str) -> Item[object] | None:
        """Give what the lowest layer has under `key`, also where a copy is an answer."""
        with self._copies.traffic.visits((key,)) as visits:
            return await self._from_lowest(visits[key], self._lowest.read_latest, is_copied=True)

    async def _from_lowest(
        self, visit: Visit, read: Callable[[str], Awaitable[Item[object] | None]], *, is_copied: bool
    ) -> Item[object] | None:
        item = await read(visit.key)
        if item is not None:
            return await self._copies.bring_up(item, visit)
        if is_copied:
            await self._copies.give_up(visit)
        return None

    async def _from_between(self, key: str, visit: Visit) -> Item[object] | None:
        """Look again, now that changes are noticed, and copy upward what is an answer."""
        place, near = await self._copies.find(key)
        if near is not None and _is_answer(near):
            return await self._copies.bring_up(near, visit, to=place)
        return near

    async def many(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`, by key."""
        found: dict[str, Item[object]] = {}
        rest: list[str] = []
        pace = Pace()
        for count, key in enumerate(keys):
            place, near = await self._copies.find(key)
            if near is not None and place == 0 and _is_answer(near):
                found[key] = near
            else:
                rest.append(key)
            if count % _STEP == _STEP - 1 and pace.is_over():
                await pace.rest()
        return found | await self._many_below(rest) if rest else found

    async def _many_below(self, keys: list[str]) -> dict[str, Item[object]]:
        copies = self._copies
        found: dict[str, Item[object]] = {}
        asked: dict[str, Item[object] | None] = {}
        with copies.traffic.visits(keys) as visits:
            for key in keys:
                near = await self._from_between(key, visits[key])
                if near is not None and _is_answer(near):
                    found[key] = near
                else:
                    asked[key] = near
            below, failed = await self._ask_lowest(list(asked))
            found |= await copies.bring_up_many(below, visits)
            for key, near in asked.items():
                if near is not None and key in failed:
                    found[key] = near
                elif near is not None and key not in below:
                    await copies.give_up(visits[key])
        return found

    async def _ask_lowest(self, keys: list[str]) -> tuple[dict[str, Item[object]], Collection[str]]:
        """Give what the lowest layer has, and the keys that it could not be asked for."""
        if not keys:
            return {}, ()
        try:
            return await self._lowest.read_multi(keys), ()
        except PartialFailureError as error:
            self._on_miss()
            return {key: item for key, item in error.found.items() if isinstance(item, Item)}, error.failed
        except StorageError:
            self._on_miss()
            return {}, frozenset(keys)


def _is_answer(item: Item[object] | None) -> bool:
    return item is not None and item.version > 0 and not item.is_stale
