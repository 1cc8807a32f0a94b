"""Checks of a provider: an explicit change beats a load under way."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import outcomes
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source, one

Change: TypeAlias = Callable[[Provider], Awaitable[object]]

CHANGES: dict[str, tuple[Change, Any]] = {
    "set": (lambda cache: cache.set("k", "new"), "new"),
    "set_multi": (lambda cache: cache.set_multi({"k": "new", "j": 1}), "new"),
    "add": (lambda cache: cache.add("k", "new"), "new"),
    "update": (lambda cache: cache.update("k", lambda _: "new", default=0), "new"),
    "increment": (lambda cache: cache.increment("k", 5), 5),
    "decrement": (lambda cache: cache.decrement("k", 5), -5),
    "delete": (lambda cache: cache.delete("k"), MISSING),
    "delete_multi": (lambda cache: cache.delete_multi(["j", "k"]), MISSING),
    "expire": (lambda cache: cache.expire("k"), MISSING),
    "clear": (lambda cache: cache.clear(), MISSING),
    "invalidate_prefix": (lambda cache: cache.invalidate_prefix("k"), MISSING),
    "invalidate_tags": (lambda cache: cache.invalidate_tags("x", "t"), MISSING),
}
"""Each change of the key "k", whose value will have the tag "t", with what is there after it."""

NO_CHANGES: dict[str, Change] = {
    "set another": lambda cache: cache.set("kk", "new"),
    "delete another": lambda cache: cache.delete("K"),
    "clear elsewhere": lambda cache: cache.namespace("k").clear(),
    "prefix elsewhere": lambda cache: cache.invalidate_prefix("kk"),
    "tags elsewhere": lambda cache: cache.invalidate_tags("T", "k"),
    "tags of a namespace": lambda cache: cache.namespace("k").invalidate_tags("t"),
    "pop of nothing": lambda cache: cache.pop("k"),
    "touch of nothing": lambda cache: cache.touch("k", 5),
    "read": lambda cache: cache.get_multi(["k", "j"]),
}
"""What changes nothing of the key "k", or finds nothing to change."""


class Changes(ProviderCase):
    """Changes while loads are under way."""

    async def test_change_beats_a_load(self) -> None:
        """Who waits for the load gets its value, but what is there after the change stays."""
        for name, (change, left) in CHANGES.items():
            await self.cache.clear()
            source = Source("loaded", held=True)
            task = await self.waiting(self.cache.get_or_set("k", source.load, tags=["t"]))
            await change(self.cache)
            source.open()
            assert await task == "loaded", name
            assert await self.cache.get("k", MISSING) == self.kept(left, MISSING), name

    async def test_caller_after_a_change_loads_anew(self) -> None:
        """Who comes after a change that left nothing does not join the older load, and gets the newer value."""
        for name, (change, left) in CHANGES.items():
            if left is not MISSING:
                continue
            await self.cache.clear()
            source, newer = Source("older", held=True), Source("newer", held=True)
            before = await self.waiting(self.cache.get_or_set("k", source.load, tags=["t"]))
            await change(self.cache)
            after = await self.waiting(self.cache.get_or_set("k", newer.load, tags=["t"]))
            assert newer.loads == 1, name
            newer.open()
            assert await after == "newer", name
            source.open()
            assert await before == "older", name
            assert await self.holds("k", "newer"), name

    async def test_older_load_that_ends_first_stores_nothing(self) -> None:
        """Where the older load ends before the newer one, it is the newer one that is stored in the end."""
        source, newer = Source("older", held=True), Source("newer", held=True)
        before = await self.waiting(self.cache.get_or_set("k", source.load))
        await self.cache.delete("k")
        after = await self.waiting(self.cache.get_or_set("k", newer.load))
        source.open()
        assert await before == "older"
        assert await self.lacks("k")
        newer.open()

        assert await after == "newer"
        assert await self.holds("k", "newer")

    async def test_change_beats_a_load_of_several(self) -> None:
        """Only the key that was changed is not stored; the others of the same load are."""
        for name, (change, left) in CHANGES.items():
            if name in {"clear", "invalidate_tags"}:
                continue
            await self.cache.clear()
            source = Source({"k": "loaded", "other": "loaded"}, held=True)
            task = await self.waiting(self.cache.get_or_set_multi(["k", "other"], source.load_all))
            await change(self.cache)
            source.open()
            assert await task == {"k": "loaded", "other": "loaded"}, name
            assert await self.cache.get("k", MISSING) == self.kept(left, MISSING), name
            assert await self.holds("other", "loaded"), name

    async def test_change_beats_a_refresh(self) -> None:
        """The same where a value is there and is being refreshed; a pop and a replace are changes then, too."""
        more: dict[str, tuple[Change, Any]] = {
            "pop": (lambda cache: cache.pop("k"), MISSING),
            "replace": (lambda cache: cache.replace("k", "new"), "new"),
        }
        for name, (change, left) in (CHANGES | more).items():
            if not self.stores or name == "add":
                continue
            await self.cache.set("k", 0, tags=["t"])
            source = Source("loaded", held=True)
            task = await self.waiting(self.cache.refresh("k", source.load, tags=["t"]))
            await change(self.cache)
            source.open()
            assert await task == "loaded", name
            assert await self.cache.get("k", MISSING) == left, name

    async def test_what_is_no_change_leaves_the_load_alone(self) -> None:
        """What happens to other keys, namespaces and tags, or changes nothing, does not keep a load from storing."""
        for name, happening in NO_CHANGES.items():
            await self.cache.clear()
            source = Source("loaded", held=True)
            task = await self.waiting(self.cache.get_or_set("k", source.load, tags=["t"]))
            await happening(self.cache)
            joined: asyncio.Task[object] = await self.waiting(self.cache.get_or_set("k", one))
            source.open()
            assert await task == await joined == "loaded", name
            assert await self.holds("k", "loaded"), name

    async def test_tag_that_the_loader_chooses_counts(self) -> None:
        """A tag that only the loader knows of keeps the value from being stored, if it was invalidated meanwhile."""
        go = asyncio.Event()

        async def load(context: LoadContext) -> str:
            await go.wait()
            context.tags = ["late"]
            return "loaded"

        task = await self.waiting(self.cache.get_or_set("k", load, tags=["early"]))
        await self.cache.invalidate_tags("late")
        go.set()

        assert await task == "loaded"
        assert await self.lacks("k")

    async def test_invalidation_before_a_load_is_over(self) -> None:
        """A load that begins after an invalidation stores its value."""
        await self.cache.invalidate_tags("t")
        await self.cache.get_or_set("k", one, tags=["t"])

        assert await self.holds("k", 1)

    async def test_change_by_the_loader_itself_counts(self) -> None:
        """A loader that sets its own key has the last word by that, and nothing hangs."""

        async def load() -> str:
            await self.cache.set("k", "set by the loader")
            return "loaded"

        assert await self.cache.get_or_set("k", load) == "loaded"
        assert await self.holds("k", "set by the loader")

    async def test_many_changes_and_loads_end(self) -> None:
        """Changes and loads of one key in any order all end, and the last change holds."""
        tasks: list[asyncio.Task[Any]] = []
        for number in range(100):
            source = Source(f"loaded {number}", held=bool(number % 3))
            tasks.append(self.start(self.cache.get_or_set("k", source.load)))
            await asyncio.sleep(0)
            if number % 2:
                tasks.append(self.start(self.cache.delete("k")))
            source.open()
        await asyncio.gather(*tasks)
        await self.cache.set("k", "last")

        assert await self.holds("k", "last")

    async def test_cancelled_change_leaves_all_in_order(self) -> None:
        """A change that is cancelled, at once or a little later, during a load leaves old or new, and the load ends."""
        for turns in range(4):
            source = Source("loaded", held=True)
            task = await self.waiting(self.cache.get_or_set("k", source.load))
            change = self.start(self.cache.set("k", "new"))
            for _ in range(turns):
                await asyncio.sleep(0)
            change.cancel()
            await outcomes([change])
            source.open()
            assert await task == "loaded"
            assert await self.cache.get("k", MISSING) in ("loaded", "new", MISSING)
            await self.cache.set("k", "newest")
            assert await self.holds("k", "newest")
            await self.cache.delete("k")
