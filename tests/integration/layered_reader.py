"""A process that reads again and again, from copies, and tells when it first saw each change.

    python -m tests.integration.layered_reader URL BACKPLANE set|delete

It says "ready" and reads: where values are set, one key, until its value is negative; where keys are deleted, one after
the other until it is gone, from 1 to the number that is under "most". Then it prints a JSON object: for each value or
key, the reading of the machine's monotonic clock, how many reads there were, and how many of them asked Redis.
"""

import asyncio
import json
import sys
import time

from aiocache_kit import Provider, SystemClock, new_layered


async def read(url: str, backplane: str, change: str) -> None:
    """Read until all was seen."""
    clock = SystemClock()
    async with new_layered("memory://", url, backplane=backplane) as cache:
        while (await cache.stats()).layers["backplane"].health < 1.0:
            await clock.sleep(0.01)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        seen = await (values(cache, clock) if change == "set" else deletions(cache, clock))
        stats = await cache.stats()
    reads = stats.hits + stats.misses
    sys.stdout.write(json.dumps({"seen": seen, "reads": reads, "asked": stats.layers["redis"].hits}) + "\n")


async def values(cache: Provider, clock: SystemClock) -> dict[int, float]:
    """Give when each value was seen first."""
    seen: dict[int, float] = {}
    value = 0
    while value >= 0:
        value = await cache.get("k", 0)
        seen.setdefault(value, time.monotonic())
        await clock.sleep(0.0002)
    return seen


async def deletions(cache: Provider, clock: SystemClock) -> dict[int, float]:
    """Give when each key was seen to be gone."""
    seen: dict[int, float] = {}
    most: int = await cache.get("most")
    for number in range(1, most + 1):
        while await cache.get(f"k:{number}") is not None:
            await clock.sleep(0.0002)
        seen[number] = time.monotonic()
    return seen


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:]))
