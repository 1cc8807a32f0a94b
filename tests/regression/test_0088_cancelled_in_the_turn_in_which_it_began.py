"""A load that was cancelled in the very turn in which it began left running what it had begun to wait for."""

import asyncio
from contextlib import suppress

import pytest

from aiocache_kit import new_provider
from aiocache_kit.management.eager import begin


async def test_close_leaves_nothing_running() -> None:
    """Whatever a loader waits for is cancelled with it, and over when `close` is."""
    before = asyncio.all_tasks()
    cache = new_provider()
    await cache.ping()

    async def load() -> int:
        await asyncio.gather(asyncio.Event().wait())
        return 1

    caller = asyncio.create_task(cache.get_or_set("key", load))
    closing = asyncio.create_task(cache.close())
    await asyncio.wait([caller, closing])

    assert asyncio.all_tasks() == before


async def test_what_it_waits_for_may_take_its_time() -> None:
    """As with every task, the coroutine goes on when that has ended, and is told how."""
    ended = asyncio.Event()

    async def child() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            ended.set()

    waiting = asyncio.create_task(child())
    await asyncio.sleep(0)

    async def work() -> bool:
        with suppress(asyncio.CancelledError):
            await waiting
        return ended.is_set()

    task = begin(work())
    task.cancel()
    assert await task


async def test_what_is_done_by_then_does_not_keep_it() -> None:
    """Where there is nothing left to cancel, the coroutine itself is."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        return await future

    task = begin(work())
    future.set_result(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
