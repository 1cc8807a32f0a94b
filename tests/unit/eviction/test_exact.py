"""The exact policies against the plainest way to write each of them down."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.eviction.driver import Driver, names, zipf

Naive = Callable[[list[str], int], tuple[int, list[str]]]


def naive_fifo(keys: list[str], capacity: int) -> tuple[int, list[str]]:
    held: list[str] = []
    hits, victims = 0, list[str]()
    for key in keys:
        if key in held:
            hits += 1
            continue
        if len(held) == capacity:
            victims.append(held.pop(0))
        held.append(key)
    return hits, victims


def naive_lru(keys: list[str], capacity: int) -> tuple[int, list[str]]:
    held: list[str] = []
    hits, victims = 0, list[str]()
    for key in keys:
        if key in held:
            hits += 1
            held.remove(key)
        elif len(held) == capacity:
            victims.append(held.pop(0))
        held.append(key)
    return hits, victims


def naive_lfu(keys: list[str], capacity: int) -> tuple[int, list[str]]:
    counts: dict[str, tuple[int, int]] = {}
    hits, victims = 0, list[str]()
    for turn, key in enumerate(keys):
        if key in counts:
            hits += 1
            counts[key] = counts[key][0] + 1, turn
            continue
        if len(counts) == capacity:
            victims.append(min(counts, key=lambda held: counts[held]))
            del counts[victims[-1]]
        counts[key] = 0, turn
    return hits, victims


def naive_sieve(keys: list[str], capacity: int) -> tuple[int, list[str]]:
    held: list[str] = []  # the back of the queue first
    marked: set[str] = set()
    hand = 0
    hits, victims = 0, list[str]()
    for key in keys:
        if key in held:
            hits += 1
            marked.add(key)
            continue
        if len(held) == capacity:
            while held[hand] in marked:
                marked.remove(held[hand])
                hand = (hand + 1) % len(held)
            victims.append(held.pop(hand))
            if hand == len(held):
                hand = 0
        held.append(key)
    return hits, victims


NAIVE: dict[str, Naive] = {"fifo": naive_fifo, "lru": naive_lru, "lfu": naive_lfu, "sieve": naive_sieve}


@pytest.mark.parametrize("policy", NAIVE)
@given(
    keys=st.lists(st.integers(0, 12).map("key:{}".format), max_size=120),
    capacity=st.integers(1, 8),
)
@example(keys=["a", "b", "b", "a", "c"], capacity=2)  # as popular as each other: the one left alone longer goes
def test_the_same_hits_and_the_same_victims_in_the_same_order(policy: str, keys: list[str], capacity: int) -> None:
    """A policy and its plain form agree on each single decision."""
    driver = Driver(policy, capacity)

    hits = driver.run(keys)

    assert (hits, driver.victims) == NAIVE[policy](keys, capacity)


@pytest.mark.parametrize("policy", NAIVE)
def test_the_same_over_a_long_run(policy: str) -> None:
    """A policy and its plain form agree over thousands of requests with a real skew."""
    keys = names(zipf(400, 4_000, seed=5))
    driver = Driver(policy, 50)

    hits = driver.run(keys)

    assert (hits, driver.victims) == NAIVE[policy](keys, 50)
    assert hits > 1_000
