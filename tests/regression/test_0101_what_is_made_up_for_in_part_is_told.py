"""Of changes that are made up for together, those before one that failed were done, and nobody was ever told."""

import pytest

from tests.unit.storage.layered.processes import two_processes


@pytest.mark.parametrize("place", [2, 3])
async def test_others_hear_of_those_before_the_one_that_fails(place: int) -> None:
    """The store is back and stumbles once more at one of three changes: the other process gives no old value."""
    async with two_processes() as (shared, one, other):
        await one.cache.set_multi(dict.fromkeys("abc", "old"))
        one.way.fail(times=None)
        for key in "abc":
            await one.cache.set(key, "new")
        await shared.clock.advance(1.0)
        assert await other.cache.get_multi([*"abc"]) == dict.fromkeys("abc", "old")
        one.way.heal()
        one.way.fail(at=place, of=["write"])
        await shared.clock.advance(6.0)

        assert not await one.waits()
        assert await other.cache.get_multi([*"abc"]) == dict.fromkeys("abc", "new")
