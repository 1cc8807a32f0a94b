"""Going over whole tables, in slices, for every storage that stands on tables.

Rule: one goes by slot number, since that may stop anywhere: what comes or goes meanwhile moves nothing else. A table
that was cleared has fewer slots than it had.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.table import Table

STEP: Final = 64
"""Slots looked at between two looks at the watch."""


async def live_keys(
    tables: Iterable[Table], prefix: str, clock: Clock, *, known: Callable[[int], Awaitable[None]] | None = None
) -> AsyncIterator[str]:
    """Give the live keys that begin with `prefix`; `known` waits until all is in the table of that number."""
    pace = Pace()
    for number, table in enumerate(tables):
        if known is not None:
            await known(number)
        slot = 0
        while slot < table.slots():
            if slot % STEP == 0 and pace.is_over():
                await pace.rest()
                continue  # the table may have been cleared meanwhile
            key = table.columns.keys[slot]
            if key and key.startswith(prefix) and table.is_live(slot, clock.monotonic()):
                yield key
            slot += 1


async def free(remains: list[Iterator[None]]) -> None:
    """Free what tables held that are empty now, a little at a time; what is left when it is stopped stays there."""
    pace = Pace()
    while remains:
        left = remains.pop()
        try:
            for _ in left:
                if pace.is_over():
                    await pace.rest()
        except asyncio.CancelledError:
            remains.append(left)
            raise
