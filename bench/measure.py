"""How time is taken: in many short turns, all subjects in each round, so that what disturbs one disturbs the others.

A machine that others use gives another figure for the same code from second to second. So each round gives every
subject one turn of about the same length, in an order that changes, and a subject's figure is the median, over the
rounds, of its time divided by the time that the floor took in the same round.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import thread_time
from typing import Final, TypeAlias

Loop: TypeAlias = Callable[[Sequence[str]], Awaitable[None]]
"""Does one operation a key, in order."""
Note: TypeAlias = Callable[[], None]
"""Is called after each round."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `rounds` of one turn a subject, each about `turn` seconds, over at most so many `keys`."""

    rounds: int
    turn: float
    keys: int


FULL: Final = Effort(rounds=400, turn=0.002, keys=1_000_000)
QUICK: Final = Effort(rounds=2, turn=0.0002, keys=1_000)


@dataclass(frozen=True, slots=True)
class Timing:
    """What one subject took: nanoseconds an operation, and the ratio to the floor with its quartiles."""

    ns: float
    ratio: float
    low: float
    high: float


class Turns:
    """One subject's way through its keys: each turn goes on where the one before ended, and begins again at the end."""

    def __init__(
        self, loop: Loop, keys: Sequence[str], *, step: int = 1, again: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Prepare to give `loop` the `keys`, a turn at a time, each a multiple of `step`.

        `again` is awaited, and not timed, whenever the keys have been gone through.
        """
        self._loop = loop
        self._keys = keys
        self._step = step
        self._again = again
        self._at = 0
        self._length = step

    async def calibrate(self, seconds: float) -> None:
        """Find how many keys fill a turn of so many seconds."""
        await self.take()
        while self._length < len(self._keys):
            spent = min([await self.take() for _ in range(3)]) * self._length
            if spent >= seconds * 0.7:
                break
            wanted = min(self._length * min(seconds / spent, 8), len(self._keys))
            self._length = max(int(wanted) // self._step, 1) * self._step

    async def take(self) -> float:
        """Take one turn and give the seconds for one operation."""
        if self._at + self._length > len(self._keys):
            self._at = 0
            if self._again is not None:
                await self._again()
        keys = self._keys[self._at : self._at + self._length]
        self._at += self._length
        start = thread_time()
        await self._loop(keys)
        return (thread_time() - start) / len(keys)


async def interleave(turns: Sequence[Turns], effort: Effort, note: Note) -> list[Timing]:
    """Measure the subjects against the first of them, which is the floor."""
    for each in turns:
        await each.calibrate(effort.turn)
    spent: list[list[float]] = [[] for _ in turns]
    with settled_heap():
        for round_ in range(effort.rounds):
            for offset in range(len(turns)):
                place = (round_ + offset) % len(turns)
                spent[place].append(await turns[place].take())
                await asyncio.sleep(0)
            note()
    floor = spent[0]
    return [_timing(each, floor) for each in spent]


def _timing(spent: Sequence[float], floor: Sequence[float]) -> Timing:
    ratios = sorted(mine / its for mine, its in zip(spent, floor, strict=True))
    return Timing(
        ns=round(median(spent) * 1e9, 1),
        ratio=round(median(ratios), 3),
        low=round(ratios[len(ratios) // 4], 3),
        high=round(ratios[-1 - len(ratios) // 4], 3),
    )


@contextmanager
def settled_heap() -> Generator[None]:
    """Keep what is there already from the garbage collector, so that each subject pays for its own garbage."""
    was_settled = gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not was_settled:  # what somebody else keeps from the collector stays so: a whole run of tests does
            gc.unfreeze()
