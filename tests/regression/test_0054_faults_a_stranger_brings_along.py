"""Functions of users, and counters, could hold the event loop, undo a bound, or keep frames alive."""

import asyncio
import gc
import weakref
from typing import Any

import pytest

from aiocache_kit import Config, InvalidArgumentError, MemoryConfig, ValueTooLargeError, new_provider
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock


class Large:
    """Something that a loader holds while it runs."""


async def test_an_update_that_changes_its_own_key_lets_others_run() -> None:
    """A function that sets the key which it is to update is tried again and again, and can be cancelled."""
    async with Provider(memory_storage()) as cache:

        async def change(number: int) -> int:
            await cache.set("key", number + 1)
            return number

        updating = asyncio.create_task(cache.update("key", change, default=0))
        for _ in range(10):
            await asyncio.sleep(0)
        updating.cancel()
        await asyncio.wait([updating])

        assert updating.cancelled()
        assert await cache.update("key", lambda _: "done") == "done"


@pytest.mark.parametrize("given", [-5, None, 1.5, "5"])
async def test_a_sizer_that_gives_no_size_is_told(given: object) -> None:
    """What a sizer gives that is no number of bytes is refused: a negative one would make room without end."""

    def sizer(key: str, value: object) -> Any:  # noqa: ANN401  - as somebody without types has it
        del key, value
        return given

    memory = MemoryConfig(sizer=sizer)
    async with new_provider(Config(max_size=100, memory_config=memory)) as cache:
        with pytest.raises(InvalidArgumentError, match="sizer"):
            await cache.set("key", 1)

        assert not await cache.exists("key")


async def test_a_counter_counts_against_the_bound_as_it_grows() -> None:
    """A counter is weighed anew at each increment; one that outgrows the bound is refused, and stays as it was."""
    async with new_provider(Config(max_size=2000)) as cache:
        await cache.set("old", "text" * 100)
        await cache.increment("key")
        before = (await cache.stats()).size
        await cache.increment("key", 10**1000)
        after = (await cache.stats()).size
        assert before + 300 < after <= 2000
        await cache.increment("key", 10**2500)
        assert (await cache.stats()).size <= 2000
        assert not await cache.exists("old")

        with pytest.raises(ValueTooLargeError):
            await cache.increment("key", 10**20_000)
        assert await cache.get("key") == 1 + 10**1000 + 10**2500


async def test_an_error_that_is_remembered_keeps_no_frames_of_its_causes() -> None:
    """What a loader held is let go by the next round of tidying, whatever error its error came from."""
    clock = FakeClock()
    held: list[weakref.ref[Large]] = []

    async def load() -> object:
        large = Large()
        held.append(weakref.ref(large))
        try:
            return dict[str, int]()["key"]
        except KeyError as error:
            raise ConnectionError from error

    async with Provider(memory_storage(), clock=clock) as cache:
        with pytest.raises(ConnectionError):
            await cache.get_or_set("key", load, negative_ttl=100)
        await clock.advance(2)
        gc.collect()

        assert held[0]() is None
        with pytest.raises(ConnectionError):
            await cache.get_or_set("key", load, negative_ttl=100)
        assert len(held) == 1
