"""Cancellation at each place where a call waits leaves nothing behind, changes nothing by halves, and harms nobody.

The method is that of SQLite's tests: a call is cancelled at the first place where it waits, then, from the beginning,
at the second, and so on until it passes.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Iterator
from functools import partial

import pytest

from aiocache_kit import Provider
from tests.concurrency.quiet import Interrupted, is_quiet, rest, works
from tests.concurrency.subjects import (
    CALLS,
    Make,
    clock_of,
    is_old_new_or_gone,
    over_calls,
    over_slow_storages,
    over_storages_made_of_others,
    provider,
)

at_all_times = pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when it need not wait any more"])


class Attempts:
    """The attempts at a call, each cancelled one place further on, up to the one that passes."""

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        self.last: Interrupted[object] | None = None

    def __iter__(self) -> Iterator[int]:
        for at in range(1, 200):
            yield at
            assert self.last is not None
            if self.last.passed:
                return
        pytest.fail("the call waits for ever")

    def start(self, call: Awaitable[object], at: int) -> asyncio.Task[object]:
        """Start a call that is cancelled at its wait number `at`."""
        self.last = Interrupted(call, at, late=self.late)
        return asyncio.create_task(wait_for(self.last))

    def was_cancelled(self, task: asyncio.Task[object]) -> bool:
        """Tell whether the call was cancelled: if it was to be, and if it passes, it has an answer."""
        assert self.last is not None
        if not task.cancelled():
            task.result()
        return task.cancelled() is not self.last.passed


@over_calls
@over_slow_storages
@at_all_times
async def test_cancelled_call_leaves_nothing(make: Make, call: str, *, late: bool) -> None:
    """A call that is cancelled at its n-th wait, for each n, leaves no trace, and values that are old, new or gone."""
    await cancel_everywhere(make, call, late=late)


@over_calls
@over_storages_made_of_others
async def test_cancelled_call_leaves_nothing_in_nodes_and_layers(make: Make, call: str) -> None:
    """The same where a call goes on to several nodes, to layers over a network, or to a thread."""
    await cancel_everywhere(make, call)


def test_no_call_is_forgotten() -> None:
    """Each method of a provider that waits is among the calls that are interrupted, but for its end."""
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    waiting = {name for kind in kinds for name, _ in inspect.getmembers(Provider, kind) if name[0] != "_"}

    assert {name for name in waiting if not any(name == call.partition(",")[0] for call in CALLS)} == {
        "aclose",
        "close",
    }


async def cancel_everywhere(make: Make, call: str, *, late: bool = False) -> None:
    """Cancel a call at each of its waits, and look at what is left."""
    attempts = Attempts(late=late)
    for at in attempts:
        storage = make()
        clock = clock_of(storage)
        async with provider(storage, clock) as cache:
            if call == "clear":
                await storage.tidy()  # so that the interval of cleaning has begun, and does not free what is left
            task = attempts.start(CALLS[call](cache), at)
            await asyncio.wait([task])
            assert attempts.was_cancelled(task)
            if call == "clear":
                await storage.tidy()  # frees the files that it had set aside
            await is_quiet(cache, clock)
            await is_old_new_or_gone(cache, call)
            await works(cache)
            await is_quiet(cache, clock, policies=False)


@over_calls
@over_slow_storages
async def test_call_beside_a_load_may_be_cancelled(make: Make, call: str) -> None:
    """The same while somebody else is loading the same keys, who gets what was loaded, whatever happens beside."""
    attempts = Attempts()
    for at in attempts:
        storage, begun, go = make(), asyncio.Barrier(5), asyncio.Event()
        clock = clock_of(storage)
        async with provider(storage, clock) as cache:
            keys = ("k", "missing", "a", "inner")
            others = [asyncio.create_task(cache.refresh(key, partial(held, begun, go))) for key in keys]
            await begun.wait()
            task = attempts.start(CALLS[call](cache), at)
            await rest(clock)
            go.set()
            await asyncio.wait([task])
            assert await asyncio.gather(*others) == ["held"] * 4
            assert attempts.was_cancelled(task)
            await is_quiet(cache, clock)
            await works(cache)


@over_slow_storages
@at_all_times
@pytest.mark.parametrize("call", ["get_or_set", "get_or_set_multi", "update", "lock", "set"])
@pytest.mark.parametrize("ahead", [0, 1])
async def test_others_in_line_get_their_turns(make: Make, call: str, ahead: int, *, late: bool) -> None:
    """Whoever is before or behind a call that is cancelled at its n-th wait gets what it waits for."""
    attempts = Attempts(late=late)
    for at in attempts:
        storage = make()
        clock = clock_of(storage)
        async with provider(storage, clock) as cache:
            others = [asyncio.create_task(wait_for(CALLS[call](cache))) for _ in range(ahead)]
            task = attempts.start(CALLS[call](cache), at)
            await asyncio.sleep(0)
            others += [asyncio.create_task(wait_for(CALLS[call](cache))) for _ in range(2)]
            await asyncio.wait([task])
            await asyncio.gather(*others)
            assert attempts.was_cancelled(task)
            await is_quiet(cache, clock)
            await works(cache)


@over_slow_storages
@at_all_times
async def test_cancelled_opening_may_be_tried_again(make: Make, *, late: bool) -> None:
    """A first call that is cancelled while it opens the storage leaves the opening to the next one."""
    attempts = Attempts(late=late)
    for at in attempts:
        storage = make()
        clock = clock_of(storage)
        cache = Provider(storage, clock=clock)
        task = attempts.start(cache.set("k", 1), at)
        await asyncio.wait([task])
        await is_quiet(cache, clock)
        await works(cache)
        await cache.close()


@over_slow_storages
@at_all_times
async def test_cancelled_closing_leaves_no_task(make: Make, *, late: bool) -> None:
    """A close that is cancelled at its n-th wait has ended loads and background work all the same."""
    attempts = Attempts(late=late)
    for at in attempts:
        storage, begun = make(), asyncio.Barrier(2)
        cache = Provider(storage, clock=clock_of(storage))
        await cache.set("k", 1)
        loading = asyncio.create_task(cache.get_or_set("missing", partial(held, begun, asyncio.Event())))
        await begun.wait()
        task = attempts.start(cache.close(), at)
        await asyncio.wait([task, loading])
        await is_quiet(cache, cache._core.clock)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await cache.close()


async def wait_for(call: Awaitable[object]) -> object:
    """Be a coroutine."""
    return await call


async def held(begun: asyncio.Barrier, go: asyncio.Event) -> str:
    """Load when told to, after all have begun."""
    await begun.wait()
    await go.wait()
    return "held"
