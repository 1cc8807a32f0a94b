"""One process of the soak: it uses all storages until it is told to end, and tells of itself in lines of JSON.

python -m tests.soak.worker NAME SECONDS PLACES
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from aiocache_kit import CacheError, LockError, Provider, SystemClock
from tests.soak.subjects import SUBJECTS, Places
from tests.soak.tending import Tally, Tending

CLOCK: Final = SystemClock()
TASKS: Final = 2
"""Tasks for each storage."""
EVERY: Final = 2.0
"""Seconds between two looks at the process."""
VICTIM: Final = "victim"
"""The process that is killed again and again, and counts nothing with the others."""


def say(**what: object) -> None:
    """Print a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def look() -> dict[str, int]:
    """Give what the process holds of the machine."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "files": len(os.listdir("/proc/self/fd")) - 1,  # noqa: PTH208  - as short as can be
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
    }


async def watch(tally: Tally, end: float) -> None:
    """Tell of the process every now and then."""
    told = 0
    while time.monotonic() < end:
        await CLOCK.sleep(EVERY)
        say(sample={**look(), "calls": tally.calls.total(), "at": time.monotonic()}, wrong=tally.wrong[told:])
        told = len(tally.wrong)


async def count(name: str, cache: Provider, tally: Tally, end: float) -> None:
    """Count with the other processes."""
    while time.monotonic() < end:
        await CLOCK.sleep(0.05)
        try:
            await cache.increment("counter", ttl=None)
        except CacheError:
            tally.unsure[name] += 1
        else:
            tally.counted[name] += 1


async def lock(name: str, cache: Provider, tally: Tally, end: float, folder: str) -> None:
    """Be in a room alone, among all processes."""
    door = Path(folder) / f"inside {name}"
    while time.monotonic() < end:
        await CLOCK.sleep(0.2)
        try:
            async with cache.lock("door", timeout=2) as lease:
                try:
                    door.touch(exist_ok=False)
                except FileExistsError:
                    if not lease.lost.is_set():
                        tally.wrong.append(f"{name}: two were behind one lock")
                    continue
                try:
                    await CLOCK.sleep(0.005)
                finally:
                    door.unlink()
        except LockError:
            tally.failed["LockError"] += 1
        except CacheError as error:
            tally.failed[type(error).__name__] += 1


async def run(who: str, seconds: float, places: Places) -> None:
    """Use everything, then close everything."""
    events = Path(places.folder) / "undone"

    def undone() -> list[float]:
        return [float(line) for line in events.read_text("ascii").split()] if events.exists() else []

    tally, before, end = Tally(undone), look(), time.monotonic() + seconds
    async with AsyncExitStack() as stack:
        jobs: list[Any] = [watch(tally, end)]
        for name, subject in SUBJECTS.items():
            cache = subject.make(places, who)
            stack.push_async_callback(cache.close)  # it opens by itself: a server may be away at this moment
            jobs += [Tending(name, subject, cache, f"{who}:{number}", tally).until(end) for number in range(TASKS)]
            if subject.is_shared and not who.startswith(VICTIM):
                jobs += [count(name, cache, tally, end), lock(name, cache, tally, end, places.folder)]
        say(ready=True)
        await asyncio.gather(*jobs)
    gc.collect()
    await CLOCK.sleep(0.1)
    say(
        end={
            "calls": tally.calls,
            "failed": tally.failed,
            "cancelled": tally.cancelled,
            "counted": tally.counted,
            "unsure": tally.unsure,
            "before": before,
            "after": look(),
        },
        wrong=tally.wrong,
    )


def main() -> None:
    """Run as the command line says."""
    who, seconds, said = sys.argv[1:]
    given: dict[str, Any] = json.loads(said)
    places = Places(given["mortal"], given["steady"], tuple(given["nodes"]), tuple(given["cluster"]), given["folder"])
    asyncio.run(run(who, float(seconds), places))


if __name__ == "__main__":
    main()
