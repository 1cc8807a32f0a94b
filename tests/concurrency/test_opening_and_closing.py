"""Opening and closing, interrupted and failing at each place where they wait, let go of everything in the end.

What has to be gone after `close`, however it ended and whatever was under way: every task, descriptor, thread and
connection, of each part of a storage. Nobody who waited for anything waits any more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random
from secrets import token_hex
from typing import Any, Final, TypeAlias

import pytest

from aiocache_kit import CacheError, Provider, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import file_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.snapshot import Snapshot
from tests.concurrency.quiet import PATIENCE, nothing_stays
from tests.concurrency.subjects import CALLS, MADE_OF_OTHERS, STORAGES, clock_of, load
from tests.concurrency.test_cancellation import Attempts, held
from tests.concurrency.wholes import WHOLES, Whole

Request: TypeAlias = pytest.FixtureRequest
Make: TypeAlias = Callable[[], Whole]


def _lasting(request: Request) -> Callable[[], Whole]:
    """Make memory with a snapshot, which is read and written."""
    place = request.getfixturevalue("tmp_path")
    return lambda: Whole(memory_storage(snapshot=Snapshot(place / "snapshot")), [])


def _gathering(request: Request) -> Callable[[], Whole]:
    """Make files whose writes wait."""
    place = request.getfixturevalue("tmp_path")
    return lambda: Whole(file_storage(f"{place}/{token_hex(6)}", Codec(JsonSerializer()), gathers=True), [])


def _alone(make: Any) -> Callable[[Request], Make]:  # noqa: ANN401  - as `STORAGES` has it
    def find(request: Request) -> Make:
        storage = make(request)
        return lambda: Whole(storage(), [])

    return find


SUBJECTS: Final[dict[str, Callable[[Request], Make]]] = {
    **{name: _alone(make) for name, make in (STORAGES | MADE_OF_OTHERS).items()},
    "memory with a snapshot": _lasting,
    "files, gathered": _gathering,
    **WHOLES,
}
NEAR: Final = [name for name in SUBJECTS if "redis" not in name.lower() and "files" not in name]
TURNS: Final = 12
"""Turns of the loop within which most calls end, where nothing is waited for."""
over_all = pytest.mark.parametrize("name", SUBJECTS)
at_all_times = pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when it need not wait any more"])


async def in_use(cache: Provider, whole: Whole) -> "list[asyncio.Task[Any]]":
    """Let be under way what `close` has to end: a load, a lock, who waits for it, a listener, and work for a part."""
    await cache.set_multi({"k": "old", "l": "old"}, tags=["t"])
    for part in whole.parts[-1:]:
        part.fail(StorageUnavailableError("as ordered"), times=None, of=["write", "write_multi", "remove"])
        with suppress(CacheError):
            await cache.delete("k")
        part.heal()
    cache.listen(partial(asyncio.sleep, 0))
    begun = asyncio.Event()

    async def lock() -> None:
        async with cache.lock("lock"):
            begun.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(lock())
    await begun.wait()
    barrier = asyncio.Barrier(2)
    loading = asyncio.create_task(cache.get_or_set("missing", partial(held, barrier, asyncio.Event())))
    waiter = asyncio.create_task(lock())
    await barrier.wait()
    stream = cache.events()
    return [holder, loading, waiter, asyncio.create_task(ended(anext(stream, None)))]


async def ended(call: Awaitable[object]) -> object:
    """Wait for a call to end well, or by an error of ours."""
    try:
        return await call
    except CacheError as error:
        return error


async def all_ended(tasks: "list[asyncio.Task[Any]]") -> None:
    """Assert that those whom `close` sends away went, and end the one who holds a lock and goes on by right."""
    holder, *others = tasks
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait(others)
    assert not any(task.cancelled() for task in others)
    assert all(task.exception() is None or isinstance(task.exception(), CacheError) for task in others)
    holder.cancel()
    await asyncio.wait([holder])


@over_all
@at_all_times
async def test_a_cancelled_opening_can_be_closed(request: Request, name: str, *, late: bool) -> None:
    """Whatever a first call had opened when it was cancelled, `close` lets go of it."""
    make, attempts = SUBJECTS[name](request), Attempts(late=late)
    for at in attempts:
        whole = make()
        async with nothing_stays(whole.storage, clock_of(whole.storage)) as cache:
            task = attempts.start(cache.set("k", 1), at)
            await asyncio.wait([task])
            assert attempts.was_cancelled(task)
            await cache.close()


@over_all
@at_all_times
async def test_a_cancelled_closing_lets_go_of_everything(request: Request, name: str, *, late: bool) -> None:
    """Cancelled at its n-th wait, for each n, `close` has ended what was under way and closed every part."""
    make, attempts = SUBJECTS[name](request), Attempts(late=late)
    for at in attempts:
        whole = make()
        async with nothing_stays(whole.storage, clock_of(whole.storage)) as cache:
            others = await in_use(cache, whole)
            task = attempts.start(cache.close(), at)
            await asyncio.wait([task])
            await all_ended(others)
            assert attempts.was_cancelled(task)
            await cache.close()


@pytest.mark.parametrize("name", WHOLES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("of", ["open", "close", "tidy", "sync", "remove", "write", "clear"])
async def test_a_part_that_fails_keeps_no_other_from_being_closed(
    request: Request, name: str, of: str, *, after: bool
) -> None:
    """While one part can be neither opened nor closed nor written, all others are closed, and so is that one."""
    make = SUBJECTS[name](request)
    for place in range(len(make().parts)):
        whole = make()
        async with nothing_stays(whole.storage, clock_of(whole.storage)) as cache:
            whole.parts[place].fail(StorageUnavailableError("as ordered"), of=[of], after=after, times=None)
            for call in (cache.set("k", 1), cache.delete("l")):
                await ended(call)
            await ended(cache.close())
            whole.parts[place].heal()


def drawn(name: str, seed: str) -> list[tuple[str, int]]:
    """Draw calls, and after how many turns of the loop something is to come: always the same ones.

    More where that is cheap, fewer elsewhere; `tests.fuzz.strike` takes all calls and turns.
    """
    random = Random(f"{name}, {seed}")  # noqa: S311  - to repeat a run
    calls = random.sample(list(CALLS), 10 if name in NEAR else 4)
    return [(call, random.randrange(TURNS)) for call in calls]


@pytest.mark.parametrize("name", SUBJECTS)
async def test_closing_ends_each_call(request: Request, name: str) -> None:
    """A call during which the provider is closed ends, with an answer or an error, and leaves nothing."""
    make = SUBJECTS[name](request)
    for call, turns in drawn(name, seed="during"):
        await close_during(make(), call, turns)


async def close_during(whole: Whole, call: str, turns: int) -> None:
    """Begin a call, close so many turns of the loop later, and see both end."""
    clock = clock_of(whole.storage)
    async with nothing_stays(whole.storage, clock) as cache:
        await cache.set_multi({"k": "old", "l": "old"}, tags=["t"])
        task = asyncio.create_task(ended(CALLS[call](cache)))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await cache.close()
            await asyncio.wait([task])
        assert not task.cancelled(), "who was not cancelled is not told so"
        task.result()


@pytest.mark.parametrize("name", SUBJECTS)
async def test_calls_while_it_closes_end(request: Request, name: str) -> None:
    """A call that begins while the provider is being closed ends, with an answer or an error, and leaves nothing."""
    make = SUBJECTS[name](request)
    for call, turns in drawn(name, seed="while"):
        await call_during_close(make(), call, turns)


async def call_during_close(whole: Whole, call: str, turns: int) -> None:
    """Begin to close, make a call so many turns of the loop later, and see both end."""
    clock = clock_of(whole.storage)
    async with nothing_stays(whole.storage, clock) as cache:
        await cache.set("k", "old", tags=["t"])
        loading = asyncio.create_task(ended(cache.get_or_set("a", load)))
        closing = asyncio.create_task(cache.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await ended(CALLS[call](cache))
            await asyncio.wait([closing, loading])
        closing.result()
