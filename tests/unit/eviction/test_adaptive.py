"""The default policy: what it is there for, and each of its rules."""

import pytest

from aiocache_kit.management.eviction.adaptive import MAIN, SMALL, Adaptive
from tests.unit.eviction.driver import Driver, names, steady, with_scans, zipf


def adaptive(driver: Driver) -> Adaptive:
    """Give the driver's policy as what it is."""
    assert isinstance(driver.policy, Adaptive)
    return driver.policy


def hit_ratio(policy: str, capacity: int, numbers: list[int]) -> float:
    return Driver(policy, capacity).run(names(numbers)) / len(numbers)


def test_a_loop_larger_than_the_cache_still_hits() -> None:
    """Where lru answers nothing, about as many requests are answered as the cache holds of the loop."""
    loop = list(range(1_000)) * 30

    assert hit_ratio("lru", 500, loop) == 0
    assert 0.40 < hit_ratio("adaptive", 500, loop) < 0.5


def test_scans_drive_out_nothing_that_is_in_use() -> None:
    """With scans over skewed traffic it is well ahead of lru, and loses less to them."""
    steady = zipf(5_000, 30_000, seed=1)
    scanned = with_scans(steady, every=3_000, width=1_500)

    lead_without = hit_ratio("adaptive", 500, steady) - hit_ratio("lru", 500, steady)
    lead_with = hit_ratio("adaptive", 500, scanned) - hit_ratio("lru", 500, scanned)

    assert lead_without > 0.02
    assert lead_with > lead_without


def test_a_working_set_that_moves_is_followed() -> None:
    """When all popular keys are replaced by others it comes within two points of lru, which keeps nothing old."""
    moving = [number + 10_000 * turn for turn in range(6) for number in zipf(2_000, 6_000, seed=turn)]

    assert hit_ratio("adaptive", 300, moving) > hit_ratio("lru", 300, moving) - 0.02


def test_bounds_in_bytes_are_worth_as_much() -> None:
    """Entries of many sizes leave the loop's hits as they are; sizes that nearly fit must not let it collapse."""
    loop = names(list(range(1_000)) * 20)
    for spread in (1, 21, 200):
        driver = Driver("adaptive", 500 * 100, weighted=True)
        hits = sum([driver.ask(key, 100 - spread // 2 + int(key[4:]) * 37 % spread) for key in loop])

        assert hits / len(loop) > 0.38


def test_it_finds_its_size_where_the_bound_in_entries_is_the_nearer_one() -> None:
    """With room for a thousand times the bytes, a bound in entries gives nearly the hits of entries alone."""
    requests = names(with_scans(zipf(5_000, 30_000, seed=2), every=3_000, width=1_500))
    one = Driver("adaptive", 500)
    both = Driver("adaptive", 1_000 * 500 * 100, weighted=True, most_entries=500)

    plain = one.run(requests)
    nearest = sum([both.ask(key, 90 + hash(steady(key)) % 21) for key in requests])

    assert len(both.index) == 500
    assert nearest / len(requests) > plain / len(requests) - 0.02


def test_until_something_had_to_leave_a_twentieth_waits_in_the_small_queue() -> None:
    """Rule 2: of the first hundred entries five are in S and the rest in M."""
    driver = Driver("adaptive", 100)
    driver.run(names(range(100)))
    where = adaptive(driver).queues.where

    assert (where.count(SMALL), where.count(MAIN)) == (5, 95)


def test_two_hits_in_the_small_queue_earn_a_place_in_the_main_one() -> None:
    """Rule 6: of three entries that leave S, the one with two hits moves to M and stays."""
    driver = Driver("adaptive", 100)
    driver.run(names(range(100)))
    driver.run(["key:0", "key:0", "key:1"])
    driver.run(names(range(200, 204)))

    assert "key:0" in driver.index
    assert "key:1" in driver.victims
    assert adaptive(driver).queues.where[driver.index["key:0"]] == MAIN


def test_the_small_queue_grows_by_what_left_it_too_early_and_shrinks_by_what_left_the_main_one() -> None:
    """Rule 4: a miss on what went from S a moment ago moves the target up by one, from M down by one."""
    driver = Driver("adaptive", 100)
    driver.run(names(range(101)))
    policy = adaptive(driver)
    assert (policy.target, driver.victims) == (5, ["key:0"])

    driver.ask("key:0")
    assert (policy.target, driver.victims) == (6, ["key:0", "key:5"])

    driver.ask("key:5")
    assert policy.target == 5


@pytest.mark.parametrize("capacity", [1, 2, 3, 19, 20, 21])
def test_the_target_stays_whole_and_within_its_limits_in_tiny_caches(capacity: int) -> None:
    """Rule 4: never below one entry, whatever the traffic."""
    driver = Driver("adaptive", capacity)
    for key in names(with_scans(zipf(30, 3_000, seed=capacity), every=100, width=10)):
        driver.ask(key)
        assert 1 <= adaptive(driver).target <= max(1, capacity * 9 // 10)


def test_columns_of_its_own_cost_33_bytes_an_entry() -> None:
    """Links, places, stamps and the ghost, all counted, at ten thousand entries."""
    driver = Driver("adaptive", 10_000)
    driver.run(names(range(12_000)))
    policy = adaptive(driver)
    ghost, queues = policy.ghost, policy.queues
    links = queues.lists[SMALL]
    arrays = (ghost.tags, ghost.numbers, ghost.stamps, policy.stamps, links.before, links.after)

    cost = sum(each.itemsize * len(each) for each in arrays) + len(queues.where)

    assert cost / 10_000 < 34


def test_it_costs_little_before_it_is_full() -> None:
    """There is no ghost until something has left, however large the capacity."""
    driver = Driver("adaptive", 10**9)
    driver.run(names(range(1_000)))

    assert adaptive(driver).ghost.pairs < 10
