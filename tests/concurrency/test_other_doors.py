"""What leads to a provider besides its own methods, interrupted and failing at each place where it waits.

Decorated functions, namespaces and views with a limit, batches, limits that let wait, streams of events, and the cache
of responses. The methods are those of `test_cancellation` and `test_faults`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import pytest

from aiocache_kit import BatchLoader, CacheError, Provider, RateLimiter, StorageUnavailableError, cached, cached_multi
from aiocache_kit.clock import Clock
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.storage.base import Storage
from aiocache_kit.testing import FakeClock
from tests.concurrency.quiet import is_quiet, works
from tests.concurrency.subjects import CALLS, Call, Make, clock_of, is_old_new_or_gone, load, load_many, provider
from tests.concurrency.test_cancellation import Attempts
from tests.concurrency.wholes import IN_MEMORY
from tests.integration.http.doors import Answer, by_aiohttp, by_asgi


class Door(NamedTuple):
    """A way to a provider."""

    call: Call
    like: str
    """The call of `CALLS` that may change the same."""


def one(cache: Provider, key: str) -> Any:  # noqa: ANN401  - as `cached` makes it
    """Give a function that loads one value, decorated."""

    @cached(cache, key=key)
    async def function() -> str:
        return await load()

    return function


def many(cache: Provider) -> Any:  # noqa: ANN401  - as `cached_multi` makes it
    """Give a function that loads several values, decorated."""

    @cached_multi(cache, key="{id}")
    async def function(ids: list[str]) -> dict[str, str]:
        return await load_many(ids)

    return function


async def in_a_batch(cache: Provider) -> object:
    """Load by a batch, together with somebody else."""
    async with BatchLoader(load_many) as batches:
        other = asyncio.create_task(batches.load("other"))
        try:
            found = await cache.get_or_set_multi(["k", "a"], batches.load_many)
        finally:
            await asyncio.wait([other])
        assert other.result() == "new"
        return found


async def one_of_a_batch(cache: Provider) -> object:
    """Load one key by a batch."""
    async with BatchLoader(load_many) as batches:
        return await cache.get_or_set("missing", batches.loader("missing"))


async def heard(cache: Provider) -> object:
    """Wait for an event that comes, and for one that does not come before the stream ends."""
    async with cache.events(kinds=["hit", "miss"]) as stream:
        telling = asyncio.create_task(cache.get("k"))
        try:
            return await anext(stream)
        finally:
            await asyncio.wait([telling])


async def told(cache: Provider) -> None:
    """Have a listener told."""
    heard = asyncio.Event()

    async def listen(event: object) -> None:
        del event
        await asyncio.sleep(0)
        heard.set()

    listening = cache.listen(listen, kinds=["hit", "miss"])
    try:
        await cache.get("k")
        await heard.wait()
    finally:
        listening.stop()


async def waiting(cache: Provider) -> object:
    """Wait for a token that comes with time."""
    limiter = RateLimiter(1, per=1.0, clock=cache._core.clock)
    await limiter.acquire()
    return await limiter.acquire(timeout=5)


def of_one(key: str, method: str = "__call__", *arguments: object) -> Call:
    """Give a call of a decorated function, or of one of its methods."""
    return lambda cache: getattr(one(cache, key), method)(*arguments)


def of_many(method: str, *arguments: object) -> Call:
    """Give a call of a decorated function that loads several values, or of one of its methods."""
    return lambda cache: getattr(many(cache), method)(*arguments)


def in_namespace(call: Call) -> Call:
    """Give the same call of a namespace."""
    return lambda cache: call(cache.namespace("n"))


def limited(call: Call) -> Call:
    """Give the same call of a view that takes a token first."""
    return lambda cache: call(cache.limited(RateLimiter(1_000_000), "caller"))


DOORS: Final[dict[str, Door]] = {
    "cached": Door(of_one("missing"), "get_or_set"),
    "cached.peek": Door(of_one("k", "peek"), "get"),
    "cached.set": Door(of_one("k", "set", "new"), "set_multi"),
    "cached.invalidate": Door(of_one("k", "invalidate"), "delete"),
    "cached.refresh": Door(of_one("k", "refresh"), "refresh"),
    "cached_multi": Door(of_many("__call__", ["k", "a", "b"]), "get_or_set_multi"),
    "cached_multi.peek": Door(of_many("peek", ["k", "a"]), "get"),
    "cached_multi.set": Door(of_many("set", {"k": "new", "l": "new"}), "set_multi"),
    "cached_multi.invalidate": Door(of_many("invalidate", ["k", "l"]), "delete_multi"),
    "cached_multi.refresh": Door(of_many("refresh", ["k", "l"]), "refresh_multi"),
    "a batch": Door(in_a_batch, "get_or_set_multi"),
    "one of a batch": Door(one_of_a_batch, "get_or_set"),
    "events": Door(heard, "get"),
    "a listener": Door(told, "get"),
    "a token to wait for": Door(waiting, "get"),
}
VIEWS: Final[dict[str, Door]] = {
    **{f"a namespace, {name}": Door(in_namespace(call), "get") for name, call in CALLS.items()},
    **{f"a limited view, {name}": Door(limited(call), name) for name, call in CALLS.items()},
}
"""Each call of a provider, by way of a namespace and of a view with a limit."""
over_doors = pytest.mark.parametrize("door", DOORS)


async def passed(task: "asyncio.Task[Any]", clock: Clock) -> None:
    """Wait for a task, and let time pass for it."""
    while not task.done():
        if isinstance(clock, FakeClock):
            await clock.advance(0.25)
        else:
            await asyncio.wait([task])


@over_doors
@pytest.mark.parametrize("make", ["slow memory"], indirect=True)
@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when it need not wait any more"])
async def test_a_door_that_is_cancelled_leaves_nothing(make: Make, door: str, *, late: bool) -> None:
    """Cancelled at its n-th wait, for each n, it leaves no trace, and values that are old, new or gone."""
    await cancel(make, DOORS[door], late=late)


@pytest.mark.parametrize("view", list(VIEWS)[::3])
@pytest.mark.parametrize("make", ["slow memory"], indirect=True)
async def test_a_view_that_is_cancelled_leaves_nothing(make: Make, view: str) -> None:
    """The same for each call of a namespace, and of a view with a limit."""
    await cancel(make, VIEWS[view])


async def cancel(make: Make, door: Door, *, late: bool = False) -> None:
    """Cancel a call at each of its waits, and look at what is left."""
    attempts = Attempts(late=late)
    for at in attempts:
        storage = make()
        clock = clock_of(storage)
        async with provider(storage, clock) as cache:
            task = attempts.start(door.call(cache), at)
            await passed(task, clock)
            assert attempts.was_cancelled(task)
            await is_quiet(cache, clock, policies=False)
            await is_old_new_or_gone(cache, door.like)
            await works(cache)
            await is_quiet(cache, clock, policies=False)


@over_doors
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_door_to_a_storage_that_fails_leaves_nothing(door: str, *, after: bool) -> None:
    """With the n-th call of the storage failing, for each n, it raises that or copes, and leaves no trace."""
    for at in range(1, 100):
        whole = IN_MEMORY["a layer whose failures are raised"]()
        part, clock = whole.parts[0], clock_of(whole.storage)
        async with provider(whole.storage, clock) as cache:
            part.calls.clear()
            part.fail(StorageUnavailableError("as ordered"), at=at, after=after)
            await passed(asyncio.create_task(ended(DOORS[door].call(cache))), clock)
            was_struck = len(part.calls) >= at
            part.heal()
            await is_quiet(cache, clock)
            await is_old_new_or_gone(cache, DOORS[door].like)
            await works(cache)
        if not was_struck:
            return
    pytest.fail("it needs the storage for ever")


async def ended(call: Awaitable[object]) -> object:
    """Wait for a call to end well, or by an error of ours."""
    try:
        return await call
    except CacheError as error:
        return error


# --- responses -------------------------------------------------------------------------------------------------------

BODY: Final = b"a response"
HEADERS: Final = (("cache-control", "max-age=60"), ("etag", '"1"'))
ASKED: Final[dict[str, tuple[str, tuple[tuple[str, str], ...]]]] = {
    "a miss": ("/missing", ()),
    "a hit": ("/there", ()),
    "what has to be asked for anew": ("/there", (("cache-control", "no-cache"),)),
    "what is there unchanged": ("/there", (("if-none-match", '"1"'),)),
}
over_requests = pytest.mark.parametrize("request_of", ASKED)


def say(headers: object) -> Answer:
    """Be the application."""
    del headers
    return Answer(200, HEADERS, BODY)


@asynccontextmanager
async def served(storage: Storage, clock: Clock, door: Any) -> AsyncGenerator[Any]:  # noqa: ANN401  - one of two
    """Give a cache of responses, which has one, and a way to ask."""
    async with Provider(storage, clock=clock) as cache, door(ResponseCache(cache, clock=clock), say) as ask:
        assert (await ask("GET", "/there", ())).body == BODY
        yield cache, ask


async def answers(ask: Any) -> None:  # noqa: ANN401  - as the door has it
    """Assert that every request is answered, and whole."""
    for path, headers in ASKED.values():
        answer = await ask("GET", path, headers)
        assert (answer.status, answer.body) in {(200, BODY), (304, b"")}


@over_requests
@pytest.mark.parametrize("make", ["slow memory"], indirect=True)
@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when it need not wait any more"])
async def test_a_request_that_is_cancelled_leaves_nothing(make: Any, request_of: str, *, late: bool) -> None:  # noqa: ANN401  - as the fixture says
    """A client that hangs up at any moment leaves no trace, and every other one has a whole answer."""
    attempts = Attempts(late=late)
    path, headers = ASKED[request_of]
    for at in attempts:
        storage = make()
        clock = clock_of(storage)
        async with served(storage, clock, by_asgi) as (cache, ask):
            task = attempts.start(ask("GET", path, headers), at)
            await asyncio.sleep(0)
            other = asyncio.create_task(ask("GET", path, headers))
            await asyncio.wait([task, other])
            assert other.result().status in {200, 304}
            assert attempts.was_cancelled(task)
            await is_quiet(cache, clock)
            await answers(ask)
            await is_quiet(cache, clock, policies=False)


@over_requests
@pytest.mark.parametrize("door", [by_asgi, by_aiohttp], ids=["asgi", "aiohttp"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_request_while_the_storage_fails_is_answered(request_of: str, door: Any, *, after: bool) -> None:  # noqa: ANN401  - one of two
    """Whichever call of the storage fails, the client has a whole answer, and nothing is left."""
    path, headers = ASKED[request_of]
    for at in range(1, 50):
        whole = IN_MEMORY["a layer whose failures are raised"]()
        part, clock = whole.parts[0], clock_of(whole.storage)
        async with served(whole.storage, clock, door) as (cache, ask):
            part.calls.clear()
            part.fail(StorageUnavailableError("as ordered"), at=at, after=after)
            answer = await ask("GET", path, headers)
            was_struck = len(part.calls) >= at
            part.heal()
            assert (answer.status, answer.body) in {(200, BODY), (304, b"")}
            if door is by_asgi:
                await is_quiet(cache, clock)
            await answers(ask)
        if not was_struck:
            return
    pytest.fail("it needs the storage for ever")
