"""What the lowest layer offers for the sake of other processes, offered by the whole hierarchy.

Rule 1: while the lowest layer is away everybody may load, since a cache that is away must not stop its program; what
was loaded then is copied into the layers above and nowhere else.
Rule 2: an invalidation of tags that did not reach the lowest layer waits, or is raised; the copies here are dead in
either case.
Rule 3: locks and rates are never given by anybody but the lowest layer.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

from aiocache_kit.errors import StorageUnavailableError
from aiocache_kit.management.rate_limit import Rate, RateDecision
from aiocache_kit.storage.agreements import SharedLocks, SharedRates
from aiocache_kit.storage.base import Grant, Leases, SharedTags
from aiocache_kit.storage.layered.copies import Copies
from aiocache_kit.storage.layered.lowest import Lowest

NOT_HELD: Final = "none of the lowest layer"
"""The lease of somebody who may load while the lowest layer is away."""


class LayeredLeases(Leases):
    """Leases of the lowest layer."""

    def __init__(self, lowest: Lowest, inner: Leases, copies: Copies) -> None:
        """Ask `inner`, which belongs to `lowest`."""
        self._lowest = lowest
        self._inner = inner
        self._copies = copies
        self.ttl = inner.ttl

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Ask the lowest layer; what is stored by now is copied upward."""
        waiting = [key for key in keys if self._lowest.pending.get(key) is not None] if self._lowest.pending else []
        if waiting:
            return await self._take_while_it_catches_up(keys, tags, waiting, anew=anew)
        with self._copies.traffic.visits(dict.fromkeys(keys)) as visits:
            try:
                grants = await self._lowest.call(partial(self._inner.take, keys, tags, anew=anew))
            except StorageUnavailableError:
                return dict.fromkeys(keys, Grant(lease=NOT_HELD))
            for key, grant in grants.items():
                if grant.item is not None and self._lowest.pending.kills(grant.item):
                    grants[key] = Grant(lease=grant.lease or NOT_HELD)
                elif grant.item is not None:
                    grants[key] = Grant(await self._copies.bring_up(grant.item, visits[key]), grant.lease)
        return grants

    async def _take_while_it_catches_up(
        self, keys: Collection[str], tags: tuple[str, ...], waiting: list[str], *, anew: bool
    ) -> dict[str, Grant]:
        rest = [key for key in keys if key not in waiting]
        grants = await self.take(rest, tags, anew=anew) if rest else {}
        return grants | dict.fromkeys(waiting, Grant(lease=NOT_HELD))

    async def extend(self, key: str, lease: str) -> bool:
        """Extend it in the lowest layer."""
        return lease == NOT_HELD or await self._lowest.call(partial(self._inner.extend, key, lease))

    async def drop(self, key: str, lease: str) -> None:
        """End it in the lowest layer; it ends by itself where that is away."""
        if lease != NOT_HELD:
            await self._inner.drop(key, lease)


class LayeredTags(SharedTags):
    """Tags of the lowest layer, heeded in all of them."""

    def __init__(self, invalidate: Callable[[Collection[str]], Awaitable[None]]) -> None:
        """Invalidate by `invalidate`."""
        self._invalidate = invalidate

    async def invalidate(self, tags: Collection[str]) -> None:
        """Kill what has one of `tags`, below and then above."""
        await self._invalidate(tags)


class LayeredLocks(SharedLocks):
    """Locks of the lowest layer; raises where that is away."""

    def __init__(self, lowest: Lowest, inner: SharedLocks) -> None:
        """Ask `inner`, which belongs to `lowest`."""
        self._lowest = lowest
        self._inner = inner

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take it there."""
        return await self._lowest.call(partial(self._inner.acquire, name, token, ttl))

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Extend it there."""
        return await self._lowest.call(partial(self._inner.extend, name, token, ttl))

    async def release(self, name: str, token: str) -> bool:
        """Release it there."""
        return await self._lowest.call(partial(self._inner.release, name, token))


class LayeredRates(SharedRates):
    """Rate limits of the lowest layer; raises where that is away."""

    def __init__(self, lowest: Lowest, inner: SharedRates) -> None:
        """Ask `inner`, which belongs to `lowest`."""
        self._lowest = lowest
        self._inner = inner

    async def take(self, name: str, rate: Rate, tokens: int, patience: int) -> RateDecision:
        """Take tokens there."""
        return await self._lowest.call(partial(self._inner.take, name, rate, tokens, patience))
