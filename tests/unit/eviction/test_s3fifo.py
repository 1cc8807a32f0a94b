"""S3-FIFO: quick demotion, and a second chance for what left too early."""

from aiocache_kit.management.eviction.s3fifo import MAIN, SMALL, S3Fifo
from tests.unit.eviction.driver import Driver, names


def queue_of(driver: Driver, key: str) -> int:
    assert isinstance(driver.policy, S3Fifo)
    return driver.policy.queues.where[driver.index[key]]


def test_a_key_that_left_lately_enters_the_main_queue() -> None:
    """What the ghost remembers is not put to the test again; what it does not remember is."""
    driver = Driver("s3fifo", 100)
    driver.run(names(range(101)))
    (left,) = driver.victims
    driver.run([left, "stranger"])

    assert queue_of(driver, left) == MAIN
    assert queue_of(driver, "stranger") == SMALL


def test_a_key_that_left_long_ago_is_a_stranger_again() -> None:
    """After as many evictions as there are entries the ghost's word counts no more."""
    driver = Driver("s3fifo", 100)
    driver.run(names(range(101)))
    (left,) = driver.victims
    driver.run(names(range(1_000, 1_102)))
    driver.ask(left)

    assert queue_of(driver, left) == SMALL


def test_one_hit_wonders_pass_through_a_tenth_of_the_cache() -> None:
    """A scan drives out what waits in the small queue, and nothing of the main one."""
    driver = Driver("s3fifo", 100)
    driver.run(names(range(100)))
    kept = [key for key in names(range(100)) if queue_of(driver, key) == MAIN]
    driver.run(names(range(1_000, 2_000)))

    assert len(kept) == 90
    assert all(key in driver.index for key in kept)


def test_two_hits_in_the_small_queue_earn_a_place_in_the_main_one() -> None:
    """One hit does not."""
    driver = Driver("s3fifo", 100)
    driver.run(names(range(100)))
    driver.run(["key:0", "key:0", "key:1"])
    driver.run(names(range(1_000, 1_020)))

    assert queue_of(driver, "key:0") == MAIN
    assert "key:1" in driver.victims
