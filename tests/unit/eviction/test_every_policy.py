"""What `EvictionPolicy` promises, for each of the policies."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.eviction import POLICIES
from tests.unit.eviction.driver import Driver, names, with_scans, zipf

EVERY = pytest.mark.parametrize("policy", POLICIES)


@dataclass(frozen=True)
class Step:
    """One call: which key, whether it is asked for, stored or removed, and with what weight and end."""

    deed: str
    key: str
    weight: int
    life: int
    """Turns until the entry is no plain hit; zero: ask the table."""


STEPS = st.lists(
    st.builds(
        Step,
        deed=st.sampled_from(["ask", "ask", "ask", "store", "remove"]),
        key=st.integers(0, 30).map("key:{}".format),
        weight=st.integers(1, 9),
        life=st.integers(0, 40),
    ),
    max_size=200,
)


def take(driver: Driver, steps: list[Step]) -> None:
    for turn, step in enumerate(steps):
        driver.now = float(turn)
        fresh = float(turn + step.life) if step.life else float("-inf")
        weight = step.weight if driver.columns.weights is not None else 1
        if step.deed == "ask":
            driver.ask(step.key, weight, fresh)
        elif step.deed == "store":
            driver.store(step.key, weight, fresh)
        elif step.key in driver.index:
            driver.remove(step.key)


@EVERY
@pytest.mark.parametrize("weighted", [False, True])
@given(steps=STEPS, capacity=st.integers(9, 40), most=st.integers(1, 30))
def test_it_holds_what_was_inserted_and_neither_removed_nor_evicted(
    policy: str, *, weighted: bool, steps: list[Step], capacity: int, most: int
) -> None:
    """Victims are held, the newest is spared, bounds hold after each call, and in the end each entry comes out once."""
    driver = Driver(policy, capacity, weighted=weighted, most_entries=most)

    take(driver, steps)

    left = set(driver.index)
    assert {driver.evict() for _ in range(len(left))} == left


@EVERY
@given(steps=STEPS)
def test_the_same_calls_choose_the_same_victims(policy: str, steps: list[Step]) -> None:
    """Nothing is left to chance but what the given generator draws."""
    one, other = Driver(policy, 9, weighted=True, seed=3), Driver(policy, 9, weighted=True, seed=3)

    take(one, steps)
    take(other, steps)

    assert one.victims == other.victims


@EVERY
@pytest.mark.parametrize("weighted", [False, True])
def test_one_entry_alone_gives_way_to_the_next(policy: str, *, weighted: bool) -> None:
    """A cache of one entry always holds the newest."""
    driver = Driver(policy, 1, weighted=weighted)

    hits = driver.run(["a", "b", "b", "a", "c"])

    assert hits == 1
    assert driver.victims == ["a", "b", "a"]
    assert set(driver.index) == {"c"}


@EVERY
def test_an_entry_that_grows_stays_and_others_go(policy: str) -> None:
    """Who was just given a larger value is not the one that makes room for it, wherever it stood."""
    for grown in ("key:0", "key:4", "key:9"):
        driver = Driver(policy, 10, weighted=True)
        driver.run(names(range(10)))
        driver.store(grown, 8)

        assert grown in driver.index
        assert driver.weight <= 10
        driver.store(grown, 10)
        assert set(driver.index) == {grown}


@EVERY
def test_slots_are_used_again_without_mixing_up_their_entries(policy: str) -> None:
    """What is known of an entry that left does not pass to the next one in its slot."""
    driver = Driver(policy, 20)
    for turn in range(200):
        key = f"key:{turn}"
        for _ in range(4):
            driver.ask(key)
        driver.remove(key)
    driver.run(names(range(1000, 1020)))

    assert not driver.victims
    driver.ask("one more")
    assert len(driver.victims) == 1
    assert len(driver.columns.keys) == 21


@EVERY
def test_the_cache_is_of_use(policy: str) -> None:
    """A tenth of the keys answers at least a third of skewed requests, whatever the policy."""
    requests = names(zipf(1_000, 10_000, seed=8))

    assert Driver(policy, 100).run(requests) > len(requests) / 3


@EVERY
def test_weights_of_one_choose_as_no_weights_do(policy: str) -> None:
    """A bound in bytes with entries of one byte is the bound in entries."""
    requests = names(with_scans(zipf(500, 6_000, seed=9), every=900, width=120))
    plain, weighed = Driver(policy, 100), Driver(policy, 100, weighted=True)

    assert plain.run(requests) == weighed.run(requests)
    assert plain.victims == weighed.victims


@pytest.mark.parametrize("policy", ["lfu", "sieve", "s3fifo", "gdsf", "adaptive"])
def test_an_entry_out_of_time_has_no_hits_to_its_credit(policy: str) -> None:
    """Among entries that were all hit alike, the one whose instant is past is the first to go."""
    for end, victim in ((10.0, "key:5"), (10.5, "key:0")):
        driver = Driver(policy, 10)
        for key in names(range(10)):
            driver.ask(key, fresh=end if key == "key:5" else 100.0)
        driver.run(names(range(10)) * 3)
        driver.now = 10.0
        driver.ask("new", fresh=100.0)

        assert (driver.victims == ["key:5"]) is (victim == "key:5")


@EVERY
def test_an_entry_that_needs_a_second_look_is_not_taken_for_one_out_of_time(policy: str) -> None:
    """Minus infinity means that the table knows the end, not that it has come."""
    asking, endless = Driver(policy, 50), Driver(policy, 50)
    for key in names(zipf(300, 3_000, seed=4)):
        asking.now = endless.now = endless.now + 1
        asking.ask(key, fresh=float("-inf"))
        endless.ask(key)

    assert asking.victims == endless.victims
