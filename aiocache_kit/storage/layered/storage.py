"""`LayeredStorage`: a hierarchy of storages, of which the lowest one knows the truth and the others hold copies.

Rule 1: what is conditional or counted is decided by the lowest layer; versions, dates, leases, locks and tags are its.
Rule 2: a change is made in the lowest layer first and above afterwards (`copies`), and goes on to its end when its
caller is cancelled. One that failed leaves no copies.
Rule 3: plain writes and removals that the lowest layer misses wait until it is back (`lowest`), or are raised where the
storage was told so, or where no more can wait. Whatever has a condition is raised in either case.
Rule 4: a read that no layer can answer is a miss and counts as an error; a stale copy is given before that.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from random import Random
from types import MappingProxyType
from typing import Literal

from aiocache_kit.errors import InvalidArgumentError, StorageError
from aiocache_kit.item import Item
from aiocache_kit.management.circuit_breaker import CircuitBreaker
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.serializers.seal import Seal
from aiocache_kit.stats import Stats
from aiocache_kit.storage.backplane import Backplane
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Size, Storage
from aiocache_kit.storage.errands import Errands
from aiocache_kit.storage.layered.bulletin import Bulletin
from aiocache_kit.storage.layered.changes import Changes, News
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.layer import Layer
from aiocache_kit.storage.layered.lowest import Lowest
from aiocache_kit.storage.layered.near import Near
from aiocache_kit.storage.layered.pending import MOST_KEYS, Pending
from aiocache_kit.storage.layered.reads import Reads
from aiocache_kit.storage.layered.shared import LayeredLeases, LayeredLocks, LayeredRates, LayeredTags
from aiocache_kit.storage.observer import Observer
from aiocache_kit.storage.tables import TableStorage

BACKPLANE = "backplane"
"""What statistics call the way that news takes."""
OnFailure = Literal["queue", "raise"]


class LayeredStorage(Storage):
    """Copies in front of the truth."""

    name = "layered"

    def __init__(
        self,
        layers: Iterable[Layer],
        *,
        on_failure: OnFailure = "queue",
        most_pending: int = MOST_KEYS,
        backplane: Backplane | None = None,
        seal: Seal | None = None,
        heartbeat: float = 1.0,
        distrust_after: float = 5.0,
        failures: int = 3,
        probe_after: float = 0.5,
        random: Random | None = None,
    ) -> None:
        """Use `layers`, the nearest first, at least two; all but the lowest belong to this process alone.

        `on_failure` says what becomes of plain writes and removals while the lowest layer is away: ``"queue"``, they
        wait, for `most_pending` keys at most, or ``"raise"``.

        By `backplane` processes tell one another of changes, in messages sealed by `seal`, and give a sign of life
        every `heartbeat` seconds; None: nobody tells anybody, and copies may be as old as the ttl of their layer. While
        it is not known that changes of others arrive, copies live for `distrust_after` seconds at most.

        A layer is left alone after `failures` in a row, and tried again after `probe_after` seconds, then ever more
        seldom, at least every five. Raises `InvalidArgumentError` for what cannot be.
        """
        given = list(layers)
        storages = _checked(given)
        names = [layer.name or storage.name for layer, storage in zip(given, storages, strict=True)]
        if len({*names, BACKPLANE}) <= len(names):
            raise InvalidArgumentError(
                f"layers must be of different names, none of them {BACKPLANE}, not {', '.join(names)}"
            )
        _check(on_failure, distrust_after=distrust_after, heartbeat=heartbeat)

        def breaker() -> CircuitBreaker:
            longest = max(4.0, probe_after)  # and a fifth of it more, by chance
            return CircuitBreaker(failures=failures, wait=probe_after, longest_wait=longest, random=random)

        nears = [
            Near(storage, name, layer.life, breaker())
            for layer, storage, name in zip(given[:-1], storages, names, strict=False)
        ]
        self._queues = on_failure == "queue"
        self._errors = 0
        self._lowest = Lowest(storages[-1], names[-1], breaker(), Pending(most_pending))
        self._copies = Copies(nears, distrust_after)
        self._reads = Reads(self._copies, self._lowest, self._miss)
        self._bulletin = (
            None
            if backplane is None
            else Bulletin(backplane, self._copies, self._lowest, seal=seal, heartbeat=heartbeat)
        )
        news = News() if self._bulletin is None else self._bulletin.post
        self._changes = Changes(self._copies, self._lowest, news, queues=self._queues)
        self._lowest.on_change = self._changes.made_up
        self._errands = Errands()
        self.clock = storages[-1].clock
        self._offer(nears[0].storage, storages[-1])

    def _offer(self, nearest: Storage, lowest: Storage) -> None:
        its = lowest.capabilities
        self._copies.keeps_objects = its.by_reference
        self.capabilities = Capabilities(
            stores=its.stores,
            shared=its.shared,
            persistent=its.persistent,
            by_reference=nearest.capabilities.by_reference,
            leases=its.leases,
            tags=its.tags,
            locks=its.locks,
            rates=its.rates,
            bounded=its.bounded,
        )
        if lowest.leases is not None:
            self.leases = LayeredLeases(self._lowest, lowest.leases, self._copies)
        if lowest.tags is not None:
            self.tags = LayeredTags(self._invalidate)
        if lowest.locks is not None:
            self.locks = LayeredLocks(self._lowest, lowest.locks)
        if lowest.rates is not None:
            self.rates = LayeredRates(self._lowest, lowest.rates)

    def __repr__(self) -> str:
        names = [near.name for near in self._copies.nears] + [self._lowest.name]
        return f"<LayeredStorage of {', '.join(names)}>"

    @property
    def near_tables(self) -> TableStorage | None:
        """Where the nearest copies lie, if that is in tables of this process: what is live there is a hit."""
        return self._copies.nears[0].tables

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open all layers; raises `StorageError` where one cannot be opened, and may be tried again.

        Where changes wait for the lowest layer, that is opened by the next call instead if it cannot be opened now.
        """
        self._copies.use(self.clock)
        self._lowest.clock = self.clock
        for near in self._copies.nears:
            await near.open()
        try:
            await self._lowest.open()
        except StorageError:
            if not self._queues:
                raise
            self._errors += 1
        if self._bulletin is not None:
            self._bulletin.start(self.clock)

    async def close(self) -> None:
        """End what is under way, make up for what waits, then close all layers, the lowest last.

        The first error is raised at the end.
        """
        async with AsyncExitStack() as ends:  # each of them comes, whatever happens to those before it
            ends.push_async_callback(self._lowest.close)
            for near in self._copies.nears:
                ends.push_async_callback(near.storage.close)
            if self._bulletin is not None:
                ends.push_async_callback(self._bulletin.close)
            ends.push_async_callback(self._lowest.settle)  # others hear of what it does
            ends.push_async_callback(self._errands.close)

    async def size(self) -> Size:
        """Give what the lowest layer holds, and the errors of all."""
        errors = self._errors + self._lowest.errors + sum(near.errors for near in self._copies.nears)
        try:
            size = await self._lowest.call(self._lowest.storage.size)
        except StorageError:
            return Size(errors=errors + 1, counted=False)
        return size._replace(errors=size.errors + errors)

    async def layers(self) -> Mapping[str, Stats]:
        """Give what each layer holds, by its name, with its reads and its health."""
        layers: dict[str, Stats] = {}
        for near in self._copies.nears:
            size = await near.storage.size()
            layers[near.name] = _stats(
                size, near.hits, near.misses, size.errors + near.errors, health=1.0 if near.is_in else 0.0
            )
        lowest = self._lowest
        try:
            size = await lowest.call(lowest.storage.size)
        except StorageError:
            size = Size(counted=False)
        layers[lowest.name] = _stats(
            size,
            lowest.hits,
            lowest.reads - lowest.hits,
            size.errors + lowest.errors,
            health=lowest.health,
            missed=lowest.pending.queued,
        )
        if self._bulletin is not None:
            layers[BACKPLANE] = self._bulletin.stats()
        return MappingProxyType(layers)

    def observe(self, observer: Observer) -> None:
        """Tell of each layer, by its name."""
        super().observe(observer)
        for near in self._copies.nears:
            near.observe(observer.part(near.name))
        self._lowest.observe(observer.part(self._lowest.name))

    async def tidy(self) -> None:
        """Let all layers tidy, but those that are away."""
        for near in self._copies.nears:
            await near.storage.tidy()
        if self._lowest.is_in:
            await self._lowest.call(self._lowest.storage.tidy)

    async def sync(self) -> None:
        """Let the lowest layer write out."""
        await self._lowest.call(self._lowest.storage.sync)

    async def ping(self) -> None:
        """Return once the lowest layer has answered."""
        await self._lowest.call(self._lowest.storage.ping)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Give the item of the nearest layer that has it fresh, copied into those above it."""
        return await self._reads.one(key)

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items that `read` would give: layer by layer, each asked for what those above it do not have."""
        return await self._reads.many(keys)

    async def read_latest(self, key: str) -> Item[object] | None:
        """Give what the lowest layer has, whatever copies say."""
        return await self._reads.latest(key)

    def _miss(self) -> None:
        """Answer without the lowest layer, or raise the error that is being handled."""
        if not self._queues:
            raise  # noqa: PLE0704  - called where an error is handled
        self._errors += 1

    # --- writing and removing ----------------------------------------------------------------------------------------

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds, in the lowest layer and then in those above."""
        return await self._errands.run(self._changes.write(item, condition), (item.key,))

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store each item, in the lowest layer and then in those above."""
        by_key = {item.key: item for item in items}
        await self._errands.run(self._changes.write_multi(by_key), by_key)

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds, from the lowest layer and then from those above."""
        return await self._errands.run(self._changes.remove(key, condition), (key,))

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove each key, from the lowest layer and then from those above."""
        each = dict.fromkeys(keys)
        return await self._errands.run(self._changes.remove_multi(each), each)

    async def clear(self, prefix: str = "") -> None:
        """Clear the lowest layer and then those above."""
        await self._errands.run(self._changes.clear(prefix), None)

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the keys that the lowest layer has, and those that wait for it; raises where it is away."""
        lowest = self._lowest
        await lowest.call(lowest.storage.ping)
        waiting = set(lowest.pending.written(prefix, self.clock))
        for key in waiting:
            yield key
        async for key in lowest.storage.scan(prefix):
            if key not in waiting and lowest.pending.get(key) is None:
                yield key

    # --- decided by the lowest layer ---------------------------------------------------------------------------------

    async def increment(self, item: Item[int], delta: int) -> int:
        """Count in the lowest layer; copies go."""
        work = self._changes.decided(item.key, lambda storage: storage.increment(item, delta))
        return await self._errands.run(work, (item.key,))

    async def touch(self, item: Item[None]) -> bool:
        """Move the end in the lowest layer; copies go."""
        work = self._changes.decided(item.key, lambda storage: storage.touch(item))
        return await self._errands.run(work, (item.key,))

    async def expire(self, key: str) -> bool:
        """Expire in the lowest layer; copies go."""
        return await self._errands.run(self._changes.decided(key, lambda storage: storage.expire(key)), (key,))

    async def hear_tags(self, tags: Collection[str], marks: TagMarks) -> None:
        """Give no copy any more that has one of `tags`, and make none of what is dead by `marks`."""
        self._copies.marks = marks
        await self._copies.kill(tags)

    async def _invalidate(self, tags: Collection[str]) -> None:
        await self._errands.run(self._changes.invalidate(tuple(tags)), None)


def _stats(size: Size, hits: int, misses: int, errors: int, *, health: float, missed: int = 0) -> Stats:
    return Stats(
        hits=hits,
        misses=misses,
        size=size.bytes,
        items=size.items,
        counted=size.counted,
        evictions=size.evictions,
        expired=size.expired,
        errors=errors,
        health=health,
        missed=missed,
    )


def _check(on_failure: object, **seconds: float) -> None:
    if on_failure not in {"queue", "raise"}:
        raise InvalidArgumentError(f"on_failure must be 'queue' or 'raise', not {on_failure!r:.40}")
    for field, given in seconds.items():
        if not given > 0.0:
            raise InvalidArgumentError(f"{field} must be seconds above 0, not {given!r:.40}")


def _checked(layers: list[Layer]) -> list[Storage]:
    """Give the storages of layers that make a hierarchy; raise `InvalidArgumentError` for others."""
    if len(layers) < 2:  # noqa: PLR2004  - one above another
        raise InvalidArgumentError(f"a hierarchy has at least 2 layers, not {len(layers)}: give them one by one")
    storages: list[Storage] = []
    for layer in layers:
        if not isinstance(layer.source, Storage):
            raise InvalidArgumentError(f"source of a layer must be a Storage, not {type(layer.source).__name__}")
        storages.append(layer.source)
    if any(storage.capabilities.shared for storage in storages[:-1]):
        raise InvalidArgumentError(
            "only the lowest layer may be shared with other processes: give the nearest layer first, and that one last"
        )
    return storages
