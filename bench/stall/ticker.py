"""A task that wants to run every millisecond, and remembers how late it was at worst.

It looks at two watches: the clock on the wall, which is what a user waits by, and the processor time of the thread,
which says how much of that was work of this program rather than of another one on the same machine.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Final

PERIOD: Final = 0.001


@dataclass(slots=True)
class Stall:
    """The worst of what was seen, in milliseconds."""

    late: float = 0.0
    """How late the ticker ran."""
    held: float = 0.0
    """Processor time between two of its runs."""
    ticks: int = 0


@asynccontextmanager
async def watched() -> AsyncGenerator[Stall]:
    """Let the ticker run during the block, and after it once more, for what the block left to be done."""
    stall = Stall()
    task = asyncio.create_task(_tick(stall), name="ticker")
    await asyncio.sleep(PERIOD * 3)
    stall.late = stall.held = 0.0
    try:
        yield stall
        await asyncio.sleep(PERIOD * 3)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _tick(stall: Stall) -> None:
    while True:
        due, worked = perf_counter() + PERIOD, thread_time()
        await asyncio.sleep(PERIOD)
        stall.late = max(stall.late, (perf_counter() - due) * 1000)
        stall.held = max(stall.held, (thread_time() - worked) * 1000)
        stall.ticks += 1
