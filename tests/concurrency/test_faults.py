"""A storage that fails at each of the calls that a provider makes of it, before it has done its part or after.

The method is that of the tests of cancellation: the first call of the storage fails, then, from the beginning, the
second, and so on until the provider's call needs no more of them.
"""

import asyncio
from collections.abc import Awaitable, Iterator

import pytest

from aiocache_kit import LockLostError, Provider, StorageUnavailableError
from aiocache_kit.testing import FaultyStorage
from tests.concurrency.quiet import is_quiet, works
from tests.concurrency.subjects import CALLS, Make, clock_of, is_old_new_or_gone, over_calls, over_storages, provider

before_and_after = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])


class Attempts:
    """Storages that fail at one call after the other, up to the one that is not called so often."""

    def __init__(self, make: Make, *, after: bool) -> None:
        self.make = make
        self.after = after
        self.storage = FaultyStorage(make())
        self._is_struck = True

    def __iter__(self) -> Iterator[int]:
        for at in range(1, 100):
            self.storage = FaultyStorage(self.make(), turns=True)
            yield at
            if not self._is_struck:
                return
        pytest.fail("the call needs the storage for ever")

    def fail(self, at: int) -> None:
        """Let the storage fail from now on, once."""
        self.storage.calls.clear()
        self.storage.fail(StorageUnavailableError("as ordered"), at=at, after=self.after)

    def heal(self, at: int) -> None:
        """Let it fail no more, and note whether it did."""
        self._is_struck = len(self.storage.calls) >= at
        self.storage.heal()


async def ended(call: Awaitable[object]) -> BaseException | None:
    """Wait for the end of a call, and give the error that it ended with: a lock may be lost with the storage."""
    try:
        await call
    except (StorageUnavailableError, LockLostError) as error:
        return error
    return None


@over_calls
@over_storages
@before_and_after
async def test_failed_call_leaves_nothing(make: Make, call: str, *, after: bool) -> None:
    """A call whose n-th call of the storage fails, for each n, raises that or copes, and leaves nothing behind."""
    attempts = Attempts(make, after=after)
    for at in attempts:
        clock = clock_of(attempts.storage)
        async with provider(attempts.storage, clock) as cache:
            attempts.fail(at)
            await ended(CALLS[call](cache))
            attempts.heal(at)
            await is_quiet(cache, clock)
            await is_old_new_or_gone(cache, call)
            await works(cache)
            await is_quiet(cache, clock, policies=False)


@over_storages
@before_and_after
@pytest.mark.parametrize("call", ["get_or_set", "get_or_set_multi", "update", "lock", "set"])
async def test_those_beside_a_failure_end_too(make: Make, call: str, *, after: bool) -> None:
    """Of four equal calls at once, each ends when the storage fails once: with an answer or with that error."""
    attempts = Attempts(make, after=after)
    for at in attempts:
        clock = clock_of(attempts.storage)
        async with provider(attempts.storage, clock) as cache:
            attempts.fail(at)
            await asyncio.gather(*(ended(CALLS[call](cache)) for _ in range(4)))
            attempts.heal(at)
            await is_quiet(cache, clock)
            await works(cache)


@over_storages
@before_and_after
async def test_failed_opening_may_be_tried_again(make: Make, *, after: bool) -> None:
    """A storage that could not be opened is opened by the next call."""
    storage = FaultyStorage(make())
    clock = clock_of(storage)
    cache = Provider(storage, clock=clock)
    storage.fail(StorageUnavailableError("as ordered"), of=["open"], after=after)
    assert isinstance(await ended(cache.set("k", 1)), StorageUnavailableError)
    await is_quiet(cache, clock)
    await works(cache)
    await cache.close()
