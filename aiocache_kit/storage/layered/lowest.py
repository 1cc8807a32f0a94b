"""`Lowest`: the layer that knows the truth, and what it has missed.

Rule 1: a layer that fails is left alone for a while (`CircuitBreaker`); calls raise at once then.
Rule 2: what it missed is answered from the changes that wait (`Pending`), and made up for by one task, which runs only
while there are any.
Rule 3: the newer one wins: what waits gives way to an item that was created later by somebody else, and is written, or
removed, only if nothing came in between. An item whose age is not known (an integer that lies bare) is neither believed
nor kept against a change that waits: it is removed. So is an item with tags, one of which may have been invalidated by
somebody else meanwhile, and one that somebody else has removed since.
Rule 4: what waits is older than what is changed now: no change overtakes it (`change`), or it would be undone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Final, TypeVar

from aiocache_kit.errors import (
    CacheError,
    PartialFailureError,
    ProviderClosedError,
    StorageError,
    StorageUnavailableError,
)
from aiocache_kit.item import Item
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.management.key_locks import KeyLock, KeyLocks
from aiocache_kit.storage.base import IF_ABSENT, Storage, if_version
from aiocache_kit.storage.layered.messages import Action
from aiocache_kit.storage.layered.pending import Change, Pending, as_it_is
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.pace import Pace

T = TypeVar("T")
_STEP: Final = 100
"""Changes that are made up for at once."""
_PAUSE: Final = 0.1
"""Seconds between two tries, at least."""
_LAST_WORDS: Final = 2.0
"""Seconds that the last try may take, at the end."""
_log: Final = logging.getLogger("aiocache_kit")


class Lowest:
    """The lowest layer."""

    def __init__(self, storage: Storage, name: str, breaker: CircuitBreaker, pending: Pending) -> None:
        """Keep the truth in `storage`."""
        self.storage: Final = storage
        self.name: Final = name
        self.pending: Final = pending
        self.clock = storage.clock
        self.reads: int = 0
        self.hits: int = 0
        self.errors: int = 0
        """Calls that failed, those that were not tried included."""
        self.replayed: int = 0
        """Changes that were made up for."""
        self.outdated: int = 0
        """Changes that gave way to newer ones of others."""
        self.on_change: Callable[[Action, Collection[str]], Awaitable[None]] | None = None
        """Told of what was, or may have been, made up for, and of keys that somebody else had changed."""
        self._breaker = breaker
        self._is_open = False
        self._opening = asyncio.Lock()
        self._widely = asyncio.Lock()
        self._turns = KeyLocks(KeyLock)
        self._nurse: asyncio.Task[None] | None = None
        self._settled = False
        self._closed = False

    def __repr__(self) -> str:
        return f"<Lowest {self.name}, {len(self.pending)} changes wait>"

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of this layer from now on."""
        self._breaker.on_change = observer.circuit
        self.storage.observe(observer)

    @property
    def is_in(self) -> bool:
        """Whether the layer is not left alone."""
        return self._breaker.retry_after(self.clock.monotonic()) == 0.0

    @property
    def health(self) -> float:
        """1.0 while it works, 0.5 while it catches up, 0.0 while it is left alone."""
        return 0.0 if not self.is_in else 0.5 if self.pending else 1.0

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Get ready; raises `StorageError` where that is not possible, and the next call tries again."""
        self.storage.clock = self.clock
        await self.call(self._nothing)

    async def settle(self) -> None:
        """End the task, and try once more to make up for what was missed; comes before `close`, while news still go."""
        self._settled = True
        if self._nurse is not None:
            self._nurse.cancel()
            await asyncio.wait([self._nurse])
        if not self.pending:
            return
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await self._replay()
        except (CacheError, TimeoutError):
            self.errors += 1
            await self._tell(Action.CLEARED, self.pending.prefixes())  # it may have been done, and nobody tries again
            await self._tell(Action.INVALIDATED, self.pending.tags())

    async def close(self) -> None:
        """Close the storage."""
        self._closed = True
        if self.pending:
            _log.warning("%d changes never reached the storage %s", len(self.pending), self.name)
        await self.storage.close()

    async def _nothing(self) -> None:
        return None

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, act: Callable[[], Awaitable[T]]) -> T:
        """Give what a call of the storage gives; raises `StorageError` where it fails or is left alone."""
        if not self._breaker.allows(self.clock.monotonic()):
            self.errors += 1
            raise StorageUnavailableError("the lowest layer failed of late, and is left alone for a moment")
        try:
            if not self._is_open:
                await self._open()
            result = await act()
        except PartialFailureError:  # a part of it failed, which it leaves alone by itself
            self.errors += 1
            self._breaker.succeeded(self.clock.monotonic())
            raise
        except StorageError:
            self.errors += 1
            self._breaker.failed(self.clock.monotonic())
            raise
        except CacheError:
            self._breaker.succeeded(self.clock.monotonic())
            raise
        except BaseException:
            self._breaker.abandoned(self.clock.monotonic())
            raise
        self._breaker.succeeded(self.clock.monotonic())
        return result

    async def _open(self) -> None:
        async with self._opening:
            self._check_open()
            if not self._is_open:
                try:
                    await self.storage.open()
                finally:
                    if self._closed:  # meanwhile, and `close` may have come too early
                        await self.storage.close()
                self._is_open = True

    def _check_open(self) -> None:
        if self._closed:
            raise ProviderClosedError

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`, as it will be once what waits was made up for."""
        return await self._read(key, self.storage.read)

    async def read_latest(self, key: str) -> Item[object] | None:
        """Do the same, past copies that the storage itself may have."""
        return await self._read(key, self.storage.read_latest)

    async def _read(self, key: str, read: Callable[[str], Awaitable[Item[object] | None]]) -> Item[object] | None:
        self.reads += 1
        change = self.pending.get(key) if self.pending else None
        if change is not None:
            item = change.item(self.clock)
        else:
            item = await self.call(lambda: read(key))
            if item is not None and self.pending.kills(item):
                item = None
        self.hits += item is not None
        return item

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`, as `read` does, in one call."""
        self.reads += len(keys)
        waiting = {key: change for key in keys if (change := self.pending.get(key)) is not None} if self.pending else {}
        asked = [key for key in keys if key not in waiting]
        found = await self.call(lambda: self.storage.read_multi(asked)) if asked else {}
        if self.pending:
            found = {key: item for key, item in found.items() if not self.pending.kills(item)}
            for key, change in waiting.items():
                item = change.item(self.clock)
                if item is not None:
                    found[key] = item
        self.hits += len(found)
        return found

    async def decide(self, key: str, act: Callable[[], Awaitable[T]]) -> T:
        """Give what a call gives that depends on what is there: after all that waits for `key` was made up for."""
        if self.pending:
            change = self.pending.get(key)
            if change is not None or self.pending.tags():
                await self._replay_wide()
                change = self.pending.get(key)
                if change is not None:
                    await self._replay_keys([change])
                if self.pending.get(key) is not None:
                    raise StorageUnavailableError("the lowest layer has not caught up with this key yet")
        return await self.call(act)

    async def change(
        self, keys: Collection[str], act: Callable[[], Awaitable[T]], items: Iterable[Item[object]] = ()
    ) -> T:
        """Give what a plain change of `keys` gives, which may write `items`; nothing that waits is done after it.

        Raises `StorageUnavailableError` where that cannot be.
        """
        if not self.pending:
            return await self.call(act)
        if any(map(self.pending.takes, items)):
            try:
                await self._replay_wide()
            except CacheError as error:
                raise StorageUnavailableError("what was cleared before could not be made up for yet") from error
        async with self._turns.hold([key for key in keys if self.pending.waits(key)]):
            return await self.call(act)

    # --- making up for what was missed -------------------------------------------------------------------------------

    def see_to(self) -> None:
        """Make up for what waits, in the background."""
        if self.pending and not self._settled and (self._nurse is None or self._nurse.done()):
            name = "aiocache_kit makes up for what a layer missed"
            self._nurse = asyncio.create_task(self._make_up(), name=name)  # ends by itself, or in `close`

    async def _make_up(self) -> None:
        while self.pending:
            await self.clock.sleep(max(self._breaker.retry_after(self.clock.monotonic()), _PAUSE))
            try:
                await self._replay()
            except CacheError:
                continue

    async def _replay(self) -> None:
        """Try each change that waits now, once."""
        pace = Pace()
        await self._replay_wide()
        changes = self.pending.some(len(self.pending))
        for start in range(0, len(changes), _STEP):
            await self._replay_keys(changes[start : start + _STEP])
            if pace.is_over():
                await pace.rest()

    async def _replay_wide(self) -> None:
        async with self._widely:  # or the second of two clears might come after what is written next
            for prefix, number in self.pending.prefixes().items():
                await self._catch_up(partial(self.storage.clear, prefix))
                self.pending.done_prefixes({prefix: number})
                await self._tell(Action.CLEARED, (prefix,))
            tags = self.pending.tags()
            if tags and self.storage.tags is not None:
                await self._catch_up(partial(self.storage.tags.invalidate, tags))
            self.pending.done_tags(tags)
            await self._tell(Action.INVALIDATED, tags)

    async def _catch_up(self, act: Callable[[], Awaitable[bool | None]]) -> bool:
        """Make a call late, and say what it says; it is done with where it is refused: nobody waits for it any more."""
        try:
            return bool(await self.call(act))
        except StorageError:
            raise
        except CacheError:
            self.errors += 1
            return True

    async def _tell(self, action: Action, names: Collection[str]) -> None:
        if names and self.on_change is not None:
            await self.on_change(action, names)

    async def _replay_keys(self, changes: list[Change]) -> None:
        keys = [change.key for change in changes]
        there, failed = await self._ask(keys)
        tried: list[str] = []
        try:
            for change in changes:
                async with self._turns.hold((change.key,)):
                    if change.key in failed or self.pending.get(change.key) is not change:
                        continue
                    tried.append(change.key)
                    if await self._is_replayed(change, there.get(change.key)):
                        self.pending.done(change)
        finally:  # the last of them may have been done as well
            await self._tell(Action.CHANGED, tried)

    async def _ask(self, keys: list[str]) -> tuple[dict[str, Item[object]], Collection[str]]:
        """Give what is there, and the keys that a part of the layer has which is away: the others need not wait."""
        try:
            return await self.call(lambda: self.storage.read_multi(keys)), ()
        except PartialFailureError as error:
            return {key: item for key, item in error.found.items() if isinstance(item, Item)}, error.failed

    async def _is_replayed(self, change: Change, there: Item[object] | None) -> bool:
        try:
            return await self._replay_key(change, there)
        except StorageError:
            if not self.is_in:
                raise
            return False  # its part of the layer is away, or it will be better next time

    async def _replay_key(self, change: Change, there: Item[object] | None) -> bool:
        """Do one change over what is there; say whether it is dealt with: done, or given up for a newer one."""
        item = as_it_is(change, self.clock)
        key, storage = change.key, self.storage
        live = there is not None and not there.is_stale
        if item is not None and (item.tags or (there is None and change.is_contested)):
            self.outdated += 1
            item = None
        if there is not None and there.created_at > change.instant:
            self.outdated += 1
            return True
        if there is not None and live and not there.created_at:
            self.outdated += 1
            return await self._catch_up(lambda: storage.remove(key, if_version(there.version))) or item is None
        condition = if_version(there.version) if there is not None and live else IF_ABSENT
        if item is not None:
            done = await self._catch_up(lambda: storage.write(item, condition))
        elif live:
            done = await self._catch_up(lambda: storage.remove(key, condition))
        else:
            await self._catch_up(lambda: storage.remove(key, IF_ABSENT))  # what is stale may go, what is new may not
            done = True
        self.replayed += done
        return done
