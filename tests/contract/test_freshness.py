"""What is served when: every state of a value, every way that its source may be, on storages of every kind.

Each case is a row of the table in docs/explanation/freshness.md, played with a clock that is turned by hand.
"""

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from aiocache_kit.provider import Provider
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source
from tests.contract.redis_case import INSTALLATIONS, RedisCase

if TYPE_CHECKING:
    from aiocache_kit.management.freshness import FreshnessOptions

AGES = {"fresh": 10.0, "ageing": 90.0, "stale": 120.0, "fall-back": 300.0, "dead": 700.0}
SOURCES = ("ok", "slow", "failing", "cancelled")
POLICY: dict[str, Any] = {
    "refresh_ahead": 0.8,
    "stale_while_revalidate": 50,
    "stale_if_error": 500,
    "stale_timeout": 2,
    "throttle": 30,
}
AT_ONCE = ("fresh", "ageing", "stale")


class OopsError(Exception):
    """What a failing source raises."""


class Table(ProviderCase):
    """Each state of a value with each way of its source."""

    __test__: ClassVar[bool] = False
    state: str
    way: str
    source: Source

    @pytest.fixture(autouse=True, params=[(state, way) for state in AGES for way in SOURCES], ids="-".join)
    def row(self, request: pytest.FixtureRequest) -> None:
        """Run the check for each row."""
        self.state, self.way = request.param

    def ask(self, source: Source | None = None) -> Any:  # noqa: ANN401  - whatever is cached
        """Ask for the value."""
        return self.cache.get_or_set("k", (source or self.source).load, 100, **POLICY)

    async def test_what_is_served(self) -> None:
        """A value is given at once until its windows are over; then its source decides, as far as it answers."""
        await self.ask(Source("old"))
        await self.pass_time(AGES[self.state])
        held = self.way in {"slow", "cancelled"}
        self.source = Source(OopsError() if self.way == "failing" else "new", held=held)
        if self.state in AT_ONCE:
            await self.served_at_once()
        elif self.way == "ok":
            assert await self.ask() == "new"
            assert await self.ask() == "new"
        elif self.way == "slow":
            await self.served_late()
        elif self.way == "failing":
            await self.served_by_nobody()
        else:
            await self.left_alone()

        assert self.source.loads == (self.state != "fresh")

    async def served_at_once(self) -> None:
        """The old value comes at once; what is loaded behind it, once, is there the next time."""
        assert await self.ask() == "old"
        await self.settle()
        if self.way != "ok":
            assert await self.ask() == "old"
            await self.settle()
        assert self.source.cancelled == 0
        self.source.open()
        await self.settle()

        assert await self.ask() == ("old" if self.state == "fresh" or self.way == "failing" else "new")

    async def served_late(self) -> None:
        """A caller waits as long as he must; the load goes on and is not begun again."""
        callers = [await self.waiting(self.ask()) for _ in range(3)]
        await self.pass_time(2.5)
        if self.state == "fall-back":
            assert [await caller for caller in callers] == ["old"] * 3
            callers = []
        self.source.open()
        await self.settle()

        assert [await caller for caller in callers] == ["new"] * len(callers)
        assert await self.ask() == "new"

    async def served_by_nobody(self) -> None:
        """A source that fails is left alone while there is something to give, and its error is raised otherwise."""
        if self.state == "dead":
            with pytest.raises(OopsError):
                await self.ask()
            return
        for _ in range(3):
            assert await self.ask() == "old"

    async def left_alone(self) -> None:
        """The last caller to leave ends the load, and who comes then begins another one."""
        caller = await self.waiting(self.ask())
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await self.settle()

        assert self.source.cancelled == 1
        assert await self.ask(Source("newer")) == "newer"


class InMany(Table):
    """The same rows by calls for several keys."""

    __test__: ClassVar[bool] = False

    def ask(self, source: Source | None = None) -> Any:  # noqa: ANN401  - as above
        """Ask for two values by one call, and give the one there is."""

        async def load_all(keys: list[str]) -> dict[str, object]:
            value: object = await (source or self.source).load()
            return {key: value for key in keys}  # noqa: C420  - type checkers are told of the values

        async def both() -> object:
            (value,) = set((await self.cache.get_or_set_multi(["k", "l"], load_all, 100, **POLICY)).values())
            return value

        return both()


class TestMemory(Table):
    """Tables of this process."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return memory_storage(clock=clock)


class TestMemoryInMany(InMany):
    """Tables of this process, several keys at once."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return memory_storage(clock=clock, shard_count=2)


class TestAwaited(Table):
    """A storage that has to be awaited."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return FaultyStorage(memory_storage(clock=clock), turns=True)


class TestAwaitedInMany(InMany):
    """A storage that has to be awaited, several keys at once."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return FaultyStorage(memory_storage(clock=clock), turns=True)


def layered(clock: FakeClock, below: Storage) -> Storage:
    """Put memory in front of a storage."""
    return LayeredStorage([Layer(memory_storage(clock=clock), "above", 30.0), Layer(below, "below", None)])


class TestLayered(Table):
    """Memory in front of another storage."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return layered(clock, FaultyStorage(memory_storage(clock=clock), turns=True))


class TestLayeredInMany(InMany):
    """Memory in front of another storage, several keys at once."""

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return layered(clock, FaultyStorage(memory_storage(clock=clock), turns=True))


class TestRedis(RedisCase, Table):
    """A real server."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)


class TestLayeredOverRedis(RedisCase, Table):
    """Memory in front of a real server."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)

    def storage(self, clock: FakeClock) -> Storage:
        """Give one."""
        return layered(clock, super().storage(clock))


class TestRedisInMany(RedisCase, InMany):
    """A real server, several keys at once."""

    @pytest.fixture(autouse=True)
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation."""
        self.installation = INSTALLATIONS["multiplexed"](request)


class TestByConfiguration(Table):
    """The same, said once for all calls."""

    async def provider(self, clock: FakeClock) -> Provider:
        """Give a provider with the policy."""
        return Provider(memory_storage(clock=clock), clock=clock, freshness=cast("FreshnessOptions", POLICY))

    def ask(self, source: Source | None = None) -> Any:  # noqa: ANN401  - as above
        """Ask for the value, and say nothing of freshness."""
        return self.cache.get_or_set("k", (source or self.source).load, 100)


class TestBetweenProcesses(RedisCase, ProviderCase):
    """Two providers on one server, as in two processes."""

    @pytest.fixture(autouse=True, params=["multiplexed", "layered"])
    def choose(self, request: pytest.FixtureRequest) -> None:
        """Take the plainest installation, by itself and with memory in front of it."""
        self.installation = INSTALLATIONS["multiplexed"](request)
        self.is_layered = request.param == "layered"

    async def set_up(self) -> None:
        """Make another provider."""
        await super().set_up()
        self.other = await self.provider(self.clock)
        for cache in (self.cache, self.other):  # before time is made to pass, which the server knows nothing of
            await cache.get("k")

    async def tear_down(self) -> None:
        """Close both."""
        await self.other.close()
        await super().tear_down()

    async def provider(self, clock: FakeClock) -> Provider:
        """Give one of the providers."""
        storage = RedisCase.storage(self, clock)
        if self.is_layered:
            storage = LayeredStorage([Layer(memory_storage(clock=clock), "above", 5.0), Layer(storage, "below", None)])
        return Provider(storage, clock=clock)

    async def test_one_refreshes(self) -> None:
        """An old value, or one that is ageing, is loaded anew by one process; all others go on giving it."""
        for age in (120.0, 90.0):
            await self.cache.get_or_set("k", Source("old").load, 100, **POLICY)
            await self.pass_time(age)
            source = Source("new", held=True)
            for cache in (self.cache, self.other, self.cache, self.other):
                assert await cache.get_or_set("k", source.load, 100, **POLICY) == "old"
                await self.settle()
            assert source.loads == 1
            source.open()
            await self.settle()
            await self.pass_time(6.0)

            assert await self.other.get("k") == "new"
            assert source.loads == 1
            await self.cache.delete("k")
            await self.pass_time(6.0)

    async def test_those_who_wait_take_what_was_loaded(self) -> None:
        """Two processes that have nothing but a fall-back load once."""
        await self.cache.get_or_set("k", Source("old").load, 100, **POLICY)
        await self.pass_time(300.0)
        source = Source("new", held=True)
        patient: dict[str, Any] = {**POLICY, "stale_timeout": None}
        callers = [
            await self.waiting(cache.get_or_set("k", source.load, 100, **patient)) for cache in (self.cache, self.other)
        ]
        source.open()
        await self.settle()
        await self.clock.advance(0.5)
        await self.settle()

        assert [await caller for caller in callers] == ["new"] * 2
        assert source.loads == 1
