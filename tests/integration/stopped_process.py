"""A process whose values end soon, to be stopped and continued; it tells what it gave and did after that.

    python -m tests.integration.stopped_process DIRECTORY

It says "ready" and reads on in three caches (memory, files, memory over files). When it meets a gap in time, it reads
once more, goes on for a second, and prints for each cache how old the value was that it gave, how often its source was
asked, and how often its clock was slept on.
"""

import asyncio
import json
import sys
import time
from typing import Final

from aiocache_kit import MISSING, Config, FileConfig, Provider, SystemClock, new_layered, new_provider

CLOCK: Final = SystemClock()
GAP: Final = 1.5
"""Seconds between two readings that only a stopped process does not see."""
TTL: Final = 1.0
PERIOD: Final = 0.05


class Counted(SystemClock):
    """A clock, and a source of its time, that count what they are asked."""

    __slots__ = ("asked", "slept")

    def __init__(self) -> None:
        """Begin with none."""
        self.asked = self.slept = 0

    async def sleep(self, seconds: float) -> None:
        """Wait, and count."""
        self.slept += 1
        await super().sleep(seconds)

    async def load(self) -> float:
        """Give the time, and count."""
        self.asked += 1
        return time.time()


async def read(cache: Provider, clock: Counted) -> float:
    """Give the age of the value that is served."""
    return time.time() - await cache.get_or_set("loaded", clock.load, TTL, refresh_ahead=0.5)


async def watch(caches: dict[str, tuple[Provider, Counted]]) -> dict[str, dict[str, object]]:
    """Read until there is a gap, and give what there is to tell."""
    for cache, clock in caches.values():
        await cache.set("written", "old", TTL)
        await read(cache, clock)
    told: dict[str, dict[str, object]] = {}
    last = time.time()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while time.time() - last < GAP:
        last = time.time()
        await CLOCK.sleep(0.01)
        if time.time() - last < GAP:
            for cache, clock in caches.values():
                await read(cache, clock)
    for name, (cache, clock) in caches.items():
        clock.asked = clock.slept = 0
        told[name] = {"written": await cache.get("written", MISSING) is not MISSING, "age": await read(cache, clock)}
    end = time.time() + 1.0
    while time.time() < end:
        await CLOCK.sleep(0.01)
        for cache, clock in caches.values():
            await read(cache, clock)
    for name, (_, clock) in caches.items():
        told[name] |= {"asked": clock.asked, "slept": clock.slept}
    return told


async def main(directory: str) -> None:
    """Make the caches, watch them, and tell."""
    alone, below = (
        Config(provider="file", cleanup_interval=PERIOD, file_config=FileConfig(dir=f"{directory}/{name}"))
        for name in ("alone", "below")
    )
    clocks = {name: Counted() for name in ("memory", "files", "layered")}
    async with (
        new_provider(Config(cleanup_interval=PERIOD), clock=clocks["memory"]) as memory,
        new_provider(alone, clock=clocks["files"]) as files,
        new_layered("memory://", below, clock=clocks["layered"]) as layered,
    ):
        caches = {"memory": memory, "files": files, "layered": layered}
        told = await watch({name: (cache, clocks[name]) for name, cache in caches.items()})
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
