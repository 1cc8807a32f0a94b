import asyncio

from aiocache_kit.management.key_locks import KeyLock, KeyLocks


async def test_all_at_a_key_meet_one_lock() -> None:
    """The lock of a key is the same one for all who are at it, and another one for who comes after them."""
    locks = KeyLocks(KeyLock)
    first, second = locks.join("k"), locks.join("k")
    assert first is second is locks.find("k")
    assert locks.join("other") is not first
    locks.leave("k", first)
    assert locks.join("k") is first
    locks.leave("k", first)
    locks.leave("k", first)
    assert len(locks) == 1
    assert locks.find("k") is None
    assert locks.join("k") is not first


async def test_one_at_a_time_at_each_key() -> None:
    """Who wants keys that overlap waits, others do not, whatever the order they name them in."""
    locks = KeyLocks(KeyLock)
    order: list[str] = []

    async def hold(name: str, *keys: str) -> None:
        async with locks.hold(keys):
            order.append(name)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            order.append(name)

    await asyncio.gather(hold("1", "a", "b"), hold("2", "b", "a"), hold("3", "c"))
    assert order.index("3") < 4
    assert [name for name in order if name != "3"] == ["1", "1", "2", "2"]
    assert len(locks) == 0


async def test_who_is_cancelled_while_waiting_holds_nothing() -> None:
    """A waiter that leaves gives back what it held already, and the next one gets its turn."""
    locks = KeyLocks(KeyLock)
    async with locks.hold(["b"]):
        waiting = asyncio.create_task(_enter(locks, ["a", "b"]))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with locks.hold(["a"]):
            pass
    assert len(locks) == 0


async def _enter(locks: KeyLocks[KeyLock], keys: list[str]) -> None:
    async with locks.hold(keys):
        pass
