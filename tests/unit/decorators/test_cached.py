import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from aiocache_kit.decorators import cached
from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidTagError,
    InvalidTTLError,
    ProviderClosedError,
    RecursiveLoadError,
    WrongTypeError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    async with Provider(memory_storage(max_entries=1000)) as provider:
        yield provider


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock()


@dataclass(frozen=True)
class User:
    id: int
    name: str = ""


def unused() -> Provider:
    """Stand for a provider that no test gets as far as to ask for."""
    raise AssertionError


# --- calls -----------------------------------------------------------------------------------------------------------


async def test_function_is_called_once_for_equal_arguments(cache: Provider) -> None:
    """A call with arguments that were there before gives what is kept; another argument is another result."""
    calls: list[tuple[int, str]] = []

    @cached(cache)
    async def load(user_id: int, lang: str = "en") -> str:
        calls.append((user_id, lang))
        return f"{user_id}-{lang}"

    assert [await load(1), await load(1, "en"), await load(lang="en", user_id=1), await load(2)] == [
        "1-en",
        "1-en",
        "1-en",
        "2-en",
    ]
    assert calls == [(1, "en"), (2, "en")]
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.loads) == (2, 2, 2)


async def test_none_is_a_result(cache: Provider) -> None:
    """None, and whatever else is false, is kept like any other result."""
    calls: list[object] = []

    @cached(cache)
    async def load(result: object) -> object:
        calls.append(result)
        return result

    for result in (None, False, 0, "", b""):
        assert await load(result) is result
        assert await load(result) is result
    assert len(calls) == 5


async def test_sync_function_runs_in_a_thread(cache: Provider) -> None:
    """A plain function becomes a coroutine function whose body runs in a thread, once for all who wait."""
    threads: list[int] = []

    @cached(cache)
    def load(user_id: int, *, twice: bool = False) -> int:
        threads.append(threading.get_ident())
        return user_id * (2 if twice else 1)

    assert await asyncio.gather(*(load(4, twice=True) for _ in range(10))) == [8] * 10
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


async def test_plain_function_that_gives_an_awaitable_keeps_others_in_their_threads(cache: Provider) -> None:
    """What is learnt of one plain function, that it gives something to await, is not taken for true of the next one."""

    async def answer() -> str:
        return "awaited"

    @cached(cache)
    def asks(number: int) -> Any:  # noqa: ANN401  - an awaitable, which is awaited
        del number
        return answer()

    @cached(cache)
    def blocks(number: int) -> int:
        return threading.get_ident() + 0 * number

    assert [await asks(1), await asks(2)] == ["awaited", "awaited"]
    assert threading.get_ident() not in [await blocks(1), await blocks(2)]


async def test_callers_share_one_call(cache: Provider) -> None:
    """A hundred callers of a missing result cause one call; if the first one gives up, the others still get it."""
    go, calls = asyncio.Event(), 0

    @cached(cache)
    async def load(user_id: int) -> int:
        nonlocal calls
        calls += 1
        await go.wait()
        return user_id

    first, *others = [asyncio.create_task(load(7)) for _ in range(100)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()

    assert await asyncio.gather(*others) == [7] * 99
    assert calls == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_exception_is_not_kept(cache: Provider) -> None:
    """What the function raises reaches the caller unchanged, and the next call calls it again."""
    error = ZeroDivisionError("no")
    outcomes: Iterator[object] = iter([error, "fine"])

    @cached(cache)
    async def load() -> object:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ZeroDivisionError) as raised:
        await load()
    assert raised.value is error
    assert await load() == "fine"


async def test_call_of_itself_is_refused(cache: Provider) -> None:
    """A function that needs its own result for the same arguments gets an error instead of waiting for ever."""

    @cached(cache)
    async def load(number: int) -> int:
        return await load(number)

    @cached(cache)
    async def factorial(number: int) -> int:
        return 1 if number == 0 else number * await factorial(number - 1)

    with pytest.raises(RecursiveLoadError):
        await load(1)
    assert await factorial(10) == 3_628_800


async def test_result_lives_for_its_ttl(clock: FakeClock) -> None:
    """The ttl counts from the call's end, in any form that a ttl may have; without one the provider's holds."""
    async with Provider(memory_storage(clock=clock), default_ttl=10) as cache:
        calls: list[str] = []

        @cached(cache, "1m30s")
        async def long() -> None:
            calls.append("long")

        @cached(cache)
        async def short() -> None:
            calls.append("short")

        for seconds in (0.0, 9.0, 2.0, 80.0):
            await clock.advance(seconds)
            await long()
            await short()

        assert calls == ["long", "short", "short", "long", "short"]


@pytest.mark.parametrize("copies", [False, True])
async def test_works_on_any_storage_and_namespace(*, copies: bool) -> None:
    """The same function on copies, in a namespace or on nothing at all keeps to what these promise."""
    async with Provider(memory_storage(copies=copies)) as memory, Provider(NullStorage()) as null:
        calls: list[str] = []

        async def load(where: str) -> list[str]:
            calls.append(where)
            return [where]

        at_root, inside, nowhere = cached(memory)(load), cached(memory.namespace("a"))(load), cached(null)(load)
        for function, where in ((at_root, "root"), (inside, "inside"), (nowhere, "nowhere")):
            one, two = await function(where), await function(where)
            assert one == two == [where]
            assert (one is two) is (function is not nowhere and not copies)

        assert calls == ["root", "inside", "nowhere", "nowhere"]
        assert await memory.get(at_root.key_for("inside"), MISSING) is MISSING


# --- tags and other options ------------------------------------------------------------------------------------------


async def test_tags_follow_the_arguments(cache: Provider) -> None:
    """Tags are templates; invalidating one makes the results that have it misses, and no others."""
    calls: list[int] = []

    @cached(cache, tags=("users", "user:{user_id}"))
    async def load(user_id: int) -> int:
        calls.append(user_id)
        return user_id

    await load(1)
    await load(2)
    assert (await cache.get_item(load.key_for(1))).tags == ("users", "user:1")
    await cache.invalidate_tags("user:1")
    await load(1)
    await load(2)
    assert calls == [1, 2, 1]
    await cache.invalidate_tags("users")
    assert await load.peek(2) is MISSING


async def test_function_makes_the_tags(cache: Provider) -> None:
    """A function for the tags is called as the cached function is, when something is kept."""

    def tags(user_id: int, lang: str) -> list[str]:
        return [f"user:{user_id}", lang]

    @cached(cache, tags=tags)
    async def load(user_id: int, lang: str = "en") -> int:
        return user_id + len(lang)

    await load(1)
    await load.set(2, 2)
    assert (await cache.get_item(load.key_for(1))).tags == ("user:1", "en")
    assert (await cache.get_item(load.key_for(2))).tags == ("user:2", "en")


async def test_options_reach_the_item(cache: Provider) -> None:
    """Ttl, tags and cost are those of the item, whether it was loaded, refreshed or set."""

    @cached(cache, 30, key="k:{number}", tags=["t"], cost=7)
    async def load(number: int) -> int:
        return number

    await load(1)
    await load.refresh(2)
    await load.set(3, 3)
    for number in (1, 2, 3):
        item = await cache.get_item(f"k:{number}")
        assert (item.value, item.ttl, item.tags, item.cost) == (number, 30.0, ("t",), 7)


async def test_results_are_given_as_the_type(cache: Provider) -> None:
    """With `type`, what the storage made of a result is read as that type, and a misfit is an error."""

    @cached(cache, key="user:{user_id}", type=User)
    async def load(user_id: int) -> User:
        return User(user_id, "Ada")

    await cache.set("user:1", {"id": 1, "name": "Bob"})
    await cache.set("user:2", "nobody")

    assert [await load(1), await load.peek(1), await load(3), await load(3)] == [
        User(1, "Bob"),
        User(1, "Bob"),
        User(3, "Ada"),
        User(3, "Ada"),
    ]
    with pytest.raises(WrongTypeError):
        await load(2)
    assert await load.peek(4) is MISSING


# --- what a function gains -------------------------------------------------------------------------------------------


async def test_peek_never_calls(cache: Provider) -> None:
    """`peek` gives what is kept, or MISSING, and counts as a read."""

    @cached(cache)
    async def load(result: object) -> object:
        return result

    assert await load.peek(None) is MISSING
    await load(None)
    assert await load.peek(None) is None
    stats = await cache.stats()
    assert (stats.hits, stats.misses, stats.loads) == (1, 2, 1)


async def test_set_keeps_a_value(cache: Provider) -> None:
    """`set` takes the value first and then the arguments, however they are spelled."""

    @cached(cache)
    async def load(value: int, other: int = 0) -> str:
        raise AssertionError(value, other)

    await load.set("kept", 1, other=2)
    assert await load(1, 2) == "kept"
    await load.set("again", value=1, other=2)
    assert await load(1, 2) == "again"


async def test_invalidate_forgets(cache: Provider) -> None:
    """`invalidate` says whether something was kept, and the next call calls the function."""
    calls: list[int] = []

    @cached(cache)
    async def load(number: int) -> int:
        calls.append(number)
        return number

    assert await load.invalidate(1) is False
    await load(1)
    assert await load.invalidate(number=1) is True
    await load(1)
    assert calls == [1, 1]


async def test_invalidate_beats_a_call_under_way(cache: Provider) -> None:
    """Who calls after `invalidate` gets a result computed after it, though an older call ends later."""
    started, go = asyncio.Event(), asyncio.Event()
    results: Iterator[str] = iter(["old", "new"])

    @cached(cache)
    async def load(number: int) -> str:
        result = next(results)
        if result == "old":
            started.set()
            await go.wait()
        return f"{result} {number}"

    before = asyncio.create_task(load(1))
    await started.wait()
    await load.invalidate(1)
    assert await load(1) == "new 1"
    go.set()
    assert await before == "old 1"
    assert await load(1) == "new 1"


async def test_refresh_calls_again_while_others_are_served(cache: Provider) -> None:
    """`refresh` calls the function once for all who refresh; until it ends, callers get the old result at once."""
    started, go, calls = asyncio.Event(), asyncio.Event(), 0

    @cached(cache)
    async def load(number: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            started.set()
            await go.wait()
        return calls * number

    assert await load(10) == 10
    refreshing = [asyncio.create_task(load.refresh(10)) for _ in range(5)]
    await started.wait()
    assert await load(10) == 10
    go.set()
    assert await asyncio.gather(*refreshing) == [20] * 5
    assert await load(10) == 20


async def test_failed_refresh_leaves_the_old_result(cache: Provider) -> None:
    """What the function raises in a refresh reaches who asked for it; the old result stays."""
    calls: list[int] = []

    @cached(cache)
    async def load() -> str:
        calls.append(1)
        if len(calls) > 1:
            raise ZeroDivisionError
        return "old"

    await load()
    with pytest.raises(ZeroDivisionError):
        await load.refresh()
    assert await load() == "old"


def test_original_is_there() -> None:
    """`original` is the function itself, for tests and for calls that must not be cached."""

    async def load() -> None: ...

    assert cached(unused)(load).original is load


# --- where the provider comes from -----------------------------------------------------------------------------------


async def test_provider_is_asked_for_at_the_first_call(cache: Provider) -> None:
    """A function that gives the provider is called by the first call, again if it raised, and then no more."""
    asked: list[str] = []

    def source() -> Provider:
        asked.append("asked")
        if len(asked) == 1:
            raise LookupError("not started yet")
        return cache

    @cached(source)
    async def load(number: int) -> int:
        return number

    load.key_for(1)
    assert asked == []
    with pytest.raises(LookupError):
        await load(1)
    assert [await load(1), await load(1), await load(2)] == [1, 1, 2]
    assert len(asked) == 2


async def test_closed_provider_is_closed() -> None:
    """After its provider is closed a function raises, whatever was kept."""
    async with Provider(memory_storage()) as cache:

        @cached(cache)
        async def load(number: int) -> int:
            return number

        await load(1)
    for call in (load, load.peek, load.refresh, load.invalidate):
        with pytest.raises(ProviderClosedError):
            await call(1)


async def test_application_may_start_anew() -> None:
    """When the provider is closed the function that gave it is asked again, and gives the one of the new start."""
    state: dict[str, Provider] = {}

    @cached(lambda: state["cache"])
    async def load(number: int) -> int:
        return number

    for _ in range(2):
        async with Provider(memory_storage()) as state["cache"]:
            await load(1)
            await load(1)
            assert (await state["cache"].stats()).hits == 1
    with pytest.raises(ProviderClosedError):
        await load(1)


async def test_what_is_no_provider_is_refused() -> None:
    """A function that gives something else is told so at the call."""
    nowhere: Any = list

    @cached(nowhere)
    async def load() -> None: ...

    with pytest.raises(InvalidArgumentError, match="must give a Provider, not an object of class list"):
        await load()


# --- what is refused when a function is decorated --------------------------------------------------------------------


async def two(user_id: int, *rest: int, session: object = None, **more: int) -> None:
    """Have some parameters to be named."""
    del user_id, rest, session, more


async def generator() -> AsyncIterator[int]:
    yield 1


PARAMETERS = "its parameters are user_id, rest, session, more"


WRONG: list[tuple[dict[str, Any], Any, type[Exception], str]] = [
    (
        {"key": "{userid}"},
        two,
        InvalidArgumentError,
        f"key names 'userid', which is no parameter of .*two: {PARAMETERS}",
    ),
    ({"key": "{x}"}, generator, InvalidArgumentError, "generator"),
    ({"key": "{user_id!r}"}, two, InvalidArgumentError, "key has a field that is none: a field is {name} or"),
    ({"key": "{user_id:>5}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id[0]}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{0}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id.class}"}, two, InvalidArgumentError, "key has a field that is none"),
    ({"key": "{user_id"}, two, InvalidArgumentError, "key is no template: a field is"),
    ({"key": "user}"}, two, InvalidArgumentError, "key is no template"),
    ({"key": "{rest}"}, two, InvalidArgumentError, "key names 'rest', which holds many arguments"),
    ({"key": "{more}"}, two, InvalidArgumentError, "key names 'more', which holds many arguments"),
    ({"key": ""}, two, InvalidArgumentError, "key must not be empty"),
    ({"key": 5}, two, InvalidArgumentError, "key must be a template or a function that gives a str, not int"),
    (
        {"key": two},
        two,
        InvalidArgumentError,
        "key must be a template or a plain function, not a coroutine function",
    ),
    ({"key": "{session}", "exclude": ["session"]}, two, InvalidArgumentError, "key names 'session', which exclude"),
    ({"exclude": ("sesion",)}, two, InvalidArgumentError, f"exclude names 'sesion', which is no .*{PARAMETERS}"),
    ({"exclude": "session"}, two, InvalidArgumentError, "exclude must be a collection of names, not .* str"),
    ({"exclude": 5}, two, InvalidArgumentError, "exclude must be a collection of names, not an object of class int"),
    ({"tags": ("t", "{nobody}")}, two, InvalidArgumentError, "tags names 'nobody', which is no parameter"),
    ({"tags": "users"}, two, InvalidTagError, "tags must be a collection of str, not str"),
    ({"tags": (1,)}, two, InvalidTagError, "a tag must be a non-empty str, not int"),
    ({"ttl": 0}, two, InvalidTTLError, "ttl must be a positive number of seconds"),
    ({"ttl": "soon"}, two, InvalidTTLError, "ttl must be"),
    ({"cost": -1}, two, InvalidArgumentError, "cost must be None or an int from 0 up"),
    ({"expire": 5}, two, InvalidArgumentError, "there is no option 'expire'"),
    ({}, generator, InvalidArgumentError, "generator is a generator, which gives its values only once"),
    ({}, lambda: None, InvalidArgumentError, "<lambda> has no name that a key could begin with: give key="),
    ({}, functools.partial(two, 1), InvalidArgumentError, "an object of class partial has no name"),
    ({}, User, InvalidArgumentError, "only a function can be cached, not the class User"),
    ({}, 5, InvalidArgumentError, "only a function can be cached, not an object of class int: write @cached"),
    ({"key": "k"}, max, InvalidArgumentError, "builtins:max has no signature that could be read"),
]


@pytest.mark.parametrize(("options", "function", "error", "sentence"), WRONG)
def test_wrong_options_are_refused_at_once(
    options: dict[str, Any],
    function: Any,  # noqa: ANN401  - wrong on purpose
    error: type[Exception],
    sentence: str,
) -> None:
    """Whatever is wrong by itself is one sentence when the function is decorated."""
    with pytest.raises(error, match=sentence):
        cached(unused, **options)(function)


class Awaited:
    """Like an `AppCache`, which is a dependency that is awaited."""

    async def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("provider", "given"),
    [
        (None, "an object of class NoneType"),
        (two, "a coroutine function"),
        (Awaited(), "an object of class Awaited"),
    ],
)
def test_wrong_provider_is_refused_at_once(provider: Any, given: str) -> None:  # noqa: ANN401  - wrong on purpose
    """`@cached` without brackets, or with something else in them, is told how to be written."""
    with pytest.raises(InvalidArgumentError, match=rf"not {given}: write @cached\(provider\)"):
        cached(provider)
