"""Turns of many tasks over one server: every client in each round, in wall time and in processor time.

Both are told because they answer two questions: how fast one process is where it has the machine to itself, and what a
call takes away from the rest of the program. Other programs lengthen the first and hardly the second. The server's own
time is in the first only.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from statistics import median
from time import perf_counter, process_time
from typing import Final

from bench.measure import Loop, settled_heap

LEAST: Final = 4
"""Calls that each task makes in a turn, at least."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` of one turn a client, each about `turn` seconds."""

    rounds: int
    turn: float


@dataclass(frozen=True, slots=True)
class Timing:
    """What one client took for a call, in microseconds, and the ratios to the first client, round by round."""

    cpu_us: float
    wall_us: float
    cpu_ratio: float
    wall_ratio: float


class Crowd:
    """So many tasks that go through the keys by one loop."""

    def __init__(self, loop: Loop, keys: Sequence[str], tasks: int, *, whole: bool = False) -> None:
        """Let `tasks` share the `keys`; `whole`: one call takes all of them."""
        self._loop = loop
        self._keys = keys
        self._tasks = tasks
        self._whole = whole
        self._each = 1 if whole else LEAST

    async def calibrate(self, seconds: float) -> None:
        """Find how many calls fill a turn of so many seconds."""
        await self.take()
        spent = min([(await self.take())[1] for _ in range(2)])
        self._each = max(self._each, int(seconds / spent / self._tasks))

    async def take(self) -> tuple[float, float]:
        """Take one turn and give the seconds for one call: of the processor, and by the watch."""
        cpu, start = process_time(), perf_counter()
        await asyncio.gather(*[self._run(number) for number in range(self._tasks)])
        wall, cpu = perf_counter() - start, process_time() - cpu
        calls = self._tasks * self._each
        return cpu / calls, wall / calls

    async def _run(self, number: int) -> None:
        if self._whole:
            for _ in range(self._each):
                await self._loop(self._keys)
            return
        # Keys that no other task asks for at the same time: a decorator that shares loads would do less than its work.
        own = self._keys[number % len(self._keys) :: self._tasks]
        await self._loop([*islice(cycle(own), self._each)])


async def interleave(crowds: Sequence[Crowd], effort: Effort, note: Callable[[], None]) -> list[Timing]:
    """Measure the crowds against the first of them."""
    for each in crowds:
        await each.calibrate(effort.turn)
    spent: list[list[tuple[float, float]]] = [[] for _ in crowds]
    with settled_heap():
        for round_ in range(effort.rounds):
            for offset in range(len(crowds)):
                place = (round_ + offset) % len(crowds)
                spent[place].append(await crowds[place].take())
            note()
    return [_timing(each, spent[0]) for each in spent]


def _timing(spent: Sequence[tuple[float, float]], base: Sequence[tuple[float, float]]) -> Timing:
    cpu, wall = zip(*spent, strict=True)
    cpu_ratios, wall_ratios = zip(*[(a / c, b / d) for (a, b), (c, d) in zip(spent, base, strict=True)], strict=True)
    return Timing(
        cpu_us=round(median(cpu) * 1e6, 2),
        wall_us=round(median(wall) * 1e6, 2),
        cpu_ratio=round(median(cpu_ratios), 3),
        wall_ratio=round(median(wall_ratios), 3),
    )
