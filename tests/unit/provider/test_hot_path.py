"""The closures of `hot_path` against the methods that they stand in for: the same calls, the same answers."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTagError,
    InvalidTTLError,
    ProviderClosedError,
    WrongTypeError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.provider.hot_path import REPLACED
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock

Maker = Callable[[FakeClock], TableStorage]

STORAGES: dict[str, Maker] = {
    "plain": lambda clock: memory_storage(clock=clock, max_entries=100),
    "weighed": lambda clock: memory_storage(clock=clock, max_size=100_000),
    "shards": lambda clock: memory_storage(clock=clock, shard_count=4),
    "copies": lambda clock: memory_storage(clock=clock, copies=True),
    "lru": lambda clock: lru_storage(clock=clock, max_entries=100),
}
every_storage = pytest.mark.parametrize("make", STORAGES.values(), ids=STORAGES.keys())


class Cold:
    """A provider whose closures are taken away before each call."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  - any method
        (self._provider._root or self._provider)._cool()
        return getattr(self._provider, name)


def test_every_closure_stands_in_for_a_method() -> None:
    """What is replaced is there to be replaced, and `lookup` aside it is awaited in both forms."""
    assert all(callable(getattr(Provider, name)) for name in REPLACED)


@every_storage
async def test_closures_come_and_go_with_the_opening(make: Maker) -> None:
    """Before the first use and after the end a provider has its own methods, in between the closures."""
    cache = Provider(make(FakeClock()))
    assert not set(REPLACED) & set(vars(cache))
    await cache.exists("k")
    assert set(REPLACED) <= set(vars(cache))
    view = cache.namespace("n")
    assert set(REPLACED) <= set(vars(view))
    await cache.close()

    assert not set(REPLACED) & (set(vars(cache)) | set(vars(view)))


# --- the same calls ---------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "@a", "@@a", "@n:a", "\0", "", 5, None, ["a"], b"a"])
VALUES = st.sampled_from([None, 0, 1, False, "", "text", (), 10**30, 1.5])
TTLS: st.SearchStrategy[object] = st.sampled_from(
    [DEFAULT, None, 1, 2.5, "3s", 0, -1, math.nan, math.inf, True, "junk", 10**400, []]
)
TAGS = st.sampled_from([(), (), [], ["t"], ("t", "u"), "t", None, [""], {"t": 1}])
COSTS = st.sampled_from([None, None, 0, 5, -1, True, 1.5])
KINDS = st.sampled_from([None, None, int, str])
DELTAS = st.sampled_from([1, -3, 0, 10**20, True, 1.5, None])
Step = tuple[str, tuple[Any, ...], Mapping[str, Any]]


def step(name: str, *arguments: st.SearchStrategy[Any], **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """Make calls of one method."""
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries({}, optional=options))


STEPS = st.lists(
    step("get", KEYS, default=VALUES, type=KINDS)
    | step("set", KEYS, VALUES, TTLS, tags=TAGS, cost=COSTS)
    | step("set", KEYS, VALUES)
    | step("delete", KEYS)
    | step("exists", KEYS)
    | step("increment", KEYS, DELTAS, initial=DELTAS, ttl=TTLS)
    | step("get_multi", st.lists(KEYS, max_size=4), type=KINDS)
    | step("get_multi", st.sampled_from(["ab", None, 5, ("a", "b", "a"), {"a": 1, "b": 1}]))
    | step("get_or_set", KEYS, st.just("a value"), TTLS, tags=TAGS, cost=COSTS, type=KINDS)
    | step("expire", KEYS)
    | step("touch", KEYS, TTLS)
    | step("add", KEYS, VALUES, TTLS)
    | step("pop", KEYS)
    | step("get_item", KEYS)
    | step("invalidate_tags", st.just("t"))
    | step("clear")
    | step("advance", st.sampled_from([0.5, 1.0, 2.5])),
    max_size=25,
)


async def answer(cache: Any, clock: FakeClock, step: Step) -> object:  # noqa: ANN401  - either form
    """Make one call and give what comes of it in a form that can be compared."""
    name, arguments, options = step
    if name == "advance":
        await clock.advance(*arguments)
        return None
    if name == "get_or_set":
        key, value, *rest = arguments

        async def load() -> object:
            return value

        arguments = (key, load, *rest)
    try:
        result = await getattr(cache, name)(*arguments, **options)
    except (InvalidArgumentError, InvalidKeyError, InvalidTagError, InvalidTTLError):
        return "refused"  # for which of several wrong arguments is open
    except Exception as error:  # noqa: BLE001  - it is compared
        return type(error), str(error)
    return (result.value, result.ttl, result.expiration, result.tags, result.cost) if name == "get_item" else result


async def state(cache: Provider) -> object:
    """Give what the calls have left: the items with their ends, and what was counted."""
    storage = cache._core.storage
    found: dict[str, object] = {}
    async for key in storage.scan():
        item = await storage.read(key)
        assert item is not None
        found[key] = (item.value, item.ttl, item.expiration, item.tags, item.cost)
    return found


def has_bad_key_among_several(steps: list[Step]) -> bool:
    """Whether keys before a wrong one may have been counted."""
    return any(
        name == "get_multi" and not all(isinstance(key, str) and key for key in arguments[0] or [None])
        for name, arguments, _ in steps
        if not isinstance(arguments[0] if arguments else None, str | int | None)
    )


@every_storage
@pytest.mark.parametrize("inside", [False, True], ids=["root", "namespace"])
@given(steps=STEPS)
@example(steps=[("set", ("@a", 1), {}), ("get", ("@a",), {}), ("get_item", ("@a",), {}), ("get", ("@@a",), {})])
@example(steps=[("set", ("a", 1, 2.5), {"tags": ["t"]}), ("increment", ("a", 1), {}), ("get_item", ("a",), {})])
@example(steps=[("set", ("a", 1, 1), {}), ("advance", (1.0,), {}), ("increment", ("a", 1), {"initial": 5})])
@example(steps=[("set", ("a", 1), {}), ("expire", ("a",), {}), ("get", ("a",), {}), ("set", ("a", 2), {})])
@example(steps=[("set", ("a", None), {}), ("get_multi", (["a", "b"],), {"type": int})])
@example(steps=[("set", ("a", 1), {"cost": 5}), ("set", ("a", 2, None), {}), ("get_item", ("a",), {})])
def test_closures_answer_as_methods_do(make: Maker, steps: list[Step], *, inside: bool) -> None:
    """Whatever is called in whatever order, with good and bad arguments: answers, errors, items and counts agree."""

    async def compare() -> None:
        hot_clock, cold_clock = FakeClock(), FakeClock()
        async with Provider(make(hot_clock)) as hot, Provider(make(cold_clock)) as cold:
            hot_view, cold_view = (each.namespace("n") if inside else each for each in (hot, cold))
            stripped = Cold(cold_view)
            for each in steps:
                assert await answer(hot_view, hot_clock, each) == await answer(stripped, cold_clock, each), each
                assert await state(hot) == await state(cold), each
            if not has_bad_key_among_several(steps):
                counted = [await each.stats() for each in (hot, cold)]
                for name in ("hits", "misses", "sets", "deletes", "items", "evictions", "size", "errors", "loads"):
                    assert getattr(counted[0], name) == getattr(counted[1], name), name

    asyncio.run(compare())


# --- bad input --------------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[Any], Awaitable[object]], type[Exception] | tuple[type[Exception], ...]]] = {
    "set unhashable": (lambda cache: cache.set(["k"], 1), InvalidKeyError),
    "set int": (lambda cache: cache.set(5, 1), InvalidKeyError),
    "set empty": (lambda cache: cache.set("", 1), InvalidKeyError),
    "set ttl 0": (lambda cache: cache.set("k", 1, 0), InvalidTTLError),
    "set ttl 0 of another type": (lambda cache: cache.set("k", 1, 0.0), InvalidTTLError),
    "set ttl nan": (lambda cache: cache.set("k", 1, math.nan), InvalidTTLError),
    "set ttl inf": (lambda cache: cache.set("k", 1, math.inf), InvalidTTLError),
    "set ttl bool": (lambda cache: cache.set("k", 1, True), InvalidTTLError),  # noqa: FBT003  - no ttl
    "set ttl huge": (lambda cache: cache.set("k", 1, 10**400), InvalidTTLError),
    "set ttl text": (lambda cache: cache.set("k", 1, "soon"), InvalidTTLError),
    "set ttl unhashable": (lambda cache: cache.set("k", 1, []), InvalidTTLError),
    "set tags None": (lambda cache: cache.set("k", 1, tags=None), InvalidTagError),
    "set tags text": (lambda cache: cache.set("k", 1, tags="t"), InvalidTagError),
    "set cost": (lambda cache: cache.set("k", 1, cost=-1), InvalidArgumentError),
    "get unhashable": (lambda cache: cache.get({}), InvalidKeyError),
    "get empty": (lambda cache: cache.get(""), InvalidKeyError),
    "get None": (lambda cache: cache.get(None), InvalidKeyError),
    "get_multi text": (lambda cache: cache.get_multi("kl"), InvalidArgumentError),
    "get_multi empty": (lambda cache: cache.get_multi([""]), InvalidKeyError),
    "get_multi unhashable": (lambda cache: cache.get_multi([["k"]]), InvalidKeyError),
    "get_or_set key": (lambda cache: cache.get_or_set("", dict), InvalidKeyError),
    "get_or_set unhashable": (lambda cache: cache.get_or_set([], dict), InvalidKeyError),
    "get_or_set loader": (lambda cache: cache.get_or_set("k", 5), InvalidArgumentError),
    "get_or_set ttl": (lambda cache: cache.get_or_set("k", dict, -1), InvalidTTLError),
    "get_or_set option": (lambda cache: cache.get_or_set("k", dict, tag="t"), (InvalidArgumentError, TypeError)),
    "increment delta": (lambda cache: cache.increment("k", 1.0), InvalidArgumentError),
    "increment bool": (lambda cache: cache.increment("k", initial=True), InvalidArgumentError),
    "increment ttl": (lambda cache: cache.increment("k", ttl=0), InvalidTTLError),
    "increment key": (lambda cache: cache.increment(""), InvalidKeyError),
    "delete key": (lambda cache: cache.delete(5), InvalidKeyError),
    "exists key": (lambda cache: cache.exists([]), InvalidKeyError),
}


@every_storage
@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
async def test_bad_input_changes_nothing(make: Maker, name: str, *, there: bool) -> None:
    """A call with a wrong argument raises the error that names it; nothing was stored, removed or counted."""
    call, error = WRONG[name]
    async with Provider(make(FakeClock())) as cache:
        if there and name not in {"get_or_set loader", "get_or_set ttl", "get_or_set option"}:
            await cache.set("k", "old")
        before, counted = await state(cache), await cache.stats()
        with pytest.raises(error):
            await call(cache)

        assert await state(cache) == before
        after = await cache.stats()
        assert (after.sets, after.deletes, after.loads) == (counted.sets, counted.deletes, counted.loads)
        assert after.misses == counted.misses


@every_storage
async def test_the_wrong_type_is_told_and_nothing_changes(make: Maker) -> None:
    """A counter that is no int stays as it is."""
    async with Provider(make(FakeClock())) as cache:
        for value in ("text", True, None, 1.5):
            await cache.set("k", value)
            with pytest.raises(WrongTypeError, match=f"the stored value is of type {type(value).__name__}"):
                await cache.increment("k")
            assert await cache.get("k") is value
        with pytest.raises(WrongTypeError):
            await cache.get("k", type=str)


# --- what only some closures do ---------------------------------------------------------------------------------------


@every_storage
async def test_options_on_a_hit(make: Maker) -> None:
    """On a hit `get_or_set` converts to the type asked for, and never calls the loader."""

    def load() -> object:
        raise AssertionError

    async with Provider(make(FakeClock())) as cache:
        await cache.set("k", 5)

        assert await cache.get_or_set("k", load, 5, tags=["t"], cost=1) == 5
        assert type(await cache.get_or_set("k", load, type=float)) is float
        assert (await cache.stats()).hits == 2


@every_storage
async def test_lookup_counts_hits_alone(make: Maker) -> None:
    """`lookup` gives a value that is there and counts it, and `MISSING` otherwise, counting nothing."""
    clock = FakeClock()
    async with Provider(make(clock)) as cache:
        await cache.set("k", None, 5)
        assert cache.lookup("k") is None
        assert cache.lookup("other") is MISSING
        await clock.advance(5.0)
        assert cache.lookup("k") is MISSING

        stats = await cache.stats()
        assert (stats.hits, stats.misses) == (1, 0)


@every_storage
async def test_keys_one_by_one_and_twice(make: Maker) -> None:
    """`get_multi` takes any iterable, and counts a key that comes twice once."""
    async with Provider(make(FakeClock())) as cache:
        await cache.set("a", 1)
        assert await cache.get_multi(key for key in ["a", "b", "a", "b"]) == {"a": 1}
        assert await cache.get_multi(["a", "b", "a", "b"]) == {"a": 1}

        stats = await cache.stats()
        assert (stats.hits, stats.misses) == (2, 2)


@every_storage
async def test_very_many_keys(make: Maker) -> None:
    """More keys than one step may look at are read all the same."""
    async with Provider(make(FakeClock())) as cache:
        await cache.set_multi({str(number): number for number in range(50)})
        found = await cache.get_multi([str(number) for number in range(5000)])

        assert found == {str(number): number for number in range(50)}
        stats = await cache.stats()
        assert (stats.hits, stats.misses) == (50, 4950)


@every_storage
async def test_methods_kept_over_the_end(make: Maker) -> None:
    """Methods that somebody saved before `close` raise after it as all others do, and store nothing."""
    storage = make(FakeClock())
    cache = Provider(storage)
    early = [getattr(cache, name) for name in REPLACED if name != "lookup"]
    await cache.set("k", 1)
    view = cache.namespace("n")
    await view.set("k", 1)
    saved = [getattr(each, name) for each in (cache, view) for name in REPLACED if name != "lookup"]
    lookups = [cache.lookup, view.lookup]
    await cache.close()
    arguments: dict[str, tuple[Any, ...]] = {"get_multi": (["k"],), "get_or_set": ("k", dict), "set": ("k", 2)}
    for method in [*early, *saved]:
        with pytest.raises(ProviderClosedError):
            await method(*arguments.get(method.__name__.removeprefix("_"), ("k",)))

    assert [lookup("k") for lookup in lookups] == [MISSING, MISSING]
    assert (await storage.size()).items == 0


async def test_marks_of_namespaces_in_keys_of_the_root() -> None:
    """Keys that begin with the mark mean themselves before and after the first namespace, and meet none of its keys."""
    async with Provider(memory_storage()) as cache:
        await cache.set("@n:k", "root")
        await cache.set("plain", 1)
        view = cache.namespace("n")
        await view.set("k", "view")

        assert await cache.get("@n:k") == "root"
        assert await cache.get_multi(["@n:k", "@@n:k", "plain"]) == {"@n:k": "root", "plain": 1}
        assert (await cache.get_item("@n:k")).key == "@n:k"
        assert sorted([key async for key in cache.keys()]) == ["@n:k", "plain"]  # noqa: SIM118  - no dict
        assert await view.get("k") == "view"


async def test_a_write_waits_for_who_holds_the_table() -> None:
    """While somebody holds the table over awaits writers wait, and readers do not."""
    storage = memory_storage()
    async with Provider(storage) as cache:
        await cache.set("k", 1)
        async with storage.tables[0].exclusive():
            calls: list[Any] = [cache.set("k", 2), cache.increment("n"), cache.delete("other")]
            writing: list[asyncio.Task[Any]] = [asyncio.create_task(call) for call in calls]
            for _ in range(5):
                await asyncio.sleep(0)
            assert not any(task.done() for task in writing)
            assert await cache.get("k") == 1
        await asyncio.gather(*writing)

        assert await cache.get_multi(["k", "n"]) == {"k": 2, "n": 1}
