"""Connections that many share: nobody is harmed by others who leave, and what cannot be an answer ends them."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from aiocache_kit import MISSING, Provider, StorageError, StorageUnavailableError, WrongTypeError
from aiocache_kit.clock import stopwatch
from aiocache_kit.storage.redis.room import Room
from aiocache_kit.testing import FaultyProxy
from tests.integration.redis.caches import cache_at, link_of, storage_of, wire_of
from tests.integration.redis.scripted import scripted
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

CALLS = 20_000
TASKS = 64
BIG = "x" * 100_000


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
async def cache(redis_server: Server, fresh_prefix: str, request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    """Give a provider at the shared server, which speaks either version of the protocol."""
    async with cache_at(redis_server.port, fresh_prefix, protocol=request.param) as cache:
        yield cache


async def mixed(cache: Provider, at: int, count: int, random: Random) -> int:
    """Do so many calls of which one of twenty is cancelled; give how many answers were somebody else's."""
    wrong = 0
    values: set[object] = {MISSING}
    """What may be under the key of this task."""
    for number in range(count):
        match random.randrange(4):
            case 0:
                value = f"{at} {number}"
                values.add(value)
                if await maybe(cache.set(f"k{at}", value), random):
                    values = {value}
            case 1:
                found = await maybe(cache.get(f"k{at}", MISSING), random)
                wrong += bool(found) and found[0] not in values
            case 2:
                counted = await maybe(cache.increment(f"c{at}"), random)
                wrong += bool(counted) and not isinstance(counted[0], int)
            case _:
                try:
                    await maybe(cache.increment(f"text{at}"), random)
                except WrongTypeError:
                    continue
    return wrong


async def maybe(call: Coroutine[Any, Any, object], random: Random) -> list[object]:
    """Wait for a call, or cancel it in the middle; give its answer, or nothing."""
    if random.random() >= 0.05:
        return [await call]
    task = asyncio.create_task(call)
    for _ in range(random.randrange(4)):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError, WrongTypeError):
        return [await task]
    return []


async def test_cancelled_callers_leave_no_wrong_answers(cache: Provider) -> None:
    """With one call of twenty cancelled, each of the others gets its own answer, by one and the same connection."""
    await cache.set_multi({f"text{at}": "no number" for at in range(TASKS)})
    wire = wire_of(cache)
    wrong = await asyncio.gather(
        *(mixed(cache, at, CALLS // TASKS, Random(at)) for at in range(TASKS))  # noqa: S311  - an order
    )

    assert sum(wrong) == 0
    assert wire_of(cache) is wire
    assert wire is not None
    await cache.ping()
    assert wire.under_way == 0


async def test_error_reaches_its_caller_alone(cache: Provider, redis_server: Server, fresh_prefix: str) -> None:
    """What Redis refuses in the middle of other commands is refused to whoever asked, and to nobody else."""
    redis_server.ask("LPUSH", f"{fresh_prefix}list", 1)
    await cache.set_multi({f"k{at}": at for at in range(50)})
    calls = [cache.increment("list") if at % 5 == 0 else cache.get(f"k{at}") for at in range(50)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for at, outcome in enumerate(outcomes):
        if at % 5 == 0:
            assert isinstance(outcome, WrongTypeError)
        else:
            assert outcome == at


@pytest.mark.parametrize("way", ["requests", "replies"])
async def test_cut_at_every_byte(redis_server: Server, fresh_prefix: str, way: str) -> None:
    """A connection that ends at any byte gives each call its answer or an error, and nothing is counted twice."""
    async with (
        FaultyProxy(redis_server.host, redis_server.port) as proxy,
        cache_at(proxy.port, fresh_prefix, read_timeout=20) as cache,
        cache_at(redis_server.port, fresh_prefix, read_timeout=20) as direct,
    ):
        await direct.set_multi({f"k{at}": f"value {at}" for at in range(3)})
        await direct.increment("c")
        for cut in range(0, 400, 3):
            before = await direct.get("c")
            await cache.ping()
            proxy.cut_after(cut, of="requests" if way == "requests" else "replies")
            *values, counted = await asyncio.gather(
                *(cache.get(f"k{at}") for at in range(3)), cache.increment("c"), return_exceptions=True
            )
            proxy.heal()
            assert values == [f"value {at}" for at in range(3)]  # reads are tried again
            done = await direct.get("c") - before
            assert done == 1 if isinstance(counted, int) else done in {0, 1}
            assert isinstance(counted, int | StorageUnavailableError)


WRONG: dict[str, bytes] = {
    "a wrong byte": b"?5\r\n",
    "a wrong length": b"$x\r\n",
    "a negative length": b"$-7\r\n",
    "two answers": b"$-1\r\n$-1\r\n",
    "a billion parts": b"*1000000000\r\n",
    "a billion pairs": b"%1000000000\r\n",
    "more parts than there is room for": b"*4294967294\r\n",
    "ten million pushes": b">10000000\r\n",
    "deep nesting": b"*1\r\n" * 1000,
    "noise": bytes(range(256)),
}


@pytest.mark.parametrize("answer", WRONG)
@pytest.mark.parametrize("protocol", [2, 3])
async def test_answer_that_is_none(fresh_prefix: str, answer: str, protocol: int) -> None:
    """An answer that cannot be ends the connection at once or in its time, and the next call has a new one."""
    async with (
        scripted() as server,
        cache_at(server.port, fresh_prefix, protocol=protocol, read_timeout=0.3, max_retries=0) as cache,
    ):
        await cache.ping()
        accepted = server.accepted
        server.answers = [WRONG[answer]]
        with suppress(StorageUnavailableError):  # a read may be tried again
            assert await cache.get("k") is None
        with suppress(StorageUnavailableError):  # an answer too many is noticed at the latest with the next one
            await cache.ping()
        assert await cache.get("k") is None
        assert server.accepted == accepted + 1


@pytest.mark.parametrize(
    "answer", [b":5\r\n", b"*0\r\n", b"*1\r\n:1\r\n", b"%1\r\n:1\r\n:2\r\n", b"#t\r\n", b",1.5\r\n"]
)
async def test_answer_of_another_kind(fresh_prefix: str, answer: bytes) -> None:
    """An answer that is no text, where only a text can be, is an error of the storage."""
    async with scripted() as server, cache_at(server.port, fresh_prefix) as cache:
        for call in (cache.get, cache.get_item, cache.exists):
            server.answers = [answer] * 2
            with pytest.raises(StorageError):
                await call("k")


@pytest.mark.parametrize("answer", [b"$", b"$100\r\nhalf of it", b"$1000000000\r\nnot all", b"*3\r\n$1\r\na\r\n"])
@pytest.mark.parametrize("ends", [False, True])
async def test_half_an_answer(fresh_prefix: str, answer: bytes, *, ends: bool) -> None:
    """Half an answer, with silence or the end after it, is an error in its time; the next call has a new connection."""
    async with (
        scripted() as server,
        cache_at(server.port, fresh_prefix, read_timeout=0.2, max_retries=0) as cache,
    ):
        server.answers, server.ends = [answer] * 2, ends
        with pytest.raises(StorageUnavailableError):
            await cache.get("k")
        server.answers, server.ends = [], False
        assert await cache.get("k") is None


@pytest.mark.parametrize(("timeout", "room"), [(0.2, 2**29), (30.0, 2**20)], ids=["for so long", "so much"])
async def test_answer_without_an_end(fresh_prefix: str, timeout: float, room: int) -> None:
    """An answer that says it has a billion bytes, and goes on and on, is read for no longer and no further than any."""
    sent = 0

    async def more(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(2**16))
            await writer.drain()
            sent += 2**16
            await asyncio.sleep(0)

    async with (
        scripted() as server,
        cache_at(server.port, fresh_prefix, read_timeout=timeout, max_retries=0) as cache,
    ):
        wire = wire_of(cache)
        assert wire is not None
        wire._most_unread = room
        server.answers, server.after = [b"$1000000000\r\n"], more
        with suppress(StorageUnavailableError):  # a second try, by another connection, is answered
            assert await cache.get("k") is None
        assert sent < room + 2**24  # what lies in the buffers of two sockets


async def test_server_that_does_not_read(start_server: StartServer, fresh_prefix: str) -> None:
    """A thousand large sets at a server that stands still all end in time, with errors, and leave nothing."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, breaker_failures=None) as cache:
        await cache.set("k", BIG)
        server.freeze()
        outcomes = await asyncio.gather(*(cache.set(f"k{at}", BIG) for at in range(1000)), return_exceptions=True)
        assert all(isinstance(each, StorageUnavailableError) for each in outcomes)
        server.thaw()
        assert await cache.get("k") == BIG


def sockets() -> int:
    """Count the sockets that this process has open."""
    count = 0
    for each in os.listdir("/proc/self/fd"):  # noqa: PTH208  - numbers are all there is
        with suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{each}").startswith("socket:")  # noqa: PTH115  - as above
    return count


async def test_closing_under_load(redis_server: Server, fresh_prefix: str) -> None:
    """Closing while calls are under way ends each of them, and leaves no task and no socket."""
    before = sockets()
    cache = cache_at(redis_server.port, fresh_prefix)
    await cache.set("k", BIG)
    await cache.get("k")
    assert await cache.get("k") == BIG
    calls = [asyncio.create_task(each) for at in range(200) for each in (cache.set(f"k{at}", BIG), cache.get("k"))]
    await asyncio.sleep(0)
    await cache.close()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert outcome is None or outcome == BIG or isinstance(outcome, StorageUnavailableError)
    assert sockets() == before


@pytest.mark.parametrize("turns", range(12))
async def test_closing_that_is_cancelled(redis_server: Server, fresh_prefix: str, turns: int) -> None:
    """A close that is cancelled anywhere, once or at each turn, and is called again, leaves no socket."""
    before = sockets()
    cache = cache_at(redis_server.port, fresh_prefix)
    await cache.set("k", BIG)
    await cache.get("k")
    await cache.get("k")
    assert link_of(cache)._large.wire is not None
    closing = asyncio.create_task(cache.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await cache.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert sockets() == before


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_opening_that_is_cancelled(redis_server: Server, fresh_prefix: str, turns: int) -> None:
    """A first call that is cancelled anywhere, and a close after it, leave no socket."""
    before = sockets()
    cache = cache_at(redis_server.port, fresh_prefix)
    first = asyncio.create_task(cache.get("k"))
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await cache.close()
    for _ in range(30):
        await asyncio.sleep(0)
    assert sockets() == before


@pytest.mark.parametrize("tags", [(), ("t",)])
async def test_room_for_large_values(start_server: StartServer, fresh_prefix: str, tags: tuple[str, ...]) -> None:
    """However many large values are set at a server that stands still, few payloads are made of them at a time."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, breaker_failures=None) as cache:
        await cache.set("k", BIG, tags=tags)
        writer = storage_of(cache)._writer
        writer._room = Room(10 * len(BIG))
        server.freeze()
        tracemalloc.start()
        calls = [asyncio.create_task(cache.set(f"k{at}", BIG, tags=tags)) for at in range(1000)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert all(isinstance(each, StorageUnavailableError) for each in outcomes)
        assert most < 30 * len(BIG) + 1000 * 20_000
        server.thaw()
        assert writer._room.take(10 * len(BIG))


@pytest.mark.blocking
async def test_a_loop_that_stood_still_loses_no_answer(redis_server: Server, fresh_prefix: str) -> None:
    """Where the event loop stands still for longer than an answer may take, what has come meanwhile is read first."""
    async with cache_at(redis_server.port, fresh_prefix, read_timeout=0.3) as cache:
        await cache.set_multi({f"k{number}": BIG for number in range(100)})
        wire = wire_of(cache)
        reads = [asyncio.create_task(cache.get(f"k{number}")) for number in range(100)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stand_still(1.0)

        assert await asyncio.gather(*reads) == [BIG] * 100
        assert wire_of(cache) is wire


def stand_still(seconds: float) -> None:
    """Keep the event loop from doing anything."""
    end = stopwatch() + seconds
    while stopwatch() < end:
        pass
