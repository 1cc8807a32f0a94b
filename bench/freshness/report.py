"""Readers ask for a few keys without a pause, whose values end again and again; what each of them waits is timed.

Rule 1: a reader lets others run after each turn over the keys, and the time that this takes is nobody's wait.
Rule 2: the ways are measured by turns, so that a machine that slows down slows all of them.
"""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter, perf_counter_ns
from typing import Any, Final

from aiocache_kit import Config, Provider, RedisConfig, new_layered, new_provider
from bench.record import Outcome, Track, at_most
from bench.redis.server import redis_server

METHOD: Final = (
    "{readers} readers ask for {keys} keys without a pause; a load takes {load:g} ms, a ttl {ttl:g} ms. Microseconds "
    "that a reader waits for one value. Plain hits: values without an end. Loads: how many there were. In layers, how "
    "old a copy is must be asked of its item, which takes longer than a look at a table."
)
KEYS: Final = 8
TTL: Final = 0.25
LOAD: Final = 0.005
SIGNS: Final = ("p50", "p99", "p99.9", "most")
WAYS: Final[dict[str, dict[str, Any]]] = {
    "plain hits": {"ttl": None},
    "refresh_ahead=0.7": {"ttl": TTL, "refresh_ahead": 0.7},
    "stale_while_revalidate": {"ttl": TTL, "stale_while_revalidate": 60},
    "no policy": {"ttl": TTL},
}
READERS: Final = {"memory": 1, "redis": 8, "memory over redis": 8}


async def measure(*, quick: bool, track: Track) -> Outcome:
    """Let readers read on each storage, each way."""
    seconds, turns = (0.05, 2) if quick else (0.4, 12)
    note = track("freshness", len(READERS) * len(WAYS) * turns)
    found: dict[str, dict[str, Any]] = {}
    with redis_server() as port:
        for name in READERS:
            found[name] = await _on(name, port, turns, seconds, note)
    ahead = "refresh_ahead=0.7"
    ratios = {name: found[name][ahead]["p99"] / found[name]["plain hits"]["p99"] for name in ("memory", "redis")}
    columns = ["", *(f"{sign}, us" for sign in SIGNS), "reads", "loads"]
    return Outcome(
        method=METHOD.format(readers="1 (memory) or 8", keys=KEYS, load=LOAD * 1000, ttl=TTL * 1000),
        results={f"aiocache_kit, {name}": ways for name, ways in found.items()},
        marks=[
            at_most(f"{name}: p99 with {ahead} over that of plain hits", 2.0, each) for name, each in ratios.items()
        ],
        packages=["aiocache_kit", "redis", "hiredis"],
        settings={"aiocache_kit": "default settings"},
        tables=[(name, columns, [_row(way, each) for way, each in ways.items()]) for name, ways in found.items()],
    )


def _row(way: str, each: dict[str, Any]) -> list[str]:
    return [way, *(f"{each[sign]:,.1f}" for sign in SIGNS), f"{each['reads']:,}", f"{each['loads']:,}"]


async def _on(name: str, port: int, turns: int, seconds: float, note: Callable[[], None]) -> dict[str, Any]:
    waits = {way: array("q") for way in WAYS}
    loads = dict.fromkeys(WAYS, 0)
    async with AsyncExitStack() as stack:
        caches = {way: await stack.enter_async_context(_cache(name, port, number)) for number, way in enumerate(WAYS)}
        for _ in range(turns):
            for way, policy in WAYS.items():
                before = (await caches[way].stats()).loads
                await _read(caches[way], {**policy}, READERS[name], seconds, waits[way])
                loads[way] += (await caches[way].stats()).loads - before
                note()
    return {way: _signs(each) | {"reads": len(each), "loads": loads[way]} for way, each in waits.items()}


@asynccontextmanager
async def _cache(name: str, port: int, number: int) -> AsyncGenerator[Provider]:
    below = RedisConfig(addr=f"127.0.0.1:{port}", key_prefix=f"bench{number}:")
    if name == "memory":
        made = new_provider("memory://")
    elif name == "redis":
        made = new_provider(Config(provider="redis", redis_config=below))
    else:
        made = new_layered("memory://", Config(provider="redis", redis_config=below), backplane=None)
    async with made as cache:
        yield cache


async def _read(cache: Provider, policy: dict[str, Any], readers: int, seconds: float, waits: "array[int]") -> None:
    ttl = policy.pop("ttl")
    keys = [f"key{number}" for number in range(KEYS)]

    async def load() -> str:
        await asyncio.sleep(LOAD)
        return "value"

    async def reader() -> None:
        get_or_set = cache.get_or_set
        while perf_counter() < end:
            for key in keys:
                start = perf_counter_ns()
                await get_or_set(key, load, ttl, **policy)
                waits.append(perf_counter_ns() - start)
            await asyncio.sleep(0)

    for key in keys:  # the first caller waits in any case
        await cache.get_or_set(key, load, ttl, **policy)
    end = perf_counter() + seconds
    await asyncio.gather(*(reader() for _ in range(readers)))


def _signs(waits: "array[int]") -> dict[str, float]:
    ordered = sorted(waits)
    places = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "most": 1.0}
    return {
        sign: round(ordered[min(int(len(ordered) * part), len(ordered) - 1)] / 1000, 2) for sign, part in places.items()
    }
