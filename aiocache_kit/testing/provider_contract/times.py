"""Checks of a provider: a ttl means the same everywhere."""

from datetime import timedelta
from typing import Any

from aiocache_kit.errors import InvalidTTLError
from aiocache_kit.sentinels import DEFAULT
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source, nothing, one

WRONG: tuple[Any, ...] = (
    *(0, -1, 0.0, -0.5, float("nan"), float("inf"), float("-inf"), 10**400, True, False),
    *("", " ", "abc", "0", "0s", "-5", "5 apples", "1h-", "h", "inf", "nan", "1e3"),
    *(timedelta(0), timedelta(seconds=-1), b"5", [5], {}, (5,), 5j, object()),
)


class Times(ProviderCase):
    """Time to live."""

    async def test_value_lives_as_long_as_its_ttl(self) -> None:
        """A value is there at half of its ttl and not at one and a half times it, by each of the ways to look."""
        await self.cache.set("k", 1, 1)
        await self.pass_time(0.5)
        assert await self.holds("k", 1)
        await self.pass_time(1.0)

        assert await self.lacks("k")

    async def test_value_is_dead_when_its_time_is_over(self) -> None:
        """At the very instant at which the ttl is over, the value is dead."""
        if not self.counts_alone:
            return
        await self.cache.set("k", 1, 2)
        await self.pass_time(1.9375)
        assert await self.holds("k", 1)
        await self.pass_time(0.0625)

        assert await self.lacks("k")

    async def test_ttl_may_be_below_a_second(self) -> None:
        """A quarter of a second means just that."""
        await self.cache.set("k", 1, 0.25)
        await self.pass_time(0.125)
        assert await self.holds("k", 1)
        await self.pass_time(0.25)

        assert await self.lacks("k")

    async def test_ttl_may_be_a_timedelta(self) -> None:
        """A timedelta is as long as it is."""
        await self.cache.set("k", 1, timedelta(milliseconds=500))
        await self.pass_time(0.25)
        assert await self.holds("k", 1)
        await self.pass_time(0.5)

        assert await self.lacks("k")

    async def test_ttl_may_be_text(self) -> None:
        """Text is read with its units, in any case and with spaces; a bare number is seconds."""
        texts = {"1h30m": 5400, "250ms": 0.25, "1D": 86_400, "2 w": 1_209_600, "1.5s": 1.5, "90": 90, "1m 1s": 61}
        for text, seconds in texts.items():
            await self.cache.set("k", 1, text)
            await self.pass_time(seconds / 2)
            assert await self.holds("k", 1), text
            await self.pass_time(seconds)
            assert await self.lacks("k"), text

    async def test_ttl_none_is_for_ever(self) -> None:
        """What has no end is there after a hundred years."""
        await self.cache.set("k", 1, None)
        await self.stand_still(100 * 365 * 86_400.0)

        assert await self.holds("k", 1)

    async def test_ttl_left_out_is_the_default(self) -> None:
        """Without a ttl the configured one holds: ten minutes here; `DEFAULT` says the same."""
        await self.cache.set("left out", 1)
        await self.cache.set("named", 1, DEFAULT)
        await self.cache.set_multi({"multi": 1})
        await self.pass_time(300.0)
        assert all([await self.holds(key, 1) for key in ("left out", "named", "multi")])
        await self.pass_time(301.0)

        assert all([await self.lacks(key) for key in ("left out", "named", "multi")])

    async def test_every_way_to_write_has_the_default(self) -> None:
        """What is added, replaced, compared, updated, loaded and touched without a ttl lives for the configured one."""
        names = ("added", "replaced", "compared", "updated", "loaded", "refreshed", "several", "again", "touched")
        await self.cache.set_multi(dict.fromkeys(("replaced", "compared", "updated", "touched"), 0), 5)
        version = (await self.cache.get_item("compared")).version if self.stores else 1
        await self.cache.add("added", 1)
        await self.cache.replace("replaced", 1)
        await self.cache.compare_and_set("compared", 1, version)
        await self.cache.update("updated", lambda _: 1, default=0)
        await self.cache.get_or_set("loaded", one)
        await self.cache.refresh("refreshed", one)
        await self.cache.get_or_set_multi(["several"], lambda keys: dict.fromkeys(keys, 1))
        await self.cache.refresh_multi(["again"], lambda keys: dict.fromkeys(keys, 1))
        await self.cache.touch("touched")
        await self.pass_time(300.0)
        assert await self.found() == self.those(names)
        await self.pass_time(301.0)

        assert await self.found() == set()

    async def test_touch_leaves_the_rest(self) -> None:
        """A touch moves the end and nothing else: value, tags, cost and the instant of creation are what they were."""
        await self.cache.set("k", {"a": 1}, 50, tags=["t"], cost=3)
        before = await self.cache.get_item("k") if self.stores else None
        await self.pass_time(1.0)
        assert await self.cache.touch("k", 500) is self.stores
        if before is None:
            return
        after = await self.cache.get_item("k")

        assert (after.value, after.tags, after.cost, after.is_stale) == ({"a": 1}, ("t",), 3, False)
        assert abs((after.expiration or 0.0) - self.clock.time() - 500.0) < 0.01
        assert abs(after.created_at - before.created_at) < 0.01

    async def test_very_long_ttl_is_fine(self) -> None:
        """A ttl of a million years is accepted in each form."""
        for ttl in (3e13, 30_000_000_000_000, timedelta.max, "50000000w"):
            await self.cache.set("k", 1, ttl)
            assert await self.holds("k", 1)

    async def test_very_short_ttl_is_fine(self) -> None:
        """A ttl of a microsecond is accepted, and over at once."""
        await self.cache.set("k", 1, 1e-6)
        await self.pass_time(0.01)

        assert await self.lacks("k")

    async def test_wrong_ttls_are_refused(self) -> None:
        """What is no positive, finite time is refused by each call that takes one, and nothing is stored."""
        await self.cache.set("there", 1, 50)
        for ttl in WRONG:
            await self.refuses(
                InvalidTTLError,
                self.cache.set("k", 1, ttl),
                self.cache.set("there", 2, ttl),
                self.cache.add("k", 1, ttl),
                self.cache.replace("there", 2, ttl),
                self.cache.compare_and_set("there", 2, 1, ttl),
                self.cache.update("there", lambda _: 2, ttl, default=0),
                self.cache.touch("there", ttl),
                self.cache.set_multi({"k": 1, "there": 2}, ttl),
                self.cache.increment("k", ttl=ttl),
                self.cache.decrement("k", ttl=ttl),
                self.cache.get_or_set("k", one, ttl),
                self.cache.get_or_set_multi(["k"], nothing, ttl),
                self.cache.refresh("there", one, ttl),
                self.cache.refresh_multi(["there"], nothing, ttl),
            )

        assert await self.lacks("k")
        assert await self.holds("there", 1)

    async def test_set_replaces_the_ttl(self) -> None:
        """A plain set counts its own ttl: a longer one, a shorter one, the default."""
        await self.cache.set("k", 1, 1)
        await self.cache.set("k", 2, 5)
        await self.pass_time(2.0)
        assert await self.holds("k", 2)
        await self.cache.set("k", 3, 1)
        await self.pass_time(1.5)
        assert await self.lacks("k")
        await self.cache.set("k", 4, 1)
        await self.cache.set("k", 5)
        await self.pass_time(2.0)

        assert await self.holds("k", 5)

    async def test_reading_prolongs_nothing(self) -> None:
        """However often a value is read, in whatever way, it dies in its time."""
        await self.cache.set("k", 1, 1)
        for _ in range(4):
            await self.pass_time(0.2)
            assert await self.holds("k", 1)
            await self.cache.get_or_set("k", one)
            await self.cache.get_multi(["k"])
            if self.stores:
                await self.cache.get_item("k")
        await self.pass_time(0.4)

        assert await self.lacks("k") or not self.stores

    async def test_touch_moves_the_end(self) -> None:
        """A value that is touched lives for the new ttl from then on, be it longer, shorter, default or for ever."""
        cases: list[tuple[Any, float, bool]] = [
            (10, 5, True),
            (1, 1.5, False),
            (None, 9999, True),
            (DEFAULT, 590, True),
        ]
        for ttl, after, there in cases:
            await self.cache.set("k", 1, 3)
            assert await self.cache.touch("k", ttl) is self.stores
            await self.pass_time(after)
            assert await (self.holds("k", 1) if there else self.lacks("k")), ttl

    async def test_touch_needs_a_live_value(self) -> None:
        """What is missing, expired or told to expire is not touched to life."""
        assert await self.cache.touch("k", 5) is False
        await self.cache.set("k", 1, 1)
        await self.pass_time(1.5)
        assert await self.cache.touch("k", 5) is False
        await self.cache.set("k", 1, 5)
        await self.cache.expire("k")
        assert await self.cache.touch("k", 5) is False

        assert await self.lacks("k")

    async def test_expire_ends_at_once(self) -> None:
        """A value that is told to expire is a miss from then on, by each of the ways to look."""
        await self.cache.set("k", 1)

        assert await self.cache.expire("k") is self.stores
        assert await self.lacks("k")
        assert await self.cache.expire("k") is False

    async def test_expire_needs_a_live_value(self) -> None:
        """What is missing or expired already is not told to."""
        assert await self.cache.expire("k") is False
        await self.cache.set("k", 1, 1)
        await self.pass_time(1.5)

        assert await self.cache.expire("k") is False

    async def test_expired_value_takes_no_part(self) -> None:
        """What has expired, by time or by being told, is absent to every call that changes something."""
        for told in (True, False):
            await self.cache.clear()
            await self.expired("k", told=told)
            assert await self.cache.replace("k", 2) is False
            assert await self.cache.delete("k") is False
            await self.expired("k", told=told)
            assert await self.cache.delete_multi(["k"]) == 0
            await self.expired("k", told=told)
            assert await self.cache.pop("k", "nothing") == "nothing"
            await self.expired("k", told=told)
            assert await self.cache.add("k", 2) is True
            await self.expired("k", told=told)
            assert await self.cache.increment("k", initial=10) == 11
            await self.expired("k", told=told)
            assert await self.cache.update("k", lambda old: [old], default="born") == ["born"]

    async def test_expired_value_is_loaded_again(self) -> None:
        """A load follows when the value has expired, by time or by being told."""
        source = Source("new")
        for told in (True, False):
            await self.expired("k", told=told)
            assert await self.cache.get_or_set("k", source.load) == "new"

        assert source.loads == 2

    async def test_wall_clock_means_nothing(self) -> None:
        """Where only this process counts the time, setting the clock of the machine makes nothing older or younger."""
        if not self.counts_alone:
            return
        await self.cache.set("k", 1, 60, tags=["t"])
        for jump in (86_400.0, -10 * 86_400.0, 5 * 86_400.0):
            self.clock.set_time(self.clock.time() + jump)
            await self.pass_time(5.0)
            assert await self.holds("k", 1), jump
        await self.pass_time(61.0)

        assert await self.lacks("k")

    async def test_long_stop_expires(self) -> None:
        """What died while the process stood still is dead when it goes on, before anything is cleaned up."""
        if not self.counts_alone:
            return
        await self.cache.set("k", 1, 60)
        await self.cache.set("long", 2, 10_000)
        await self.stand_still(3600.0)

        assert await self.lacks("k")
        assert await self.holds("long", 2)

    async def test_item_tells_its_ttl(self) -> None:
        """An item tells the ttl that it was written with, whatever form that had, None for ever."""
        for ttl, seconds in ((5, 5.0), (0.75, 0.75), ("1h", 3600.0), (timedelta(days=1), 86_400.0), (None, None)):
            await self.cache.set("k", 1, ttl)
            await self.pass_time(0.0625)
            assert not self.stores or (await self.cache.get_item("k")).ttl == seconds

    async def expired(self, key: str, *, told: bool) -> None:
        """Store a value and let it expire."""
        await self.cache.set(key, "old", 1)
        if told:
            await self.cache.expire(key)
        else:
            await self.pass_time(1.5)
