"""Greedy-Dual-Size-Frequency: hits for the room they take, and fame that wears off."""

from tests.unit.eviction.driver import Driver, names, zipf


def test_of_two_entries_with_equal_hits_the_larger_goes() -> None:
    """Room for many small entries is worth more than one large one."""
    driver = Driver("gdsf", 100, weighted=True)
    driver.store("large", 50)
    for key in names(range(10)):
        driver.store(key, 5)
    driver.store("one more", 5)

    assert driver.victims == ["large"]


def test_hits_make_up_for_size() -> None:
    """An entry ten times as large stays if it was hit more than ten times as often."""
    driver = Driver("gdsf", 100, weighted=True)
    driver.store("large", 50)
    for _ in range(12):
        driver.ask("large")
    for key in names(range(10)):
        driver.store(key, 5)
    driver.store("one more", 5)

    assert driver.victims == ["key:0"]


def test_old_fame_wears_off() -> None:
    """Where lfu keeps an entry for ever that was popular once, here it goes when others have come often enough."""
    for policy, stays in (("lfu", True), ("gdsf", False)):
        driver = Driver(policy, 20)
        for _ in range(12):
            driver.ask("once popular")
        for key in names(range(2_000)):
            for _ in range(3):
                driver.ask(key)

        assert ("once popular" in driver.index) is stays


def test_a_new_value_of_another_size_changes_the_rank() -> None:
    """An entry that grew large goes before its equals that stayed small, as soon as it is not the newest."""
    driver = Driver("gdsf", 100, weighted=True)
    for key in names(range(10)):
        driver.store(key, 5)
        driver.ask(key)
    driver.store("key:3", 55)
    driver.store("one more", 5)

    assert driver.victims == ["key:3"]


def test_more_requests_are_answered_than_by_lru_where_sizes_differ_much() -> None:
    """On skewed traffic with sizes over three orders of magnitude, bounded in bytes."""
    requests = names(zipf(2_000, 20_000, seed=3))
    hits = {}
    for policy in ("lru", "gdsf"):
        driver = Driver(policy, 20_000, weighted=True)
        hits[policy] = sum([driver.ask(key, 1 + int(key[4:]) * 7919 % 1_000) for key in requests])

    assert hits["gdsf"] > 1.2 * hits["lru"]
