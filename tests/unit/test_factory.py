import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aiocache_kit.config import Config, FileConfig, LoadConfig, MemoryConfig, RateLimitConfig
from aiocache_kit.errors import ConfigError, InvalidArgumentError, OverloadedError, RateLimitedError
from aiocache_kit.factory import new_distributed, new_layered, new_provider, new_storage
from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.provider import Provider
from aiocache_kit.storage.distributed import Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock


def tables(provider: Provider) -> TableStorage:
    storage = provider._core.storage
    assert isinstance(storage, TableStorage)
    return storage


async def test_nothing_given_is_a_bounded_memory() -> None:
    """Without a word there is a memory storage with the defaults of `Config`, ready for its first call."""
    async with new_provider() as cache:
        await cache.set("key", "value")

        assert await cache.get("key") == "value"
        assert tables(cache).name == "memory"
        assert tables(cache).tables[0]._max_entries == 10_000


@pytest.mark.parametrize("provider", ["memory", "lru"])
async def test_bounds_are_kept(provider: str) -> None:
    """`max_entries` and `max_size` bound what is held, the latter by what `sizer` says."""
    config = Config(provider=provider, max_entries=3)
    sized = Config(
        provider=provider,
        max_size=100,
        memory_config=MemoryConfig(sizer=lambda key, value: len(key) + 50 + (value == 0)),
    )

    async with new_provider(config) as cache, new_provider(sized) as small:
        for number in range(10):
            await cache.set(str(number), number)
            await small.set(str(number), number)

        assert (await cache.stats()).items == 3
        assert (await small.stats()).items == 1
        assert await small.get("9") == 9


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_the_policy_is_the_one_that_was_named(policy: str) -> None:
    """Each name of an eviction policy gives that policy."""
    async with new_provider(Config(eviction_policy=policy)) as cache:
        assert tables(cache).tables[0]._policy.name == policy


async def test_the_provider_lru_forgets_the_least_recently_used() -> None:
    """The lru storage evicts exactly what was not used for the longest time."""
    async with new_provider("lru://?max_entries=2") as cache:
        await cache.set("a", 1)
        await cache.set("b", 2)
        await cache.get("a")
        await cache.set("c", 3)

        assert await cache.get_multi(["a", "b", "c"]) == {"a": 1, "c": 3}


async def test_shards_and_hash_are_as_configured() -> None:
    """`shard_count` and `hash_func` decide where a key lies, and nothing that a user sees."""
    part = MemoryConfig(shard_count=4, hash_func=lambda key: int(key) if key.isdigit() else 0)
    async with new_provider(Config(memory_config=part)) as cache:
        await cache.set_multi({str(number): number for number in range(8)})

        assert [sorted(table.index) for table in tables(cache).tables] == [
            ["0", "4"],
            ["1", "5"],
            ["2", "6"],
            ["3", "7"],
        ]
        assert await cache.get_multi(map(str, range(8))) == {str(number): number for number in range(8)}


@pytest.mark.parametrize("provider", ["memory", "lru"])
async def test_isolation_decides_whose_object_is_read(provider: str) -> None:
    """By reference what is read is what was stored; as a copy it is equal to it and nobody else's."""
    value = [1]
    async with (
        new_provider(f"{provider}://") as shared,
        new_provider(f"{provider}://?isolation=copy") as own,
    ):
        await shared.set("key", value)
        await own.set("key", value)
        value.append(2)

        assert await shared.get("key") is value
        assert await own.get("key") == [1]
        assert await own.get("key") is not await own.get("key")


async def test_time_is_read_from_the_clock_that_is_given() -> None:
    """The clock decides when items end, and `default_ttl` counts where a call says nothing."""
    clock = FakeClock()
    async with new_provider(Config(default_ttl="1m"), clock=clock) as cache:
        await cache.set("key", "value")
        await clock.advance(59.5)
        assert await cache.get("key") == "value"
        await clock.advance(0.5)
        assert await cache.get("key") is None


@pytest.mark.parametrize("provider", ["memory", "lru"])
async def test_a_snapshot_outlives_the_process(tmp_path: Path, provider: str) -> None:
    """What is held when a provider is closed is there when the next one is opened, with what is left of its ttl."""
    config = Config(provider=provider, memory_config=MemoryConfig(snapshot_path=tmp_path / "items"))
    clock = FakeClock()
    async with new_provider(config, clock=clock) as before:
        await before.set("short", 1, ttl=10)
        await before.set("long", [2], ttl=100, tags=["tag"])
        await before.set("forever", {"a": None}, ttl=None)
    clock = FakeClock(time=clock.time() + 50)

    async with new_provider(config, clock=clock) as after:
        assert await after.get_multi(["short", "long", "forever"]) == {"long": [2], "forever": {"a": None}}
        assert (await after.get_item("long")).tags == ("tag",)
        await clock.advance(50)
        assert await after.get("long") is None


async def test_a_snapshot_is_written_every_interval(tmp_path: Path) -> None:
    """With a `sync_interval`, what is held is on disk long before the provider is closed."""
    config = Config(sync_interval=5, memory_config=MemoryConfig(snapshot_path=tmp_path / "items"))
    clock = FakeClock()
    async with new_provider(config, clock=clock) as cache:
        await cache.set("key", "value")
        await clock.advance(5)
        while not await asyncio.to_thread((tmp_path / "items").exists):
            pass

        async with new_provider(config, clock=FakeClock()) as other:
            assert await other.get("key") == "value"


async def test_null_stores_nothing_and_shares_loads() -> None:
    """The provider null forgets everything, and still loads a key once for all who ask at the same time."""
    loads = 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return loads

    async with new_provider("null://") as cache:
        assert isinstance(cache._core.storage, NullStorage)
        await cache.set("key", 5)
        assert await cache.get("key") is None
        assert await asyncio.gather(*(cache.get_or_set("key", load) for _ in range(5))) == [1] * 5


async def test_files_are_one_word_away(tmp_path: Path) -> None:
    """The provider file keeps what it is given in its directory, where the next one finds it."""
    config = Config(provider="file", file_config=FileConfig(dir=tmp_path / "cache"))
    async with new_provider(config) as cache:
        await cache.set("key", {"a": [1]}, ttl=60)
    async with new_provider(config) as cache:
        assert await cache.get("key") == {"a": [1]}


@pytest.mark.parametrize("kind", ["one", "layers", "nodes"])
async def test_loads_are_served_as_configured(kind: str) -> None:
    """`LoadConfig` holds for one storage, for layers and for nodes: old values stand in, and loads are bounded."""
    clock, loads = FakeClock(), LoadConfig(stale_if_error=60, max_loads=1, max_waiting_loads=0)
    match kind:
        case "one":
            cache = new_provider(Config(load_config=loads), clock=clock)
        case "layers":
            cache = new_layered(Config(), Config(provider="lru"), load_config=loads, clock=clock)
        case _:
            nodes = [Node(name, Config()) for name in ("a", "b")]
            cache = new_distributed(*nodes, load_config=loads, clock=clock)
    async with cache:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            begun.set()
            await go.wait()
            return "slow"

        await cache.set("old", "old", ttl=1)
        await clock.advance(2)
        busy = asyncio.create_task(cache.get_or_set("busy", slow))
        await begun.wait()
        assert await cache.get_or_set("old", lambda: "new") == "old"
        with pytest.raises(OverloadedError):
            await cache.get_or_set("missing", lambda: "new")
        go.set()
        assert await busy == "slow"


# --- a storage of one's own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["custom", "memory"])
async def test_a_storage_of_ones_own_gets_the_policies(provider: str) -> None:
    """Freshness, bounds on loads, the rate limit, ttl and intervals of a configuration hold over any storage."""
    clock = FakeClock()
    config = Config(
        provider=provider,
        default_ttl="1m",
        cleanup_interval=5,
        load_config=LoadConfig(stale_if_error=60, max_loads=1, max_waiting_loads=0),
        rate_limit=RateLimitConfig(rate=6, per="1h"),
    )
    storage = memory_storage(max_entries=10)
    cache = new_provider(config, storage=storage, clock=clock)

    assert cache._core.storage is storage
    assert storage.clock is clock
    async with cache:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            begun.set()
            await go.wait()
            return "slow"

        await cache.set("old", "old")
        assert (await cache.get_item("old")).ttl == 60
        busy = asyncio.create_task(cache.get_or_set("busy", slow))
        await begun.wait()
        await clock.advance(60)
        assert await cache.get_or_set("old", lambda: "new") == "old"
        with pytest.raises(OverloadedError):
            await cache.get_or_set("missing", lambda: "new")
        go.set()
        assert await busy == "slow"
        assert await cache.namespace("tenant").get("key") is None
        assert (await cache.stats()).stale_hits == 1
        with pytest.raises(RateLimitedError):
            await cache.get("key")
    assert cache.closed


async def test_a_storage_of_ones_own_is_written_out_as_configured() -> None:
    """`sync_interval` says how often, with no snapshot to be named; before the block ends it was done by the clock."""
    clock, synced = FakeClock(), asyncio.Event()

    class Gathering(NullStorage):
        async def sync(self) -> None:
            synced.set()

    async with new_provider("custom://?sync_interval=5", storage=Gathering(), clock=clock) as cache:
        await cache.set("key", "value")
        await clock.advance(4)
        assert not synced.is_set()
        await clock.advance(1)
        assert synced.is_set()


async def test_a_storage_alone_is_enough() -> None:
    """Without a configuration, what holds is what holds for all: ten minutes, no bound on loads, no rate limit."""
    storage = NullStorage()
    async with new_provider(storage=storage) as cache:
        assert cache._core.storage is storage
        assert cache._core.default_life == 600
        assert await cache.get_or_set("key", lambda: "loaded") == "loaded"


@pytest.mark.parametrize("url", ["redis://", "lru://", "null://", "file:///var/cache/app"])
def test_a_configuration_for_another_storage_is_refused(url: str) -> None:
    """What names a place where items are kept does not go with a storage that is given."""
    name = Config.from_url(url).provider
    said = rf"^provider is '{name}', but a storage was given as well: say 'custom', or leave it out$"
    with pytest.raises(ConfigError, match=said):
        new_provider(url, storage=NullStorage())


@pytest.mark.parametrize("build", [new_provider, new_storage, new_layered])
def test_a_custom_storage_has_to_be_given(build: Callable[[str], object]) -> None:
    """A configuration that says to be for a storage of one's own builds none."""
    with pytest.raises(ConfigError, match=r"^provider is 'custom', but no storage was given"):
        build("custom://")


def test_what_is_no_storage_is_refused() -> None:
    """A class is not an object of it, and a storage is not a configuration; the messages say what to do."""
    with pytest.raises(
        InvalidArgumentError, match=r"^storage must be a Storage or None, not the class NullStorage: make"
    ):
        new_provider(storage=NullStorage)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested
    with pytest.raises(InvalidArgumentError, match=r"^storage must be a Storage or None, not Config$"):
        new_provider(storage=Config())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested
    with pytest.raises(InvalidArgumentError, match=r"not NullStorage: give it as storage=$"):
        new_provider(NullStorage())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - what is tested


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [5, b"memory://", {}, Config])
@pytest.mark.parametrize("build", [new_provider, new_storage])
def test_what_is_no_configuration_is_refused(build: Callable[[object], object], wrong: object) -> None:
    """Only a `Config`, a URL and None are taken."""
    with pytest.raises(InvalidArgumentError, match=r"^config must be a Config, a URL or None, not \w+$"):
        build(wrong)


def test_a_wrong_url_is_a_configuration_error() -> None:
    """A URL goes the way of `Config.from_url`."""
    with pytest.raises(ConfigError, match=r"^max_entries is 0, but"):
        new_provider("memory://?max_entries=0")


@pytest.mark.parametrize(
    ("url", "loaded"),
    [("null://", "[]"), ("lru://", "['aiocache_kit.storage.lru']"), ("memory://", "['aiocache_kit.storage.memory']")],
)
def test_nobody_loads_what_is_not_used(url: str, loaded: str) -> None:
    """Building one storage loads neither the others nor what snapshots need."""
    program = f"""
import sys
from aiocache_kit.factory import new_provider
new_provider({url!r})
candidates = ["aiofiles", "aiocache_kit.storage.lru", "aiocache_kit.storage.memory", "msgpack"]
print([name for name in candidates if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == loaded
