import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.clock import SystemClock
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.storage.memory import MOST_SHARDS, SHARD_BYTES, SHARD_ENTRIES, memory_storage, shards_for
from aiocache_kit.testing import FakeClock

BOUNDS = st.none() | st.integers(64, 10**10)


@pytest.mark.parametrize(
    ("entries", "size", "count"),
    [
        (None, None, 1),
        (1, None, 1),
        (SHARD_ENTRIES, None, 1),
        (SHARD_ENTRIES + 1, None, 2),
        (SHARD_ENTRIES * 2 + 1, None, 4),
        (1_000_000, None, 32),
        (10**9, None, MOST_SHARDS),
        (None, SHARD_BYTES - 1, 1),
        (None, SHARD_BYTES * 2 - 1, 1),
        (None, SHARD_BYTES * 2, 2),
        (None, SHARD_BYTES * 3, 4),
        (1_000_000, SHARD_BYTES, 1),
        (100, SHARD_BYTES * 100, 1),
    ],
)
def test_as_many_shards_as_the_bounds_ask_for(entries: int | None, size: int | None, count: int) -> None:
    """One shard until there would be too many entries in it, a power of two beyond, and large shards for bytes."""
    assert shards_for(entries, size) == count


@given(BOUNDS, BOUNDS)
def test_shards_are_a_bounded_power_of_two(entries: int | None, size: int | None) -> None:
    """Whatever the bounds."""
    count = shards_for(entries, size)

    assert 1 <= count <= MOST_SHARDS
    assert count & (count - 1) == 0


@given(BOUNDS, BOUNDS, st.sampled_from([None, 1, 2, 8, 64]))
def test_the_shares_add_up_to_the_bounds(entries: int | None, size: int | None, count: int | None) -> None:
    """What the shards may hold together is the bound, to the entry and byte, and each has about its part."""
    tables = memory_storage(max_entries=entries, max_size=size, shard_count=count).tables
    for bound, shares in (
        (entries, [table._max_entries for table in tables]),
        (size, [table._max_bytes for table in tables]),
    ):
        if bound is not None:
            assert sum(share or 0 for share in shares) == bound
            assert max(share or 0 for share in shares) - min(share or 0 for share in shares) <= 1
        else:
            assert set(shares) <= {None, float("inf")}


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_every_policy_keeps_the_bound(policy: str) -> None:
    """Under each policy the bound holds after every write, and what was just written can be read."""
    clock = FakeClock()
    storage = memory_storage(max_entries=16, shard_count=2, eviction_policy=policy, clock=clock)
    for number in range(200):
        storage.put(str(number), number, 5.0)
        assert storage.lookup(str(number), clock.monotonic()) == number
        assert (await storage.size()).items <= 16
    assert (await storage.size()).items == 16


def test_an_unknown_policy() -> None:
    """A policy of another name is refused."""
    with pytest.raises((InvalidArgumentError, ValueError, KeyError)):
        memory_storage(eviction_policy="least")


def test_what_is_not_said() -> None:
    """By default: ten thousand entries, the adaptive policy, one shard, values by reference, the system's clock."""
    storage = memory_storage()

    assert [(table._max_entries, table._max_bytes, table._policy.name) for table in storage.tables] == [
        (10_000, None, "adaptive")
    ]
    assert storage.own is None
    assert not storage.is_persistent
    assert storage.name == "memory"
    assert isinstance(storage.clock, SystemClock)
    assert storage.hash_func is hash
