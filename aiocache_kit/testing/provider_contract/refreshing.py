"""Checks of a provider: loads in the background, beside callers, changes and the end of the provider.

Each race is forced: the source is held until the other side has done its part.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from aiocache_kit.errors import InvalidKeyError, LoadTimeoutError, ProviderClosedError
from aiocache_kit.provider import Provider
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import outcomes, raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source

POLICY: Final[dict[str, Any]] = {"refresh_ahead": 0.5, "stale_while_revalidate": 60, "stale_if_error": 600}
AGES: Final = {"ageing": 7.0, "stale": 20.0, "fall-back": 100.0}
"""Seconds after its load at which a value with a ttl of ten is in this state."""
CHANGES: Final[dict[str, Callable[[Provider], Awaitable[object]]]] = {
    "delete": lambda cache: cache.delete("k"),
    "delete_multi": lambda cache: cache.delete_multi(["k"]),
    "clear": lambda cache: cache.clear(),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("k"),
    "expire": lambda cache: cache.expire("k"),
    "set": lambda cache: cache.set("k", "newer"),
    "set_multi": lambda cache: cache.set_multi({"k": "newer"}),
}
"""What somebody says of a key while it is loaded."""


class DownError(Exception):
    """What a source raises that is down."""


class Refreshing(ProviderCase):
    """Loads that nobody, or not everybody, waits for."""

    async def fetch(self, source: Source, *, cache: Provider | None = None, **more: Any) -> Any:  # noqa: ANN401  - any
        """Ask for a value with a ttl of ten seconds and a tag."""
        policy: dict[str, Any] = {**POLICY, **more}
        return await (cache or self.cache).get_or_set("k", source.load, 10, tags=["t"], **policy)

    async def being_loaded(self, state: str, source: Source, **more: Any) -> "asyncio.Task[Any] | None":  # noqa: ANN401  - any
        """Have a value of this state loaded anew from a source that is held; give who waits for that."""
        await self.fetch(Source("old"))
        await self.pass_time(AGES[state])
        if state == "fall-back":
            caller = await self.waiting(self.fetch(source, **more))
        else:
            assert await self.fetch(source, **more) == "old"
            caller = None
            await self.settle()
        assert source.loads == 1
        return caller

    async def test_no_change_is_undone_by_a_load_behind_it(self) -> None:
        """Whatever was removed, or set, while it was loaded anew stays so when the load has ended."""
        if not self.stores:
            return
        for state in AGES:
            for name, change in CHANGES.items():
                source = Source("from before", held=True)
                caller = await self.being_loaded(state, source)
                await change(self.cache)
                source.open()
                await self.settle()
                given = [] if caller is None else [await caller]

                assert given in ([], ["from before"])
                left = await self.cache.get("k", MISSING)
                assert left == ("newer" if name.startswith("set") else MISSING), (state, name)
                assert await self.fetch(Source("after")) == ("newer" if name.startswith("set") else "after")
                await self.cache.clear()

    async def test_none_that_is_not_kept_undoes_no_change(self) -> None:
        """A source that has nothing any more removes what was there, and nothing that was set meanwhile."""
        if not self.stores:
            return
        for changed in (False, True):
            for state in ("ageing", "stale"):
                source = Source(None, held=True)
                await self.being_loaded(state, source, cache_none=False)
                if changed:
                    await self.cache.set("k", "newer")
                source.open()
                await self.settle()

                assert await self.cache.get("k") == ("newer" if changed else None)
                assert changed or await self.fetch(Source("after")) == "after"
                await self.cache.clear()

    async def test_what_is_set_after_an_old_value_is_kept_as_it_was_said(self) -> None:
        """A touch moves the end of a value, and with it the windows in which it may be given when it is old."""
        if not self.stores:
            return
        await self.fetch(Source("old"))
        assert await self.cache.touch("k", 30)
        await self.pass_time(25.0)
        assert await self.cache.get("k") == "old"
        await self.pass_time(500.0)

        assert await self.fetch(Source(DownError())) == "old"
        await self.pass_time(700.0)
        assert await self.fetch(Source("new")) == "new"

    async def test_a_crowd_begins_one_load(self) -> None:
        """Callers who come at the same instant begin one load behind an old value, and one is counted."""
        if not self.stores:
            return
        await self.fetch(Source("old"))
        await self.pass_time(20.0)
        source = Source("new", held=True)
        before = await self.cache.stats()
        crowd = await asyncio.gather(*(self.fetch(source) for _ in range(50)))
        await self.settle()
        source.open()
        await self.settle()
        counted = await self.cache.stats() - before

        assert crowd == ["old"] * 50
        assert (source.loads, counted.refreshes, counted.coalesced, counted.stale_hits) == (1, 1, 0, 50)

    async def test_nobody_waits_while_somebody_asks(self) -> None:
        """Under steady traffic, only the first caller waits, as long as a load takes no longer than what is left."""
        if not self.stores:
            return
        loads = 0

        async def load() -> int:
            nonlocal loads
            loads += 1
            await self.clock.sleep(2.0)
            return loads

        def asked() -> Coroutine[Any, Any, Any]:
            return self.cache.get_or_set("k", load, 10, refresh_ahead=0.7)

        first = await self.waiting(asked())
        await self.pass_time(2.5)
        assert await first == 1
        for _ in range(40):
            caller = await self.waiting(asked())
            assert caller.done()
            await caller
            await self.pass_time(1.0)

        assert loads >= 4

    async def test_close_gives_loads_in_the_background_their_time(self) -> None:
        """A close with a timeout waits for what nobody else waits for, and stores it; all others end at once."""
        await self.fetch(Source("old"))
        await self.pass_time(20.0)
        source, slow = Source("new", held=True), Source("late", held=True)
        caller = await self.waiting(self.cache.get_or_set("other", slow.load))
        behind = await self.waiting(self.fetch(source))
        closing = await self.waiting(self.cache.close(30.0))
        if self.stores:
            assert not closing.done()
        source.open()
        await self.settle()
        await closing
        ended = await outcomes([caller, behind])

        assert isinstance(ended[0], ProviderClosedError)
        assert (source.cancelled, slow.cancelled) == (self.kept(0, 1), 1)

    async def test_close_ends_what_takes_too_long(self) -> None:
        """When the time of a close is over, loads in the background are ended, and no task is left."""
        await self.fetch(Source("old"))
        await self.pass_time(20.0)
        source = Source("never", held=True)
        behind = await self.waiting(self.fetch(source))
        closing = await self.waiting(self.cache.close(5.0))
        await self.clock.advance(6.0)
        await self.settle()
        await outcomes([closing, behind])

        assert (source.loads, source.cancelled) == (1, 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_who_waits_is_told_of_the_close(self) -> None:
        """Whoever waits for a load, whatever its policy, gets `ProviderClosedError`, and is never cancelled himself."""
        await self.cache.set("k", "old", 10)
        source = Source("never", held=True)
        policies: list[dict[str, Any]] = [
            {},
            {"timeout": 60},
            {"stale_if_error": 600, "stale_timeout": 60},
            {"stale_if_error": 600, "stale_timeout": 60, "timeout": 90},
        ]
        for number in range(len(policies)):
            await self.cache.get_or_set(f"k{number}", Source("old").load, 10, stale_if_error=600)
        await self.pass_time(20.0)
        callers = [
            await self.waiting(_awaited(self.cache.get_or_set(f"k{number}", source.load, 10, **policy)))
            for number, policy in enumerate(policies)
        ]
        await self.cache.close()
        errors = await outcomes(callers)

        assert [type(error) for error in errors] == [ProviderClosedError] * len(policies)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_who_comes_while_it_closes_begins_nothing(self) -> None:
        """A call that is reading when the provider closes leaves no load behind."""
        await self.fetch(Source("old"))
        await self.pass_time(20.0)
        source = Source("never", held=True)
        calls = [self.start(self.fetch(source)), self.start(self.fetch(source, timeout=5, stale_timeout=5))]
        closing = self.start(self.cache.close())
        await self.settle()
        await outcomes([closing, *calls])
        await self.settle()

        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_a_load_that_is_ended_counts_as_a_failure(self) -> None:
        """A hung source is asked once a throttle period, since each load of it ends by its timeout."""
        if not self.stores:
            return
        await self.fetch(Source("old"))
        await self.pass_time(100.0)
        source = Source("never", held=True)
        late = await self.waiting(self.fetch(source, timeout=5, throttle=60))
        await self.pass_time(6.0)
        assert await late == "old"
        for _ in range(5):
            assert await self.fetch(source, timeout=5, throttle=60) == "old"
            await self.pass_time(5.0)
        assert (source.loads, source.cancelled) == (1, 1)
        await self.cache.delete("k")
        late = await self.waiting(self.fetch(source, timeout=5))
        await self.pass_time(6.0)

        assert isinstance((await outcomes([late]))[0], LoadTimeoutError)

    async def test_a_refresh_joins_what_is_under_way(self) -> None:
        """A refresh, of one key or of several, joins a load that is under way, and counts neither a hit nor a miss."""
        before = await self.cache.stats()
        source = Source("v", held=True)
        first = await self.waiting(self.cache.refresh("k", source.load))
        second = await self.waiting(self.cache.refresh("k", Source("other").load))
        several = await self.waiting(self.cache.refresh_multi(["k", "j"], lambda keys: dict.fromkeys(keys, "others")))
        assert [each.done() for each in (first, second, several)] == [False] * 3
        source.open()

        assert [await first, await second] == ["v", "v"]
        assert await several == {"k": "v", "j": "others"}
        counted = await self.cache.stats() - before
        assert (counted.hits, counted.misses) == (0, 0)
        assert await self.cache.get_multi(["k", "j"]) == ({"k": "v", "j": "others"} if self.stores else {})

    async def test_a_look_that_may_not_wait_gives_no_old_value(self) -> None:
        """`lookup` gives the live value or none, and never one that has expired or was removed."""
        for change in ("delete", "expire", "tags", "time", "clear"):
            await self.cache.set("k", ["v"], 10, tags=["t"])
            assert await self.cache.get("k") == self.kept(["v"], None)
            assert self.cache.lookup("k") in (MISSING, self.kept(["v"], MISSING))
            match change:
                case "tags":
                    await self.cache.invalidate_tags("t")
                case "time":
                    await self.pass_time(11.0)
                case "clear":
                    await self.cache.clear()
                case _:
                    await getattr(self.cache, change)("k")
            assert self.cache.lookup("k") is MISSING, change
        wrong: Any
        for wrong in (None, "", 5, b"k"):
            with raises(InvalidKeyError):
                self.cache.lookup(wrong)

    async def test_an_error_is_remembered_where_it_was(self) -> None:
        """Errors that are remembered in a namespace are none of another's, and are forgotten when it is cleared."""
        one, other = self.cache.namespace("one"), self.cache.namespace("other")
        source = Source(DownError())
        for cache in (one, other, self.cache):
            for _ in range(2):
                ended = await outcomes([self.start(_awaited(cache.get_or_set("k", source.load, negative_ttl=60)))])
                assert isinstance(ended[0], DownError)
        assert source.loads == 3
        await one.clear()
        source.value = "new"

        assert await one.get_or_set("k", source.load, negative_ttl=60) == "new"
        ended = await outcomes([self.start(_awaited(other.get_or_set("k", source.load, negative_ttl=60)))])
        assert isinstance(ended[0], DownError)


async def _awaited(call: Awaitable[Any]) -> Any:  # noqa: ANN401  - whatever is cached
    return await call
