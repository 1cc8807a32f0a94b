"""Leases for loads: one load a key among all processes that share a storage.

Rule 1: who finds that somebody else is loading asks again, after pauses that grow, until there is a value or the lease
is his. A lease whose holder has died ends by itself.
Rule 2: a lease is extended for as long as the load lasts. One that ended all the same is no reason to stop: who waits
gets the value, and it is not stored.
Rule 3: a lease that was not used for a write is given back, whatever happened.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import StorageError
from aiocache_kit.storage.base import ELSEWHERE, Grant, Leases

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.1
"""Seconds between two times that the storage is asked for a key that somebody else is loading."""


class Leasing:
    """The leases that one provider's loads need."""

    __slots__ = ("_clock", "_leases", "_random")

    def __init__(self, leases: Leases, clock: Clock, random: Random) -> None:
        """Take them of `leases`; `random` spreads the pauses of those who ask for the same."""
        self._leases = leases
        self._clock = clock
        self._random = random

    async def one(self, key: str, tags: tuple[str, ...], *, anew: bool, waits: bool = True) -> Grant:
        """Wait until there is an item under a stored key, or the key is ours to load.

        `waits`: False gives `ELSEWHERE` where another process is loading it.
        """
        pause = _FIRST_PAUSE
        while True:
            grant = (await self._leases.take((key,), tags, anew=anew))[key]
            if grant is not ELSEWHERE or not waits:
                return grant
            pause = await self.pause(pause)

    async def some(self, keys: Mapping[str, str], tags: tuple[str, ...], *, anew: bool) -> dict[str, Grant]:
        """Ask once for several stored keys; those that somebody else is loading are left out of the answer."""
        grants = await self._leases.take(keys, tags, anew=anew)
        return {key: grant for key, grant in grants.items() if grant is not ELSEWHERE}

    async def pause(self, seconds: float = _FIRST_PAUSE) -> float:
        """Wait for about that long, and give how long to wait the next time."""
        # By chance, because those who were refused at the same moment would go on asking at the same moment.
        await self._clock.sleep(seconds * self._random.uniform(0.5, 1.0))
        return min(seconds * 2, _LONGEST_PAUSE)

    @asynccontextmanager
    async def kept(self, leases: dict[str, str]) -> AsyncGenerator[None]:
        """Extend the leases, by stored key, while the block runs; give back, at its end, those that are still in it."""
        keeper = asyncio.create_task(self._keep(leases))  # owned by this block
        try:
            yield
        finally:
            keeper.cancel()
            try:
                for key, lease in leases.items():  # a write has taken out the one that it has used up
                    with suppress(StorageError):  # one that cannot be given back ends by itself
                        await self._leases.drop(key, lease)
            finally:
                await asyncio.wait([keeper])  # last: others may have the leases while it still ends

    async def _keep(self, leases: dict[str, str]) -> None:
        while True:
            await self._clock.sleep(self._leases.ttl / 3)  # so two in a row may fail before a lease is over
            for key, lease in list(leases.items()):  # writes take theirs out while others are extended
                try:
                    await self._leases.extend(key, lease)
                except StorageError:
                    break  # it may answer the next time, before the leases are over
