"""Checks of a storage: leases, where it gives any.

Rule: they are for others who share the storage. Who asks twice by himself has not been told that he must wait.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiocache_kit.storage.base import ELSEWHERE, Leases, Storage, if_lease
from aiocache_kit.testing.contract import together
from aiocache_kit.testing.storage_contract.case import StorageCase


class Leasing(StorageCase):
    """One load a key among all who share the storage."""

    async def test_a_key_is_leased_once(self) -> None:
        """Of two who ask one has the lease; the other one asks again, and gets what the first one has written."""
        async with self._two() as (mine, others, other):
            if mine is None or others is None or other is None:
                return
            lease = await self._lease(mine)
            assert await together(*(others.take(["k"]) for _ in range(5))) == [{"k": ELSEWHERE}] * 5
            assert await other.write(self.item("k", "not his"), if_lease("made up")) is False
            assert await self.store.write(self.item(), if_lease(lease)) is True
            assert await self.value() == "v"
            found = (await others.take(["k"]))["k"]
            assert found.item is not None
            assert (found.item.value, found.lease) == ("v", "")
            assert await self.store.write(self.item("k", "again"), if_lease(lease)) is False

    async def test_one_of_many_gets_the_lease(self) -> None:
        """Of many keys that two ask for at once, each is leased to one of them."""
        async with self._two() as (mine, others, _):
            if mine is None or others is None:
                return
            keys = [f"k{number}" for number in range(20)]
            grants = await together(*(leases.take([key]) for key in keys for leases in (mine, others)))
            given = [key for grant in grants for key, its in grant.items() if its.lease]

            assert sorted(given) == sorted(keys)

    async def test_several_keys_are_leased_at_once(self) -> None:
        """Each key has an answer of its own: what is there, what is leased, and what somebody else has."""
        async with self._two() as (mine, others, _):
            if mine is None or others is None:
                return
            await self.write("there")
            await self._lease(others, "elsewhere")
            grants = await mine.take(["there", "elsewhere", "missing"])

            assert set(grants) == {"there", "elsewhere", "missing"}
            assert grants["elsewhere"] == ELSEWHERE
            assert grants["missing"].lease
            assert grants["there"].item is not None
            assert (await mine.take(["there"], anew=True))["there"].lease

    async def test_a_lease_ends(self) -> None:
        """Dropped, or left alone for its ttl, it holds no longer and somebody else gets the key; extended, it holds."""
        async with self._two() as (mine, others, other):
            if mine is None or others is None or other is None:
                return
            dropped = await self._lease(mine)
            await mine.drop("k", dropped)
            await self.heard()
            await others.drop("k", await self._lease(others))
            await self.heard()
            forgotten = await self._lease(mine)
            await self.pass_time(mine.ttl * 0.75)
            assert await mine.extend("k", forgotten) is True
            await self.pass_time(mine.ttl * 0.75)
            assert (await others.take(["k"]))["k"] == ELSEWHERE
            await self.pass_time(mine.ttl * 0.5)
            assert await mine.extend("k", forgotten) is False
            last = await self._lease(others)
            for lease in (dropped, forgotten):
                await mine.drop("k", lease)
            await self.heard()

            for lease in (dropped, forgotten):
                assert await self.store.write(self.item(), if_lease(lease)) is False
            assert await other.write(self.item(), if_lease(last)) is True

    async def test_a_change_ends_a_lease(self) -> None:
        """Whoever writes, removes, expires, clears or invalidates has the last word over a load under way."""
        leases, tags = self.store.leases, self.store.tags
        if leases is None:
            return
        changes: dict[str, Callable[[], Awaitable[object]]] = {
            "write": lambda: self.store.write(self.item("k", "newer")),
            "write_multi": lambda: self.store.write_multi([self.item("k", "newer")]),
            "remove": lambda: self.store.remove("k"),
            "remove_multi": lambda: self.store.remove_multi(["k"]),
            "expire": lambda: self.store.expire("k"),
            "clear": self.store.clear,
            "clear of a prefix": lambda: self.store.clear("k"),
        }
        if tags is not None:
            changes["invalidate"] = lambda: tags.invalidate(["t"])
        for name, change in changes.items():
            await self.store.remove("k")
            lease = (await leases.take(["k"], ("t",)))["k"].lease
            assert lease, name
            await change()
            await self.store.write(self.item("k", "older", tags=("t",)), if_lease(lease))
            assert await self.value() == ("newer" if name.startswith("write") else None), name
            await leases.drop("k", lease)

    @asynccontextmanager
    async def _two(self) -> AsyncGenerator[tuple[Leases | None, Leases | None, Storage | None]]:
        """Give the leases of two storages, and the second one of these; None where it gives no leases."""
        other = await self.beside() if self.store.leases is not None else None
        try:
            yield self.store.leases, None if other is None else other.leases, other
        finally:
            if other is not None:
                await other.close()

    async def _lease(self, leases: Leases, key: str = "k") -> str:
        lease = (await leases.take([key]))[key].lease
        assert lease
        return lease
