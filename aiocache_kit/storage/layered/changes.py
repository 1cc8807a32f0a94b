"""Changing: the lowest layer first, then those above, then the news of it to other processes.

Rule 1: whatever happens below, what follows above happens too: a change that failed may have been made all the same.
Rule 2: a plain change that the lowest layer did not take waits for it, where that is wanted and there is room.
Rule 3: news goes out after the lowest layer has the change, or may have it; never with a value.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

from aiocache_kit.errors import PartialFailureError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Condition, ConditionKind, Storage
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.lowest import Lowest
from aiocache_kit.storage.layered.messages import Action
from aiocache_kit.storage.layered.shared import NOT_HELD

T = TypeVar("T")


class News:
    """What others are to hear of; here nobody does."""

    def keys(self, keys: Iterable[str]) -> None:
        """Tell that `keys` were changed."""

    def prefix(self, prefix: str) -> None:
        """Tell that all keys that begin with `prefix` were removed."""

    def tags(self, tags: Collection[str]) -> None:
        """Tell that `tags` were invalidated."""

    def tell(self, action: Action, names: Collection[str]) -> None:
        """Tell that `action` was done to keys, tags or prefixes."""
        match action:
            case Action.CHANGED:
                self.keys(names)
            case Action.INVALIDATED:
                self.tags(names)
            case Action.CLEARED:
                for prefix in names:
                    self.prefix(prefix)
            case Action.HEARTBEAT:
                pass


class Changes:
    """The changes of one storage; each of them goes on to its end when its caller has left (`errands`)."""

    def __init__(self, copies: Copies, lowest: Lowest, news: News, *, queues: bool) -> None:
        """Change `lowest`, then `copies`; `queues`: plain changes may wait."""
        self._copies = copies
        self._lowest = lowest
        self._queues = queues
        self.news: News = news

    # --- one key -----------------------------------------------------------------------------------------------------

    async def write(self, item: Item[object], condition: Condition) -> bool:
        """Store `item` if `condition` holds."""
        key, lowest = item.key, self._lowest

        async def act() -> bool:
            if condition.kind is ConditionKind.LEASE and condition.lease == NOT_HELD:
                return True
            if condition.kind is not ConditionKind.ALWAYS:
                return await lowest.decide(key, partial(lowest.storage.write, item, condition))
            try:
                await lowest.change((key,), partial(lowest.storage.write, item), (item,))
            except StorageError:
                self._wait([key], lambda: lowest.pending.write(item, lowest.clock))
            else:
                lowest.pending.drop((key,))
            return True

        return await self._changed(key, act, item)

    async def remove(self, key: str, condition: Condition) -> bool:
        """Remove the item under `key` if `condition` holds; say whether one was live."""
        lowest = self._lowest

        async def act() -> bool:
            if condition.kind is ConditionKind.LEASE and condition.lease == NOT_HELD:
                return False
            if condition.kind is not ConditionKind.ALWAYS:
                return await lowest.decide(key, partial(lowest.storage.remove, key, condition))
            waiting = lowest.pending.get(key)
            try:
                gone = await lowest.change((key,), partial(lowest.storage.remove, key))
            except StorageError:
                there = (await self._copies.find(key))[1] if waiting is None else waiting.item(lowest.clock)
                self._wait([key], lambda: lowest.pending.remove((key,), lowest.clock))
                return _is_live(there)
            lowest.pending.drop((key,))
            return gone if waiting is None else _is_live(waiting.item(lowest.clock))

        gone = await self._changed(key, act)
        if not gone and condition.kind is ConditionKind.ALWAYS:
            self.news.keys((key,))  # others may have copies of what nobody else has any more
        return gone

    async def decided(self, key: str, act: Callable[[Storage], Awaitable[T]]) -> T:
        """Let the lowest layer do `act`, which depends on what is there."""
        lowest = self._lowest

        async def decide() -> T:
            return await lowest.decide(key, lambda: act(lowest.storage))

        return await self._changed(key, decide)

    async def _changed(self, key: str, act: Callable[[], Awaitable[T]], item: Item[object] | None = None) -> T:
        """Do what changes `key` below, and then what follows from it above."""
        with self._copies.traffic.changes((key,)) as visits:
            visit, begun = visits[key], self._lowest.clock.monotonic()
            try:
                result = await act()
            except BaseException:
                await self._copies.removed(visit)
                self.news.keys((key,))
                raise
            is_no = result is False
            if item is not None and not is_no:
                await self._copies.written(item, visit, begun)
            else:
                await self._copies.removed(visit)
        if not is_no:
            self.news.keys((key,))
        return result

    # --- many keys ---------------------------------------------------------------------------------------------------

    async def write_multi(self, items: dict[str, Item[object]]) -> None:
        """Store each item."""
        with self._copies.traffic.changes(items) as visits:
            begun = self._lowest.clock.monotonic()
            try:
                await self._write_multi(items)
            except BaseException:
                await self._copies.removed_many(visits.values())
                self.news.keys(items)
                raise
            await self._copies.written_many(items.values(), visits, begun)
        self.news.keys(items)

    async def _write_multi(self, items: dict[str, Item[object]]) -> None:
        lowest = self._lowest
        missed: Collection[str] = ()

        def note() -> None:
            for key in missed:
                lowest.pending.write(items[key], lowest.clock)

        try:
            written = list(items.values())
            await lowest.change(items, partial(lowest.storage.write_multi, written), written)
        except StorageError as error:
            missed = error.failed if isinstance(error, PartialFailureError) else items.keys()
            lowest.pending.drop(key for key in items if key not in missed)
            self._wait(missed, note)
        else:
            lowest.pending.drop(items)

    async def remove_multi(self, keys: dict[str, None]) -> int:
        """Remove each key; count those of which one was live."""
        lowest = self._lowest
        waiting = [key for key in keys if _is_live(self._waiting(key))] if lowest.pending else []
        with self._copies.traffic.changes(keys) as visits:
            try:
                try:
                    gone = await lowest.change(keys, partial(lowest.storage.remove_multi, keys))
                except StorageError as error:
                    missed = error.failed if isinstance(error, PartialFailureError) else keys
                    lowest.pending.drop(key for key in keys if key not in missed)
                    found = [(await self._copies.find(key))[1] for key in missed]
                    gone = sum(map(_is_live, found))
                    self._wait(missed, partial(lowest.pending.remove, missed, lowest.clock))
                else:
                    lowest.pending.drop(keys)
            finally:
                await self._copies.removed_many(visits.values())
                self.news.keys(keys)
        return gone if not waiting else max(gone, len(waiting))

    def _waiting(self, key: str) -> Item[object] | None:
        change = self._lowest.pending.get(key)
        return None if change is None else change.item(self._lowest.clock)

    def _wait(self, keys: Collection[str], note: Callable[[], None]) -> None:
        """Let changes of `keys` wait for the lowest layer, or raise the error that is being handled."""
        if not self._queues or not self._lowest.pending.has_room(keys):
            raise  # noqa: PLE0704  - called where an error is handled
        note()
        self._lowest.see_to()

    # --- all keys ----------------------------------------------------------------------------------------------------

    async def clear(self, prefix: str) -> None:
        """Remove all items whose keys begin with `prefix`."""
        lowest = self._lowest
        self._copies.traffic.emptied += 1
        done = lowest.pending.prefixes(prefix)
        try:
            await lowest.change(lowest.pending.keys(prefix), partial(lowest.storage.clear, prefix))
            lowest.pending.forget_prefix(prefix)
            lowest.pending.done_prefixes(done)
        except StorageError:
            if not self._queues or not lowest.pending.clear(prefix):
                raise
            lowest.see_to()
        finally:
            await self._copies.clear(prefix)
            self.news.prefix(prefix)

    async def invalidate(self, tags: tuple[str, ...]) -> None:
        """Kill every item with one of `tags`."""
        lowest = self._lowest
        assert lowest.storage.tags is not None  # noqa: S101  - or nobody would have been offered this
        waiting = lowest.pending.tags()
        try:
            await lowest.call(partial(lowest.storage.tags.invalidate, tags))
            lowest.pending.kill(tags, lowest.clock)
            lowest.pending.done_tags({tag: waiting[tag] for tag in tags if tag in waiting})
        except StorageError:
            if not self._queues or not lowest.pending.invalidate(tags, lowest.clock):
                raise
            lowest.see_to()
        finally:
            await self._copies.kill(tags)
            self.news.tags(tags)

    async def made_up(self, action: Action, names: Collection[str]) -> None:
        """Follow what the lowest layer was told late, or has told of others.

        Whoever asked it meanwhile has copies of what was there before, though he had heard of the change.
        """
        self.news.tell(action, names)
        await self._copies.follow(action, names)


def _is_live(item: Item[object] | None) -> bool:
    return item is not None and not item.is_stale
