"""Three Redis servers as one cache: what happens to readers and writers when a server dies, freezes and comes back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from aiocache_kit import LockTimeoutError, Node, Provider, StorageUnavailableError, new_distributed, new_storage
from aiocache_kit.storage.distributed import DistributedStorage
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects

KEYS = [f"user:{each}" for each in range(120)]


@pytest.fixture
def servers(start_server: StartServer) -> list[Server]:
    """Three servers of this test's own."""
    return [start_server() for _ in range(3)]


def nodes(servers: list[Server]) -> list[Node]:
    """Name the servers."""
    return [
        Node(f"cache-{place}", f"redis://127.0.0.1:{server.port}/0?max_retries=0")
        for place, server in enumerate(servers)
    ]


def distributed(servers: list[Server], replicas: int = 2, timeout: float = 0.5) -> Provider:
    """Make a provider over the servers."""
    return new_distributed(*nodes(servers), replicas=replicas, default_ttl=None, timeout=timeout)


@asynccontextmanager
async def under_load(work: Callable[[], Awaitable[None]]) -> AsyncGenerator[list[BaseException]]:
    """Do `work` again and again while the block runs; gives what it raised."""
    errors: list[BaseException] = []
    ended = asyncio.Event()

    async def go_on() -> None:
        while not ended.is_set():
            try:
                await work()
            except Exception as error:  # noqa: BLE001  - the test looks at it
                errors.append(error)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(go_on())
        try:
            yield errors
        finally:
            ended.set()


async def until_all_work(cache: Provider) -> None:
    """Return when every node works again."""
    storage = cache._core.storage
    assert isinstance(storage, DistributedStorage)
    nurses = [task for task in storage._recovery._nurses.values() if not task.done()]
    if nurses:
        _, left = await asyncio.wait(nurses, timeout=20)
        assert not left
    assert all(layer.health == 1.0 for layer in (await cache.stats()).layers.values())


async def test_a_killed_server_costs_no_read_and_leaves_nothing_stale(servers: list[Server]) -> None:
    """With two copies no read of a live key fails or misses while a server is killed, is away and comes back empty."""
    async with distributed(servers) as cache:
        truth = dict.fromkeys(KEYS, 0)
        await cache.set_multi(truth)
        wrong: list[object] = []

        async def read_and_write() -> None:
            for key in KEYS[::7]:
                value = await cache.get(key, -1)
                if value < truth[key] - 1:
                    wrong.append((key, value, truth[key]))

        async with under_load(read_and_write) as errors:
            await asyncio.to_thread(servers[0].kill)
            for key in KEYS:
                await cache.set(key, truth[key] + 1)
                truth[key] += 1
            assert await cache.get_multi(KEYS) == truth
            await asyncio.to_thread(servers[0].start)
            await until_all_work(cache)
            assert await cache.get_multi(KEYS) == truth

        assert errors == []
        assert wrong == []
        assert await asyncio.to_thread(servers[0].ask, "dbsize") > 0


async def test_a_frozen_server_comes_back_without_what_it_missed(servers: list[Server]) -> None:
    """What was written, deleted and counted while a server stood still is not read from it in its old form."""
    async with distributed(servers) as cache:
        await cache.set_multi(dict.fromkeys(KEYS, "old"))
        await asyncio.to_thread(servers[1].freeze)
        try:
            await cache.set_multi(dict.fromkeys(KEYS[:40], "new"))
            for key in KEYS[40:80]:
                await cache.delete(key)
            found = await cache.get_multi(KEYS)
        finally:
            await asyncio.to_thread(servers[1].thaw)
        await until_all_work(cache)
        await asyncio.to_thread(servers[0].kill)  # so that what came back is asked
        after = await cache.get_multi(KEYS)
        for key in KEYS[:80]:
            assert await cache.get(key) == after.get(key)

    expected = dict.fromkeys(KEYS[:40], "new") | dict.fromkeys(KEYS[80:], "old")
    assert found == expected
    assert after == expected


async def test_only_the_keys_of_a_frozen_server_are_slow(servers: list[Server]) -> None:
    """With one copy, keys of other servers are read at once; those of the frozen one fail in time, and then at once."""
    async with distributed(servers, replicas=1, timeout=0.3) as cache:
        storage = cache._core.storage
        assert isinstance(storage, DistributedStorage)
        await cache.set_multi(dict.fromkeys(KEYS, 1))
        owner = {key: storage._nodes.owners(key)[0] for key in KEYS}
        frozen = owner[KEYS[0]]
        mine = [key for key in KEYS if owner[key] is frozen]
        others = [key for key in KEYS if owner[key] is not frozen]
        server = servers[int(frozen.name.removeprefix("cache-"))]
        await asyncio.to_thread(server.freeze)
        try:
            waiting = asyncio.create_task(cache.get(mine[0]))
            assert await cache.get_multi(others) == dict.fromkeys(others, 1)
            assert not waiting.done()
            with pytest.raises(StorageUnavailableError):
                await waiting
            assert not frozen.is_in
            calls = frozen.errors
            with pytest.raises(StorageUnavailableError):
                await cache.get(mine[0])
            assert frozen.errors == calls
        finally:
            await asyncio.to_thread(server.thaw)
        await until_all_work(cache)
        assert await cache.get_multi(KEYS) == dict.fromkeys(KEYS, 1)


async def test_tags_leases_and_locks_hold_over_all_servers(servers: list[Server]) -> None:
    """Two processes see the same invalidations, load a key once, and keep each other out of a lock."""
    async with distributed(servers) as one, distributed(servers) as other:
        for number, key in enumerate(KEYS[:30]):
            await one.set(key, number, tags=["even" if number % 2 == 0 else "odd"])
        await other.invalidate_tags("even")
        assert set((await one.get_multi(KEYS[:30])).values()) == set(range(1, 30, 2))

        loads: list[str] = []

        async def load() -> str:
            loads.append("load")
            await asyncio.sleep(0)
            return "loaded"

        values = await asyncio.gather(*(cache.get_or_set("k", load) for cache in (one, other) for _ in range(20)))
        assert set(values) == {"loaded"}
        assert loads == ["load"]

        async with one.lock("report"):
            with pytest.raises(LockTimeoutError):
                async with other.lock("report", timeout=0.05):
                    pass
        async with other.lock("report", timeout=1):
            pass


async def test_counters_and_comparisons_hold_among_processes(servers: list[Server]) -> None:
    """Two processes count and update the same keys, and nothing gets lost."""
    async with distributed(servers) as one, distributed(servers) as other:
        totals = await asyncio.gather(*(cache.increment("n") for cache in (one, other) for _ in range(50)))
        assert sorted(totals) == list(range(1, 101))

        await asyncio.gather(
            *(cache.update("u", lambda n: n + 1, default=0) for cache in (one, other) for _ in range(25))
        )
        assert await one.get("u") == 50


async def test_an_invalidation_is_not_lost_for_a_server_that_is_away(servers: list[Server]) -> None:
    """A tag that was invalidated while a server stood still is dead there too when it is asked again."""
    async with distributed(servers) as cache:
        for key in KEYS:
            await cache.set(key, 1, tags=["t"])
        await asyncio.to_thread(servers[2].freeze)
        try:
            await cache.invalidate_tags("t")
            await cache.set("after", 2, tags=["t"])
            assert await cache.get_multi([*KEYS, "after"]) == {"after": 2}
        finally:
            await asyncio.to_thread(servers[2].thaw)
        await until_all_work(cache)
        for server in servers[:2]:
            await asyncio.to_thread(server.freeze)
        try:
            with pytest.raises(StorageUnavailableError) as caught:
                await cache.get_multi(KEYS)
            assert getattr(caught.value, "found", {}) == {}
        finally:
            for server in servers[:2]:
                await asyncio.to_thread(server.thaw)
        await until_all_work(cache)
        assert await cache.get_multi(KEYS) == {}


async def test_storages_can_be_built_alone_and_moved(servers: list[Server]) -> None:
    """A node is added and removed while the others go on, and nothing of before comes back."""
    storage = DistributedStorage(
        [Node(node.name, new_storage(str(node.storage))) for node in nodes(servers)[:2]], replicas=2
    )
    async with Provider(storage, default_ttl=None) as cache:
        await cache.set_multi(dict.fromkeys(KEYS, "old"))
        third = nodes(servers)[2]
        await storage.add_node(Node(third.name, new_storage(str(third.storage))))
        assert await cache.get_multi(KEYS) == dict.fromkeys(KEYS, "old")
        await until_all_work(cache)
        assert await cache.get_multi(KEYS) == dict.fromkeys(KEYS, "old")
        await cache.delete_multi(KEYS[:60])
        await cache.set_multi(dict.fromkeys(KEYS[60:], "new"))
        await storage.remove_node(third.name)
        assert await cache.get_multi(KEYS) == dict.fromkeys(KEYS[60:], "new")
        await asyncio.to_thread(servers[0].kill)
        assert set((await cache.get_multi(KEYS)).values()) <= {"new"}


async def test_a_process_that_starts_later_reads_nothing_of_before(servers: list[Server]) -> None:
    """A server that stood still while a process wrote, and that is met by the next process only, is cleared first."""
    async with distributed(servers) as first:
        await first.set_multi(dict.fromkeys(KEYS, "old"))
        await asyncio.to_thread(servers[1].freeze)
        try:
            await first.set_multi(dict.fromkeys(KEYS[:60], "new"))
            await first.delete_multi(KEYS[60:])
        except BaseException:
            await asyncio.to_thread(servers[1].thaw)
            raise
    await asyncio.to_thread(servers[1].thaw)
    async with distributed(servers) as later:
        assert await later.get_multi(KEYS) == dict.fromkeys(KEYS[:60], "new")
        for server in (servers[0], servers[2]):
            await asyncio.to_thread(server.kill)
        for key in KEYS:
            with suppress(StorageUnavailableError):
                assert await later.get(key) in {None, "new"}
