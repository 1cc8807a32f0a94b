"""No call grows with the capacity: looks are counted, not time."""

from typing import SupportsIndex, overload

import pytest

from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.management.eviction.gdsf import Gdsf
from aiocache_kit.management.eviction.heap import MOST_REPAIRS
from aiocache_kit.management.eviction.lfu import Lfu
from aiocache_kit.management.eviction.sieve import LONGEST_WALK
from tests.unit.eviction.driver import Driver, names


class Counted(list[int]):
    """A column that counts how often it is read."""

    looks = 0

    @overload
    def __getitem__(self, place: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: SupportsIndex | slice) -> int | list[int]:
        self.looks += 1
        return super().__getitem__(place)


def counting(policy: str, capacity: int) -> tuple[Driver, Counted]:
    driver = Driver(policy, capacity)
    column = Counted()
    driver.columns.hits = column
    return driver, column


@pytest.mark.parametrize("policy", ["s3fifo", "adaptive"])
@pytest.mark.parametrize("capacity", [100, 10_000])
def test_a_miss_looks_at_few_entries_even_if_all_were_hit_to_the_utmost(policy: str, capacity: int) -> None:
    """The clock turns a bounded number of entries round, in a small cache and in a large one."""
    driver, column = counting(policy, capacity)
    for _ in range(4):
        driver.run(names(range(capacity)))

    for new in names(range(capacity, capacity + 50)):
        column.looks = 0
        driver.ask(new)
        assert column.looks <= 2 * 41 + 20


@pytest.mark.parametrize("capacity", [100, 5_000])
def test_the_hand_of_sieve_takes_no_more_steps_than_there_were_hits(capacity: int) -> None:
    """Each mark costs one step, once: over many misses there are at most two looks a request."""
    driver, column = counting("sieve", capacity)
    requests = names(range(capacity)) * 3 + names(range(capacity, 3 * capacity))
    driver.run(requests)

    assert column.looks <= 2 * len(requests)


def test_the_hand_of_sieve_stops_even_if_everything_is_marked() -> None:
    """One call takes at most so many steps, and then the entry under the hand goes."""
    driver, column = counting("sieve", 3 * LONGEST_WALK)
    driver.run(names(range(3 * LONGEST_WALK)) * 2)
    column.looks = 0

    driver.ask("new")

    assert column.looks <= LONGEST_WALK + 2
    assert driver.victims == [f"key:{LONGEST_WALK}"]


@pytest.mark.parametrize("policy", ["lfu", "gdsf"])
def test_litter_in_a_heap_stays_below_a_multiple_of_what_is_held(policy: str) -> None:
    """However many entries come and are removed, the heap is never much longer than there are entries."""
    driver = Driver(policy, 1_000)
    driver.run(names(range(100)))
    for number in range(1_000, 21_000):
        driver.ask(f"key:{number}")
        driver.remove(f"key:{number}")
        assert isinstance(driver.policy, Lfu | Gdsf)
        assert len(driver.policy.heap) <= 3 * len(driver.index) + 2 * 64

    assert {driver.evict() for _ in range(100)} == set(names(range(100)))


@pytest.mark.parametrize("policy", ["lfu", "gdsf"])
def test_a_heap_that_is_emptied_by_removals_shrinks(policy: str) -> None:
    """After ten thousand removals in a row, which found no time to tidy up, little is left in memory."""
    driver = Driver(policy, 20_000)
    keys = names(range(10_000))
    driver.run(keys)
    for key in keys[:-1]:
        driver.remove(key)

    assert isinstance(driver.policy, Lfu | Gdsf)
    assert len(driver.policy.heap) <= 3 + 2 * 64


@pytest.mark.parametrize("policy", POLICIES)
def test_a_capacity_that_is_never_used_costs_nothing(policy: str) -> None:
    """A bound of a thousand million entries takes no memory for entries that are not there."""
    driver = Driver(policy, 10**9)

    driver.run(names(range(100)))

    assert not driver.victims


@pytest.mark.parametrize("policy", ["lfu", "gdsf"])
def test_a_heap_of_entries_that_were_all_hit_is_not_made_good_in_one_call(policy: str) -> None:
    """One eviction repairs a bounded number of places and then takes the lowest as it is."""
    driver, column = counting(policy, 2 * MOST_REPAIRS)
    keys = names(range(2 * MOST_REPAIRS))
    driver.run(keys)
    driver.run(keys)
    column.looks = 0

    driver.ask("new")

    assert MOST_REPAIRS <= column.looks <= 4 * MOST_REPAIRS
    assert len(driver.victims) == 1
