import asyncio
import contextlib
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import pytest

from aiocache_kit import BatchLoader, Config, cached, new_provider
from aiocache_kit.errors import BatchLoaderClosedError, InvalidArgumentError, NotLoadedError, RecursiveLoadError
from aiocache_kit.testing import FakeClock

_request: ContextVar[str] = ContextVar("request", default="nobody's")


class Source:
    """A source of tens, which notes what it was asked, and may be held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.cancelled = 0
        self.contexts: list[str] = []

    async def __call__(self, keys: list[int]) -> dict[int, int | Exception]:
        self.batches.append(list(keys))
        self.contexts.append(_request.get())
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {key: 10 * key for key in keys}


async def begun(loader: BatchLoader[int, int], *keys: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(loader.load(key)) for key in keys]
    for _ in range(4):
        await asyncio.sleep(0)
    return tasks


# --- gathering --------------------------------------------------------------------------------------------------------


async def test_what_is_asked_in_one_turn_is_one_batch() -> None:
    """Without a window, callers of one turn of the event loop share a batch, in which each key is once."""
    source = Source()
    async with BatchLoader(source) as loader:
        assert await asyncio.gather(*(loader.load(key) for key in (3, 1, 3, 2))) == [30, 10, 30, 20]
        assert await loader.load(1) == 10
    assert source.batches == [[3, 1, 2], [1]]


async def test_a_window_gathers_from_the_first_key_on() -> None:
    """A batch begins when its window is over, counted from its first key; later keys do not move the end."""
    source, clock = Source(), FakeClock()
    async with BatchLoader(source, window=0.5, clock=clock) as loader:
        first = await begun(loader, 1)
        await clock.advance(0.25)
        second = await begun(loader, 2)
        await clock.advance(0.25)
        assert source.batches == [[1, 2]]
        third = await begun(loader, 3)
        await clock.advance(0.5)
        assert await asyncio.gather(*first, *second, *third) == [10, 20, 30]
    assert source.batches == [[1, 2], [3]]
    assert clock.sleepers == 0


async def test_a_full_batch_begins_at_once() -> None:
    """A batch that holds as many keys as it may does not wait for its window, and the next key opens another one."""
    source, clock = Source(), FakeClock()
    async with BatchLoader(source, window=60, max_batch=2, clock=clock) as loader:
        tasks = await begun(loader, 1, 2, 2)
        await clock.settle()
        assert source.batches == [[1, 2]]
        await clock.advance(60)
        assert await asyncio.gather(*tasks) == [10, 20, 20]
    assert source.batches == [[1, 2], [2]]


async def test_so_many_batches_run_at_a_time_and_the_next_one_gathers_on() -> None:
    """While all slots are taken, keys join the batch that waits, until it is full."""
    source = Source()
    source.open.clear()
    loader = BatchLoader(source, max_batch=3, max_concurrency=1)
    tasks = await begun(loader, 1)
    tasks += await begun(loader, 2)
    tasks += await begun(loader, 3)
    assert source.batches == [[1]]

    source.open.set()
    assert await asyncio.gather(*tasks) == [10, 20, 30]
    assert source.batches == [[1], [2, 3]]
    await loader.close()


async def test_no_batch_is_joined_once_it_has_begun() -> None:
    """An answer is never older than its question: who asks while a batch runs is answered by a later one."""
    source = Source()
    source.open.clear()
    loader = BatchLoader(source)
    before = await begun(loader, 1)
    after = await begun(loader, 1)
    source.open.set()

    assert await asyncio.gather(*before, *after) == [10, 10]
    assert source.batches == [[1], [1]]
    await loader.close()


async def test_many_keys_are_asked_for_together() -> None:
    """`load_many` spreads its keys over as few batches as can be, and gives each once."""
    source = Source()
    async with BatchLoader(source, max_batch=2) as loader:
        assert await loader.load_many([1, 2, 3, 1]) == {1: 10, 2: 20, 3: 30}
        assert await loader.load_many([]) == {}
    assert source.batches == [[1, 2], [3]]


async def test_a_plain_function_runs_in_a_thread() -> None:
    """A source that is no coroutine function does not hold the event loop."""
    threads: list[str] = []

    def source(keys: list[int]) -> dict[int, int]:
        threads.append(threading.current_thread().name)
        return dict.fromkeys(keys, 7)

    async with BatchLoader(source) as loader:
        assert await loader.load(1) == 7
    assert threads != [threading.current_thread().name]


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_an_error_of_one_key_is_that_keys_alone() -> None:
    """An exception as a value is raised to whoever asked for that key, each time with its own way."""
    error = LookupError("gone")

    async def source(keys: list[int]) -> dict[int, int | Exception]:
        return {key: error if key == 2 else key for key in keys}

    async with BatchLoader(source) as loader:
        answers = await asyncio.gather(*(loader.load(key) for key in (1, 2, 2, 3)), return_exceptions=True)
        assert answers == [1, error, error, 3]
        with pytest.raises(LookupError):
            await loader.load_many([1, 2])


async def test_an_error_of_the_source_is_everybodys() -> None:
    """What the function raises reaches all who wait for the batch, and nothing is kept of it."""
    answers: list[Any] = [OSError("down"), {1: 1, 2: 2}]

    async def source(keys: list[int]) -> dict[int, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {key: answer[key] for key in keys}

    async with BatchLoader(source) as loader:
        failed = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
        assert [type(each) for each in failed] == [OSError, OSError]
        assert list(await asyncio.gather(loader.load(1), loader.load(2))) == [1, 2]


async def test_a_key_that_is_left_out_is_an_error_or_what_stands_for_it() -> None:
    """The rule for a missing key is clear: `NotLoadedError`, which is a `KeyError`, unless `missing` says otherwise."""

    async def source(keys: list[int]) -> dict[int, int]:
        return {key: key for key in keys if key < 2}

    async with BatchLoader(source) as loader:
        with pytest.raises(NotLoadedError, match="the source has nothing") as caught:
            await loader.load(2)
        assert isinstance(caught.value, KeyError)
        assert caught.value.key == 2
        assert await loader.load_many([1, 2]) == {1: 1}
    async with BatchLoader[int, int | None](source, missing=None) as loader_of_some:
        assert await loader_of_some.load(2) is None
        assert await loader_of_some.load_many([1, 2]) == {1: 1, 2: None}


async def test_a_list_of_rows_is_refused() -> None:
    """Answers by place are an error that says how to give them by key."""

    def source(keys: list[int]) -> Any:  # noqa: ANN401  - what types would forbid
        return keys

    async with BatchLoader[int, int](source) as loader:
        with pytest.raises(InvalidArgumentError, match=r"mapping of keys to values, not list: dict\(zip"):
            await loader.load(1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"window": -1}, "window must be a number of seconds from 0 up"),
        ({"window": float("inf")}, "window must be"),
        ({"window": True}, "window must be"),
        ({"max_batch": 0}, "max_batch must be a whole number from 1 up"),
        ({"max_concurrency": 0}, "max_concurrency must be a whole number"),
        ({"max_batch": 1.5}, "max_batch must be"),
    ],
)
async def test_what_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    """Arguments are checked at once, and named."""
    with pytest.raises(InvalidArgumentError, match=said):
        BatchLoader[int, int](Source(), **arguments)
    with pytest.raises(InvalidArgumentError, match="function must be callable"):
        BatchLoader[int, int](5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested


async def test_a_key_must_be_hashable() -> None:
    """A key that nothing could be found by is refused, and the batch of others is as it was."""
    async with BatchLoader[Any, int](Source()) as loader:
        task = asyncio.create_task(loader.load(1))
        with pytest.raises(InvalidArgumentError, match="key must be hashable, and list is not"):
            await loader.load([])
        assert await task == 10


# --- leaving ----------------------------------------------------------------------------------------------------------


async def test_who_leaves_before_a_batch_begins_takes_the_key_along() -> None:
    """A key that nobody waits for any more is not asked for; one that somebody else wants stays."""
    source, clock = Source(), FakeClock()
    async with BatchLoader(source, window=1, clock=clock) as loader:
        gone, stays, same, leaves = await begun(loader, 1, 2, 3, 3)
        gone.cancel()
        leaves.cancel()
        await clock.advance(1)
        assert list(await asyncio.gather(stays, same)) == [20, 30]
        assert gone.cancelled()
    assert source.batches == [[2, 3]]


async def test_a_caller_that_leaves_a_batch_under_way_leaves_the_others_untouched() -> None:
    """Cancellation of one caller neither ends the batch nor changes what others get."""
    source = Source()
    source.open.clear()
    loader = BatchLoader(source)
    gone, stays = await begun(loader, 1, 2)
    gone.cancel()
    await asyncio.sleep(0)
    source.open.set()

    assert await stays == 20
    assert (gone.cancelled(), source.cancelled) == (True, 0)
    await loader.close()


async def test_a_batch_that_nobody_waits_for_is_cancelled() -> None:
    """The last caller to leave ends the batch, while it gathers and while it runs; the next one begins anew."""
    source, clock = Source(), FakeClock()
    source.open.clear()
    async with BatchLoader(source, window=1, clock=clock) as loader:
        for seconds in (0.5, 1.0):
            tasks = await begun(loader, 1, 2)
            await clock.advance(seconds)
            for task in tasks:
                task.cancel()
            await clock.settle()
            assert repr(loader) == "<BatchLoader of 0 batches with 0 keys>"
        assert (source.batches, source.cancelled) == ([[1, 2]], 1)

        source.open.set()
        again = await begun(loader, 1)
        await clock.advance(1)
        assert await again[0] == 10
    assert clock.sleepers == 0


async def test_what_a_request_has_set_stays_its_own() -> None:
    """A batch runs in the context that the loader was made in, whoever asks first, and lends nothing to anybody."""
    source = Source()
    _request.set("the maker's")
    loader = BatchLoader(source)

    async def serve(name: str, key: int) -> str:
        _request.set(name)
        await loader.load(key)
        return _request.get()

    assert list(await asyncio.gather(serve("ann's", 1), serve("bob's", 2))) == ["ann's", "bob's"]
    assert source.contexts == ["the maker's"]
    await loader.close()


# --- asking from within -----------------------------------------------------------------------------------------------


async def test_a_batch_may_ask_its_own_loader_for_other_keys() -> None:
    """A batch that a batch under way waits for needs no slot, so that neither waits for ever."""

    async def source(keys: list[int]) -> dict[int, int]:
        parents = [key // 2 for key in keys if key > 1]
        return {key: key + sum((await loader.load_many(parents)).values()) for key in keys}

    loader = BatchLoader[int, int](source, max_concurrency=1)
    async with asyncio.timeout(5):
        assert await loader.load(4) == 4 + 2 + 1
    await loader.close()


async def test_a_batch_waits_for_nobody_once_a_batch_under_way_has_joined_it() -> None:
    """A batch that waits for a slot goes on when whoever has the slot asks for one of its keys."""
    asked = asyncio.Event()

    async def source(keys: list[int]) -> dict[int, int]:
        if 1 in keys:
            await asked.wait()
            await loader.load(3)
        return {key: key for key in keys}

    loader = BatchLoader[int, int](source, max_concurrency=1)
    tasks = await begun(loader, 1)
    tasks += await begun(loader, 2)
    asked.set()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*tasks) == [1, 2]
    await loader.close()


async def test_a_batch_that_asks_for_its_own_key_is_told_so() -> None:
    """Directly, or by way of a cache whose loader asks the batch: `RecursiveLoadError`, not a hang."""

    async def source(keys: list[int]) -> dict[int, int]:
        return {key: await (loader.load(key) if key == 1 else cached_value(key)) for key in keys}

    async def cached_value(key: int) -> int:
        return await cache.get_or_set(str(key), loader.loader(key))

    loader = BatchLoader[int, int](source)
    async with new_provider(Config()) as cache, asyncio.timeout(5):
        with pytest.raises(RecursiveLoadError):
            await loader.load(1)
        with pytest.raises(RecursiveLoadError):
            await cached_value(2)
    await loader.close()


# --- with a cache -----------------------------------------------------------------------------------------------------


async def test_misses_of_different_keys_are_loaded_together() -> None:
    """`get_or_set` with a batch's loader: one call of the source for what many ask at once, and none for hits."""
    source = Source()
    async with new_provider(Config()) as cache, BatchLoader(source) as users:

        async def user(key: int) -> int:
            return await cache.get_or_set(f"user:{key}", users.loader(key), ttl=60)

        assert await asyncio.gather(*(user(key) for key in (1, 2, 2, 3))) == [10, 20, 20, 30]
        assert await asyncio.gather(*(user(key) for key in (3, 4))) == [30, 40]
        assert (await cache.stats()).loads == 4
    assert source.batches == [[1, 2, 3], [4]]


async def test_a_cached_function_may_ask_a_batch() -> None:
    """With `@cached` the batch is what the function awaits."""
    source = Source()
    async with new_provider(Config()) as cache, BatchLoader(source) as users:

        @cached(cache, ttl=60, key="user:{user_id}")
        async def user(user_id: int) -> int:
            return await users.load(user_id)

        assert list(await asyncio.gather(user(1), user(2))) == [10, 20]
        assert await user(1) == 10
    assert source.batches == [[1, 2]]


async def test_a_batch_is_a_loader_of_many() -> None:
    """`load_many` is a `load_missing`, whose keys share batches with those of single callers."""
    source = Source()

    async def by_text(keys: list[str]) -> dict[str, int | Exception]:
        found = await source([int(key) for key in keys])
        return {str(key): value for key, value in found.items()}

    async with new_provider(Config()) as cache, BatchLoader(by_text) as loader:
        many = cache.get_or_set_multi(["1", "2"], loader.load_many)
        one = cache.get_or_set("3", loader.loader("3"))
        assert list(await asyncio.gather(many, one)) == [{"1": 10, "2": 20}, 30]
    assert source.batches == [[1, 2, 3]]


async def test_a_change_during_a_load_has_the_next_one_ask_anew() -> None:
    """What was deleted while a batch was asked for it is asked for again, not joined."""
    source = Source()
    source.open.clear()
    async with new_provider(Config()) as cache, BatchLoader(source) as users:
        before = asyncio.create_task(cache.get_or_set("1", users.loader(1)))
        for _ in range(5):
            await asyncio.sleep(0)
        await cache.delete("1")
        after = asyncio.create_task(cache.get_or_set("1", users.loader(1)))
        for _ in range(5):
            await asyncio.sleep(0)
        source.open.set()
        assert list(await asyncio.gather(before, after)) == [10, 10]
    assert source.batches == [[1], [1]]


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_closing_answers_what_was_asked() -> None:
    """`close` begins what gathers, waits for it, and refuses whoever comes later; closing twice is fine."""
    source, clock = Source(), FakeClock()
    source.open.clear()
    loader = BatchLoader(source, window=60, max_concurrency=1, max_batch=2, clock=clock)
    tasks = await begun(loader, 1, 2, 3)
    closing = asyncio.create_task(loader.close())
    await clock.settle()
    with pytest.raises(BatchLoaderClosedError):
        await loader.load(4)
    assert not closing.done()

    source.open.set()
    await closing
    assert await asyncio.gather(*tasks) == [10, 20, 30]
    await loader.close()
    assert source.batches == [[1, 2], [3]]
    assert repr(loader).endswith("closed>")


async def test_closing_ends_what_takes_too_long() -> None:
    """Who waits for a batch that `close` has ended gets `BatchLoaderClosedError`; no task is left."""
    source, clock = Source(), FakeClock()
    source.open.clear()
    loader = BatchLoader(source, clock=clock)
    tasks = await begun(loader, 1)
    closing = asyncio.create_task(loader.close(timeout=5))
    await clock.advance(4)
    assert not closing.done()
    await clock.advance(1)
    await closing

    with pytest.raises(BatchLoaderClosedError):
        await tasks[0]
    assert source.cancelled == 1


async def test_a_close_that_is_cancelled_ends_what_is_under_way() -> None:
    """Whoever gives up waiting for the end has it at once."""
    source = Source()
    source.open.clear()
    loader = BatchLoader(source)
    tasks = await begun(loader, 1)
    closing = asyncio.create_task(loader.close())
    await asyncio.sleep(0)
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await closing

    with pytest.raises(BatchLoaderClosedError):
        await tasks[0]


def keys_of(batches: Iterable[list[int]]) -> list[int]:
    return [key for batch in batches for key in batch]


async def test_a_thousand_callers_cost_ten_batches() -> None:
    """Every caller has its own answer, every key is asked for once, and no batch is above its bound."""
    source = Source()
    async with BatchLoader(source, max_batch=100, max_concurrency=3) as loader:
        answers = await asyncio.gather(*(loader.load(key) for key in range(1000)))
    assert answers == [10 * key for key in range(1000)]
    assert sorted(keys_of(source.batches)) == list(range(1000))
    assert {len(batch) for batch in source.batches} == {100}
