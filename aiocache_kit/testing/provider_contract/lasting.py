"""Checks of a provider: what a restart leaves, as far as the storage says that it outlives the process."""

from typing import TYPE_CHECKING, Any

from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import outcomes, raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source

if TYPE_CHECKING:
    from aiocache_kit.provider import Provider


class DownError(Exception):
    """What a source raises that is down."""


class Lasting(ProviderCase):
    """A close, and what the next process finds."""

    async def test_what_is_persistent_is_there_after_a_restart(self) -> None:
        """Values are read as they were, with all that is known of them; or nothing at all is left."""
        await self.cache.set("k", {"a": [1, None]}, 500, tags=["b", "a"], cost=3)
        await self.cache.set("none", None, None)
        await self.cache.set_multi({"x": 1, "@y": "\u00e9"})
        await self.cache.increment("n", 5, ttl=None)
        await self.cache.namespace("n").set("k", "inner")
        before = await self.cache.get_item("k") if self.stores else None
        await self._restart()
        if not self.lasts:
            assert await self.found() == set()
            assert await self.cache.get_multi(["k", "none", "x", "@y", "n"]) == {}
            assert await self.cache.namespace("n").get("k") is None
            return
        after = await self.cache.get_item("k")

        assert before is not None
        told = [(each.value, each.ttl, each.tags, each.cost, each.version) for each in (before, after)]
        assert told[0] == told[1]
        assert await self.cache.get("none", MISSING) is None
        assert await self.cache.get_multi(["x", "@y"]) == {"x": 1, "@y": "\u00e9"}
        assert await self.found() == {"k", "none", "x", "@y", "n"}
        assert await self.cache.namespace("n").get("k") == "inner"
        assert await self.cache.increment("n") == 6
        assert await self.cache.add("k", 1) is False

    async def test_time_goes_on_while_nobody_is_there(self) -> None:
        """A ttl is counted on between two openings."""
        await self.cache.set("short", 1, 20)
        await self.cache.set("long", 2, 500)
        await self.cache.set("ever", 3, None)
        await self._restart(after=50.0)
        assert await self.found() == ({"ever", "long"} if self.lasts else set())
        assert await self.lacks("short")
        await self.pass_time(600.0)

        assert await self.found() == ({"ever"} if self.lasts else set())

    async def test_what_was_taken_away_stays_so_over_a_restart(self) -> None:
        """Nothing that was removed in any way is back; what was invalidated is not, where the storage heeds tags."""
        ways = ("deleted", "popped", "told", "p:prefixed", "together")
        await self.cache.set_multi(dict.fromkeys((*ways, "left"), 1))
        await self.cache.set("tagged", 1, tags=["t"])
        await self.cache.namespace("n").set("k", 1)
        await self.cache.delete("deleted")
        await self.cache.pop("popped")
        await self.cache.expire("told")
        await self.cache.invalidate_prefix("p:")
        await self.cache.delete_multi(["together"])
        await self.cache.invalidate_tags("t")
        await self.cache.namespace("n").clear()
        await self._restart()

        for key in ways:
            assert await self.lacks(key), key
        assert await self.lacks("tagged") or not self.cache.capabilities.tags
        assert await self.cache.namespace("n").get("k") is None
        assert await self.cache.get("left") == (1 if self.lasts else None)

    async def test_tags_are_heeded_after_a_restart(self) -> None:
        """What was written before it is killed by what is invalidated after it, and no more than that."""
        await self.cache.set("k", 1, tags=["t"])
        await self.cache.set("other", 2, tags=["u"])
        await self._restart()
        await self.cache.invalidate_tags("t")

        assert await self.lacks("k")
        assert await self.found() == ({"other"} if self.lasts else set())
        await self.cache.set("k", 3, tags=["t"])
        assert await self.holds("k", 3)

    async def test_version_of_before_a_restart(self) -> None:
        """It fits as long as nobody wrote, and never again after that."""
        await self.cache.set("k", 1)
        version = (await self.cache.get_item("k")).version if self.stores else 1
        await self._restart()
        assert await self.cache.compare_and_set("k", 2, version) is self.lasts
        await self._restart()
        await self.cache.set("k", 3)

        assert await self.cache.compare_and_set("k", 4, version) is False or not self.lasts

    async def test_an_old_value_stands_in_after_a_restart(self) -> None:
        """What is kept for a source that fails is kept over a restart, and the error is seen where it is not."""
        policy: dict[str, Any] = {"stale_if_error": 600}
        await self.cache.get_or_set("k", Source("old").load, 10, **policy)
        await self._restart(after=20.0)
        assert await self.lacks("k")
        if self.lasts:
            assert await self.cache.get_or_set("k", Source(DownError()).load, 10, **policy) == "old"
        else:
            with raises(DownError):
                await self.cache.get_or_set("k", Source(DownError()).load, 10, **policy)

    async def test_a_load_that_the_close_ended_stores_nothing(self) -> None:
        """What was being loaded at the close is missing after a restart, and is loaded at once."""
        task = await self.waiting(self.cache.get_or_set("k", Source("late", held=True).load))
        await self._restart()
        await outcomes([task])
        assert await self.lacks("k")
        fresh = await self.waiting(self.cache.get_or_set("k", Source("new").load))
        await self.settle()

        assert fresh.done()
        assert await fresh == "new"

    @property
    def lasts(self) -> bool:
        """Whether items outlive the process."""
        return self.cache.capabilities.persistent

    async def _restart(self, *, after: float = 0.0) -> None:
        """Close, and let the next process come after so many seconds."""
        await self.cache.close()
        await self.stand_still(after)
        self.cache: Provider = await self.another()
