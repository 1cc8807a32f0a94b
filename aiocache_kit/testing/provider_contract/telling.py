"""Checks of a provider: what a loader is told of the value that it replaces, and may say of the new one."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.provider import LoadContext
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase


class Telling(ProviderCase):
    """The context of a load."""

    async def _keep_old(self, **policy: Any) -> None:  # noqa: ANN401  - any option
        """Keep an old value with a ttl of ten seconds."""
        await self.cache.get_or_set("k", _old, 10, **policy)

    async def test_loader_may_keep_the_old_value(self) -> None:
        """A loader is told what is there, and may say that it is still true: it lives for another ttl then."""
        told: list[object] = []

        async def load(context: LoadContext) -> object:
            told.append(context.stale_value)
            return context.not_modified()

        with raises(InvalidArgumentError):
            await self.cache.get_or_set("k", load, 10, stale_if_error=60)
        if not self.stores:
            return
        await self._keep_old(stale_if_error=60)
        await self.pass_time(20.0)
        assert await self.cache.get_or_set("k", load, 10, stale_if_error=60) == "old"

        assert await self.holds("k", "old")
        assert told[1:] == ["old"]

    async def test_what_the_source_says_is_kept_with_the_value(self) -> None:
        """A later load is told what the last one said of its source, and keeps it with a value that is still true."""
        told: list[tuple[object, str | None, str | None]] = []
        says: list[Callable[[LoadContext], object]] = []

        def load(context: LoadContext) -> object:
            told.append((context.stale_value, context.etag, context.last_modified))
            return says.pop(0)(context)

        def first(context: LoadContext) -> str:
            context.etag, context.last_modified = '"1"', "Tuesday"
            return "one"

        def second(context: LoadContext) -> str:
            context.etag = '"2"'
            return "two"

        def third(context: LoadContext) -> str:
            del context
            return "three"

        says += [first, LoadContext.not_modified, LoadContext.not_modified, second, third, first]
        policy: dict[str, Any] = {"stale_if_error": 600}
        for _ in range(6):
            if self.stores or not told:
                await self.cache.get_or_set("k", load, 10, **policy)
                await self.pass_time(20.0)
        if not self.stores:
            assert told == [(MISSING, None, None)]
            return

        assert told == [
            (MISSING, None, None),
            ("one", '"1"', "Tuesday"),
            ("one", '"1"', "Tuesday"),
            ("one", '"1"', "Tuesday"),
            ("two", '"2"', None),
            ("three", None, None),
        ]
        says.append(LoadContext.not_modified)
        await self.cache.refresh("k", load)
        item = await self.cache.get_item("k")
        assert (item.value, item.etag, item.last_modified) == ("one", '"1"', "Tuesday")
        await self.cache.set("k", "four")
        assert (await self.cache.get_item("k")).etag is None

    async def test_a_load_in_the_background_is_told_as_well(self) -> None:
        """Ahead of the end of a ttl, and behind an old value, a loader may say that the value is still true."""
        if not self.stores:
            return

        def load(context: LoadContext) -> object:
            told.append(context.etag)
            context.etag = f"{len(told)}"
            return "one" if context.stale_value is MISSING else context.not_modified()

        told: list[str | None] = []
        policy: dict[str, Any] = {"refresh_ahead": 0.5, "stale_while_revalidate": 60}
        for age in (0.0, 7.0, 20.0):
            await self.pass_time(age)
            assert await self.cache.get_or_set("k", _async(load), 10, **policy) == "one"
            await self.settle()

        assert told == [None, "1", "2"]
        assert (await self.cache.get_item("k")).etag == "3"

    async def test_what_is_removed_before_a_load_is_not_told(self) -> None:
        """A value that is deleted while a load waits for its turn is not what that load may keep."""
        if not self.stores:
            return
        await self._keep_old(stale_while_revalidate=60)
        await self.pass_time(20.0)
        told: list[object] = []

        async def load(context: LoadContext) -> object:
            told.append(context.stale_value)
            return "new" if context.stale_value is MISSING else context.not_modified()

        assert await self.cache.get_or_set("k", load, 10, stale_while_revalidate=60) == "old"
        await self.cache.delete("k")
        await self.settle()

        assert told in ([MISSING], ["old"])
        assert await self.cache.get("k", MISSING) in (MISSING, "new")

    async def test_what_a_source_says_is_bounded(self) -> None:
        """Text of 1 to 1024 characters, or None, is what may be said; the load fails for anything else."""
        for wrong in ("", "x" * 1025, b"x", 5):
            for name in ("etag", "last_modified"):
                with raises(InvalidArgumentError):
                    await self.cache.get_or_set("k", lambda c, n=name, w=wrong: setattr(c, n, w), stale_if_error=60)
        await self.cache.get_or_set("k", lambda context: setattr(context, "etag", "x" * 1024), stale_if_error=60)

        assert not self.stores or (await self.cache.get_item("k")).etag == "x" * 1024


async def _old() -> str:
    return "old"


def _async(load: Callable[[LoadContext], object]) -> Callable[[LoadContext], Awaitable[object]]:
    """Give a loader that runs on the event loop."""

    async def loader(context: LoadContext) -> object:
        return load(context)

    return loader
