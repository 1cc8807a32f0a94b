"""Sets fresh keys without end into a memory bounded in bytes, and looks how much the process takes from the system.

    python -m tests.fuzz.fill 10000000 [megabytes [seed]]

Rule: after any number of sets the process has never taken more than 1.3 times the bound, and 40 MB for itself and the
program. What is counted is what the system counts, not what the cache does.
"""

import asyncio
import sys
from pathlib import Path
from random import Random

from aiocache_kit import Config, new_provider

MEGA = 2**20
OWN = 40
"""Megabytes that Python and the program may take, and what the first tables of a cache do."""
LARGEST = 4000


def value_of(random: Random, number: int) -> object:
    """Make a value of some kind, of up to four thousand bytes."""
    size = random.randrange(LARGEST)
    match number % 4:
        case 0:
            return random.randbytes(size)
        case 1:
            return random.randbytes(size // 2).hex()
        case 2:
            return [number * 1000.0 + at for at in range(size // 40)]
        case _:
            return {f"field {at}": random.randbytes(30) for at in range(size // 200)}


def most_megabytes() -> float:
    """Give what this process has taken at most so far."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def run(count: int, megabytes: int, seed: int = 1) -> float:
    """Set so many keys; give the megabytes that the process has taken at most. Raises `AssertionError` beyond that."""
    random = Random(seed)  # noqa: S311  - to repeat a run
    bound = megabytes * 1.3 + OWN
    async with new_provider(Config(max_entries=None, max_size=megabytes * MEGA)) as cache:
        for number in range(count):
            life = random.choice((None, 60, 3600))
            await cache.set(f"key:{number}", value_of(random, number), life)
            if number % 10_000 == 0:
                assert most_megabytes() <= bound, f"{most_megabytes():.0f} MB after {number} sets"
        stats = await cache.stats()
    most = most_megabytes()
    assert most <= bound, f"{most:.0f} MB"
    assert stats.evictions > count // 2, "nothing was to be evicted"
    return most


if __name__ == "__main__":
    sets, limit = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 64
    taken = asyncio.run(run(sets, limit, *map(int, sys.argv[3:])))
    print(f"{sets} sets, a bound of {limit} MB: {taken:.0f} MB taken at most")  # noqa: T201  - that is its purpose
