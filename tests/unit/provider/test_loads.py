import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from aiocache_kit.errors import InvalidArgumentError, RecursiveLoadError, StorageUnavailableError
from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage


class Source:
    """A loader, of one or of many, that waits to be let go."""

    def __init__(self, *, without: str = "") -> None:
        self.go_on = asyncio.Event()
        self.asked: list[list[str]] = []
        self._without = without

    async def many(self, keys: list[str]) -> Mapping[str, str]:
        self.asked.append(keys)
        await self.go_on.wait()
        return {key: f"value of {key}" for key in [*keys, "unasked"] if key not in self._without}

    async def one(self, context: LoadContext) -> str:
        self.asked.append([context.key])
        await self.go_on.wait()
        return f"value of {context.key}"


async def begun(call: Any) -> asyncio.Task[Any]:  # noqa: ANN401  - of any type
    task = asyncio.create_task(call)
    for _ in range(2):
        await asyncio.sleep(0)
    return task


# --- one --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["not cacheable", "changed", "tag invalidated", "too large"])
async def test_what_may_not_be_stored_is_given_all_the_same(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Rule 1: those who wait get the value; the storage does not."""
    go_on = asyncio.Event()

    async def load(context: LoadContext) -> str:
        context.tags = ["t"]
        context.cacheable = how != "not cacheable"
        context.cost = 10**9 if how == "too large" else 1
        await go_on.wait()
        return "user:secret"

    async with Provider(memory_storage(max_size=10_000)) as cache:
        task = await begun(cache.get_or_set("k", load))
        if how == "changed":
            await cache.delete("k")
        elif how == "tag invalidated":
            await cache.invalidate_tags("t")
        go_on.set()

        assert await task == "user:secret"
        assert not await cache.exists("k")
        assert (await cache.stats()).errors == (how == "too large")
    assert len(caplog.messages) == (how == "too large")
    assert "secret" not in caplog.text


async def test_what_the_loader_decides_is_stored() -> None:
    """Ttl, tags and cost set by the loader are those of the item."""

    def load(context: LoadContext) -> int:
        assert (context.key, context.ttl, context.tags, context.cost) == ("k", 5.0, ("a",), 7)
        context.ttl, context.tags, context.cost = "1m", ("b", "c"), 9
        return 1

    async with Provider(memory_storage()) as root:
        cache = root.namespace("n")
        await cache.get_or_set("k", load, 5, tags=["a"], cost=7)
        item = await cache.get_item("k")

        assert (item.key, item.ttl, item.tags, item.cost) == ("k", 60.0, ("b", "c"), 9)


async def test_a_storage_that_refuses_costs_nobody_his_value(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the storage is counted and logged, once in a while, and the value given."""
    storage = FaultyStorage(memory_storage())
    async with Provider(storage) as cache:
        storage.fail(StorageUnavailableError("down"), of=["write", "write_multi"], times=None)
        with caplog.at_level(logging.WARNING):
            assert await cache.get_or_set("k", lambda: 5) == 5
            assert await cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 1)) == {"a": 1, "b": 1}

        assert (await cache.stats()).errors == 2
    assert caplog.messages == ["a loaded value was not stored: down"]


async def test_loads_are_counted() -> None:
    """Loads, those that failed, those who shared one, and the time that they took."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async with Provider(memory_storage(clock=FakeClock())) as cache:
        results = await asyncio.gather(*(cache.get_or_set("k", fail) for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in results] == [LookupError] * 3
        await cache.get_or_set("k", lambda: 1)
        await cache.get_or_set("k", lambda: 1)
        stats = await cache.stats()

        assert (stats.loads, stats.load_failures, stats.misses, stats.hits) == (2, 1, 4, 1)
        assert stats.load_time > 0.0


# --- many -------------------------------------------------------------------------------------------------------------


async def test_only_what_is_missing_is_loaded_and_in_order() -> None:
    """One call for the missing keys, each once; the answer is in the order asked for, without what was not found."""
    source = Source(without="d")
    source.go_on.set()
    async with Provider(memory_storage()) as cache:
        await cache.set("b", "there")
        found = await cache.get_or_set_multi(iter(["c", "b", "a", "d", "c"]), source.many)

        assert list(found.items()) == [("c", "value of c"), ("b", "there"), ("a", "value of a")]
        assert source.asked == [["c", "a", "d"]]
        assert not await cache.exists("unasked")
        assert not await cache.exists("d")


async def test_what_others_load_is_waited_for() -> None:
    """Keys under way, by a load of one or of many, are not loaded again."""
    first, second, single = Source(), Source(), Source()
    async with Provider(memory_storage()) as cache:
        tasks = [
            await begun(cache.get_or_set("a", single.one)),
            await begun(cache.get_or_set_multi(["b", "c"], first.many)),
            await begun(cache.get_or_set_multi(["a", "b", "d"], second.many)),
            await begun(cache.get_or_set("d", single.one)),
        ]
        assert (single.asked, first.asked, second.asked) == ([["a"]], [["b", "c"]], [["d"]])
        for source in (first, second, single):
            source.go_on.set()

        assert await tasks[2] == {key: f"value of {key}" for key in "abd"}
        assert await tasks[3] == "value of d"
        assert (await cache.stats()).coalesced == 3
        await asyncio.gather(*tasks)


async def test_what_others_did_not_find_is_loaded() -> None:
    """A key that the load joined did not find is asked for once more, by an own load."""
    first, second, single = Source(without="ab"), Source(), Source()
    async with Provider(memory_storage()) as cache:
        tasks = [
            await begun(cache.get_or_set_multi(["a", "b"], first.many)),
            await begun(cache.get_or_set_multi(["a", "c"], second.many)),
            await begun(cache.get_or_set("b", single.one)),
        ]
        for source in (first, second, single):
            source.go_on.set()

        assert await asyncio.gather(*tasks) == [{}, {"a": "value of a", "c": "value of c"}, "value of b"]
        assert second.asked == [["c"], ["a"]]


@pytest.mark.parametrize("given", [None, ["a"], [("a", 1)], "a", 5], ids=repr)
async def test_a_loader_of_many_gives_a_mapping(given: Any) -> None:  # noqa: ANN401  - what is none
    """Anything else is refused by its type, and nothing is stored."""
    async with Provider(memory_storage()) as cache:
        with pytest.raises(
            InvalidArgumentError, match=f"load_missing must give a mapping .* not {type(given).__name__}"
        ):
            await cache.get_or_set_multi(["a"], lambda _: given)

        assert (await cache.stats()).items == 0


async def test_a_key_changed_meanwhile_is_given_and_not_stored() -> None:
    """Of many, only the one that was changed is not stored."""
    source = Source()
    async with Provider(memory_storage()) as cache:
        task = await begun(cache.get_or_set_multi(["a", "b", "c"], source.many))
        await cache.set("a", "newer")
        await cache.delete("b")
        source.go_on.set()

        assert await task == {key: f"value of {key}" for key in "abc"}
        assert await cache.get_multi(["a", "b", "c"]) == {"a": "newer", "c": "value of c"}


async def test_a_load_of_many_that_asks_for_one_of_its_own() -> None:
    """It is told, and its other keys are free again."""
    async with Provider(memory_storage()) as cache:

        async def load(keys: list[str]) -> dict[str, object]:
            return {key: await cache.get_or_set_multi(["x", "b"], load) for key in keys}

        async with asyncio.timeout(5):
            with pytest.raises(RecursiveLoadError):
                await cache.get_or_set_multi(["a", "b"], load)
        assert await cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 1)) == {"a": 1, "b": 1}


async def test_no_keys_need_no_load() -> None:
    """Asking for nothing gives nothing, and calls nobody."""
    source = Source()
    async with Provider(memory_storage()) as cache:
        assert await cache.get_or_set_multi([], source.many) == {}
        assert await cache.refresh_multi([], source.many) == {}
        assert source.asked == []


async def test_loads_wait_for_who_holds_the_table() -> None:
    """A value loaded while somebody holds the table over awaits is stored when that is over, unless it was changed."""
    storage = memory_storage()

    async def load() -> str:
        await asyncio.sleep(0)
        return "loaded"

    async with Provider(storage) as cache:
        async with storage.tables[0].exclusive():
            loads = [await begun(cache.get_or_set(key, load)) for key in "ab"]
            for _ in range(5):
                await asyncio.sleep(0)
            assert not any(task.done() for task in loads)
            changing = await begun(cache.set("a", "newer"))
        await asyncio.gather(changing, *loads)

        assert await cache.get_multi(["a", "b"]) == {"a": "newer", "b": "loaded"}
