"""What is remembered of keys that left."""

from itertools import pairwise

from aiocache_kit.management.eviction.ghost import WRAP, Ghost
from aiocache_kit.management.eviction.policy import NIL
from tests.unit.eviction.driver import steady


def test_what_was_noted_is_told_once() -> None:
    """Number and stamp come back in full, and the key is forgotten then."""
    ghost = Ghost(100)
    ghost.note("left", WRAP, WRAP - 1)

    place = ghost.take("left")

    assert (ghost.numbers[place], ghost.stamps[place]) == (WRAP, WRAP - 1)
    assert ghost.take("left") == NIL


def test_an_empty_ghost_knows_nobody() -> None:
    """Places that were never written match no key, whatever its hash."""
    ghost = Ghost(4)

    assert {ghost.take(number) for number in range(100_000)} == {NIL}


def test_most_of_as_many_keys_as_the_cache_holds_are_remembered() -> None:
    """Of the last thousand keys beside a cache of a thousand, most are still known, and of older ones few."""
    ghost = Ghost(1_000)
    for turn in range(20_000):
        ghost.note(steady(f"key:{turn}"), turn, turn)

    latest = [ghost.take(steady(f"key:{turn}")) for turn in range(19_000, 20_000)]
    oldest = [ghost.take(steady(f"key:{turn}")) for turn in range(15_000)]

    assert latest.count(NIL) < 350
    assert len(oldest) - oldest.count(NIL) < 100


def test_a_collision_costs_the_older_of_two_keys_and_nothing_else() -> None:
    """Three keys for one pair of places: the two with the newest stamps stay, each with its own figures."""
    ghost = Ghost(4)
    same = [number for number in range(10_000) if number % ghost.pairs == 0]
    first, second, third = same[:3]
    for stamp, key in enumerate((first, second, third), start=10):
        ghost.note(key, stamp * 2, stamp)

    assert ghost.take(first) == NIL
    assert ghost.numbers[ghost.take(second)] == 22
    assert ghost.numbers[ghost.take(third)] == 24


def test_keys_that_share_the_low_bits_of_their_hash_spread_all_the_same() -> None:
    """A table that was picked by the low bits of the hash gets nothing but such keys."""
    ghost = Ghost(1_024)
    keys = [number * 64 for number in range(1_000)]
    for stamp, key in enumerate(keys):
        ghost.note(key, stamp, stamp)

    assert sum(ghost.take(key) == NIL for key in keys) < 100


def test_a_key_is_rarely_taken_for_another() -> None:
    """Beside a full table less than one stranger in a thousand is known."""
    ghost = Ghost(1_000)
    for turn in range(5_000):
        ghost.note(steady(f"key:{turn}"), turn, turn)

    assert sum(ghost.take(steady(f"stranger:{turn}")) != NIL for turn in range(20_000)) < 20


def test_numbers_may_wrap() -> None:
    """Differences of numbers are told over the end of their 32 bits."""
    numbers = [WRAP - 1, WRAP, 0, 1]

    assert [after - before & WRAP for before, after in pairwise(numbers)] == [1, 1, 1]
