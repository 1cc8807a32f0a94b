import pytest

from aiocache_kit.errors import LockLostError
from aiocache_kit.provider.locks import Lease, Locks
from aiocache_kit.testing import FakeClock


@pytest.mark.parametrize("settled", [False, True], ids=["at once", "after its keeper saw it"])
async def test_an_ended_lease_is_told_and_leaves_no_lock(*, settled: bool) -> None:
    """A block that lasted longer than its lease is told so even if nobody waited, and the lock takes no room then."""
    clock = FakeClock()
    locks = Locks(clock)
    leases: list[Lease] = []

    async def work_too_long() -> None:
        async with locks.hold("key", 10.0, 1.0) as lease:
            leases.append(lease)
            clock.leap(10.0)
            if settled:
                await clock.settle()

    with pytest.raises(LockLostError, match="the lease ended"):
        await work_too_long()

    assert leases[0].lost.is_set()
    assert len(locks) == 0
