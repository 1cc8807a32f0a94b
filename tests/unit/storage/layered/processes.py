"""Several processes, so to speak, with copies over one store, to which each has a way of its own that may be cut."""

from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiocache_kit import Provider
from aiocache_kit.storage.base import Capabilities, SharedTags
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import Exchange, FakeClock, FaultyStorage
from tests.contract.test_own_storage import DictStorage


class Store(DictStorage):
    """A store that heeds tags, and outlives whoever uses it."""

    capabilities = Capabilities(by_reference=True, shared=True, tags=True)

    def __init__(self) -> None:
        super().__init__()
        self.tags = _Tags(self)


class _Tags(SharedTags):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def invalidate(self, tags: Collection[str]) -> None:
        gone = set(tags)
        kept = self._store.kept
        self._store.kept = {key: kept[key] for key in kept if gone.isdisjoint(kept[key].item.tags)}


class Process:
    """One of them."""

    def __init__(self, store: Store, exchange: Exchange, clock: FakeClock, failures: int) -> None:
        self.way: Final = FaultyStorage(store)
        """Its way to the store; news go by another one."""
        self.end: Final = exchange.connect()
        """Its way to the others."""
        layers = [Layer(memory_storage(), "near"), Layer(memory_storage(), "between"), Layer(self.way, "store")]
        self.storage: Final = LayeredStorage(layers, backplane=self.end, failures=failures, probe_after=0.2)
        self.cache: Final = Provider(self.storage, clock=clock)

    async def waits(self) -> bool:
        """Whether something waits for the store."""
        return (await self.storage.layers())["store"].health < 1.0


class Processes:
    """All of them, with what they share."""

    def __init__(self) -> None:
        self.clock: Final = FakeClock()
        self.store: Final = Store()
        self.exchange: Final = Exchange()
        self._ends = AsyncExitStack()

    async def join(self, *, failures: int = 1) -> Process:
        """Give one more, which knows that news come, and leaves the store alone after `failures`."""
        process = Process(self.store, self.exchange, self.clock, failures)
        await self._ends.enter_async_context(process.cache)
        self._ends.callback(process.way.heal)
        await self.clock.advance(3.0)
        return process

    async def stored(self, key: str) -> object:
        """Look at the store itself."""
        item = await self.store.read(key)
        return None if item is None else item.value

    async def close(self) -> None:
        """End all of them, each with its way to the store in order."""
        await self._ends.aclose()


@asynccontextmanager
async def two_processes(*, failures: int = 1) -> AsyncGenerator[tuple[Processes, Process, Process]]:
    """Give what two processes share, and the two."""
    shared = Processes()
    try:
        yield shared, await shared.join(failures=failures), await shared.join(failures=failures)
    finally:
        await shared.close()
