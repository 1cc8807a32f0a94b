import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from aiocache_kit.config import Config
from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTTLError,
    LockTimeoutError,
    NotFoundError,
    ProviderClosedError,
    RecursiveLoadError,
    StorageAccessError,
    UnsupportedError,
)
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Capabilities, Storage
from aiocache_kit.storage.lru import lru_storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock, FaultyStorage

MAKERS: dict[str, Callable[[], Storage]] = {
    "tables": memory_storage,
    "another storage": lambda: FaultyStorage(memory_storage()),
}
every_storage = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


# --- life -------------------------------------------------------------------------------------------------------------


async def test_a_provider_says_how_it_is() -> None:
    """The `repr` tells the storage and the state, and nothing of what is stored."""
    cache = Provider(lru_storage())
    assert repr(cache) == "<Provider over lru, not opened yet>"
    await cache.set("user:secret", "password")
    assert repr(cache) == "<Provider over lru, open>"
    assert repr(cache.namespace("private")) == "<Provider over lru, open, a namespace>"
    await cache.aclose()

    assert repr(cache) == "<Provider over lru, closed>"
    assert cache.closed


def test_only_a_storage_is_one() -> None:
    """Who has a URL or a configuration learns who takes it."""
    for given in ("memory://", Config(), memory_storage):
        with pytest.raises(
            InvalidArgumentError, match=r"^storage must be a Storage, not \w+: new_provider\(\) takes a "
        ):
            Provider(given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - no checker would let it


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_block_that_cannot_be_entered_leaves_nothing_open(*, is_cancelled: bool) -> None:
    """What was opened in part is closed, since there is no block whose end could do so; a single call may try again."""
    storage = FaultyStorage(memory_storage())
    error: type[BaseException] = asyncio.CancelledError if is_cancelled else StorageAccessError
    storage.fail(error, of=["open"])
    cache = Provider(storage)
    with pytest.raises(error):
        async with cache:
            pass

    assert storage.calls == ["open", "close"]
    assert cache.closed


@every_storage
async def test_what_was_not_awaited_is_named_as_callers_know_it(make: Callable[[], Storage]) -> None:
    """The warning for a forgotten ``await`` and the error for a wrong keyword name the method; `help` explains it."""
    async with Provider(make()) as cache:
        for name in ("get", "set", "get_or_set", "get_multi", "delete", "exists", "increment"):
            method: Any = getattr(cache, name)
            assert method.__qualname__ == f"Provider.{name}"
            assert method.__doc__ == getattr(Provider, name).__doc__
            with pytest.raises(TypeError, match=rf"^(Provider\.)?{name}\(\) got an unexpected keyword argument 'ex'"):
                await method("k", "v", ex=5)


async def test_the_clock_given_is_the_storages_too() -> None:
    """Without one the storage's own is used; one that is given is told to the storage."""
    clock, other = FakeClock(), FakeClock()
    storage = memory_storage(clock=clock)
    assert Provider(storage)._core.clock is clock
    async with Provider(storage, clock=other) as cache:
        await cache.set("k", 1, 5)
        await other.advance(7.0)
        assert not await cache.exists("k")
        assert (await cache.stats()).expired == 1

    assert storage.clock is other


@pytest.mark.parametrize("ttl", [0, -1, True, "soon", float("nan")])
def test_a_wrong_default_ttl(ttl: Any) -> None:  # noqa: ANN401  - no ttl
    """The default is checked at once."""
    with pytest.raises(InvalidTTLError):
        Provider(memory_storage(), default_ttl=ttl)


@every_storage
async def test_every_call_raises_after_the_end(make: Callable[[], Storage]) -> None:
    """Whatever is called, on the provider or a namespace of it, and also if it was called before."""
    cache = Provider(make())
    view = cache.namespace("n")
    await view.set("k", 1)
    await view.close()
    await cache.close()
    calls: list[Callable[[Provider], Any]] = [
        lambda each: each.get("k"),
        lambda each: each.get_item("k"),
        lambda each: each.set("k", 1),
        lambda each: each.set("k", 1, tags=["t"]),
        lambda each: each.add("k", 1),
        lambda each: each.replace("k", 1),
        lambda each: each.compare_and_set("k", 1, 1),
        lambda each: each.update("k", lambda value: value, default=1),
        lambda each: each.delete("k"),
        lambda each: each.exists("k"),
        lambda each: each.touch("k", 5),
        lambda each: each.expire("k"),
        lambda each: each.pop("k"),
        lambda each: each.get_multi(["k"]),
        lambda each: each.set_multi({"k": 1}),
        lambda each: each.delete_multi(["k"]),
        lambda each: each.increment("k"),
        lambda each: each.decrement("k"),
        lambda each: each.get_or_set("k", str),
        lambda each: each.refresh("k", str),
        lambda each: each.get_or_set_multi(["k"], dict.fromkeys),
        lambda each: each.refresh_multi(["k"], dict.fromkeys),
        lambda each: each.invalidate_tags("t"),
        lambda each: each.invalidate_prefix("k"),
        lambda each: each.clear(),
        lambda each: anext(each.keys()),
        lambda each: each.lock("k").__aenter__(),
        lambda each: each.stats(),
        lambda each: each.ping(),
        lambda each: each.__aenter__(),
    ]
    for each in (cache, view):
        for call in calls:
            with pytest.raises(ProviderClosedError):
                await call(each)
        assert each.lookup("k") is MISSING


async def test_a_namespace_does_not_close_at_the_end_of_its_block() -> None:
    """The block of a view opens, and leaves the provider open; `close` of a view closes all."""
    cache = Provider(memory_storage())
    async with cache.namespace("n") as view:
        await view.set("k", 1)
    assert await view.get("k") == 1
    await view.close()

    assert cache.closed


async def test_wrong_input_opens_nothing() -> None:
    """Rule 1: a call that is refused for its input has not even opened the storage."""
    storage = FaultyStorage(memory_storage())
    cache = Provider(storage)
    calls: list[Any] = [cache.get(""), cache.set("k", 1, 0), cache.get_or_set("", dict), cache.set_multi({"": 1})]
    for call in calls:
        with pytest.raises((InvalidKeyError, InvalidTTLError, InvalidArgumentError)):
            await call

    assert storage.calls == []


# --- namespaces -------------------------------------------------------------------------------------------------------


@every_storage
@pytest.mark.parametrize("opened", [False, True], ids=["before the opening", "after it"])
async def test_namespaces_never_meet(make: Callable[[], Storage], *, opened: bool) -> None:
    """The same key in the root, in two namespaces and inside of one is four keys, whenever the views were made."""
    async with Provider(make()) if opened else _unopened(make) as cache:
        views = [cache, cache.namespace("a"), cache.namespace("b"), cache.namespace("a").namespace("b")]
        for number, view in enumerate(views):
            await view.set("k", number, tags=["t"])
            await view.set("@a:k", -number)
            await view.increment("n", number)
        assert [await view.get("k") for view in views] == [0, 1, 2, 3]
        assert [await view.get("@a:k") for view in views] == [0, -1, -2, -3]
        await views[1].invalidate_tags("t")
        assert [await view.exists("k") for view in views] == [True, False, True, True]
        await views[1].clear()
        assert [await view.exists("n") for view in views] == [True, False, True, False]
        assert sorted([key async for key in cache.keys()]) == ["@a:k", "k", "n"]  # noqa: SIM118  - no dict
        await views[2].invalidate_prefix("@")
        assert sorted([key async for key in views[2].keys()]) == ["k", "n"]  # noqa: SIM118  - no dict


def _unopened(make: Callable[[], Storage]) -> Provider:
    cache = Provider(make())
    cache.namespace("a").namespace("b")
    return cache


async def test_asking_again_gives_the_same_view() -> None:
    """As long as somebody has it, a view made inside of it included; names are checked."""
    async with Provider(memory_storage()) as cache:
        view = cache.namespace("a")
        inner = view.namespace("b")
        assert cache.namespace("a") is view
        assert view.namespace("b") is inner
        known = weakref.ref(view)
        del view
        gc.collect()
        assert cache.namespace("a") is known()
        with pytest.raises(InvalidArgumentError, match="a namespace's name must be a non-empty str"):
            cache.namespace("")


@pytest.mark.parametrize("opened", [False, True])
async def test_views_are_not_kept(*, opened: bool) -> None:
    """A view that nobody has any more is gone, and its counts are not; a thousand of them leave nothing."""
    async with Provider(memory_storage()) as cache:
        if not opened:
            await cache.exists("k")
        for number in range(100):
            await cache.namespace(str(number)).set("k", number)
        gc.collect()
        assert len(cache._views) == 0
        assert (await cache.stats()).sets == 100
        assert len(cache._recorder._children) == 0
        assert await cache.namespace("5").get("k") == 5


async def test_views_share_what_is_under_way() -> None:
    """Two views of one name, made one after the other, share loads and turns, as they share keys."""
    loads = 0
    go_on = asyncio.Event()

    async def load() -> int:
        nonlocal loads
        loads += 1
        await go_on.wait()
        return loads

    async with Provider(memory_storage()) as cache:
        tasks: list[asyncio.Task[int]] = []
        for _ in range(3):
            tasks.append(asyncio.create_task(cache.namespace("n").get_or_set("k", load)))
            await asyncio.sleep(0)
            gc.collect()
        other = asyncio.create_task(cache.get_or_set("k", load))
        await asyncio.sleep(0)
        go_on.set()

        assert await asyncio.gather(*tasks, other) == [2, 2, 2, 2]
        assert loads == 2


# --- single calls -----------------------------------------------------------------------------------------------------


@every_storage
async def test_an_item_is_shown_as_its_user_wrote_it(make: Callable[[], Storage]) -> None:
    """Key and tags come without the namespace; the version changes with each write; a miss has its error."""
    async with Provider(make(), clock=FakeClock()) as cache:
        view = cache.namespace("n")
        await view.set("@k", "5", 10, tags=["t", "@u"], cost=3)
        item = await view.get_item("@k", type=str)

        assert (item.key, item.value, item.ttl, item.tags, item.cost) == ("@k", "5", 10, ("t", "@u"), 3)
        await view.set("@k", "5")
        assert (await view.get_item("@k")).version > item.version
        assert not await view.compare_and_set("@k", 1, item.version)
        with pytest.raises(NotFoundError) as caught:
            await view.get_item("other")
        assert caught.value.key == "other"


@every_storage
async def test_update_keeps_tags_and_cost(make: Callable[[], Storage]) -> None:
    """The new value has the tags and cost of the old one, and its own ttl; within the function the key is refused."""
    async with Provider(make(), clock=FakeClock()) as cache:
        await cache.set("k", 1, 10, tags=["t"], cost=3)

        async def add_one(value: int) -> int:
            with pytest.raises(RecursiveLoadError):
                await cache.update("k", add_one)
            return value + 1

        assert await cache.update("k", add_one, 20) == 2
        item = await cache.get_item("k")
        assert (item.value, item.ttl, item.tags, item.cost) == (2, 20.0, ("t",), 3)
        with pytest.raises(NotFoundError):
            await cache.update("other", add_one)
        assert await cache.update("other", lambda value: value + 1, default=1) == 2
        with pytest.raises(InvalidArgumentError, match="fn must be callable, not int"):
            await cache.update("k", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no function


@every_storage
async def test_counters_on_what_is_over(make: Callable[[], Storage]) -> None:
    """A counter that has expired, was told to, or was invalidated is born anew, without what it was tagged with."""
    clock = FakeClock()
    async with Provider(make(), clock=clock) as cache:
        for key in ("over", "expired", "invalidated"):
            await cache.set(key, 100, 10, tags=[key])
        await cache.expire("expired")
        await cache.invalidate_tags("invalidated")
        await clock.advance(5.0)
        assert [await cache.increment(key, initial=1) for key in ("over", "expired", "invalidated")] == [101, 2, 2]
        await clock.advance(5.0)
        assert await cache.increment("over") == 1
        assert (await cache.get_item("invalidated")).tags == ()
        assert await cache.touch("expired", 1)
        await clock.advance(1.0)
        assert not await cache.touch("expired", 5)


@pytest.mark.parametrize("number", [1.0, True, "1", None])
async def test_numbers_must_be_whole(number: Any) -> None:  # noqa: ANN401  - no int
    """Each argument that is a whole number is named where it is none."""
    async with Provider(memory_storage()) as cache:
        for name, call in {
            "delta": cache.increment("k", number),
            "initial": cache.increment("k", initial=number),
            "version": cache.compare_and_set("k", 1, number),
        }.items():
            with pytest.raises(InvalidArgumentError, match=rf"^{name} must be an int, not {type(number).__name__}$"):
                await call
        with pytest.raises(InvalidArgumentError, match="delta must be an int"):
            await cache.decrement("k", number)


async def test_a_mapping_is_one() -> None:
    """`set_multi` takes a mapping, and nothing of a wrong one is stored."""
    async with Provider(memory_storage()) as cache:
        wrong: Any = [("k", 1)]
        with pytest.raises(InvalidArgumentError, match="mapping must map keys to values, not be list"):
            await cache.set_multi(wrong)
        with pytest.raises(InvalidKeyError):
            await cache.set_multi({"k": 1, "": 2})
        with pytest.raises(InvalidTTLError):
            await cache.set_multi({"k": 1}, 0)

        assert (await cache.stats()).items == 0
        await cache.set_multi({})
        assert (await cache.stats()).sets == 0


async def test_locks_of_a_shared_storage() -> None:
    """A storage that others share gives no lock that would hold among this process alone."""
    storage = NullStorage()
    storage.capabilities = Capabilities(shared=True)
    async with Provider(storage) as cache:
        with pytest.raises(UnsupportedError, match=r"gives no locks that hold among them"):
            cache.lock("k")
        assert cache.capabilities.shared


async def test_locks_check_their_input() -> None:
    """Key, ttl and timeout are checked at the call."""
    async with Provider(memory_storage()) as cache:
        with pytest.raises(InvalidKeyError):
            cache.lock("")
        wrong: Any
        for wrong in (0, True, "soon"):
            with pytest.raises(InvalidTTLError):
                cache.lock("k", wrong)
        for wrong in (-1, True, "soon", b"", 10**5000):
            with pytest.raises(InvalidArgumentError, match="timeout must be seconds from 0 up"):
                cache.lock("k", timeout=wrong)
        async with cache.lock("k"):
            with pytest.raises(LockTimeoutError):
                await cache.lock("k", timeout=0).__aenter__()


def weigh_10(key: str, value: object) -> int:
    """Let every entry weigh the same."""
    del key, value
    return 10


async def test_what_stats_say() -> None:
    """Each kind of call is counted once, in the view and in all around it; the storage's figures are one for all."""
    async with Provider(memory_storage(max_size=10_000, sizer=weigh_10)) as cache:
        view = cache.namespace("n")
        await view.set("a", 1)
        await view.set_multi({"b": 1, "c": 2})
        await view.get("a")
        await view.get_multi(["b", "x"])
        await view.delete("a")
        await view.delete_multi(["b", "x"])
        await view.pop("c")
        await view.pop("c")
        await view.exists("c")
        await cache.get("a")
        for stats, misses in ((await view.stats(), 2), (await cache.stats(), 3)):
            assert (stats.sets, stats.hits, stats.misses, stats.deletes) == (3, 3, misses, 3)
            assert (stats.items, stats.size) == (0, 0)
            assert stats.average_get_time > 0.0


@every_storage
async def test_one_ping(make: Callable[[], Storage]) -> None:
    """A ping opens, asks the storage and gives seconds."""
    async with Provider(make()) as cache:
        assert 0.0 <= await cache.ping() < 5.0
