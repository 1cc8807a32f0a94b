"""Counts of half a byte that age."""

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.management.eviction.sketch import LARGEST, PERIOD, Sketch
from tests.unit.eviction.driver import names, steady, zipf


@given(keys=st.lists(st.integers(0, 40).map("key:{}".format), max_size=500))
def test_an_estimate_is_never_below_the_truth_as_far_as_it_counts(keys: list[str]) -> None:
    """Until the first halving, keys may be taken for more popular than they are, never for less."""
    sketch = Sketch()
    for key in keys:
        sketch.count(key)

    assert all(sketch.estimate(key) >= min(keys.count(key), LARGEST) for key in keys)


def test_a_counter_stops_at_fifteen() -> None:
    """Counting on changes neither this key nor its neighbours in the word."""
    sketch = Sketch()
    for _ in range(100):
        sketch.count(steady("popular"))

    assert sketch.estimate(steady("popular")) == LARGEST
    assert sum(sketch.words).bit_count() == 16


def test_estimates_are_close_while_there_are_as_many_words_as_keys() -> None:
    """Of a thousand keys of a skewed stream nine in ten are estimated at most one too high."""
    sketch = Sketch()
    sketch.make_room(1_000)
    stream = [steady(key) for key in names(zipf(1_000, 5_000, seed=6))]
    for key in stream:
        sketch.count(key)
    counts = {key: min(stream.count(key), LARGEST) for key in set(stream)}

    close = sum(sketch.estimate(key) - count <= 1 for key, count in counts.items())

    assert close > 0.9 * len(counts)


def test_counts_are_halved_when_it_is_time() -> None:
    """What was counted eight times counts four after one period, two after the next, and then fades away."""
    sketch = Sketch()
    for _ in range(8):
        sketch.count(steady("old"))
    seen = [sketch.estimate(steady("old"))]
    turn = 0
    for age in range(1, 6):
        while sketch.age < age:
            turn += 1
            # Only keys in other words: the halving of a word that nobody looks at is what is tested.
            if _place(sketch, steady(f"new:{turn}")) != _place(sketch, steady("old")):
                sketch.count(steady(f"new:{turn}"))
        if age in {1, 2, 5}:
            seen.append(sketch.estimate(steady("old")))

    assert seen == [8, 4, 2, 0]


def test_halving_walks_no_table() -> None:
    """A count that brings the time to halve writes one word, as any other does."""
    sketch = Sketch()
    sketch.make_room(1_024)
    turn = 0
    while sketch.counts < PERIOD * sketch.mask:
        turn += 1
        sketch.count(steady(f"key:{turn}"))
    before = sketch.words[:]
    sketch.count(steady("the last one"))

    assert sketch.age == 1
    assert sum(one != other for one, other in zip(before, sketch.words, strict=True)) <= 1


def test_growing_keeps_all_estimates() -> None:
    """Room for more keys changes no count."""
    sketch = Sketch()
    stream = [steady(key) for key in names(zipf(60, 300, seed=7))]
    for key in stream:
        sketch.count(key)
    before = {key: sketch.estimate(key) for key in stream}

    sketch.make_room(5_000)

    assert len(sketch.words) == len(sketch.ages) == 8_192
    assert {key: sketch.estimate(key) for key in stream} == before


def _place(sketch: Sketch, key: str) -> int:
    probe = Sketch()
    probe.make_room(len(sketch.words))
    probe.count(key)
    return next(place for place, word in enumerate(probe.words) if word)
