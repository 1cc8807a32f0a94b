"""Checks of a provider: two of them over one storage, as two processes have, if the storage says that it is shared."""

import asyncio
from typing import Any

from aiocache_kit.errors import LockTimeoutError, StorageError
from aiocache_kit.provider import Provider
from aiocache_kit.testing.contract import raises, together
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source


class Beside(ProviderCase):
    """Somebody else's provider."""

    async def test_what_is_shared_is_seen_by_others(self) -> None:
        """Each sees what the other has stored, changed and taken away; of what is not shared, nobody sees anything."""
        other = await self._beside()
        if other is None:
            return
        await self.cache.set("k", 1, tags=["t"])
        await self.cache.set("kept", "mine")
        assert await other.get("k") == self._shared(1, None)
        await other.set("k", 2, tags=["t"])
        await other.delete("kept")
        await self._heard()
        assert await self.cache.get("k") == self._shared(2, self.kept(1, None))
        assert await self.cache.get("kept") == self._shared(None, self.kept("mine", None))
        await other.invalidate_tags("t")
        await self._heard()
        assert await self.cache.get("k") == self._shared(None, self.kept(1, None))
        await self.cache.set_multi({"a": 1, "b": 2})
        await other.clear()
        await self._heard()

        assert await self.found() == self._shared(set(), self.those(["a", "b", "k", "kept"]))

    async def test_what_is_atomic_is_so_among_all(self) -> None:
        """No increment and no update is lost between two who share, and one add of many is done."""
        other = await self._beside()
        if other is None or not self.stores:
            return
        both = (self.cache, other)
        totals = await together(*(each.increment("n") for each in both * 20))
        assert max(totals) == self._shared(40, 20)
        assert len(set(totals)) == self._shared(40, 20)
        added = await together(*(each.add("added", 1) for each in both * 20))
        assert sum(added) == self._shared(1, 2)
        made: list[Any] = await together(*(each.update("u", lambda old: old + 1, default=0) for each in both * 5))
        assert len(set(made)) == self._shared(10, 5)
        await self.cache.set("popped", "v")
        popped = await together(*(each.pop("popped") for each in both * 5))

        assert popped.count("v") == 1

    async def test_version_is_of_all_who_share(self) -> None:
        """What one of them has read, and another one has changed, fits no more."""
        other = await self._beside()
        if other is None or not self.stores:
            return
        await self.cache.set("k", 1)
        version = (await self.cache.get_item("k")).version
        await other.set("k", 2)

        assert await self.cache.compare_and_set("k", 3, version) is not self.cache.capabilities.shared

    async def test_one_load_among_all_who_have_leases(self) -> None:
        """A key that two ask for at once is loaded once where the storage gives leases, and twice where it does not."""
        other = await self._beside()
        if other is None:
            return
        source = Source("v", held=True)
        calls = [await self.waiting(each.get_or_set("k", source.load)) for each in (self.cache, other)]
        await self.pass_time(1.0)
        loads = source.loads
        source.open()
        while not all(call.done() for call in calls):
            await self.pass_time(1.0)

        assert [await call for call in calls] == ["v", "v"]
        assert (loads, source.loads) == ((1, 1) if self.cache.capabilities.leases else (2, 2))

    async def test_change_of_another_beats_a_load(self) -> None:
        """With leases, what somebody else changes while a key is loaded is not undone by the load."""
        other = await self._beside()
        if other is None or not self.cache.capabilities.leases:
            return
        for change in ("set", "delete", "clear", "expire", "tags"):
            source = Source("older", held=True)
            call = await self.waiting(self.cache.get_or_set("k", source.load, tags=["t"]))
            match change:
                case "set":
                    await other.set("k", "newer")
                case "clear":
                    await other.clear()
                case "tags":
                    await other.invalidate_tags("t")
                case _:
                    await getattr(other, change)("k")
            source.open()
            while not call.done():
                await self.pass_time(0.5)
            assert await call == "older", change
            await self._heard()
            assert await self.cache.get("k") == ("newer" if change == "set" else None), change
            await self.cache.delete("k")

    async def test_lock_holds_among_all_who_have_them(self) -> None:
        """A lock keeps another one out where the storage gives locks, and is of this process where nobody shares it."""
        its = self.cache.capabilities
        other = await self._beside()
        if other is None or (its.shared and not its.locks):
            return  # that such ones are refused is seen elsewhere
        async with self.cache.lock("k") as lease:
            if its.shared:
                with raises(LockTimeoutError):
                    await self._hold(other, timeout=0)
            else:
                await self._hold(other, timeout=0)
            assert not lease.lost.is_set()

        await self._hold(other, timeout=0)

    async def test_rates_count_for_all_who_have_them(self) -> None:
        """As many pass as a limit has among all who share, or with each where nobody does."""
        its = self.cache.capabilities
        other = await self._beside()
        if other is None or (its.shared and not its.rates):
            return  # that such ones are refused is seen elsewhere
        limiters = [each.rate_limiter("limit", 5, per=3600) for each in (self.cache, other)]
        made = await asyncio.gather(*(limiter.try_acquire("caller") for limiter in limiters * 10))

        assert sum(each.allowed for each in made) == self._shared(5, 10)

    async def tear_down(self) -> None:
        """Close the other one as well."""
        await super().tear_down()
        if self._other is not None:
            await self._other.close()

    _other: Provider | None = None

    async def _beside(self) -> Provider | None:
        """Open one more; None where that is refused, as only who shares nothing may do."""
        await self.cache.ping()
        self._other = await self.another()
        try:
            await self._other.ping()
        except StorageError:
            assert not self.cache.capabilities.shared
            return None
        return self._other

    async def _heard(self) -> None:
        """Let the provider hear what another one has done, if it has to be told."""
        await self.cache.ping()
        await self.settle()

    async def _hold(self, cache: Provider, timeout: float) -> None:
        async with cache.lock("k", timeout=timeout):
            pass

    def _shared(self, value: Any, otherwise: Any) -> Any:  # noqa: ANN401  - of any type
        return value if self.cache.capabilities.shared else otherwise
