"""Redis that is frozen, killed and back: calls end in time, and all goes on by itself."""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from aiocache_kit import LockLostError, Provider, StorageError, StorageUnavailableError
from aiocache_kit.clock import SystemClock
from tests.concurrency.quiet import works
from tests.integration.redis.caches import cache_at, storage_of
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

IN_TIME = 1.8
"""Seconds in which a call has ended, a loaded machine considered: one second is what it may take."""
BACK = 2.0
"""Seconds in which service is back."""

CALLS: dict[str, Callable[[Provider], Awaitable[Any]]] = {
    "get": lambda cache: cache.get("k"),
    "get_multi": lambda cache: cache.get_multi(["k", "l"]),
    "set": lambda cache: cache.set("k", 1),
    "set with tags": lambda cache: cache.set("k", 1, tags=["t"]),
    "set_multi": lambda cache: cache.set_multi({"k": 1, "l": 2}),
    "add": lambda cache: cache.add("k", 1),
    "increment": lambda cache: cache.increment("c"),
    "delete": lambda cache: cache.delete("k"),
    "get_or_set": lambda cache: cache.get_or_set("k", lambda: 1),
    "get_or_set_multi": lambda cache: cache.get_or_set_multi(["k"], lambda keys: dict.fromkeys(keys, 1)),
    "update": lambda cache: cache.update("k", lambda old: old, default=1),
    "expire": lambda cache: cache.expire("k"),
    "pop": lambda cache: cache.pop("k"),
    "clear": lambda cache: cache.clear(),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
    "lock": lambda cache: cache.lock("l").__aenter__(),
    "ping": lambda cache: cache.ping(),
}
PLAIN_WRITES = {"set", "set with tags", "set_multi"}
READS = {"get", "get_multi", "pop", "get_or_set", "get_or_set_multi"}


async def timed(call: Awaitable[Any]) -> tuple[object, float]:
    """Give what a call gave or raised, and the seconds it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        outcome: object = await call
    except StorageError as error:
        outcome = error
    return outcome, loop.time() - begun


async def is_back(cache: Provider) -> float:
    """Ask again and again until there is an answer; give the seconds that took."""
    loop, clock = asyncio.get_running_loop(), SystemClock()
    begun = loop.time()
    while True:
        with suppress(StorageUnavailableError):
            await cache.ping()
            return loop.time() - begun
        await clock.sleep(0.02)


@pytest.mark.parametrize("harm", ["frozen", "killed"])
async def test_calls_end_in_time(start_server: StartServer, fresh_prefix: str, harm: str) -> None:
    """With the server frozen or dead each call ends with an error in its time; when it is back, so is all."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix) as cache:
        await works(cache)
        await asyncio.to_thread(server.freeze if harm == "frozen" else server.kill)
        outcomes = await asyncio.gather(*(timed(call(cache)) for call in CALLS.values()))
        for name, (outcome, _) in zip(CALLS, outcomes, strict=True):
            assert isinstance(outcome, StorageUnavailableError), name
        for name, call in CALLS.items():  # the breaker is open by now
            outcome, seconds = await timed(call(cache))
            assert isinstance(outcome, StorageUnavailableError), name
            assert seconds < IN_TIME
        await asyncio.to_thread(server.thaw if harm == "frozen" else server.start)
        assert await is_back(cache) < BACK
        await works(cache)


@pytest.mark.parametrize("call", ["get", "set", "increment", "get_or_set", "lock"])
async def test_first_call_to_a_frozen_server(start_server: StartServer, fresh_prefix: str, call: str) -> None:
    """The first call by a connection that has just gone mute ends within the time of an answer."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix) as cache:
        await cache.set("k", 1)
        await cache.delete("k")
        await asyncio.to_thread(server.freeze)
        outcome, seconds = await timed(CALLS[call](cache))
        assert isinstance(outcome, StorageUnavailableError)
        assert seconds < IN_TIME
        server.thaw()


async def test_degraded_service(start_server: StartServer, fresh_prefix: str) -> None:
    """With misses chosen: reads miss, plain writes are forgotten, all else raises; nothing old is given afterwards."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, on_unavailable="miss") as cache:
        await cache.set_multi({"k": "old", "l": "old", "m": "old"})
        await cache.set("c", 5)
        socket = server.socket
        await asyncio.to_thread(server.freeze)
        for name, call in CALLS.items():
            if name in {"set_multi", "set with tags"}:
                continue
            outcome, _ = await timed(call(cache))
            if name in PLAIN_WRITES | READS:
                assert not isinstance(outcome, Exception), name
            elif name != "update":
                assert isinstance(outcome, StorageUnavailableError), name
        errors = (await cache.stats()).errors
        assert errors > 0
        await cache.set("c", 100)
        await cache.set_multi({"l": "new"})
        server.thaw()
        assert socket.exists()
        assert await cache.get("k") is None
        await is_back(cache)
        assert await cache.get_multi(["k", "l", "m"]) in ({"m": "old"}, {"k": "old", "m": "old"}, {})
        assert await cache.get("l") is None
        assert await cache.add("l", "newest")
        assert await cache.get("l") == "newest"
        assert await cache.increment("c") == 1
        assert await cache.get_or_set("k", lambda: "loaded") == "loaded"


FORGETFUL: dict[str, tuple[Callable[[Provider], Awaitable[Any]], object]] = {
    "get": (lambda cache: cache.get("k"), None),
    "get_item": (lambda cache: cache.exists("k"), False),
    "get_multi": (lambda cache: cache.get_multi(["k"]), {}),
    "add": (lambda cache: cache.add("k", 7), True),
    "replace": (lambda cache: cache.replace("k", 7), False),
    "increment": (lambda cache: cache.increment("k"), 1),
    "update": (lambda cache: cache.update("k", lambda old: old + 1, default=10), 11),
    "delete": (lambda cache: cache.delete("k"), False),
    "delete_multi": (lambda cache: cache.delete_multi(["k"]), 0),
    "pop": (lambda cache: cache.pop("k"), None),
    "touch": (lambda cache: cache.touch("k", 5), False),
    "expire": (lambda cache: cache.expire("k"), False),
    "get_or_set": (lambda cache: cache.get_or_set("k", lambda: "loaded"), "loaded"),
    "refresh": (lambda cache: cache.refresh("k", lambda: "loaded"), "loaded"),
    "get_or_set_multi": (lambda cache: cache.get_or_set_multi(["k"], lambda keys: dict.fromkeys(keys, 1)), {"k": 1}),
}


@pytest.mark.parametrize("call", FORGETFUL)
async def test_forgotten_write(redis_server: Server, fresh_prefix: str, call: str) -> None:
    """What is old under a key whose write was forgotten is there for no call, from the first one on."""
    act, expected = FORGETFUL[call]
    async with cache_at(redis_server.port, fresh_prefix, on_unavailable="miss") as cache:
        await cache.set("k", 5)
        storage = storage_of(cache)
        storage._reader.special.forget_write([storage._layout.name("k")])
        assert await act(cache) == expected


async def test_lock_of_a_dead_server(start_server: StartServer, fresh_prefix: str) -> None:
    """Who holds a lock while the server dies and comes back empty is told."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix) as cache:
        with pytest.raises(LockLostError):
            await held_meanwhile(cache, server)


async def held_meanwhile(cache: Provider, server: Server) -> None:
    """Hold a lock while the server dies and is started again, until told that the lock is lost."""
    async with cache.lock("l", 0.6) as lease:
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await lease.lost.wait()


def in_child(cache: Provider, count: int, pipe: Any) -> None:  # noqa: ANN401  - an end of a pipe
    """Read in the process that was forked."""

    async def read() -> list[object]:
        return [await cache.get(f"k{at % 10}") for at in range(count)]

    try:
        found = asyncio.run(read())
    except BaseException as error:  # noqa: BLE001  - told to the parent
        pipe.send(json.dumps(repr(error)))
    else:
        pipe.send(json.dumps(found))
    finally:
        pipe.close()
        os._exit(0)  # nothing of the parent's is torn down


@pytest.mark.blocking  # the child is waited for
@pytest.mark.parametrize("multiplexed", [True, False])
@pytest.mark.filterwarnings("ignore")  # of forking, and of what the child leaves to the parent
async def test_fork(redis_server: Server, fresh_prefix: str, *, multiplexed: bool) -> None:
    """After a fork both processes read their own answers: the child by connections of its own."""
    async with cache_at(redis_server.port, fresh_prefix, multiplexed=multiplexed) as cache:
        await cache.set_multi({f"k{at}": at for at in range(10)})
        expected = [at % 10 for at in range(200)]
        reading = asyncio.gather(*(cache.get(f"k{at % 10}") for at in range(200)))
        await asyncio.sleep(0)
        receiving, sending = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=in_child, args=(cache, 200, sending))
        child.start()
        sending.close()
        assert await reading == expected
        assert [await cache.get(f"k{at % 10}") for at in range(200)] == expected
        assert json.loads(await asyncio.to_thread(receiving.recv)) == expected
        await asyncio.to_thread(child.join)
        await works(cache)
