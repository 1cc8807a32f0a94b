"""W-TinyLFU: admission, the ring of hits, and the window that finds its size."""

from aiocache_kit.management.eviction.tinylfu import FIRST_SHARE, PROBATION, PROTECTED, RING, SHARED, TinyLfu
from tests.unit.eviction.driver import Driver, names, steady, with_scans, zipf


def tinylfu(driver: Driver) -> TinyLfu:
    """Give the driver's policy as what it is."""
    assert isinstance(driver.policy, TinyLfu)
    return driver.policy


def filled(capacity: int) -> Driver:
    """Give a driver whose cache has seen skewed traffic for a while."""
    driver = Driver("tinylfu", capacity)
    driver.run(names(zipf(20 * capacity, 40 * capacity, seed=3)))
    return driver


def test_keys_that_are_asked_for_once_do_not_drive_out_popular_ones() -> None:
    """A scan as long as ten caches leaves nine in ten of the protected entries where they are."""
    driver = filled(200)
    queues = tinylfu(driver).queues
    popular = [key for key, slot in driver.index.items() if queues.where[slot] == PROTECTED]
    driver.run(names(range(100_000, 102_000)))

    assert len(popular) > 50
    assert sum(key in driver.index for key in popular) > 0.9 * len(popular)


def test_a_scan_costs_fewer_hits_than_with_lru() -> None:
    """With scans over skewed traffic it is well ahead of lru."""
    requests = names(with_scans(zipf(5_000, 30_000, seed=1), every=3_000, width=1_500))

    assert Driver("tinylfu", 500).run(requests) > 1.1 * Driver("lru", 500).run(requests)


def test_a_newcomer_is_admitted_if_it_was_seen_more_often_than_the_victim() -> None:
    """Among entries that were seen twice, a newcomer seen five times finds its place, and one seen once does not."""
    for times, stays in ((5, True), (1, False)):
        driver = Driver("tinylfu", 100)
        driver.run(names(range(100)) * 2)
        driver.run(names(range(200, 220)))
        driver.run(["newcomer"] * times)
        driver.run(names(range(100_000, 100_060)))

        assert ("newcomer" in driver.index) is stays


def test_a_newcomer_seen_as_often_as_the_victim_is_not_admitted() -> None:
    """Keys that are all asked for once leave the main part as it is."""
    driver = Driver("tinylfu", 100)
    driver.run(names(range(100)))
    driver.run(names(range(100_000, 100_060)))

    assert sum(key in driver.index for key in names(range(100))) > 90


def test_a_hit_on_probation_protects() -> None:
    """The entry moves to the protected segment when the hit is worked off, at the next insertion."""
    driver = filled(200)
    queues = tinylfu(driver).queues
    slot = queues.lists[PROBATION].front
    driver.hit(slot)
    assert queues.where[slot] == PROBATION

    driver.ask("new")

    assert queues.where[slot] == PROTECTED


def test_an_expired_victim_goes_without_being_compared() -> None:
    """However popular it was, an entry whose time is over makes room for the candidate."""
    driver = filled(200)
    slot = tinylfu(driver).queues.lists[PROBATION].back
    key = driver.columns.keys[slot]
    for _ in range(20):
        tinylfu(driver).sketch.count(key)
    driver.columns.fresh[slot] = 5.0
    driver.now = 5.0

    driver.ask("new")

    assert driver.victims[-1] == key


def test_hits_that_are_noted_are_bounded() -> None:
    """A million hits in a row are remembered as the last few of them."""
    driver = filled(200)
    slot = next(iter(driver.index.values()))
    for _ in range(1_000):
        driver.hit(slot)

    assert len(tinylfu(driver).ring) == RING


def test_hits_of_an_entry_that_left_do_not_count_for_the_next_in_its_slot() -> None:
    """A slot in the ring means the entry that was in it."""
    driver = filled(200)
    key = next(iter(driver.index))
    for _ in range(15):
        driver.ask(key)
    driver.remove(key)
    driver.ask("another")

    assert tinylfu(driver).sketch.estimate(steady("another")) < 3


def test_the_window_moves_and_keeps_within_its_limits() -> None:
    """The share of the window changes with the traffic and stays between nothing and what it shares."""
    driver = Driver("tinylfu", 100)
    shares = set[float]()
    for key in names(zipf(2_000, 30_000, seed=2)):
        driver.ask(key)
        shares.add(tinylfu(driver).share)
        assert tinylfu(driver).window >= 1

    assert FIRST_SHARE in shares
    assert len(shares) > 5
    assert all(0 <= share <= SHARED for share in shares)
