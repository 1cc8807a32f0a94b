"""Checks of a storage: when items become stale, and when they are dead."""

from aiocache_kit.item import Item
from aiocache_kit.testing.storage_contract.case import StorageCase


class Times(StorageCase):
    """Time to live, time to be stale."""

    async def test_ttl_none_is_for_ever(self) -> None:
        """An item without a ttl is there after a hundred years."""
        await self.write(ttl=None)
        await self.pass_time(100 * 365 * 86_400.0)

        assert await self.value() == self.kept("v", None)

    async def test_item_dies_with_its_ttl(self) -> None:
        """An item is there before its ttl is over and not after it."""
        await self.write(ttl=1.0)
        await self.pass_time(0.5)
        assert await self.value() == self.kept("v", None)
        await self.pass_time(1.0)

        assert await self.store.read("k") is None

    async def test_ttl_may_be_below_a_second(self) -> None:
        """A ttl of a quarter of a second means just that."""
        await self.write(ttl=0.25)
        await self.pass_time(0.125)
        assert await self.value() == self.kept("v", None)
        await self.pass_time(0.25)

        assert await self.store.read("k") is None

    async def test_ttl_zero_is_not_at_all(self) -> None:
        """An item with a ttl of zero is written and not there, to reads, conditions, counts and scans alike."""
        await self.write("k", 1)
        assert await self.store.write(self.item("k", 2, 0.0)) is True

        assert await self.store.read("k") is None
        assert await self.found() == set()
        assert await self.store.remove("k") is False
        await self.write("k", 3)
        assert await self.value() == self.kept(3, None)

    async def test_write_starts_the_time_again(self) -> None:
        """A second write counts its own ttl, a longer one and a shorter one."""
        await self.write("k", 1, 1.0)
        await self.pass_time(0.75)
        await self.write("k", 2, 10.0)
        await self.pass_time(5.0)
        assert await self.value() == self.kept(2, None)
        await self.write("k", 3, 1.0)
        await self.pass_time(2.0)

        assert await self.store.read("k") is None

    async def test_reading_prolongs_nothing(self) -> None:
        """However often an item is read, it dies in its time."""
        await self.write(ttl=1.0)
        for _ in range(4):
            await self.pass_time(0.2)
            await self.value()
        await self.pass_time(0.4)

        assert await self.store.read("k") is None

    async def test_stale_item_is_read_as_such(self) -> None:
        """Between its expiration and its end an item is given with `is_stale` set, and then no more."""
        await self.store.write(self.item(ttl=1.0, stale_for=2.0))
        fresh = await self.store.read("k")
        await self.pass_time(2.0)
        stale = await self.store.read("k")
        await self.pass_time(2.0)

        if self.stores:
            assert fresh is not None
            assert stale is not None
            assert (fresh.is_stale, stale.is_stale, stale.value) == (False, True, "v")
        assert await self.store.read("k") is None

    async def test_stale_item_is_absent_to_scan_and_remove(self) -> None:
        """A stale item is not scanned, and removing it removes it, but nothing live."""
        await self.store.write(self.item(ttl=1.0, stale_for=10.0))
        await self.pass_time(2.0)

        assert await self.found() == set()
        assert await self.store.remove("k") is False
        assert await self.store.read("k") is None

    async def test_item_written_over_a_stale_one_is_fresh(self) -> None:
        """Nothing is left of having been stale."""
        await self.store.write(self.item(ttl=1.0, stale_for=10.0))
        await self.pass_time(2.0)
        await self.write("k", "new", 5.0)
        item = await self.store.read("k")
        await self.pass_time(6.0)

        assert item is None or (item.value, item.is_stale) == ("new", False)
        assert await self.store.read("k") is None

    async def test_expire_makes_stale_at_once(self) -> None:
        """A live item that is told to expire is stale, until it would have died."""
        await self.write(ttl=10.0)
        assert await self.store.expire("k") is self.stores
        item = await self.store.read("k")
        await self.pass_time(11.0)

        assert (item is not None) is self.stores
        assert item is None or (item.is_stale, item.value, item.ttl) == (True, "v", 0.0)
        assert await self.store.read("k") is None

    async def test_expire_of_what_is_stale(self) -> None:
        """An item that time has made stale is ended by hand, too: its ttl is zero, and it dies when it would have."""
        await self.store.write(self.item(ttl=1.0, stale_for=9.0))
        await self.pass_time(2.0)
        assert await self.store.expire("k") is False
        item = await self.store.read("k")
        await self.pass_time(9.0)

        assert (item is not None) is self.stores
        assert item is None or (item.is_stale, item.value, item.ttl) == (True, "v", 0.0)
        assert await self.store.read("k") is None

    async def test_expire_of_what_lives_for_ever(self) -> None:
        """An item without a ttl that is told to expire stays stale for ever."""
        await self.write()
        await self.store.expire("k")
        await self.pass_time(1_000_000.0)
        item = await self.store.read("k")

        assert (item is not None) is self.stores
        assert item is None or item.is_stale

    async def test_expire_keeps_a_longer_end(self) -> None:
        """An item that was to be stale for some time is kept as long when it is told to expire."""
        await self.store.write(self.item(ttl=1.0, stale_for=9.0))
        await self.store.expire("k")
        await self.pass_time(5.0)
        kept = await self.value()
        await self.pass_time(6.0)

        assert kept == self.kept("v", None)
        assert await self.store.read("k") is None

    async def test_expire_says_whether_there_was_one(self) -> None:
        """What is missing, stale already or dead is not told to expire."""
        assert await self.store.expire("k") is False
        await self.write(ttl=1.0)

        assert await self.store.expire("k") is self.stores
        assert await self.store.expire("k") is False
        await self.pass_time(2.0)
        assert await self.store.expire("k") is False

    async def test_touch_moves_the_end(self) -> None:
        """A live item that is touched lives for the new ttl from then on; longer, shorter or for ever."""
        for ttl, after, there in ((10.0, 5.0, True), (1.0, 2.0, False), (None, 1e6, True)):
            await self.write("k", "v", 3.0)
            assert await self.store.touch(self.end(ttl)) is self.stores
            await self.pass_time(after)
            assert (await self.store.read("k") is not None) is (there and self.stores)

    async def test_touch_changes_nothing_else(self) -> None:
        """Value, tags, cost and creation stay."""
        written = self.item("k", "v", 3.0, tags=("t",), cost=5)
        await self.store.write(written)
        await self.pass_time(1.0)
        await self.store.touch(self.end(60.0))
        item = await self.store.read("k")

        assert item is None or (item.value, item.tags, item.cost) == ("v", ("t",), 5)
        assert item is None or item.created_at == written.created_at
        assert item is None or abs((item.expiration or 0.0) - self.clock.time() - 60.0) < 0.01

    async def test_touch_keeps_the_time_to_be_stale(self) -> None:
        """An item that is touched is kept beyond its new end for as long as beyond the old one, or as it is told to."""
        for told, after in ((0.0, 45.0), (90.0, 95.0)):
            await self.store.write(self.item(ttl=3.0, stale_for=40.0))
            end = self.clock.time() + 10.0
            touched = Item(key="k", value=None, ttl=10.0, expiration=end, stale_until=end + told if told else None)
            await self.store.touch(touched)
            await self.pass_time(after)
            found = await self.store.read("k")
            assert (found is not None and found.is_stale) is self.stores
            await self.pass_time(10.0)
            assert await self.store.read("k") is None

    async def test_touch_needs_a_live_item(self) -> None:
        """What is missing, stale or dead is not touched to life."""
        assert await self.store.touch(self.end(10.0)) is False
        await self.store.write(self.item(ttl=1.0, stale_for=1.0))
        await self.pass_time(1.5)
        assert await self.store.touch(self.end(10.0)) is False
        await self.pass_time(1.0)

        assert await self.store.touch(self.end(10.0)) is False
        assert await self.store.read("k") is None

    async def test_wall_clock_means_nothing(self) -> None:
        """Where only this process counts the time, setting the clock of the machine makes nothing older or younger."""
        if not self.counts_alone:
            return
        await self.write("k", "v", 60.0)
        for jump in (86_400.0, -172_800.0):
            self.clock.set_time(self.clock.time() + jump)
            assert await self.value() == self.kept("v", None)
        await self.pass_time(61.0)

        assert await self.store.read("k") is None

    async def test_long_stop_expires(self) -> None:
        """What died while the process stood still is dead when it goes on."""
        await self.write("k", "v", 60.0)
        await self.stand_still(3600.0)

        assert await self.store.read("k") is None or not self.counts_alone

    async def test_tidying_keeps_what_lives(self) -> None:
        """Tidying takes nothing that is live or stale, and what is dead stays so."""
        await self.write("live", 1, 100.0)
        await self.write("ever", 2)
        await self.store.write(self.item("stale", 3, 1.0, stale_for=100.0))
        await self.write("dead", 4, 1.0)
        await self.pass_time(5.0)
        await self.store.tidy()
        values = [await self.value(key) for key in ("live", "ever", "stale", "dead")]

        assert values == self.kept([1, 2, 3, None], [None] * 4)
        assert await self.found() == self.those(["ever", "live"])

    def end(self, ttl: float | None) -> Item[None]:
        """Make what says how long an item is to live from now."""
        return Item(key="k", value=None, ttl=ttl, expiration=None if ttl is None else self.clock.time() + ttl)
