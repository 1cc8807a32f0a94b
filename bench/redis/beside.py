"""Small reads beside large ones: how late do they come while others read 4 MB again and again?"""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from bench.redis.peer import VALUE, Peer

TASKS: Final = 8
READERS: Final = 2
LARGE: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds that small reads took: the middle and the 99th of a hundred, alone and beside large ones."""

    p50_alone: float
    p99_alone: float
    p50_beside: float
    p99_beside: float
    large_reads: float
    """Large values that were read a second."""


async def delays(peer: Peer, seconds: float) -> Delays:
    """Read for so many seconds without large reads and with them."""
    await peer.write("small", VALUE)
    await peer.write("large", bytes(LARGE))
    await peer.read("large")
    alone, _ = await _read(peer, seconds, readers=0)
    beside, large = await _read(peer, seconds, readers=READERS)
    return Delays(_at(alone, 50), _at(alone, 99), _at(beside, 50), _at(beside, 99), round(large / seconds, 1))


async def _read(peer: Peer, seconds: float, *, readers: int) -> tuple[list[float], int]:
    end = perf_counter() + seconds
    taken: list[float] = []
    large = 0

    async def small() -> None:
        while (start := perf_counter()) < end:
            await peer.read("small")
            taken.append(perf_counter() - start)

    async def reader() -> None:
        nonlocal large
        while perf_counter() < end:
            assert len(await peer.read("large")) == LARGE
            large += 1

    await asyncio.gather(*[small() for _ in range(TASKS)], *[reader() for _ in range(readers)])
    return sorted(taken), large


def _at(taken: list[float], percent: int) -> float:
    return round(taken[len(taken) * percent // 100] * 1e3, 3)
