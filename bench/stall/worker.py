"""Puts one cache to one scenario: ``python -m bench.stall.worker SUBJECT SCENARIO ENTRIES``.

- ``fill``: 64 tasks store everything, each giving way to the loop after every fourth entry, as requests would;
- ``expire``: the time of all entries is over at one instant; watched until they are gone, twenty seconds at most;
- ``clear``, ``prefix`` (nine of ten keys), ``tags`` (all entries have the tag): watched until what was removed is gone.

The garbage collector runs as it comes. What is filled in beforehand is filled in unwatched.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from time import monotonic, perf_counter
from typing import Final

from bench.compare.subject import TTL
from bench.stall.patients import PATIENTS, Patient
from bench.stall.ticker import Stall, watched

WRITERS: Final = 64
AT_ONCE: Final = 4
PATIENCE: Final = 20.0
_STEP: Final = 5_000


async def measure(patient: Patient, scenario: str, entries: int) -> dict[str, float]:
    """Run the scenario and say how long the loop was held at worst, in ms, and how long it all took, in s."""
    await patient.open(entries)
    async with watched() as idle:
        await asyncio.sleep(0.3)
    start = perf_counter()
    stall = await SCENARIOS[scenario](patient, entries)
    return {
        "late": round(stall.late, 2),
        "held": round(stall.held, 2),
        "idle": round(idle.late, 2),
        "seconds": round(perf_counter() - start, 2),
        "left": await patient.count(),
    }


def keys_of(entries: int) -> Iterator[list[str]]:
    """Give the keys in pieces, nine of ten of them for users."""
    for start in range(0, entries, _STEP):
        yield [f"{'user' if n % 10 else 'page'}:{n:07d}" for n in range(start, min(start + _STEP, entries))]


async def fill_unwatched(patient: Patient, entries: int, end: float) -> None:
    """Store everything until the instant `end`."""
    for keys in keys_of(entries):
        await patient.store(keys, end)
        await asyncio.sleep(0)


async def fill(patient: Patient, entries: int) -> Stall:
    """Let many tasks store at once."""
    numbers = iter(range(entries))

    async def write() -> None:
        while True:
            keys = [f"user:{number:07d}" for _, number in zip(range(AT_ONCE), numbers, strict=False)]
            if not keys:
                break
            await patient.store(keys, monotonic() + TTL)
            await asyncio.sleep(0)

    async with watched() as stall:
        await asyncio.gather(*(write() for _ in range(WRITERS)))
    return stall


async def expire(patient: Patient, entries: int) -> Stall:
    """Let all entries die at the same instant."""
    sample = min(entries // 20, 20_000)
    start = monotonic()
    await fill_unwatched(patient, sample, monotonic() + TTL)
    end = monotonic() + (monotonic() - start) / sample * entries * 1.6 + 1
    await fill_unwatched(patient, entries, end)
    assert monotonic() < end, "the entries had expired before all of them were there"
    await asyncio.sleep(end - monotonic() - 0.05)
    async with watched() as stall:
        await asyncio.sleep(0.06)
        await patient.expire()
        await emptied(patient)
    return stall


async def clear(patient: Patient, entries: int) -> Stall:
    """Remove everything."""
    await fill_unwatched(patient, entries, monotonic() + TTL)
    async with watched() as stall:
        await patient.clear()
        await asyncio.sleep(1.5)
    return stall


async def prefix(patient: Patient, entries: int) -> Stall:
    """Remove nine of ten."""
    await fill_unwatched(patient, entries, monotonic() + TTL)
    async with watched() as stall:
        await patient.drop_prefix("user:")
        await asyncio.sleep(1.5)
    return stall


async def tags(patient: Patient, entries: int) -> Stall:
    """Invalidate the tag that all of them have."""
    for keys in keys_of(entries):
        await patient.store_tagged(keys)
        await asyncio.sleep(0)
    async with watched() as stall:
        await patient.drop_tag()
        await emptied(patient)
    return stall


async def emptied(patient: Patient) -> None:
    """Wait until nothing is held any more, or patience is at its end."""
    end = monotonic() + PATIENCE
    while await patient.count() and monotonic() < end:
        await asyncio.sleep(0.05)


SCENARIOS: Final = {"fill": fill, "expire": expire, "clear": clear, "prefix": prefix, "tags": tags}


def main() -> None:
    """Do what the arguments say, and leave without tidying up a million objects."""
    name, scenario, entries = sys.argv[1], sys.argv[2], int(sys.argv[3])
    patient = next(kind for kind in PATIENTS if kind.name == name)()
    print(json.dumps(asyncio.run(measure(patient, scenario, entries))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
