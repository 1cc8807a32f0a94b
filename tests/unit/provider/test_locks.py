import asyncio
import contextlib
import math

import pytest

from aiocache_kit.errors import LockLostError, LockTimeoutError, ProviderClosedError
from aiocache_kit.provider.locks import Lease, Locks
from aiocache_kit.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def locks(clock: FakeClock) -> Locks:
    return Locks(clock)


async def waiting(locks: Locks, *, ttl: float = 10.0, timeout: float = math.inf) -> asyncio.Task[Lease]:
    """Begin to wait for the lock "k"."""
    task = asyncio.create_task(locks.acquire("k", ttl, timeout))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_a_lock_that_nobody_has_takes_no_room(locks: Locks) -> None:
    """Locks of different names do not meet, and each is forgotten when it is free."""
    async with locks.hold("a", 10.0, 1.0), locks.hold("b", 10.0, 1.0):
        assert len(locks) == 2

    assert len(locks) == 0
    assert locks._keepers == set()


async def test_first_come_first_served(locks: Locks) -> None:
    """Rule 1: the lock goes on in the order of asking, to one at a time."""
    lease = await locks.acquire("k", 10.0, 1.0)
    tasks = [await waiting(locks) for _ in range(4)]
    order: list[int] = []
    for _ in tasks:
        locks.release("k", lease)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done = [number for number, task in enumerate(tasks) if task.done() and number not in order]
        assert len(done) == 1
        order += done
        lease = await tasks[done[0]]
    locks.release("k", lease)

    assert order == [0, 1, 2, 3]
    assert len(locks) == 0


async def test_nobody_overtakes_who_waits(locks: Locks) -> None:
    """A lock that was just released belongs to who waits, not to who asks in that very turn."""
    lease = await locks.acquire("k", 10.0, 1.0)
    first = await waiting(locks)
    locks.release("k", lease)
    second = await waiting(locks)

    assert (first.done(), second.done()) == (True, False)
    locks.release("k", await first)
    locks.release("k", await second)


async def test_fencing_numbers_grow(locks: Locks) -> None:
    """Rule 3: each lease has a larger number than all before, over all locks, and a token of its own."""
    leases: list[Lease] = []
    for key in ("a", "b", "a", "c"):
        async with locks.hold(key, 10.0, 1.0) as lease:
            leases.append(lease)

    assert [lease.fencing for lease in leases] == [1, 2, 3, 4]
    assert len({lease.token for lease in leases}) == 4
    assert {len(lease.token) for lease in leases} == {32}


async def test_the_repr_hides_the_token(locks: Locks) -> None:
    """What proves who holds the lock does not end up in logs."""
    async with locks.hold("k", 10.0, 1.0) as lease:
        assert repr(lease) == "<Lease 1, held>"
    lease.lost.set()

    assert repr(lease) == "<Lease 1, lost>"


async def test_waiting_ends_in_time(locks: Locks, clock: FakeClock) -> None:
    """Who waits longer than he wanted is told so, not a moment earlier, and is out of the queue."""
    async with locks.hold("k", 10.0, 1.0):
        task = await waiting(locks, timeout=25.0)
        await clock.advance(24.5)
        assert not task.done()
        await clock.advance(0.5)
        with pytest.raises(LockTimeoutError, match="the lock is held by somebody else, and the time to wait"):
            await task
        assert len(locks._locks["k"].waiters) == 0

    assert len(locks) == 0


async def test_a_free_lock_is_had_even_without_time(locks: Locks) -> None:
    """A timeout is about waiting: a lock that is free is given whatever it is."""
    lease = await locks.acquire("k", 10.0, 0.0)
    with pytest.raises(LockTimeoutError):
        await locks.acquire("k", 10.0, 0.0)
    locks.release("k", lease)

    assert len(locks) == 0


async def test_a_lease_is_extended_while_its_holder_runs(locks: Locks, clock: FakeClock) -> None:
    """Rule 2: a block may last many times its ttl, as long as the event loop runs."""
    async with locks.hold("k", 10.0, 1.0) as lease:
        other = await waiting(locks)
        await clock.advance(95.0)
        assert not lease.lost.is_set()
        assert not other.done()
        assert lease.expires_at > clock.monotonic()

    assert (await other).fencing == 2
    locks.release("k", await other)


async def test_a_holder_that_hangs_keeps_nobody_out(locks: Locks, clock: FakeClock) -> None:
    """A lease nobody extends ends at its ttl, and the next one has the lock from that instant on."""
    lease = await locks.acquire("k", 10.0, 1.0)
    other = await waiting(locks)
    await clock.advance(9.75)
    assert not other.done()
    await clock.advance(0.25)

    assert lease.lost.is_set()
    assert (await other).expires_at == clock.monotonic() + 10.0
    with pytest.raises(LockLostError, match="the lease ended before its holder was done"):
        locks.release("k", lease)
    with pytest.raises(LockLostError, match="its ttl was over before it was extended"):
        locks.extend("k", lease, 10.0)
    assert locks._locks["k"].holder is await other
    locks.release("k", await other)
    assert len(locks) == 0


async def test_extending(locks: Locks, clock: FakeClock) -> None:
    """A lease that is extended counts its ttl from then; one that is over, at the very instant too, is lost."""
    lease = await locks.acquire("k", 10.0, 1.0)
    await clock.advance(9.0)
    locks.extend("k", lease, 10.0)
    assert lease.expires_at == clock.monotonic() + 10.0
    await clock.advance(10.0)
    with pytest.raises(LockLostError):
        locks.extend("k", lease, 10.0)

    assert lease.lost.is_set()


async def test_a_lost_lease_is_told_at_the_end_of_the_block(locks: Locks, clock: FakeClock) -> None:
    """After the event loop stood still, somebody else has the lock and the holder is told so."""
    others: list[asyncio.Task[Lease]] = []

    async def stand_still() -> None:
        async with locks.hold("k", 10.0, 1.0):
            others.append(await waiting(locks))
            clock.leap(11.0)
            await clock.settle()

    with pytest.raises(LockLostError):
        await stand_still()
    locks.release("k", await others[0])

    assert len(locks) == 0


async def test_the_error_of_the_block_comes_first(locks: Locks, clock: FakeClock) -> None:
    """What the block raised is not hidden by the loss of the lease, and the lock is free."""

    async def fail() -> None:
        async with locks.hold("k", 10.0, 1.0):
            clock.leap(11.0)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert len(locks) == 0


async def test_a_lease_for_ever(locks: Locks, clock: FakeClock) -> None:
    """An infinite ttl is never over, and needs nobody to extend it."""
    async with locks.hold("k", math.inf, 1.0) as lease:
        clock.leap(1e12)
        await clock.settle()
        assert lease.expires_at == math.inf

    assert len(locks) == 0


# --- cancellation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("timeout", [5.0, math.inf])
async def test_cancelled_while_waiting(locks: Locks, turns: int, timeout: float) -> None:
    """Who is cancelled while he waits leaves the queue, wherever he was: the next one gets the lock."""
    async with locks.hold("k", 10.0, 1.0):
        task = asyncio.create_task(locks.acquire("k", 10.0, timeout))
        for _ in range(turns):
            await asyncio.sleep(0)
        other = await waiting(locks)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    locks.release("k", await other)
    assert len(locks) == 0


@pytest.mark.parametrize("turns", range(4))
async def test_cancelled_just_when_the_lock_is_given(locks: Locks, turns: int) -> None:
    """A lock given to somebody who is cancelled before he knows of it goes on to the next."""
    lease = await locks.acquire("k", 10.0, 1.0)
    task, other = await waiting(locks), await waiting(locks)
    locks.release("k", lease)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        locks.release("k", await task)
    async with asyncio.timeout(5):
        locks.release("k", await other)

    assert len(locks) == 0


@pytest.mark.parametrize("turns", range(6))
async def test_a_block_cancelled_anywhere_gives_the_lock_back(locks: Locks, turns: int) -> None:
    """From before the block to after it: a cancelled holder leaves neither lock nor task."""

    async def work() -> None:
        async with locks.hold("k", 10.0, 1.0):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert len(locks) == 0
    assert locks._keepers == set()


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_close_sends_away_who_waits(locks: Locks) -> None:
    """After `close` nobody gets a lock: not who waited, nor who comes later; the holder's block ends in peace."""
    async with locks.hold("k", 10.0, 1.0):
        tasks = [await waiting(locks), await waiting(locks, timeout=5.0)]
        await locks.close()
        for task in tasks:
            with pytest.raises(ProviderClosedError):
                await task
        assert locks._keepers == {keeper for keeper in locks._keepers if keeper.done()}

    with pytest.raises(ProviderClosedError):
        await locks.acquire("k", 10.0, 1.0)
    assert len(locks) == 0
