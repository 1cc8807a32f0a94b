"""Fills one cache and prints how much the process has grown: ``python -m bench.memory.worker SUBJECT ENTRIES``.

Keys and values are made before the first look, so that they do not count. The size of a process is what is resident
(``/proc/self/statm``), looked at after a full collection; `held` is the same after the C library was told to give back
what is free, which tells what is held from what a resize left behind.
"""

import asyncio
import ctypes
import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.compare.subject import Subject
from bench.memory.subjects import subjects

_STEP: Final = 10_000


def resident() -> int:
    """Give the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Have the C library give back to the system what is free; only glibc has a call for it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


async def measure(subject: Subject, entries: int) -> dict[str, float]:
    """Fill the subject and weigh it."""
    keys = [f"user:{number:07d}" for number in range(entries)]
    await subject.open(entries)
    gc.collect()
    give_back()
    before = resident()
    start = perf_counter()
    for at in range(0, entries, _STEP):
        await subject.fill(keys[at : at + _STEP])
        await asyncio.sleep(0)
    filling = perf_counter() - start
    start = perf_counter()
    gc.collect()
    collecting = perf_counter() - start
    after = resident()
    give_back()
    held = resident()
    assert await subject.holds(keys[-1]), f"{subject.name} does not hold what was stored last"
    return {
        "bytes": round((after - before) / entries, 1),
        "held": round((held - before) / entries, 1),
        "fill_us": round(filling / entries * 1e6, 2),
        "gc_ms": round(collecting * 1000, 1),
    }


def main() -> None:
    """Do what the arguments say, and leave without tidying up a million objects."""
    name, entries = sys.argv[1], int(sys.argv[2])
    subject = next(kind for kind in subjects() if kind.name == name)()
    print(json.dumps(asyncio.run(measure(subject, entries))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
