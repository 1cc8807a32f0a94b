"""A process that reads one key again and again, from copies, and tells when it first saw each value.

    python -m tests.integration.layered_reader URL BACKPLANE

It says "ready", reads until the value is negative, and prints a JSON object: for each value, the reading of the
machine's monotonic clock, and how many reads were answered without Redis.
"""

import asyncio
import json
import sys
import time

from aiocache_kit import SystemClock, new_layered


async def read(url: str, backplane: str) -> None:
    """Read until told to stop."""
    clock, seen = SystemClock(), dict[int, float]()
    async with new_layered("memory://", url, backplane=backplane) as cache:
        while (await cache.stats()).layers["backplane"].health < 1.0:
            await clock.sleep(0.01)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        value = 0
        while value >= 0:
            value = await cache.get("k", 0)
            seen.setdefault(value, time.monotonic())
            await clock.sleep(0.0002)
        stats = await cache.stats()
    sys.stdout.write(json.dumps({"seen": seen, "reads": stats.hits, "asked": stats.layers["redis"].hits}) + "\n")


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:]))
