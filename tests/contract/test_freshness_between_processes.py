"""Policies of freshness where two share a storage, each with a provider of its own as two processes have.

Each race is forced: a source is held, or a call to the server is, until the other one has done his part.
"""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.redis.link import Channel
from aiocache_kit.storage.redis.scripts import TAKE_BESIDE
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.testing import FakeClock, FaultyStorage
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source
from aiocache_kit.testing.provider_contract.refreshing import AGES, CHANGES, POLICY, DownError
from tests.contract.redis_case import INSTALLATIONS, RedisCase
from tests.contract.test_file import ROOM, SHAPES, Files, Placed

NEAR = 30.0
"""Seconds that a copy in the nearest layer may be older than the truth."""


def in_front(clock: FakeClock, lowest: Storage) -> Storage:
    """Put memory in front of a storage."""
    return LayeredStorage([Layer(memory_storage(clock=clock), "near", NEAR), Layer(lowest, "lowest")])


class Two(ProviderCase):
    """Two providers that share what they store."""

    __test__: ClassVar[bool] = False
    is_layered = False

    async def set_up(self) -> None:
        """Make the other provider."""
        await super().set_up()
        self.other = await self.provider(self.clock)
        for cache in (self.cache, self.other):  # before time is made to pass, which a server knows nothing of
            await cache.get("k")

    async def tear_down(self) -> None:
        """Close both."""
        await self.other.close()
        await super().tear_down()

    async def fetch(self, cache: Provider, source: Source, **more: Any) -> Any:  # noqa: ANN401  - any option, any value
        """Ask one of them for a value with a ttl of ten seconds and a tag."""
        policy: dict[str, Any] = {**POLICY, **more}
        return await cache.get_or_set("k", source.load, 10, tags=["t"], **policy)


class Pair(Two):
    """What holds between any two."""

    __test__: ClassVar[bool] = False

    async def test_no_change_elsewhere_is_undone_by_a_load(self) -> None:
        """Whatever one has removed, or set, while the other loaded it anew, stays so when that load has ended."""
        for state, age in AGES.items():
            for name, change in CHANGES.items():
                await self.fetch(self.cache, Source("old"))
                await self.pass_time(age)
                source = Source("from before", held=True)
                caller = await self.waiting(self.fetch(self.cache, source))
                await asyncio.wait([self.start(source.started.wait())])
                await change(self.other)
                source.open()
                await self.settle()
                assert await caller == ("from before" if state == "fall-back" else "old")
                await self.settle()

                left = "newer" if name.startswith("set") else MISSING
                assert await self.other.get("k", MISSING) == left, (state, name)
                if not self.is_layered:  # without messages, copies are as old as their layer lets them be
                    assert await self.cache.get("k", MISSING) == left, (state, name)
                await self.other.clear()
                await self.cache.clear()

    async def test_none_that_is_not_kept_undoes_no_change_elsewhere(self) -> None:
        """A source that has nothing any more removes what was there, and nothing that the other has set meanwhile."""
        for is_changed in (False, True):
            await self.fetch(self.cache, Source("old"))
            await self.pass_time(20.0)
            source = Source(None, held=True)
            caller = await self.waiting(self.fetch(self.cache, source, cache_none=False))
            await asyncio.wait([self.start(source.started.wait())])
            if is_changed:
                await self.other.set("k", "newer")
            source.open()
            await self.settle()
            assert await caller == "old"

            assert await self.other.get("k") == ("newer" if is_changed else None)
            assert is_changed or await self.fetch(self.other, Source("after")) == "after"
            await self.other.clear()
            await self.cache.clear()

    async def test_no_loader_keeps_what_was_removed_elsewhere(self) -> None:
        """A loader is told what is there when its load begins, so that it keeps nothing that the other has removed."""
        for age in (AGES["ageing"], AGES["stale"]):
            await self.fetch(self.cache, Source("old"))
            await self.pass_time(age)
            told: list[object] = []

            async def load(context: LoadContext, told: list[object] = told) -> object:
                told.append(context.stale_value)
                await self.other.exists("k")
                return "new" if context.stale_value is MISSING else context.not_modified()

            if age == AGES["ageing"]:
                await self.cache.get_item("k")  # layers know now of which version their copy is
            await self.other.delete("k")
            given = await self.cache.get_or_set("k", load, 10, **POLICY)
            await self.settle()

            assert told == [MISSING]
            assert given == ("old" if self.is_layered and age == AGES["ageing"] else "new")
            assert await self.other.get("k") == "new"
            await self.other.clear()
            await self.cache.clear()

    async def test_one_of_them_loads_ahead_and_the_other_takes_that(self) -> None:
        """What one has just loaded ahead of its end is not loaded by the other, though his copy is the older one."""
        await self.fetch(self.cache, Source("old"))
        assert await self.other.get("k") == "old"
        await self.pass_time(7.0)
        source = Source("new")
        for cache in (self.cache, self.other, self.cache, self.other):
            assert await self.fetch(cache, source) in ("old", "new")
            await self.settle()

        assert source.loads == 1
        assert [await self.fetch(cache, source) for cache in (self.cache, self.other)] == ["new"] * 2


class TestOverRedis(RedisCase, Pair):
    """A real server, also with copies in the process, in two ways."""

    __test__ = True

    @pytest.fixture(autouse=True, params=["multiplexed", "client cache", "layered"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take an installation."""
        self.is_layered = request.param == "layered"
        self.installation = INSTALLATIONS["multiplexed" if self.is_layered else request.param](request)

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage of one of them."""
        storage = super().storage(clock)
        return in_front(clock, storage) if self.is_layered else storage


class TestOverSharedFiles(Placed, Pair):
    """A directory that both use, also with copies in front of it."""

    __test__ = True

    @pytest.fixture(autouse=True, params=["plain", "layered"])
    def choose(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        """Take the directory."""
        self.is_layered = request.param == "layered"
        self.path = tmp_path
        self.make = SHAPES["shared"]
        self.made: list[Files] = []

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage of one of them."""
        shared = self.place_at(f"{self.path}", ROOM, None)
        return in_front(clock, shared) if self.is_layered else shared


class _Held:
    """A way to Redis on which one script waits for its turn."""

    def __init__(self, channel: Channel, digest: bytes) -> None:
        self._channel = channel
        self._digest = digest
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  - whatever a channel has
        return getattr(self._channel, name)

    async def call(self, command: Any, **options: Any) -> Any:  # noqa: ANN401  - as above
        if self._digest in command:
            self.reached.set()
            await self.go_on.wait()
        return await self._channel.call(command, **options)


class TestLeases(RedisCase, Two):
    """What comes between two steps of taking a lease."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)
        self.made: list[RedisStorage] = []

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage of one of them."""
        storage = super().storage(clock)
        assert isinstance(storage, RedisStorage)
        self.made.append(storage)
        return storage

    async def test_refresh_is_over_the_version_that_is_there(self) -> None:
        """A value replaced after the look at it, and before there is a lease beside it, is what a refresh replaces."""
        await self.cache.set("k", "first")
        leases: Any = self.made[0]._leases
        held = leases._channel = _Held(leases._channel, TAKE_BESIDE.digest)
        refresh = self.start(self.cache.refresh("k", Source("loaded").load))
        await held.reached.wait()
        await self.other.set("k", "second")
        held.go_on.set()

        assert await refresh == "loaded"
        assert await self.other.get("k") == "loaded"

    async def test_refresh_of_what_was_removed_meanwhile_is_a_load(self) -> None:
        """A value removed in that instant is loaded under a lease of its own; one removed later stays removed."""
        for is_later in (False, True):
            await self.cache.set("k", "first")
            leases: Any = self.made[0]._leases
            held = leases._channel = _Held(leases._channel, TAKE_BESIDE.digest)
            source = Source("loaded", held=True)
            refresh = self.start(self.cache.refresh("k", source.load))
            await held.reached.wait()
            await self.other.delete("k")
            held.go_on.set()
            await source.started.wait()
            if is_later:
                await self.other.delete("k")
            source.open()
            assert await refresh == "loaded"

            assert await self.other.get("k") == (None if is_later else "loaded")
            leases._channel = held._channel


class Failing(ProviderCase):
    """A source that is down for ten minutes."""

    __test__: ClassVar[bool] = False

    async def test_nobody_sees_that_a_source_is_down(self) -> None:
        """For ten minutes, no caller gets an error or waits, and the source is asked once a throttle period."""
        policy: dict[str, Any] = {"stale_if_error": 900, "throttle": 30}
        await self.cache.get_or_set("k", Source("old").load, 10, **policy)
        await self.pass_time(11.0)
        asked: list[float] = []

        async def load() -> object:
            asked.append(self.clock.monotonic())
            await self.cache.exists("k")
            raise DownError

        for _ in range(120):
            assert await self.cache.get_or_set("k", load, 10, **policy) == "old"
            await self.pass_time(5.0)

        assert 600 / 30 - 2 <= len(asked) <= 600 / 30 + 1
        assert all(later - earlier >= 30.0 for earlier, later in pairwise(asked))


class TestFailing(Failing):
    """Storages of this process, awaited or not, and in layers."""

    __test__ = True

    @pytest.fixture(autouse=True, params=["memory", "awaited", "layered"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Run the check for each."""
        self.kind = request.param

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage."""
        if self.kind == "memory":
            return memory_storage(clock=clock)
        awaited = FaultyStorage(memory_storage(clock=clock), turns=True)
        return awaited if self.kind == "awaited" else in_front(clock, awaited)


class TestFailingOverRedis(RedisCase, Failing):
    """A real server, by itself and with memory in front of it."""

    __test__ = True

    @pytest.fixture(autouse=True, params=["multiplexed", "layered"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation."""
        self.is_layered = request.param == "layered"
        self.installation = INSTALLATIONS["multiplexed"](request)

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage."""
        storage = super().storage(clock)
        return in_front(clock, storage) if self.is_layered else storage
