"""Checks of a provider: what is atomic."""

import asyncio
from typing import Any

from aiocache_kit.errors import (
    InvalidArgumentError,
    InvalidTTLError,
    NotFoundError,
    RecursiveLoadError,
    WrongTypeError,
)
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import ProviderCase


class OopsError(Exception):
    """What a user's function raises."""


class Conditions(ProviderCase):
    """add, replace, compare_and_set, pop, delete."""

    async def test_add_needs_absence(self) -> None:
        """An add is done where nothing is live, and leaves what is there as it is."""
        assert await self.cache.add("k", 1, 5) is True
        assert await self.cache.add("k", 2, 500) is self.kept(False, True)  # noqa: FBT003  - two values
        assert await self.holds("k", 1)
        await self.pass_time(6.0)

        assert await self.lacks("k")

    async def test_stored_none_is_not_absent(self) -> None:
        """A None under a key keeps an add out, and lets a replace in."""
        await self.cache.set("k", None)

        assert await self.cache.add("k", 1) is not self.stores
        assert await self.cache.replace("k", 2) is self.stores

    async def test_replace_needs_presence(self) -> None:
        """A replace is done where something is live, with a ttl and tags of its own."""
        assert await self.cache.replace("k", 1) is False
        assert await self.lacks("k")
        await self.cache.set("k", 1, 5, tags=["old"])
        assert await self.cache.replace("k", 2, 500, tags=["new"]) is self.stores
        await self.pass_time(6.0)
        await self.cache.invalidate_tags("old")
        assert await self.holds("k", 2)
        await self.cache.invalidate_tags("new")

        assert await self.lacks("k")

    async def test_compare_and_set_needs_the_version(self) -> None:
        """It is done over the version that was read, and over no other."""
        await self.cache.set("k", 1)
        version = await self.version("k")
        assert await self.cache.compare_and_set("k", 2, version + 1) is False
        assert await self.cache.compare_and_set("k", 2, version) is self.stores
        assert await self.cache.compare_and_set("k", 3, version) is False

        assert await self.holds("k", 2)

    async def test_compare_and_set_needs_presence(self) -> None:
        """Where nothing is, there is no version; zero is none either."""
        for version in (0, 1, -1, 2**62):
            assert await self.cache.compare_and_set("k", 1, version) is False

        assert await self.lacks("k")

    async def test_version_of_before_fits_no_more(self) -> None:
        """Deleting, clearing, loading or writing the same value again makes a version that was read before useless."""
        for change in ("delete", "clear", "set", "update", "expire", "pop"):
            await self.cache.set("k", 1)
            version = await self.version("k")
            match change:
                case "set":
                    pass
                case "update":
                    await self.cache.update("k", lambda old: old, default=1)
                case "clear":
                    await self.cache.clear()
                case _:
                    await getattr(self.cache, change)("k")
            await self.cache.set("k", 1)
            assert await self.cache.compare_and_set("k", 2, version) is False, change

    async def test_versions_must_be_ints(self) -> None:
        """A version that is no int is refused."""
        wrong: tuple[Any, ...] = (None, "1", 1.0, True)
        for version in wrong:
            await self.refuses(InvalidArgumentError, self.cache.compare_and_set("k", 1, version))

    async def test_one_of_many_adds_is_done(self) -> None:
        """Of a hundred adds at the same time, one is done, and its value is there."""
        done = await together(*(self.cache.add("k", number) for number in range(100)))

        assert sum(done) == self.kept(1, 100)
        assert await self.holds("k", done.index(True))

    async def test_one_of_many_compares_is_done(self) -> None:
        """Of a hundred writers over one version, one is done."""
        await self.cache.set("k", "old")
        version = await self.version("k")
        done = await together(*(self.cache.compare_and_set("k", number, version) for number in range(100)))

        assert sum(done) == self.kept(1, 0)
        assert await self.holds("k", self.kept(done.index(True) if any(done) else -1, -1))

    async def test_pop_gives_and_removes(self) -> None:
        """A pop gives the value, a None as well, and it is gone; the default where there is none."""
        values: tuple[object, ...] = (1, None, [])
        for value in values:
            await self.cache.set("k", value)
            assert await self.cache.pop("k", MISSING) == self.kept(value, MISSING)
            assert await self.lacks("k")

        assert await self.cache.pop("k") is None
        assert await self.cache.pop("k", 7) == 7

    async def test_one_of_many_pops_gets_it(self) -> None:
        """Of a hundred pops at the same time, one gets the value."""
        await self.cache.set("k", "v")
        got = await together(*(self.cache.pop("k") for _ in range(100)))

        assert [value for value in got if value is not None] == self.kept(["v"], [])

    async def test_delete_says_whether_there_was_one(self) -> None:
        """A delete is true for what was live, and false the second time."""
        await self.cache.set("k", 1)
        await self.cache.set("other", 2)

        assert await self.cache.delete("k") is self.stores
        assert await self.cache.delete("k") is False
        assert await self.lacks("k")
        assert await self.holds("other", 2)

    async def test_one_of_many_deletes_is_told(self) -> None:
        """Of a hundred deletes at the same time, one was it."""
        await self.cache.set("k", 1)

        assert sum(await together(*(self.cache.delete("k") for _ in range(100)))) == self.kept(1, 0)

    async def version(self, key: str) -> int:
        """Give the version of an item, any where the storage forgets all."""
        return (await self.cache.get_item(key)).version if self.stores else 1


class Counters(ProviderCase):
    """increment and decrement."""

    async def test_counter_counts(self) -> None:
        """Increments and decrements add up, from zero, and the sum can be read."""
        totals = [
            await self.cache.increment("k"),
            await self.cache.increment("k", 5),
            await self.cache.decrement("k"),
            await self.cache.decrement("k", 10),
            await self.cache.increment("k", -5),
            await self.cache.increment("k", 0),
        ]

        assert totals == self.kept([1, 6, 5, -5, -10, -10], [1, 5, -1, -10, -5, 0])
        assert await self.holds("k", -10)

    async def test_counter_begins_where_it_is_told(self) -> None:
        """A counter that is born begins with `initial`; one that is there does not."""
        assert await self.cache.increment("k", initial=100) == 101
        assert await self.cache.increment("k", initial=100) == self.kept(102, 101)
        assert await self.cache.decrement("j", 3, initial=10) == 7

    async def test_value_that_was_set_counts(self) -> None:
        """An int that was set is a counter."""
        await self.cache.set("k", 41)

        assert await self.cache.increment("k") == self.kept(42, 1)

    async def test_ttl_counts_from_birth(self) -> None:
        """The ttl is set when the counter is born, and no later increment moves its end."""
        await self.cache.increment("k", ttl=1)
        for _ in range(3):
            await self.pass_time(0.25)
            await self.cache.increment("k", ttl=100)
        assert await self.holds("k", 4)
        await self.pass_time(0.5)
        assert await self.lacks("k") or not self.stores

        assert await self.cache.increment("k") == 1

    async def test_only_ints_count(self) -> None:
        """What is no int, a bool included, is a WrongTypeError and stays as it is."""
        for value in ("1", 1.0, True, None, [1]):
            await self.cache.set("k", value)
            if self.stores:
                await self.refuses(WrongTypeError, self.cache.increment("k"), self.cache.decrement("k"))
            assert await self.holds("k", value)

    async def test_steps_must_be_ints(self) -> None:
        """A delta or a beginning that is no int is refused, and no counter is born."""
        wrong: Any
        for wrong in (None, "1", 1.0, True):
            await self.refuses(
                InvalidArgumentError,
                self.cache.increment("k", wrong),
                self.cache.decrement("k", wrong),
                self.cache.increment("k", initial=wrong),
            )

        assert await self.lacks("k")

    async def test_no_increment_is_lost(self) -> None:
        """Of hundreds of increments at the same time each gives another total."""
        totals = await together(*(self.cache.increment("k") for _ in range(300)))

        assert set(totals) == self.kept(set(range(1, 301)), {1})


class Updates(ProviderCase):
    """update."""

    async def test_update_makes_a_new_value_of_the_old(self) -> None:
        """The function gets the value and gives the new one, which is stored and given."""
        await self.cache.set("k", 20)

        assert await self.cache.update("k", lambda old: old * 2 + 1, default=0) == self.kept(41, 1)
        assert await self.holds("k", 41)

    async def test_update_takes_coroutine_functions(self) -> None:
        """The function may have to wait for something."""

        async def add(old: list[int]) -> list[int]:
            await asyncio.sleep(0)
            return [*old, 1]

        await self.cache.update("k", add, default=[])
        await self.cache.update("k", add, default=[])

        assert await self.holds("k", [1, 1])

    async def test_update_needs_a_value_or_a_default(self) -> None:
        """Where nothing is live, the default is what the function gets; without one it is a NotFoundError."""
        with raises(NotFoundError) as caught:
            await self.cache.update("k", lambda old: old)
        assert caught.error.key == "k"
        assert await self.lacks("k")

        assert await self.cache.update("k", lambda old: [old], default=None) == [None]

    async def test_update_gives_its_ttl(self) -> None:
        """The new value lives for the ttl of the update."""
        await self.cache.set("k", 1, 1)
        await self.cache.update("k", lambda _: 2, 10, default=0)
        await self.pass_time(5.0)
        assert await self.holds("k", 2)
        await self.pass_time(6.0)

        assert await self.lacks("k")

    async def test_update_keeps_tags_and_cost(self) -> None:
        """Tags and cost stay, so that the new value is invalidated as the old one was."""
        await self.cache.set("k", 1, tags=["t"], cost=7)
        await self.cache.update("k", lambda _: 2, default=0)
        assert not self.stores or (await self.cache.get_item("k")).cost == 7
        await self.cache.invalidate_tags("t")

        assert await self.lacks("k") or not self.stores

    async def test_update_that_fails_changes_nothing(self) -> None:
        """What the function raises comes out unchanged, and the value stays; so it does when the call is cancelled."""
        error = OopsError()

        async def fail(_: object) -> object:
            await asyncio.sleep(0)
            raise error

        await self.cache.set("k", 1)
        with raises(OopsError) as caught:
            await self.cache.update("k", fail, default=0)
        hang = await self.waiting(self.cache.update("k", lambda _: asyncio.Event().wait(), default=0))
        hang.cancel()
        await outcomes([hang])

        assert caught.error is error
        assert await self.holds("k", 1)
        assert await self.cache.update("k", lambda _: 2, default=0) == 2

    async def test_no_update_is_lost(self) -> None:
        """A hundred updates at the same time, with waiting in the middle, all count, and none runs twice."""
        calls = 0

        async def add(old: int) -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            return old + 1

        totals = await together(*(self.cache.update("k", add, default=0) for _ in range(100)))

        assert set(totals) == self.kept(set(range(1, 101)), {1})
        assert calls == 100

    async def test_update_runs_again_when_somebody_was_faster(self) -> None:
        """Whatever changes the key in the middle of an update, the update is made of the newest value."""
        seen: list[object] = []

        async def interfere(old: object) -> object:
            seen.append(old)
            if len(seen) == 1:
                await self.cache.set("k", "new")
            return ["updated", old]

        await self.cache.set("k", "old")
        result = await self.cache.update("k", interfere, default="default")

        assert seen == self.kept(["old", "new"], ["default"])
        assert result == self.kept(["updated", "new"], ["updated", "default"])

    async def test_update_runs_again_when_the_value_went_away(self) -> None:
        """A value that is deleted in the middle of an update is not brought back."""
        seen: list[object] = []

        async def interfere(old: object) -> object:
            seen.append(old)
            if len(seen) == 1:
                await self.cache.delete("k")
            return "updated"

        await self.cache.set("k", "old")
        await self.cache.update("k", interfere, default="default")

        assert seen == self.kept(["old", "default"], ["default"])

    async def test_update_of_the_same_key_inside_is_told(self) -> None:
        """A function that updates its own key, directly or by a task, gets a RecursiveLoadError instead of hanging."""
        for by_task in (False, True):

            async def again(_: object, by_task: bool = by_task) -> object:  # noqa: FBT001  - bound for this turn
                inner = self.cache.update("k", lambda _: 1, default=0)
                return await (self.start(inner) if by_task else inner)

            await self.refuses(RecursiveLoadError, self.cache.update("k", again, default=0))

        assert await self.lacks("k")

    async def test_update_of_another_key_inside_is_fine(self) -> None:
        """Updates of different keys may be nested."""
        result = await self.cache.update(
            "a", lambda _: self.cache.update("b", lambda _: "inner", default=0), default="outer"
        )

        assert result == "inner"
        assert await self.holds("b", "inner")

    async def test_updates_that_cross_end(self) -> None:
        """Two updates that each update the other's key both end, and none is lost."""
        started = {"a": asyncio.Event(), "b": asyncio.Event()}

        async def cross(mine: str, other: str, old: int) -> int:
            started[mine].set()
            await started[other].wait()
            await self.cache.update(other, lambda value: value + 1, default=0)
            return old + 10

        await together(
            self.cache.update("a", lambda old: cross("a", "b", old), default=0),
            self.cache.update("b", lambda old: cross("b", "a", old), default=0),
        )

        assert await self.cache.get("a", 0) % 10 >= self.kept(1, 0)
        assert await self.cache.get("b", 0) >= self.kept(10, 0)

    async def test_task_that_outlives_its_update_may_update(self) -> None:
        """A task that was started by the function and goes on after the update is no part of it."""
        go = asyncio.Event()
        tasks: list[asyncio.Task[object]] = []

        async def later() -> object:
            await go.wait()
            return await self.cache.update("k", lambda old: old + 1, default=0)

        def begin(old: int) -> int:
            tasks.append(self.start(later()))
            return old + 1

        await self.cache.update("k", begin, default=0)
        go.set()

        assert await tasks[0] == self.kept(2, 1)

    async def test_functions_must_be_callable(self) -> None:
        """What cannot be called is refused before anything is looked up."""
        wrong: Any
        for wrong in (None, 5, "fn"):
            await self.refuses(InvalidArgumentError, self.cache.update("k", wrong, default=0))
        await self.refuses(InvalidTTLError, self.cache.update("k", lambda old: old, -1, default=0))
