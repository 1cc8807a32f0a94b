"""Locks between processes: one holder at a time, who knows when he is none any more."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aiocache_kit import LockLostError, LockTimeoutError, Provider, StorageError
from aiocache_kit.testing import FaultyProxy
from aiocache_kit.testing.proxy import Way
from tests.integration.redis.caches import cache_at
from tests.integration.redis.workers import CallError, Workers
from tests.servers.server import Server

LONG = 30
"""Seconds of a lock that nobody waits for the end of."""


async def test_one_holder_at_a_time(workers: Workers, redis_server: Server, fresh_prefix: str, tmp_path: Path) -> None:
    """Four processes hold a lock fifty times each: never two at once, and each with a larger number than before."""
    witness = tmp_path / "rounds"
    async with workers(redis_server, fresh_prefix, 4) as processes:
        calls = [each.start("rounds", "l", 50, str(witness)) for each in processes]
        for call in calls:
            await call.result()

    lines = witness.read_text().split()
    assert lines[0::4] == ["in"] * 200
    assert lines[2::4] == ["out"] * 200
    assert lines[1::4] == lines[3::4]
    numbers = [int(number) for number in lines[1::4]]
    assert numbers == sorted(set(numbers))


async def test_holder_that_is_killed(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Who dies while he holds a lock keeps others out for no longer than its time, and the next has a larger number."""
    async with workers(redis_server, fresh_prefix, 2) as (victim, other):
        first = victim.start("hold", "l", 0.5)
        await first.began
        victim.signal(signal.SIGKILL)
        second = other.start("hold", "l", LONG)
        assert await second.began > first.began.result()
        second.end()
        assert (await second.result())[1] is False


async def test_holder_that_stood_still(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Who stood still until his lock was somebody else's is told, and leaves the other's lock alone."""
    async with workers(redis_server, fresh_prefix, 3) as (sleeper, other, third):
        first = sleeper.start("hold", "l", 0.4)
        await first.began
        sleeper.signal(signal.SIGSTOP)
        second = other.start("hold", "l", LONG)
        await second.began
        sleeper.signal(signal.SIGCONT)
        await first.lost
        first.end()
        with pytest.raises(CallError, match="LockLostError"):
            await first.result()
        with pytest.raises(CallError, match="LockTimeoutError"):
            await third.call("hold", "l", LONG, timeout=0)
        second.end()
        assert (await second.result())[1] is False


async def test_lock_lasts_as_long_as_its_holder(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """A lock is prolonged while it is held; who waits for it for too short a time is told."""
    async with workers(redis_server, fresh_prefix, 2) as (holder, other):
        first = holder.start("hold", "l", 0.2)
        await first.began
        with pytest.raises(CallError, match="LockTimeoutError"):
            await other.call("hold", "l", LONG, timeout=0.7)
        second = other.start("hold", "l", LONG)
        first.end()
        assert (await first.result())[1] is False
        await second.began
        second.end()
        await second.result()


async def test_lock_that_was_removed(redis_server: Server, fresh_prefix: str) -> None:
    """A holder whose lock somebody has removed is told soon, and at the end of his block."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        with pytest.raises(LockLostError):
            await told_after(lambda: removed(redis_server, fresh_prefix), cache)


async def test_lock_that_was_removed_just_now(redis_server: Server, fresh_prefix: str) -> None:
    """A holder is told at the end of his block at the latest: giving the lock back finds that it was his no more."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        with pytest.raises(LockLostError):
            await given_back_after(lambda: removed(redis_server, fresh_prefix), cache)


def removed(server: Server, prefix: str) -> None:
    """Remove all locks with a prefix."""
    for name in server.ask("KEYS", f"{prefix}@:l:*"):
        server.ask("DEL", name)


async def told_after(act: Callable[[], None], cache: Provider, mend: Callable[[], None] = lambda: None) -> None:
    """Do something while a lock is held, and mend it when the holder was told that the lock is lost."""
    async with cache.lock("l", 0.6) as lease:
        act()
        await lease.lost.wait()
        mend()


async def given_back_after(act: Callable[[], None], cache: Provider) -> None:
    """Do something while a lock is held that lasts, and give it back at once."""
    async with cache.lock("l", LONG) as lease:
        act()
        assert not lease.lost.is_set()


async def test_holder_knows_the_end_while_redis_is_mute(start_server: Callable[[], Server], fresh_prefix: str) -> None:
    """A lock that cannot be prolonged is lost when its time is over, not when the question for more was answered."""
    server, loop = start_server(), asyncio.get_running_loop()
    async with cache_at(server.port, fresh_prefix, read_timeout=5, dial_timeout=1, lease_ttl=1) as cache:
        begun = loop.time()
        with pytest.raises(LockLostError):
            await told_after(server.freeze, cache, server.thaw)
        assert loop.time() - begun < 3


async def test_lock_whose_answer_was_lost(redis_server: Server, fresh_prefix: str) -> None:
    """Who is told that a lock cannot be had, since the answer was lost, does not hold it all the same."""
    async with (
        FaultyProxy(redis_server.host, redis_server.port) as proxy,
        cache_at(proxy.port, fresh_prefix) as cache,
        cache_at(redis_server.port, fresh_prefix) as other,
    ):
        await cache.ping()
        async with cache.lock("script", LONG):  # the server knows the script from now on
            pass
        proxy.cut_after(0)
        with pytest.raises(StorageError):
            async with cache.lock("l", LONG):
                pass
        await cache.ping()
        async with other.lock("l", LONG, timeout=5):
            pass


@pytest.mark.parametrize("way", ["requests", "replies"])
async def test_cancelled_while_taking_a_lock(redis_server: Server, fresh_prefix: str, way: Way) -> None:
    """Who is cancelled while he takes a lock does not hold it, whether Redis has heard of him or not."""
    async with (
        FaultyProxy(redis_server.host, redis_server.port) as proxy,
        cache_at(proxy.port, fresh_prefix) as cache,
        cache_at(redis_server.port, fresh_prefix) as other,
    ):
        async with cache.lock("script", LONG):
            pass
        proxy.hold(of=way)
        task = asyncio.create_task(taken(cache))
        await proxy.held.wait()
        task.cancel()
        await asyncio.wait([task])
        proxy.heal()
        async with other.lock("l", LONG, timeout=5):
            pass
        assert task.cancelled()


async def taken(cache: Provider) -> None:
    """Take a lock."""
    async with cache.lock("l", LONG):
        pass


async def test_local_and_remote_waiting_share_the_time(redis_server: Server, fresh_prefix: str) -> None:
    """A lock that is held elsewhere is waited for as long as was said, in one process by several."""
    async with cache_at(redis_server.port, fresh_prefix) as cache, cache_at(redis_server.port, fresh_prefix) as other:
        async with other.lock("l", LONG):
            outcomes = await asyncio.gather(
                *(timed_out(cache, timeout) for timeout in (0, 0.05, 0.1, 0.1)),
            )
        assert outcomes == [True] * 4
        async with cache.lock("l", LONG, timeout=0):
            pass


async def timed_out(cache: Provider, timeout: float) -> bool:
    """Tell whether the time to wait was over."""
    try:
        async with cache.lock("l", LONG, timeout=timeout):
            return False
    except LockTimeoutError:
        return True


async def test_lock_without_an_end(redis_server: Server, fresh_prefix: str) -> None:
    """A lock may be held for ever, until its holder is done."""
    async with cache_at(redis_server.port, fresh_prefix) as cache, cache_at(redis_server.port, fresh_prefix) as other:
        async with cache.lock("l", None):
            assert await timed_out(other, 0)
        assert not await timed_out(other, 0)
