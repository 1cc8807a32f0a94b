import asyncio
import math
import zlib
from collections.abc import Callable, Coroutine

import pytest

from aiocache_kit.errors import ProviderClosedError, UnsupportedError, ValueTooLargeError
from aiocache_kit.item import Item
from aiocache_kit.management.invalidation import TagMarks
from aiocache_kit.sentinels import MISSING
from aiocache_kit.storage.base import IF_ABSENT, Size, if_lease
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock

KEYS = [f"key {number}" for number in range(40)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def storage(clock: FakeClock) -> TableStorage:
    """Give four tables, chosen by a hash that is the same in each run."""
    return memory_storage(clock=clock, shard_count=4, hash_func=lambda key: zlib.crc32(key.encode()))


async def filled(storage: TableStorage) -> TableStorage:
    for key in KEYS:
        storage.put(key, key, 10.0)
    return storage


async def keys_of(storage: TableStorage, prefix: str = "") -> list[str]:
    return sorted([key async for key in storage.scan(prefix)])


async def test_the_hash_chooses_the_table(storage: TableStorage) -> None:
    """A key lies in the table at its hash, and in no other."""
    await filled(storage)
    for key in KEYS:
        where = [place for place, table in enumerate(storage.tables) if key in table.index]
        assert where == [zlib.crc32(key.encode()) % 4]
        assert storage.table_of(key) is storage.tables[where[0]]


@pytest.mark.parametrize("result", [-1, -(2**70), 2**70, 0, 3, True])
async def test_any_whole_number_is_a_hash(clock: FakeClock, result: int) -> None:
    """A hash may be negative or larger than a machine word."""
    storage = memory_storage(clock=clock, shard_count=4, hash_func=lambda _: result)
    storage.put("k", 1, 5.0)

    assert storage.lookup("k", clock.monotonic()) == 1
    assert "k" in storage.tables[result % 4].index


async def test_the_repr_counts_and_shows_nothing(storage: TableStorage) -> None:
    """A `repr` holds neither keys nor values."""
    assert repr(await filled(storage)) == "<TableStorage memory, 4 tables, 40 entries>"


async def test_put_without_waiting(storage: TableStorage, clock: FakeClock) -> None:
    """`put` stores under a condition and says so; `holds` and `lookup` see it until its end."""
    assert storage.put("k", 1, 5.0, condition=IF_ABSENT)
    assert not storage.put("k", 2, 5.0, condition=IF_ABSENT)
    assert storage.holds("k")
    assert storage.lookup("k", clock.monotonic()) == 1
    await clock.advance(5.0)

    assert not storage.holds("k")
    assert storage.lookup("k", clock.monotonic()) is MISSING
    assert storage.put("k", 3, 5.0, condition=IF_ABSENT)


async def test_busy_tables_are_not_put_to(storage: TableStorage) -> None:
    """`may_put` says no while somebody holds one of the tables, and for keys in other tables yes."""
    table = storage.table_of("k")
    other = next(key for key in KEYS if storage.table_of(key) is not table)
    async with table.exclusive():
        assert not storage.may_put(["k"])
        assert not storage.may_put([other, "k"])
        assert storage.may_put([other])
        assert storage.may_put([])

    assert storage.may_put(["k"])


WRITES: dict[str, Callable[[TableStorage], Coroutine[object, object, object]]] = {
    "write": lambda storage: storage.write(Item(key="k", value=2)),
    "remove": lambda storage: storage.remove("k"),
    "increment": lambda storage: storage.increment(Item(key="k", value=0), 1),
    "touch": lambda storage: storage.touch(Item(key="k", value=None, ttl=99.0)),
    "expire": lambda storage: storage.expire("k"),
    "write_multi": lambda storage: storage.write_multi([Item(key="k", value=2)]),
    "remove_multi": lambda storage: storage.remove_multi(["k"]),
    "turn": lambda storage: storage.turn("k"),
    "clear": lambda storage: storage.clear("k"),
}


@pytest.mark.parametrize("name", WRITES)
async def test_writers_wait_and_readers_do_not(storage: TableStorage, name: str) -> None:
    """Rule 1: whatever changes an entry waits for who holds its table; reading goes on."""
    storage.put("k", 1, 5.0)
    async with storage.table_of("k").exclusive():
        writing = asyncio.create_task(WRITES[name](storage))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not writing.done()
        item = await storage.read("k")
        assert item is not None
        assert item.value == 1
        assert item.ttl == 5.0
        assert await storage.read_multi(["k"]) == {"k": item}
    await writing


async def test_a_storage_without_leases_says_so(storage: TableStorage) -> None:
    """A condition on a lease is refused and stores nothing."""
    with pytest.raises(UnsupportedError, match="the storage memory gives no leases"):
        await storage.write(Item(key="k", value=1), if_lease("x"))
    assert await storage.read("k") is None


@pytest.mark.parametrize("prefix", ["", "key 1", "none"])
async def test_clearing_by_prefix(storage: TableStorage, prefix: str) -> None:
    """All that begins with the prefix goes, in every table, and nothing else does."""
    await filled(storage)
    await storage.clear(prefix)

    assert await keys_of(storage) == sorted(key for key in KEYS if not key.startswith(prefix))
    assert (await storage.size()).items == len(await keys_of(storage))


async def test_scanning(storage: TableStorage, clock: FakeClock) -> None:
    """Each live key comes once; what is over, stale or of another beginning does not."""
    await filled(storage)
    storage.put("key over", 1, 1.0)
    await storage.expire("key 0")
    await clock.advance(1.0)

    assert await keys_of(storage) == sorted(set(KEYS) - {"key 0"})
    assert await keys_of(storage, "key 3") == sorted(key for key in KEYS if key.startswith("key 3"))


async def test_scanning_what_changes(storage: TableStorage) -> None:
    """What stays throughout comes once, whatever comes, goes and is cleared meanwhile."""
    await filled(storage)
    seen: list[str] = []
    async for key in storage.scan():
        seen.append(key)
        await storage.remove(KEYS[len(seen) % 40]) if len(seen) < 5 else None
        storage.put(f"new {len(seen)}", 1, 5.0)
        if len(seen) == 20:
            await storage.clear()

    assert len(seen) == len(set(seen)) == 20


async def test_tidying_frees_what_is_dead(storage: TableStorage, clock: FakeClock) -> None:
    """Expired entries and those that an invalidation killed are freed, and the marks are forgotten."""
    marks = TagMarks()
    storage.heed(marks)
    await filled(storage)
    for number in range(10):
        storage.put(f"tagged {number}", 1, math.inf, tags=("t" if number < 5 else "u",))
    marks.mark(["t"], storage.mark())
    storage.put("tagged later", 1, math.inf, tags=("t",))
    await clock.advance(11.0)
    await storage.tidy()

    assert await keys_of(storage) == ["tagged 5", "tagged 6", "tagged 7", "tagged 8", "tagged 9", "tagged later"]
    size = await storage.size()
    assert (size.items, size.expired, size.evictions) == (6, 40, 0)
    assert not marks


async def test_marks_order_writes_of_all_tables(storage: TableStorage) -> None:
    """A mark lies after every write so far and before every write to come, though the clock stands still."""
    marks = TagMarks()
    storage.heed(marks)
    for key in KEYS[:20]:
        storage.put(key, 1, 5.0, tags=("t",))
    marks.mark(["t"], storage.mark())
    for key in KEYS[20:]:
        storage.put(key, 1, 5.0, tags=("t",))

    assert await keys_of(storage) == sorted(KEYS[20:])


async def test_an_end_beyond_the_clock(storage: TableStorage) -> None:
    """An item with a ttl of None never ends, and one with 0 is no hit but may be kept as a fall-back."""
    now = storage.clock.time()
    await storage.write(Item(key="for ever", value=1))
    await storage.write(Item(key="stale", value=2, ttl=0.0, expiration=now, stale_until=now + 5.0))
    await storage.write(Item(key="dead", value=3, ttl=0.0, expiration=now))
    stale = await storage.read("stale")

    assert stale is not None
    assert stale.is_stale
    assert await storage.read("dead") is None
    assert await keys_of(storage) == ["for ever"]


async def test_own_copies(clock: FakeClock) -> None:
    """With copies, what goes in and what comes out, by every way, is nobody else's."""
    storage = memory_storage(clock=clock, copies=True)
    value = {"a": [1]}
    storage.put("put", value, 5.0)
    await storage.write(Item(key="write", value=value))
    value["a"].append(2)
    for key in ("put", "write"):
        found = storage.lookup(key, clock.monotonic())
        assert found == {"a": [1]}
        assert found is not storage.lookup(key, clock.monotonic())
        first, second = await storage.read(key), (await storage.read_multi([key]))[key]
        assert first is not None
        assert first.value == second.value == {"a": [1]}
        assert first.value is not second.value

    assert not storage.capabilities.by_reference
    assert memory_storage().capabilities.by_reference


def weigh_501(key: str, value: object) -> int:
    """Let every entry weigh the same."""
    del key, value
    return 501


async def test_what_is_over_its_bound_is_refused(clock: FakeClock) -> None:
    """A bound in bytes is one of each table; what is larger is refused, whichever way it comes."""
    storage = memory_storage(clock=clock, max_size=1000, shard_count=2, sizer=weigh_501)
    with pytest.raises(ValueTooLargeError, match="takes at most 500 in one place"):
        storage.put("k", 1, 5.0)
    with pytest.raises(ValueTooLargeError):
        await storage.write(Item(key="k", value=1))
    assert await storage.size() == Size()


async def test_the_end(storage: TableStorage, clock: FakeClock) -> None:
    """After `close`, which may come twice, everything is let go of, and readers and writers are told."""
    await filled(storage)
    await storage.close()
    await storage.close()

    assert await storage.size() == Size()
    assert not storage.may_put(["k"])
    with pytest.raises(ProviderClosedError):
        storage.lookup(KEYS[0], clock.monotonic())
    with pytest.raises(ProviderClosedError):
        await storage.write(Item(key="k", value=1))


async def test_what_clear_left_is_freed_later(storage: TableStorage) -> None:
    """A `clear` that is cancelled has emptied the tables; the room is freed by the next `tidy`."""
    for number in range(50_000):
        storage.put(str(number), None, 5.0)
    clearing = asyncio.create_task(storage.clear())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clearing.cancel()
    await asyncio.wait([clearing])
    if clearing.cancelled():
        assert storage._remains
    assert len(storage.tables[0]) == 0
    await storage.tidy()

    assert storage._remains == []


async def test_long_work_lets_others_run(storage: TableStorage) -> None:
    """Rule 2: storing, scanning, clearing and removing many thousand entries gives other tasks turns."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scan() -> None:
        assert len([key async for key in storage.scan()]) == 8000

    counting = asyncio.create_task(count())
    keys = [str(number) for number in range(8000)]
    calls: list[Callable[[], Coroutine[object, object, object]]] = [
        lambda: storage.write_multi(Item(key=key, value=1) for key in keys),
        scan,
        lambda: storage.read_multi(keys),
        lambda: storage.clear("1"),
        lambda: storage.remove_multi(keys),
    ]
    for call in calls:
        before = turns
        await call()
        assert turns - before >= 3
    counting.cancel()
    await asyncio.wait([counting])
