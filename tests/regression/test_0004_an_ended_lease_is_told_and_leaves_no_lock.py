import pytest

from aiocache_kit.errors import LockLostError
from aiocache_kit.provider.locks import Locks
from aiocache_kit.testing import FakeClock


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "after its keeper saw it"])
async def test_an_ended_lease_is_told_and_leaves_no_lock(*, settled: bool) -> None:
    """A block that lasted longer than its lease is told so even if nobody waited, and the lock takes no room then."""
    clock = FakeClock()
    locks = Locks(clock)
    with pytest.raises(LockLostError, match="the lease ended"):
        async with locks.hold("key", 10.0, 1.0) as lease:
            clock.leap(10.0)
            if settled:
                await clock.settle()

    assert lease.lost.is_set()
    assert len(locks) == 0
