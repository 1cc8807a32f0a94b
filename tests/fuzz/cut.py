"""Cuts the connection to Redis in the middle of every call: after each byte that is asked, and that is answered.

    python -m tests.fuzz.cut 0 [seed]

The number is how many bytes are drawn for each call, way and kind of connection; 0 takes all of them.

Rule 1: a call that is cut ends with its answer or with an error of ours; nothing is counted twice or written by halves.
Rule 2: whoever comes afterwards has a whole connection, and the answers to his own questions.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from random import Random
from secrets import token_hex
from typing import Any, Final, get_args

from aiocache_kit import CacheError, Config, Provider, RedisConfig, new_provider
from aiocache_kit.clock import SystemClock
from aiocache_kit.testing import FaultyProxy
from aiocache_kit.testing.proxy import Way
from tests.concurrency.quiet import is_quiet, works
from tests.concurrency.subjects import CALLS, is_old_new_or_gone
from tests.servers.room import Room
from tests.servers.server import Server

KINDS: Final[dict[str, dict[str, Any]]] = {
    "shared": {},
    "pooled": {"multiplexed": False, "pool_size": 3},
    "kept": {"client_cache": "1MB"},
}
PATIENT: Final[dict[str, Any]] = dict.fromkeys(("dial_timeout", "read_timeout", "write_timeout", "pool_timeout"), 5.0)
"""What is cut says so at once. A busy machine may take a second to connect anew, and that is not what is looked for."""
MORE_THAN_ALL: Final = 1_000_000


async def cut_everywhere(
    host: str,
    port: int,
    draw: Callable[[int], Iterable[int]],
    kinds: Iterable[str] = KINDS,
    tell: Callable[[str], None] = lambda _: None,
) -> int:
    """Cut each call at the bytes that `draw` gives out of so many; give how often that was."""
    cuts = 0
    for kind in kinds:
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(FaultyProxy(host, port))
            fields = PATIENT | KINDS[kind]
            config = RedisConfig(addr=f"{proxy.host}:{proxy.port}", key_prefix=f"{token_hex(6)}:", **fields)
            cache = await stack.enter_async_context(new_provider(Config(provider="redis", redis_config=config)))
            for call in CALLS:
                for way in get_args(Way):
                    for count in draw(await length(cache, proxy, call, way)):
                        await cut_once(cache, proxy, call, way, count)
                        cuts += 1
                await works(cache)
            tell(f"{kind}: {cuts} cuts")
    return cuts


async def begin(cache: Provider, proxy: FaultyProxy) -> None:
    """Bring everything to its beginning, over a connection that is there."""
    proxy.heal()
    await cache.clear()
    await cache.set_multi({"k": "old", "l": "old"}, tags=["t"])
    await cache.set("counter", 1)


async def length(cache: Provider, proxy: FaultyProxy, call: str, way: Way) -> int:
    """Count the bytes that a call sends, or gets."""
    await begin(cache, proxy)
    proxy.cut_after(MORE_THAN_ALL, of=way)
    await CALLS[call](cache)
    left = proxy._states[way].left
    proxy.heal()
    assert left is not None, "it was cut"
    return MORE_THAN_ALL - left


async def cut_once(cache: Provider, proxy: FaultyProxy, call: str, way: Way, count: int) -> None:
    """Cut a call after `count` bytes, and look at what is left."""
    await begin(cache, proxy)
    proxy.cut_after(count, of=way)
    with suppress(CacheError):
        await CALLS[call](cache)
    proxy.heal()
    try:
        await is_quiet(cache, SystemClock())
        await is_old_new_or_gone(cache, call)
    except AssertionError as error:
        raise AssertionError(f"{call}, cut after {count} bytes of {way}: {error}") from error


def drawn(most: int, seed: int) -> Callable[[int], Iterable[int]]:
    """Draw at most so many places out of all; 0: all."""
    random = Random(seed)  # noqa: S311  - to repeat a run
    return lambda length: range(length) if not most else sorted(random.sample(range(length), min(most, length)))


def main() -> None:
    """Run as the command line says."""
    most, seed = (*map(int, sys.argv[1:]), *(2, 1)[len(sys.argv) - 1 :])
    with Room() as room:
        server = Server(room)
        server.start()
        work = cut_everywhere(server.host, server.port, drawn(most, seed), tell=lambda text: print(text, flush=True))  # noqa: T201  - a program
        cuts = asyncio.run(work)
    print(f"{cuts} cuts: each call was answered or failed, and nothing was done by halves or twice")  # noqa: T201  - a program


if __name__ == "__main__":
    main()
