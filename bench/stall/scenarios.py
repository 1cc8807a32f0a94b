"""What is done to a cache while it is watched.

Rule 1: what a library does in the background is left to it, at its own interval; what it does lazily is asked of it
once, as its next write would ask. The garbage collector runs as it comes.
Rule 2: a library is put to what it has a call for. What is filled in beforehand is filled in unwatched, and collected
once: the first walk over a million new references takes longer than most of what is watched, and would be counted for
whatever it happens to fall into. It is a scenario of its own.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from bench import compare
from bench.compare.ours import Ours
from bench.compare.subject import TTL, Subject
from bench.stall.ticker import Stall, watched

WRITERS: Final = 64
"""Tasks that store at once when a cache is filled,"""
AT_ONCE: Final = 4
"""and entries that each of them stores before it gives way to the others, as requests would."""
PATIENCE: Final = 20.0
"""Seconds that entries may take to be gone."""
_STEP: Final = 5_000


def subjects() -> Iterator[type[Subject]]:
    """Give the libraries, with what they do in the background, each imported when it is its turn."""
    yield Ours
    yield from compare.load("CashewsSweeping", "Aiocache", "Cachetools", "CacheboxVariable", "TheineLocked")


def keys_of(entries: int) -> Iterator[list[str]]:
    """Give the keys in pieces, nine of ten of them for users."""
    for start in range(0, entries, _STEP):
        yield [f"{'user' if n % 10 else 'page'}:{n:07d}" for n in range(start, min(start + _STEP, entries))]


async def fill_unwatched(subject: Subject, entries: int, end: float) -> None:
    """Store everything until the instant `end`."""
    for keys in keys_of(entries):
        await subject.set_until(keys, end)
        await asyncio.sleep(0)
    gc.collect()


async def fill(subject: Subject, entries: int) -> Stall:
    """Let many tasks store at once."""
    numbers = iter(range(entries))

    async def write() -> None:
        while True:
            keys = [f"user:{number:07d}" for _, number in zip(range(AT_ONCE), numbers, strict=False)]
            if not keys:
                break
            await subject.set_until(keys, monotonic() + TTL)
            await asyncio.sleep(0)

    async with watched() as stall:
        await asyncio.gather(*(write() for _ in range(WRITERS)))
    return stall


async def expire(subject: Subject, entries: int) -> Stall:
    """Let all entries die at the same instant."""
    sample = min(entries // 20, 20_000)
    start = monotonic()
    await fill_unwatched(subject, sample, monotonic() + TTL)
    end = monotonic() + (monotonic() - start) / sample * entries * 4 + 0.5  # cashews sweeps meanwhile, and slows down
    await fill_unwatched(subject, entries, end)
    assert monotonic() < end, "the entries had expired before all of them were there"
    await asyncio.sleep(end - monotonic() - 0.05)
    async with watched() as stall:
        await asyncio.sleep(0.06)
        await subject.expire()
        await emptied(subject)
    return stall


async def clear(subject: Subject, entries: int) -> Stall:
    """Remove everything."""
    await fill_unwatched(subject, entries, monotonic() + TTL)
    async with watched() as stall:
        await subject.clear()
        await settled(entries)
    return stall


async def prefix(subject: Subject, entries: int) -> Stall:
    """Remove nine of ten."""
    await fill_unwatched(subject, entries, monotonic() + TTL)
    async with watched() as stall:
        await subject.drop_prefix("user:")
        await settled(entries)
    return stall


async def tags(subject: Subject, entries: int) -> Stall:
    """Invalidate the tag that all of them have."""
    for keys in keys_of(entries):
        await subject.set_tagged(keys)
        await asyncio.sleep(0)
    gc.collect()
    async with watched() as stall:
        await subject.drop_tag()
        await emptied(subject)
    return stall


async def collect(subject: Subject, entries: int) -> Stall:
    """Let the garbage collector walk over everything."""
    await fill_unwatched(subject, entries, monotonic() + TTL)
    async with watched() as stall:
        gc.collect()
    return stall


async def settled(entries: int) -> None:
    """Give the background the time that it may take to free what was removed: 1.5 s for a million entries."""
    await asyncio.sleep(0.05 + 1.5e-6 * entries)


async def emptied(subject: Subject) -> None:
    """Wait until nothing is held any more, or patience is at its end."""
    end = monotonic() + PATIENCE
    while await subject.count() and monotonic() < end:  # noqa: ASYNC110  - no library tells when it is done
        await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something done to a cache, and the call of `Subject` that it needs."""

    title: str
    run: Callable[[Subject, int], Awaitable[Stall]]
    needs: str
    mark: float | None
    """Milliseconds that the loop may be held; None where that is not up to the library."""


SCENARIOS: Final = {
    "fill": Scenario("filled in by 64 tasks", fill, "set_until", 15),
    "expire": Scenario("all expire at one instant", expire, "set_until", 10),
    "clear": Scenario("clear", clear, "clear", 10),
    "prefix": Scenario("nine of ten removed by prefix", prefix, "drop_prefix", 10),
    "tags": Scenario("all invalidated by tag", tags, "drop_tag", 10),
    "collect": Scenario("a walk of the garbage collector", collect, "set_until", None),
}
