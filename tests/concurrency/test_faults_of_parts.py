"""A part of a storage fails at each call that is made of it: a node, a layer, before it has done its part or after.

The method is that of `test_faults`: the first call of a part fails, then, from the beginning, the second, and so on
until the provider's call needs no more of it; then the same with the next part. What a part has missed is made up for
once it is well again, and then all copies say the same.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

from aiocache_kit import MISSING, CacheError, Provider, StorageUnavailableError, ValueTooLargeError
from aiocache_kit.clock import Clock
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.concurrency.order import agrees
from tests.concurrency.quiet import is_quiet, works
from tests.concurrency.subjects import CALLS, REMOVALS, WRITES, clock_of, is_old_new_or_gone, over_calls, provider
from tests.concurrency.wholes import IN_MEMORY, OVER_OTHERS, WHOLES, Whole, is_done, mended

MOST: Final = 200
LONGEST: Final = 100
"""Seconds that anything waits for, at most. What is not over then waits for a disk, and no item may die meanwhile."""
KEYS: Final = ["k", "l", "counter"]
CHANGES: Final = ("write", "write_multi", "increment", "touch", "expire")
FAULTS: Final[dict[str, dict[str, Any]]] = {
    "fails before": {"error": StorageUnavailableError("as ordered")},
    "fails after": {"error": StorageUnavailableError("as ordered"), "after": True},
    "refuses": {"error": ValueTooLargeError("as ordered"), "of": CHANGES},
}


async def strike(make: Callable[[], Whole], call: str, fault: dict[str, Any]) -> int:
    """Let each part fail at each of its calls, and look at what is left; give how many faults there were."""
    struck, place = 0, 0
    while place < len(make().parts):
        for at in range(1, MOST):
            if not await struck_once(make(), place, call, {"at": at, **fault}):
                break
            struck += 1
        else:
            pytest.fail("the call needs a part for ever")
        place += 1
    return struck


async def struck_once(whole: Whole, place: int, call: str, fault: dict[str, Any]) -> bool:
    """Make a call while one part fails once, and look at what is left; say whether it did fail."""
    clock, part = clock_of(whole.storage), whole.parts[place]
    async with provider(whole.storage, clock) as cache:
        part.calls.clear()
        part.fail(**fault)
        outcome = await ended(cache, call, clock)
        was_struck = len(counted(part, fault)) >= fault["at"]
        await mended(whole, clock)
        await is_quiet(cache, clock)
        await sees_the_truth(cache)
        await agrees(whole.storage, KEYS)
        if call not in whole.loses:
            await is_done(cache, call, outcome)
        await is_old_new_or_gone(cache, call, whole.may_be)
        await works(cache)
        await is_quiet(cache, clock, policies=False)
    return bool(was_struck)


async def sees_the_truth(cache: Provider) -> None:
    """Assert that what a caller gets, by whatever short way, is what the lowest layer has, or the nodes."""
    for key in KEYS:
        seen, item = await cache.get(key, MISSING), await cache._core.read_latest(key)
        assert seen == (MISSING if item is None or item.is_stale else item.value), key


def counted(part: FaultyStorage, fault: dict[str, Any]) -> list[str]:
    """Give the calls of a part that a fault counts."""
    return [name for name in part.calls if name in fault.get("of", (name,))]


async def ended(cache: Provider, call: str, clock: Clock) -> object:
    """Wait for a call to end, while time passes; give what it gave, or its error, which must be one of ours."""

    async def wait() -> object:
        try:
            return await CALLS[call](cache)
        except CacheError as error:
            return error

    task = asyncio.create_task(wait())
    if isinstance(clock, FakeClock):
        await clock.settle()
        for _ in range(LONGEST):
            if task.done():
                break
            await clock.advance(1.0)
    return await task


def drawn(call: str) -> list[tuple[str, str]]:
    """Draw two composites, and how their parts fail: always the same ones. `tests.fuzz.strike` takes all of them."""
    random = Random(call)  # noqa: S311  - to repeat a run
    return [(whole, random.choice(list(FAULTS))) for whole in random.sample(list(IN_MEMORY), 2)]


ALWAYS: Final = [
    ("three nodes, two copies", "set", "fails before"),
    ("three nodes, two copies", "delete", "fails before"),
    ("a layer whose failures are raised", "delete", "fails after"),
    ("two layers", "increment", "fails after"),
]
"""Where what is missed, or done and not known of, would be seen first."""


@pytest.mark.parametrize(("whole", "call", "fault"), ALWAYS)
async def test_copies_agree_after_a_failure(whole: str, call: str, fault: str) -> None:
    """A copy that missed a change is mended, and one of a change that may have been made is gone."""
    assert await strike(IN_MEMORY[whole], call, FAULTS[fault]) > 0


@over_calls
async def test_a_part_that_fails_once_leaves_nothing(call: str) -> None:
    """A call ends, leaves no trace, and what each part missed of it is made up for: then all copies agree."""
    for whole, fault in drawn(call):
        await strike(IN_MEMORY[whole], call, FAULTS[fault])


@pytest.mark.parametrize("call", [*WRITES, *REMOVALS][::2])
@pytest.mark.parametrize("whole", OVER_OTHERS)
async def test_a_part_elsewhere_that_fails_once(request: pytest.FixtureRequest, whole: str, call: str) -> None:
    """The same where parts are files, or Redis, and the answer of a part is lost."""
    make, fault = WHOLES[whole](request), FAULTS["fails after"]
    for place in range(len(make().parts)):
        at = Random(f"{whole}, {call}, {place}").randrange(1, 4)  # noqa: S311  - to repeat a run
        await struck_once(make(), place, call, {"at": at, **fault})
