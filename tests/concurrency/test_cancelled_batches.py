"""Cancellation at each place where somebody waits for a batch, or for room to load, harms nobody else."""

import asyncio
from collections.abc import Awaitable

import pytest

from aiocache_kit import BatchLoader, Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.concurrency.quiet import Interrupted, is_quiet, works
from tests.concurrency.subjects import CALLS, load

at_all_times = pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when it need not wait any more"])


async def wait_for(call: Awaitable[object]) -> object:
    """Be a coroutine."""
    return await call


async def tens(keys: list[int]) -> dict[int, int]:
    """Answer, with some waiting."""
    await load()
    return {key: 10 * key for key in keys}


@at_all_times
@pytest.mark.parametrize("window", [0.0, 1.0])
@pytest.mark.parametrize("ahead", [False, True], ids=["it is the first", "others are before it"])
async def test_a_caller_that_is_cancelled_harms_no_other(*, window: float, ahead: bool, late: bool) -> None:
    """Whoever asks for the same key, for another one of the batch or for one behind it has its answer all the same."""
    for at in range(1, 50):
        clock = FakeClock()
        loader = BatchLoader(tens, window=window, max_batch=2, max_concurrency=1, clock=clock)
        others = [asyncio.create_task(loader.load(key)) for key in ((1, 5, 6) if ahead else ())]
        call = Interrupted[object](loader.load_many([1, 2, 3]), at, late=late)
        task = asyncio.create_task(wait_for(call))
        await asyncio.sleep(0)
        others += [asyncio.create_task(loader.load(key)) for key in (1, 3, 4)]
        for _ in range(10):
            await clock.advance(1)
        assert await asyncio.gather(*others) == [*([10, 50, 60] if ahead else ()), 10, 30, 40]
        assert task.cancelled() is not call.passed
        assert repr(loader) == "<BatchLoader of 0 batches with 0 keys>"
        assert clock.sleepers == 0
        await loader.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if call.passed:
            return
    pytest.fail("the call waits for ever")


@at_all_times
async def test_a_close_that_is_cancelled_leaves_no_task(*, late: bool) -> None:
    """Cancelled at its n-th wait, `close` has ended what was under way, and everybody who waits is told."""
    for at in range(1, 50):
        clock = FakeClock()
        loader = BatchLoader(tens, window=1.0, max_batch=2, max_concurrency=1, clock=clock)
        others = [asyncio.create_task(loader.load(key)) for key in range(5)]
        await clock.settle()
        call = Interrupted[object](loader.close(timeout=5), at, late=late)
        task = asyncio.create_task(wait_for(call))
        await asyncio.wait([task, *others])
        await clock.settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for each in others:
            assert each.exception() is None or call.passed is False
        if call.passed:
            return
    pytest.fail("the call waits for ever")


async def nested(cache: Provider) -> object:
    """Load a key that needs another one, which others may be waiting to load."""

    async def outer() -> object:
        return await cache.get_or_set("behind", load)

    return await cache.get_or_set("outer", outer)


LOADS = {name: CALLS[name] for name in ("get_or_set", "get_or_set_multi", "get_or_set_multi, joined", "refresh")}
LOADS["nested"] = nested


@at_all_times
@pytest.mark.parametrize("ahead", [0, 1, 2])
@pytest.mark.parametrize("call", LOADS)
async def test_a_load_that_is_cancelled_gives_its_room_to_others(call: str, ahead: int, *, late: bool) -> None:
    """Before, behind and beside a load that is cancelled at its n-th wait, all others have their turns."""
    for at in range(1, 100):
        clock = FakeClock()
        storage = FaultyStorage(memory_storage(), turns=True)
        async with Provider(storage, clock=clock, max_loads=1, max_waiting_loads=10) as cache:
            others = [asyncio.create_task(cache.get_or_set(f"before {number}", load)) for number in range(ahead)]
            interrupted = Interrupted[object](LOADS[call](cache), at, late=late)
            task = asyncio.create_task(wait_for(interrupted))
            await asyncio.sleep(0)
            others += [asyncio.create_task(cache.get_or_set(key, load)) for key in ("missing", "a", "behind")]
            await asyncio.wait([task, *others])
            assert [await other for other in others] == ["new"] * (ahead + 3)
            assert task.cancelled() is not interrupted.passed
            await is_quiet(cache, clock)
            slots = cache._core.slots
            assert slots is not None
            assert (slots.has_free, slots.waiting) == (True, 0)
            await works(cache)
        if interrupted.passed:
            return
    pytest.fail("the call waits for ever")
