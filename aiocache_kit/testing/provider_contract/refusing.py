"""Checks of a provider: what is refused has changed nothing, and what is left in the middle leaves all in order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from aiocache_kit.errors import (
    CacheError,
    InvalidArgumentError,
    InvalidTTLError,
    ProviderClosedError,
    SerializationError,
)
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import made, outcomes, raises, together
from aiocache_kit.testing.provider_contract.case import KEYED, UNKEYED, ProviderCase, Source, one

if TYPE_CHECKING:
    from aiocache_kit.provider import Provider

TURNS: Final = 4
"""Turns of the event loop after which a call is left, from none to fewer than this."""


class Opaque:
    """A value that is nothing but itself."""


class Refusing(ProviderCase):
    """Values, times and calls that come to nothing."""

    async def test_value_that_cannot_be_stored_changes_nothing(self) -> None:
        """Where a value is refused, each call that stores refuses it, and what was there stays."""
        value = Opaque()
        await self.cache.set("k", "before")
        version = (await self.cache.get_item("k")).version if self.stores else 1
        if not await self._is_refused(value):
            return
        calls = [self.cache.set("k", value), self.cache.set_multi({"k": value}), self.cache.add("new", value)]
        if self.stores:
            calls += [self.cache.replace("k", value), self.cache.compare_and_set("k", value, version)]
            calls += [self.cache.update("k", lambda _: value)]
        await self.refuses(SerializationError, *calls)

        assert await self.holds("k", "before")
        assert await self.found() == self.those(["k"])

    async def test_loaded_value_that_cannot_be_stored_is_given(self) -> None:
        """A loaded value that the storage refuses is given to all who wait, not stored, and counted as an error."""
        value = Opaque()
        refused = await self._is_refused(value)
        before = await self.cache.stats()
        source = Source(value, held=True)
        calls = [await self.waiting(self.cache.get_or_set("k", source.load)) for _ in range(3)]
        source.open()
        several = await self.cache.get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, value))

        given = [await call for call in calls]
        assert given[0] is value
        assert all(each is value if refused else type(each) is Opaque for each in given)  # those may be copies
        assert list(several.items()) == [("a", value), ("b", value)]
        if refused:
            assert await self.found() == set()
            assert (await self.cache.stats() - before).errors > 0

    async def test_missing_is_no_value(self) -> None:
        """The word for a miss cannot be stored, by no call, and a loader that gives it is told so."""
        await self.cache.set("k", 1)
        await self.refuses(
            InvalidArgumentError,
            self.cache.set("k", MISSING),
            self.cache.add("new", MISSING),
            self.cache.set_multi({"k": 2, "new": MISSING}),
            self.cache.update("k", lambda _: MISSING, default=0),
        )
        with raises(InvalidArgumentError):
            await self.cache.get_or_set("loaded", lambda: MISSING)

        assert await self.holds("k", 1)
        assert await self.found() == self.those(["k"])

    async def test_wrong_time_of_a_close_is_refused(self) -> None:
        """A close whose timeout is none is refused, and the provider goes on as before."""
        await self.cache.set("k", 1)
        wrong: Any
        for wrong in (-1, float("nan"), float("inf"), "5s", None, True):
            await self.refuses(InvalidArgumentError, self.cache.close(wrong), self.cache.aclose(wrong))

        assert not self.cache.closed
        assert await self.holds("k", 1)

    async def test_ttl_is_checked_before_anything(self) -> None:
        """A call with a wrong ttl has not even opened the provider."""
        wrong: Any = object()
        await self.refuses(InvalidTTLError, self.cache.set("k", 1, wrong), self.cache.get_or_set("k", one, wrong))
        with raises(InvalidTTLError):
            self.cache.lock("k", wrong)

        assert await self.lacks("k")

    async def test_call_that_is_left_disturbs_nobody(self) -> None:
        """Each call, cancelled at once or a little later, ends, and the calls beside it get what is theirs."""
        await self.cache.set_multi({f"own{number}": number for number in range(TURNS)}, None)
        for name, call in KEYED.items():
            for turns in range(TURNS):
                left = self.start(_made(call, self.cache, "k"))
                beside = self.start(self.cache.get(f"own{turns}"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                left.cancel()
                await outcomes([left])
                assert await beside == self.kept(turns, None), name
        await self.cache.delete("k")

        assert await self.found() == self.those(f"own{number}" for number in range(TURNS))
        its = self.cache.capabilities
        if its.locks or not its.shared:
            async with self.cache.lock("k", timeout=60):
                assert await self.lacks("k")
        assert await self.cache.get_or_set("k", one) == 1

    async def test_scope_that_is_left_disturbs_nobody(self) -> None:
        """The same for calls without a key; what they were to take away is there as a whole or gone."""
        for name, call in UNKEYED.items():
            for turns in range(TURNS):
                await self.cache.set_multi({"p1": 1, "p2": 2}, tags=["t"])
                left = self.start(_made(call, self.cache))
                for _ in range(turns):
                    await asyncio.sleep(0)
                left.cancel()
                await outcomes([left])
                found = await self.cache.get_multi(["p1", "p2"])
                assert found.items() <= {"p1": 1, "p2": 2}.items(), name
        await self.cache.clear()

        assert await self.found() == set()

    async def test_calls_under_way_at_the_close_end(self) -> None:
        """A call that is under way when the provider closes is done, or raises an error of ours; none of them hangs."""
        its = self.cache.capabilities
        keyed = [call for name, call in KEYED.items() if name != "lock" or its.locks or not its.shared]
        for turns in range(TURNS):
            await self.cache.set("k", 1)
            calls = [self.start(_made(call, self.cache, "k")) for call in keyed]
            calls += [self.start(_made(call, self.cache)) for call in UNKEYED.values()]
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.cache.close()
            for result in await outcomes(calls):
                if isinstance(result, BaseException):
                    assert isinstance(result, CacheError), result
            self.cache: Provider = await made(self.provider(self.clock))

    async def test_close_of_a_namespace_closes_all(self) -> None:
        """Closing a namespace closes the provider that it was made of, and its other namespaces."""
        inner, other = self.cache.namespace("a"), self.cache.namespace("b")
        await together(inner.set("k", 1), other.set("k", 1))
        assert not inner.closed
        await inner.namespace("deep").close()

        assert self.cache.closed
        await self.refuses(ProviderClosedError, self.cache.get("k"), inner.get("k"), other.get("k"))

    async def _is_refused(self, value: object) -> bool:
        try:
            await self.cache.set("probe", value)
        except SerializationError:
            return True
        await self.cache.delete("probe")
        return False


async def _made(call: Callable[..., Awaitable[object]], *args: object) -> object:
    """Begin a call when the task does: one that is left before that was never made."""
    return await call(*args)
