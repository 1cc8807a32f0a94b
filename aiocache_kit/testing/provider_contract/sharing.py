"""Checks of a provider: concurrent callers share one load."""

import asyncio
from typing import Any

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.testing.contract import outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source, one

MANY = 1000


class OopsError(Exception):
    """What a loader raises."""


class Sharing(ProviderCase):
    """One load a key."""

    async def test_many_callers_share_one_load(self) -> None:
        """A thousand callers of a missing key wait for one load, and all get its value."""
        source = Source("v", held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(MANY)]
        await self.settle()
        source.open()

        assert set(await asyncio.gather(*tasks)) == {"v"}
        assert source.loads == 1

    async def test_many_callers_share_one_error(self) -> None:
        """If the load raises, all get the same exception, the loader ran once, and nothing is remembered."""
        error = OopsError()
        source = Source(error, held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(MANY)]
        await self.settle()
        source.open()

        assert all(result is error for result in await outcomes(tasks))
        assert source.loads == 1
        assert await self.cache.get_or_set("k", one) == 1

    async def test_many_callers_share_one_none(self) -> None:
        """A load that gives None is shared like any other."""
        source = Source(None, held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(MANY)]
        await self.settle()
        source.open()

        assert set(await asyncio.gather(*tasks)) == {None}
        assert source.loads == 1

    async def test_first_caller_may_leave(self) -> None:
        """The caller that began the load is cancelled, and the others get the value of that one load."""
        source = Source("v", held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(MANY)]
        await self.settle()
        tasks[0].cancel()
        await self.settle()
        source.open()
        results = await outcomes(tasks)

        assert isinstance(results[0], asyncio.CancelledError)
        assert set(results[1:]) == {"v"}
        assert (source.loads, source.cancelled) == (1, 0)

    async def test_all_but_one_may_leave(self) -> None:
        """As long as one waits, whichever that is, the load goes on."""
        for staying in (0, 1, 9):
            source = Source("v", held=True)
            tasks = [self.start(self.cache.get_or_set(f"k{staying}", source.load)) for _ in range(10)]
            await self.settle()
            for number, task in enumerate(tasks):
                if number != staying:
                    task.cancel()
                    await self.settle()
            source.open()
            assert await tasks[staying] == "v"
            await outcomes(tasks)
            assert (source.loads, source.cancelled) == (1, 0)

    async def test_last_caller_to_leave_ends_the_load(self) -> None:
        """When all have been cancelled, at once or one by one, the load is cancelled, and nothing is stored."""
        for at_once in (True, False):
            source = Source("v", held=True)
            tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(10)]
            await self.settle()
            for task in tasks:
                task.cancel()
                if not at_once:
                    await self.settle()
            await outcomes(tasks)
            await self.settle()
            assert (source.loads, source.cancelled) == (1, 1)
            assert await self.lacks("k")

    async def test_caller_after_the_last_one_left_loads_anew(self) -> None:
        """A load that everybody has left and that takes its time to end is not joined."""
        leaving = asyncio.Event()

        async def slow_to_leave() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                await leaving.wait()
            return "old"

        task = await self.waiting(self.cache.get_or_set("k", slow_to_leave))
        task.cancel()
        await self.settle()
        assert await self.cache.get_or_set("k", one) == 1
        leaving.set()
        await outcomes([task])
        await self.settle()

        assert await self.holds("k", 1)

    async def test_load_that_defies_its_end_stores_nothing_newer(self) -> None:
        """A loader that swallows its cancellation does not overwrite what was loaded after it."""
        leaving = asyncio.Event()

        async def stubborn() -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await leaving.wait()
            return "old"

        task = await self.waiting(self.cache.get_or_set("k", stubborn))
        task.cancel()
        await self.settle()
        await self.cache.get_or_set("k", one)
        leaving.set()
        await outcomes([task])
        await self.settle()

        assert await self.holds("k", 1)

    async def test_caller_that_is_cancelled_at_once_leaves_nothing(self) -> None:
        """A caller that is cancelled before or right after its first step disturbs nobody."""
        for turns in range(5):
            source = Source("v", held=True)
            task = self.start(self.cache.get_or_set("k", source.load))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await outcomes([task])
            await self.settle()
            assert source.loads == source.cancelled

        assert await self.cache.get_or_set("k", one) == 1

    async def test_what_a_cancelled_load_waits_for_is_cancelled(self) -> None:
        """Cancelling the last caller right away cancels what the loader has begun to wait for, as without a cache."""
        for turns in range(4):
            ended: list[str] = []

            async def part(name: str, ended: list[str] = ended) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(name)

            async def load(part: Any = part) -> None:  # noqa: ANN401  - the function above, bound for this turn
                await asyncio.gather(part("a"), part("b"))

            task = self.start(self.cache.get_or_set("k", load))
            await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await outcomes([task])
            await self.settle()
            assert len(ended) in (0, 2)
            assert len(asyncio.all_tasks()) <= len({asyncio.current_task()}) + self.tasks_of_its_own()

    def tasks_of_its_own(self) -> int:
        """Give the number of tasks that belong to the provider, and not to a call."""
        return sum("aiocache_kit" in task.get_name() for task in asyncio.all_tasks())

    async def test_different_keys_are_loaded_side_by_side(self) -> None:
        """A load that takes long keeps no other key waiting."""
        slow = Source("slow", held=True)
        task = await self.waiting(self.cache.get_or_set("slow", slow.load))

        assert await self.cache.get_or_set("fast", one) == 1
        slow.open()
        assert await task == "slow"

    async def test_reading_does_not_wait_for_a_load(self) -> None:
        """While a key is loaded, a plain read is a miss at once."""
        source = Source("v", held=True)
        task = await self.waiting(self.cache.get_or_set("k", source.load))
        assert await self.lacks("k")
        source.open()

        assert await task == "v"
        assert await self.holds("k", "v")

    async def test_loads_are_counted(self) -> None:
        """Loads, failures and callers that shared a load are in the statistics."""
        source = Source("v", held=True)
        tasks = [self.start(self.cache.get_or_set("k", source.load)) for _ in range(5)]
        await self.settle()
        source.open()
        await asyncio.gather(*tasks)
        for _ in range(2):
            with raises(OopsError):
                await self.cache.get_or_set("j", Source(OopsError()).load)
        stats = await self.cache.stats()

        assert (stats.loads, stats.load_failures, stats.coalesced) == (3, 2, 4)
        assert stats.misses == 7
        assert stats.load_time >= 0.0

    async def test_sync_loader_is_shared(self) -> None:
        """A loader in a thread runs once for all."""
        calls: list[int] = []

        def load() -> int:
            calls.append(1)
            return 5

        assert await together(*(self.cache.get_or_set("k", load) for _ in range(50))) == [5] * 50
        assert len(calls) == 1 or not self.stores

    async def test_refresh_loads_what_is_there(self) -> None:
        """A refresh loads whether or not a value is live; readers get the old one until the new one is there."""
        source = Source("new", held=True)
        await self.cache.set("k", "old")
        task = await self.waiting(self.cache.refresh("k", source.load))
        assert await self.holds("k", "old")
        source.open()

        assert await task == "new"
        assert await self.holds("k", "new")
        assert await self.cache.refresh("missing", one) == 1

    async def test_refresh_that_fails_leaves_the_old_value(self) -> None:
        """What the loader raises comes out, and what was there stays."""
        await self.cache.set("k", "old")
        with raises(OopsError):
            await self.cache.refresh("k", Source(OopsError()).load)

        assert await self.holds("k", "old")


class SharingMany(ProviderCase):
    """get_or_set_multi."""

    async def test_one_call_loads_all_that_miss(self) -> None:
        """What is there is not asked for; the rest is asked for once, in order, and the answer is in order too."""
        asked: list[list[str]] = []

        async def load(keys: list[str]) -> dict[str, str]:
            asked.append(keys)
            return {key: key.upper() for key in reversed(keys)}

        await self.cache.set("b", "there")
        found = await self.cache.get_or_set_multi(["c", "b", "a", "c"], load)

        assert asked == self.kept([["c", "a"]], [["c", "b", "a"]])
        assert list(found.items()) == [("c", "C"), ("b", self.kept("there", "B")), ("a", "A")]
        assert await self.cache.get_or_set_multi(["a", "b", "c"], load) == found
        assert len(asked) == self.kept(1, 2)

    async def test_what_is_not_found_is_left_out(self) -> None:
        """Keys that the loader leaves out are left out, and asked for again the next time; None is a find."""
        asked: list[list[str]] = []

        async def load(keys: list[str]) -> dict[str, None]:
            asked.append(keys)
            return {"b": None} if "b" in keys else {}

        for _ in range(2):
            assert await self.cache.get_or_set_multi(["a", "b"], load) == {"b": None}

        assert asked == self.kept([["a", "b"], ["a"]], [["a", "b"], ["a", "b"]])

    async def test_what_was_not_asked_for_is_ignored(self) -> None:
        """Keys that the loader gives without having been asked are neither given nor stored."""
        assert await self.cache.get_or_set_multi(["a"], lambda _: {"a": 1, "b": 2}) == {"a": 1}
        assert await self.found() == self.those(["a"])

    async def test_values_have_ttl_and_tags(self) -> None:
        """All values that are loaded get what the caller says."""
        await self.cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 1), 5, tags=["t"])
        await self.cache.get_or_set_multi(["c"], lambda keys: dict.fromkeys(keys, 1), 500, tags=["t"])
        await self.pass_time(6.0)
        assert await self.found() == self.those(["c"])
        await self.cache.invalidate_tags("t")

        assert await self.found() == set()

    async def test_loader_must_give_a_mapping(self) -> None:
        """Anything else is an error that says so, and nothing is stored."""
        wrong: tuple[Any, ...] = (list, ",".join, one_for_many)
        for loader in wrong:
            await self.refuses(InvalidArgumentError, self.cache.get_or_set_multi(["k"], loader))

        assert await self.lacks("k")

    async def test_error_of_the_loader_comes_out_unchanged(self) -> None:
        """The very exception is raised, and nothing is stored of what was missing."""
        error = OopsError()

        async def load(keys: list[str]) -> dict[str, int]:
            del keys
            raise error

        await self.cache.set("a", 1)
        with raises(OopsError) as caught:
            await self.cache.get_or_set_multi(["a", "b"], load)

        assert caught.error is error
        assert await self.found() == self.those(["a"])

    async def test_each_key_is_loaded_once(self) -> None:
        """Callers whose keys overlap, while all of it is loading, load each key once between them."""
        asked: list[str] = []
        go = asyncio.Event()

        async def load(keys: list[str]) -> dict[str, str]:
            asked.extend(keys)
            await go.wait()
            return {key: key.upper() for key in keys}

        wanted = [[f"k{number}", f"k{number + 1}", f"k{number + 2}"] for number in range(50)]
        tasks = [self.start(self.cache.get_or_set_multi(keys, load)) for keys in wanted]
        await self.settle()
        go.set()
        results = await asyncio.gather(*tasks)

        assert all(result == {key: key.upper() for key in keys} for result, keys in zip(results, wanted, strict=True))
        assert set(asked) == {f"k{number}" for number in range(52)}
        assert len(asked) == 52

    async def test_single_and_several_share(self) -> None:
        """A call for one key joins a load of several that holds it, and the other way round."""
        single, several = Source("single", held=True), Source({"b": "several"}, held=True)
        alone = await self.waiting(self.cache.get_or_set("a", single.load))
        both = await self.waiting(self.cache.get_or_set_multi(["a", "b"], several.load_all))
        joined: asyncio.Task[object] = await self.waiting(self.cache.get_or_set("b", one))
        several.open()
        single.open()

        assert await both == {"a": "single", "b": "several"}
        assert await alone == "single"
        assert await joined == "several"
        assert (single.loads, several.loads) == (1, 1)

    async def test_key_that_the_other_did_not_find_is_loaded(self) -> None:
        """A caller that joined a load which did not find its key loads it."""
        source = Source({}, held=True)
        several = await self.waiting(self.cache.get_or_set_multi(["a", "b"], source.load_all))
        single = await self.waiting(self.cache.get_or_set("a", one))
        more = await self.waiting(self.cache.get_or_set_multi(["b", "c"], lambda keys: dict.fromkeys(keys, 2)))
        source.open()

        assert await several == {}
        assert await single == 1
        assert await more == {"b": 2, "c": 2}

    async def test_one_of_them_may_leave(self) -> None:
        """A caller of several keys that is cancelled leaves those who joined untouched; the last one ends the load."""
        source = Source({"a": 1, "b": 2}, held=True)
        several = await self.waiting(self.cache.get_or_set_multi(["a", "b"], source.load_all))
        single = await self.waiting(self.cache.get_or_set("a", one))
        several.cancel()
        await self.settle()
        source.open()
        assert await single == 1
        await outcomes([several])
        assert (source.loads, source.cancelled) == (1, 0)

        last = Source(held=True)
        task = await self.waiting(self.cache.get_or_set_multi(["x", "y"], last.load_all))
        task.cancel()
        await outcomes([task])
        await self.settle()
        assert last.cancelled == 1

    async def test_caller_of_several_loads_leaves_all(self) -> None:
        """A caller that waits for its own load and for others, cancelled at any moment, leaves none to run alone."""
        for turns in range(4):
            other, own = Source("v", held=True), Source({}, held=True)
            staying = await self.waiting(self.cache.get_or_set(f"a{turns}", other.load))
            task = self.start(self.cache.get_or_set_multi([f"a{turns}", f"b{turns}"], own.load_all))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await outcomes([task])
            await self.settle()
            assert own.loads == own.cancelled
            other.open()
            assert await staying == "v"


async def one_for_many(keys: list[str]) -> int:
    """Give what is no mapping."""
    return len(keys)
