"""Checks of a storage: many keys at once, and its own life."""

import asyncio

from aiocache_kit.storage.base import Size
from aiocache_kit.testing.contract import NASTY, outcomes
from aiocache_kit.testing.storage_contract.case import StorageCase


class Many(StorageCase):
    """Scans, clears, calls for several keys; opening, closing and what runs in the background."""

    async def test_scan_gives_live_keys_once(self) -> None:
        """A scan gives every live key, each once, and no other."""
        for number in range(300):
            await self.write(f"k{number}", number, 1.0 if number % 3 else 100.0)
        await self.store.remove("k0")
        await self.pass_time(2.0)

        assert await self.found() == self.those(f"k{number}" for number in range(3, 300, 3))

    async def test_scan_gives_keys_as_they_were_written(self) -> None:
        """Odd keys come back from a scan as they are."""
        for key in NASTY:
            await self.write(key)

        assert await self.found() == self.those(NASTY)

    async def test_scan_takes_its_prefix_as_it_is(self) -> None:
        """A prefix is no pattern: its signs mean themselves, and it is compared from the beginning."""
        for key in NASTY:
            await self.write(key)
        for prefix in NASTY:
            assert await self.found(prefix) == self.those(key for key in NASTY if key.startswith(prefix))

    async def test_scan_may_be_left(self) -> None:
        """Whoever stops scanning in the middle keeps nobody else from writing, scanning or clearing."""
        for number in range(10):
            await self.write(f"k{number}")
        async for _ in self.store.scan():
            break
        await self.write("new")
        assert "new" in await self.found() or not self.stores
        await self.store.clear()

        assert await self.found() == set()

    async def test_scan_bears_changes(self) -> None:
        """Keys that stay are given, each once, whatever else comes and goes during the scan."""
        for number in range(200):
            await self.write(f"k{number}")
        seen: list[str] = []
        async for key in self.store.scan():
            seen.append(key)
            await self.store.remove(f"k{2 * len(seen)}")
            await self.write(f"new{len(seen) % 50}")
        stayed = {f"k{number}" for number in range(1, 200, 2)}

        assert len(seen) == len(set(seen))
        assert stayed <= set(seen) or not self.stores

    async def test_clear_takes_its_prefix_as_it_is(self) -> None:
        """Clearing a prefix removes the keys that begin with it, and no others."""
        for prefix in ("a*", "[", "@a:", "\0", "%", "x" * 255):
            await self.store.clear()
            for key in NASTY:
                await self.write(key)
            await self.store.clear(prefix)
            assert await self.found() == self.those(key for key in NASTY if not key.startswith(prefix))

    async def test_clear_removes_all(self) -> None:
        """Without a prefix nothing is left, stale items included, and writing goes on."""
        for number in range(100):
            await self.store.write(self.item(f"k{number}", number, 1.0, stale_for=100.0))
        await self.pass_time(1.5)
        await self.write("live")
        await self.store.clear()

        assert await self.found() == set()
        assert [await self.store.read(key) for key in ("k1", "live")] == [None, None]
        await self.write("k", 1)
        assert await self.value() == self.kept(1, None)

    async def test_versions_grow_over_a_clear(self) -> None:
        """What was read before a clear fits nothing that is written after it."""
        await self.write()
        version = await self.version()
        await self.store.clear()
        await self.write()

        assert await self.version() > version or not self.stores

    async def test_read_multi_gives_what_is_there(self) -> None:
        """Missing keys are left out, stale items are given."""
        await self.write("a", None)
        await self.store.write(self.item("b", 2, 1.0, stale_for=9.0))
        await self.write("c", 3, 1.0)
        await self.pass_time(2.0)
        found = await self.store.read_multi(["a", "b", "c", "d"])
        values = {key: (item.key, item.value, item.is_stale) for key, item in found.items()}

        assert values == self.kept({"a": ("a", None, False), "b": ("b", 2, True)}, {})
        assert await self.store.read_multi([]) == {}

    async def test_write_multi_stores_each(self) -> None:
        """Each item is stored with its own ttl; one that comes twice is stored as it came last."""
        items = [self.item("a", 1), self.item("b", 2, 1.0), self.item("a", 3)]
        await self.store.write_multi(iter(items))
        await self.store.write_multi([])
        values = [await self.value("a"), await self.value("b")]
        await self.pass_time(2.0)

        assert values == self.kept([3, 2], [None, None])
        assert await self.found() == self.those(["a"])

    async def test_remove_multi_counts_live_ones(self) -> None:
        """Only live items are counted; stale ones are removed as well."""
        for key in "abc":
            await self.write(key)
        await self.store.write(self.item("s", 2, 1.0, stale_for=9.0))
        await self.pass_time(2.0)

        assert await self.store.remove_multi(iter(["a", "b", "s", "missing", "a"])) == self.kept(2, 0)
        assert await self.store.remove_multi([]) == 0
        assert await self.found() == self.those(["c"])
        assert await self.store.read("s") is None

    async def test_size_is_told_or_zero(self) -> None:
        """A storage that counts its items counts these; one that cannot gives zeros."""
        for number in range(10):
            await self.write(f"k{number}")
        size = await self.store.size()

        assert isinstance(size, Size)
        assert size.items in (0, self.kept(10, 0))
        assert size.bytes >= 0

    async def test_background_work_may_come_at_any_time(self) -> None:
        """Tidying, writing out and pinging leave items as they are."""
        await self.write("k", 1, 60.0)
        for work in (self.store.tidy, self.store.sync, self.store.ping):
            await work()
            assert await self.value() == self.kept(1, None)

    async def test_cancelled_work_may_be_done_again(self) -> None:
        """Clearing and tidying that are cancelled leave the storage in order."""
        for number in range(2000):
            await self.write(f"a{number}" if number % 2 else f"b{number}", number, 1.0 if number % 3 else 100.0)
        await self.pass_time(2.0)
        for work in (self.store.clear("a"), self.store.tidy(), self.store.clear()):
            task = asyncio.create_task(work)
            await asyncio.sleep(0)
            task.cancel()
            await outcomes([task])
        await self.store.tidy()
        await self.store.clear()

        assert await self.found() == set()
        await self.write("k", 1)
        assert await self.value() == self.kept(1, None)

    async def test_closing_twice_is_fine(self) -> None:
        """The second close does nothing, and neither raises."""
        await self.write()
        await self.store.close()
        await self.store.close()
