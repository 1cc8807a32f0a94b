"""Puts one cache to one scenario in this process: ``python -m bench.stall.worker SUBJECT SCENARIO ENTRIES``."""

import asyncio
import json
import os
import sys
from time import perf_counter

from bench.compare.subject import Subject
from bench.stall.scenarios import SCENARIOS, Scenario, subjects
from bench.stall.ticker import watched


async def measure(subject: Subject, scenario: Scenario, entries: int) -> dict[str, float]:
    """Say how long the loop was held at worst, in ms, before anything happened as well, and how long it took, in s."""
    await subject.open(entries)
    async with watched() as idle:
        await asyncio.sleep(0.2)
    start = perf_counter()
    stall = await scenario.run(subject, entries)
    return {
        "late": round(stall.late, 2),
        "held": round(stall.held, 2),
        "idle": round(idle.late, 2),
        "seconds": round(perf_counter() - start, 2),
        "left": await subject.count(),
    }


def main() -> None:
    """Do what the arguments say, and leave without tidying up a million objects."""
    name, scenario, entries = sys.argv[1], sys.argv[2], int(sys.argv[3])
    subject = next(kind for kind in subjects() if kind.name == name)()
    print(json.dumps(asyncio.run(measure(subject, SCENARIOS[scenario], entries))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
