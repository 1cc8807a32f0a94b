"""`AppCache`, without any framework: what lives as long as an application, and is named before it is there."""

import asyncio
import gc
import sys
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from typing import Any, cast

import pytest

from aiocache_kit import (
    Config,
    ConfigError,
    InvalidArgumentError,
    InvalidTTLError,
    LoadConfig,
    MissingDependencyError,
    Provider,
    new_provider,
)
from aiocache_kit.errors import ProviderClosedError
from aiocache_kit.integrations import aiohttp_app, starlette
from aiocache_kit.integrations.app_cache import AppCache, health
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock, FaultyStorage


async def test_provider_is_there_while_it_is_opened() -> None:
    """The same provider is given everywhere within the block, a new one in the next block, and none outside."""
    cache = AppCache()
    assert repr(cache) == "<AppCache 'cache', not open>"
    with pytest.raises(ProviderClosedError, match="the cache 'cache' is not open"):
        cache.provider()
    async with cache.opened() as first:
        assert first is cache.provider() is await cache()
        assert repr(cache) == "<AppCache 'cache', open>"
    async with cache.opened() as second:
        assert first is not second
    assert first.closed
    assert second.closed


def test_who_forgot_to_open_it_is_told_how() -> None:
    """The error says what this framework's application has to be given."""
    told = {
        AppCache: "with `async with cache.opened():` round it",
        starlette.AppCache: "with lifespan=cache.lifespan",
        aiohttp_app.AppCache: "with app.cleanup_ctx.append(cache.context)",
    }
    for kind, what in told.items():
        with pytest.raises(ProviderClosedError) as caught:
            kind(name="pages").provider()
        assert str(caught.value) == f"the cache 'pages' is not open: its application has to run, {what}"


def test_who_takes_it_for_a_provider_is_told_where_that_is() -> None:
    """A call of the provider's is answered with the way to the provider; any other name is just unknown."""
    cache: Any = AppCache()
    with pytest.raises(
        AttributeError, match=r"^'AppCache' object has no attribute 'get': ask its provider, as in cache"
    ):
        cache.get("k")
    with pytest.raises(AttributeError, match=r"^'AppCache' object has no attribute 'nothing'$"):
        _ = cache.nothing


def test_a_decorator_without_its_brackets() -> None:
    """The function in the place of the ttl is told apart from a wrong ttl."""
    cached: Any = AppCache().cached

    async def load() -> int:
        return 1

    with pytest.raises(InvalidArgumentError, match=r"write @cache.cached\(\)$"):
        cached(load)


async def test_decorated_functions_follow_the_application() -> None:
    """A function that is decorated before there is a provider uses that of the application that runs, each time."""
    cache, calls = AppCache(), list[int]()

    @cache.cached(key="double:{number}")
    async def double(number: int) -> int:
        calls.append(number)
        return number * 2

    with pytest.raises(ProviderClosedError, match="is not open"):
        await double(1)
    for _ in range(2):
        async with cache.opened() as provider:
            assert [await double(1), await double(1)] == [2, 2]
            assert await provider.get("double:1") == 2
    assert calls == [1, 1]


async def test_namespace_is_a_part_of_the_cache() -> None:
    """A namespace can be named as early, is given while the cache is open, and keeps its keys to itself."""
    cache = AppCache(name="shop")
    users = cache.namespace("users").namespace("eu")

    @users.cached(key="name")
    async def name() -> str:
        return "Ada"

    assert users.name == "shop"
    async with cache.opened() as provider:
        assert await name() == "Ada"
        assert users.provider() is users.provider() is provider.namespace("users").namespace("eu")
        gc.collect()
        assert (await users.provider().stats()).loads == 1
        assert await users.provider().get("name") == "Ada"
        assert await provider.get("name") is None
    with pytest.raises(ProviderClosedError):
        users.provider()
    async with cache.opened() as again:
        assert users.provider() is again.namespace("users").namespace("eu")


async def test_one_application_at_a_time() -> None:
    """A second application would close the provider under the first one, so it cannot start; nothing is harmed."""
    cache = AppCache()
    async with cache.opened() as provider:
        with pytest.raises(InvalidArgumentError, match="serves one application at a time"):
            async with cache.opened():
                pass
        assert cache.provider() is provider
        await provider.set("key", 1)


async def test_failed_start_can_be_repeated() -> None:
    """An application whose cache cannot be opened does not start, and may try again."""
    storage = FaultyStorage(NullStorage())
    sources = iter([Provider(storage), new_provider()])
    cache = AppCache(lambda: next(sources))
    storage.fail(OSError("no disk"), of=["open"])

    with pytest.raises(OSError, match="no disk"):
        async with cache.opened():
            pass
    async with cache.opened() as provider:
        assert cache.provider() is provider


async def test_loads_in_the_background_are_given_time_to_end() -> None:
    """What is loaded in the background when the application ends may end within the seconds of ``drain``."""
    clock, going_on, loaded = FakeClock(), asyncio.Event(), list[str]()
    cache = AppCache(lambda: new_provider(Config(load_config=LoadConfig(refresh_ahead=0.5)), clock=clock), drain=30)

    @cache.cached(10)
    async def load() -> str:
        if loaded:
            await going_on.wait()
        loaded.append("once more")
        return "value"

    async with cache.opened():
        await load()
        await clock.advance(6)
        await load()
        asyncio.get_running_loop().call_soon(going_on.set)

    assert loaded == ["once more"] * 2


async def test_source_can_be_replaced_for_tests() -> None:
    """Within the block applications start with another cache, decorated functions included; afterwards as before."""
    cache, clock, calls = AppCache(), FakeClock(), list[int]()

    @cache.cached(10)
    async def load() -> int:
        calls.append(1)
        return 1

    with cache.replaced(lambda: new_provider(clock=clock)):
        async with cache.opened():
            await load()
            await clock.advance(11)
            await load()
    assert len(calls) == 2

    async with cache.opened() as provider:
        await load()
        await clock.advance(11)
        await load()
        assert (await provider.stats()).hits == 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: AppCache(new_provider()), "source must be a Config.*not an object of class Provider"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - that is what is tried
        (lambda: AppCache(name="no name"), "name must be a name"),
        (lambda: AppCache(drain=-1), "drain must be a number of seconds"),
        (lambda: AppCache(drain=True), "drain must be a number of seconds"),
        (lambda: AppCache().namespace(""), "must be a non-empty str"),
        (lambda: cast("Any", AppCache()).cached(stale_for=1), "there is no option 'stale_for'"),
    ],
)
def test_bad_input_is_refused_at_once(make: Callable[[], object], sentence: str) -> None:
    """What is wrong is said when the program is imported, in one sentence that names the argument."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        make()


def test_bad_configuration_is_refused_at_once() -> None:
    """So are a URL and a ttl."""
    with pytest.raises(ConfigError):
        AppCache("memory://?max_entries=none")
    with pytest.raises(InvalidTTLError):
        AppCache().cached(0)


@pytest.mark.parametrize("made", [None, "closed"])
async def test_function_must_make_a_new_provider(made: str | None) -> None:
    """A source that gives no provider, or one that was used up, is named when the application starts."""
    used = new_provider()
    await used.close()
    source: Any = (lambda: used) if made else (lambda: None)
    with pytest.raises(InvalidArgumentError, match="must give a new Provider"):
        async with AppCache(source).opened():
            pass


async def test_what_can_be_used_once_is_not_kept() -> None:
    """A function that gives an iterator is told what to give instead; nothing is stored."""
    cache = AppCache()

    def numbers() -> Generator[int]:
        yield 1

    @cache.cached()
    async def load() -> Iterator[int]:
        return numbers()

    async with cache.opened() as provider:
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match="generator, which can be used only once"):
                await load()
        assert (await provider.stats()).items == 0


def test_generators_are_refused_when_they_are_decorated() -> None:
    """A function that is a generator itself is refused before it is ever called."""
    with pytest.raises(InvalidArgumentError, match="is a generator"):

        @AppCache().cached()
        def load() -> Iterator[int]:
            yield 1


async def test_health_names_those_that_do_not_answer() -> None:
    """Each cache is asked; one that fails, or whose application does not run, is unavailable."""
    storage = FaultyStorage(NullStorage())
    well, ill, away = AppCache(name="well"), AppCache(lambda: Provider(storage), name="ill"), AppCache(name="away")
    async with well.opened(), ill.opened():
        assert await health([well, ill], 1.0) == (True, {"well": "ok", "ill": "ok"})
        storage.fail(of=["ping"])
        assert await health([well, ill, away], 1.0) == (
            False,
            {"well": "ok", "ill": "unavailable", "away": "unavailable"},
        )


@pytest.mark.parametrize(
    ("door", "package", "extra"),
    [
        ("aiohttp_app", "aiohttp", "aiohttp"),
        ("fastapi", "fastapi", "fastapi"),
        ("starlette", "starlette.background", "fastapi"),
    ],
)
def test_what_is_missing_is_said_with_its_extra(
    door: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the framework, whoever imports the door to it is told what to install."""
    name = f"aiocache_kit.integrations.{door}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"aiocache-kit\[{extra}\]"):
        import_module(name)


@pytest.mark.parametrize("step", ["open", "close"])
async def test_cancelled_application_can_start_again(step: str) -> None:
    """A start or an end that is cancelled, as by a second Ctrl-C, leaves nothing open and nothing in the way."""
    storage = FaultyStorage(NullStorage())
    sources = iter([Provider(storage), new_provider()])
    cache = AppCache(lambda: next(sources))
    gate = storage.hold(of=[step])

    async def run() -> None:
        async with cache.opened() as provider:
            await provider.set("key", 1)

    running = asyncio.create_task(run())
    await gate.reached.wait()
    running.cancel()
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await running
    await run()
