"""A plain function that gave a coroutine, in a thread, to a caller who was cancelled meanwhile left it unawaited."""

import asyncio
import inspect
from threading import Event

import pytest

from aiocache_kit import Config, new_provider


async def load() -> str:
    """Load."""
    return "new"


@pytest.mark.parametrize("late", [False, True], ids=["before it gave it", "after it gave it"])
async def test_a_coroutine_that_nobody_awaits_is_closed(*, late: bool) -> None:
    """Cancelled before the thread has given the coroutine, or after it and before the loop knows, it is closed."""
    loop, begun, go, over = asyncio.get_running_loop(), asyncio.Event(), Event(), Event()
    coroutine = load()

    def give() -> object:
        loop.call_soon_threadsafe(begun.set)
        go.wait(10)
        over.set()
        return coroutine

    async with new_provider(Config()) as cache:
        asking = asyncio.create_task(cache.get_or_set("k", give))
        await begun.wait()
        if late:
            go.set()
            over.wait(10)
        asking.cancel()
        await asyncio.wait([asking])
        go.set()
        assert asking.cancelled()
        await loop.shutdown_default_executor()  # the thread has done its part
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
