import sys
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.clock import stopwatch
from aiocache_kit.storage.sizing import ENTRY_BYTES, MOST_PARTS, size_of, size_of_entry

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=5)
        | st.frozensets(st.integers(), max_size=5)
    ),
    max_leaves=30,
)


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: object) -> None:
        self.left = left


@dataclass
class Plain:
    name: str = "n" * 1000
    rows: list[int] = field(default_factory=lambda: list(range(1000, 1100)))


def bytes_of(value: object, seen: set[int] | None = None) -> int:
    """Add up every part by `sys.getsizeof`, each object once."""
    known = set[int]() if seen is None else seen
    if id(value) in known:
        return 0
    known.add(id(value))
    parts: Iterable[object] = ()
    own = sys.getsizeof(value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        parts = [*mapping.keys(), *mapping.values()]
    elif isinstance(value, list | tuple | frozenset):
        parts = cast("Iterable[object]", value)
    return own + sum(bytes_of(part, known) for part in parts)


@given(TREES)
def test_small_trees_are_exact(value: object) -> None:
    """Up to `MOST_PARTS` parts the estimate is the sum of all, shared ones counted once."""
    assert size_of(value) == bytes_of(value)


@pytest.mark.parametrize("value", ["", "x" * 10_000, b"x" * 10_000, "\u20ac" * 100])
def test_an_entry_takes_its_value_key_and_place(value: str | bytes) -> None:
    """Text and bytes have a way of their own, which gives what the general one gives."""
    expected = ENTRY_BYTES + sys.getsizeof("key") + sys.getsizeof(value)

    assert size_of_entry("key", value) == expected
    assert size_of_entry("key", [value]) == expected + sys.getsizeof([None])


def test_objects_are_their_attributes() -> None:
    """What an object holds, in its dict or its slots, is counted; its class is not."""
    assert size_of(Plain()) > 1000 + sys.getsizeof(list(range(100))) + 2800
    assert size_of(Slotted("x" * 1000)) >= 1000
    assert size_of(Slotted(None)) < 200
    assert size_of([int, sys, len, bytes_of]) < 200


def test_what_holds_itself() -> None:
    """Circles end, and each object counts once."""
    circle: list[object] = ["x" * 1000]
    circle.append(circle)
    slotted = Slotted(circle)
    circle.append(slotted)

    assert size_of(circle) < 2000


LARGE: dict[str, object] = {
    "rows": [{"id": number, "name": f"name {number}", "tags": [f"tag {number}"]} for number in range(3000)],
    "texts": [str(number) * 100 for number in range(20_000)],
    "matrix": [[float(row * column + row) for column in range(150)] for row in range(150)],
    "tuple of tuples": tuple((number, str(number)) for number in range(10_000)),
    "mapping": {f"key {number}": f"value {number}" * 20 for number in range(20_000)},
    "set": frozenset(range(1000, 31_000)),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_trees_are_estimated_well(name: str) -> None:
    """Beyond that a few parts stand for all, and give about the sum."""
    assert size_of(LARGE[name]) == pytest.approx(bytes_of(LARGE[name]), rel=0.3)


@pytest.mark.parametrize("value", [deque(range(5000)), [[], *range(5000)], [{} for _ in range(5000)]], ids=type)
def test_other_large_containers(value: object) -> None:
    """Whatever its class, a container of thousands counts at least its own table and at most 200 bytes a part."""
    assert sys.getsizeof(value) <= size_of(value) <= 5000 * 200


def test_numbers_side_by_side_are_one_part() -> None:
    """An array and a range hold no objects: they count what they take."""
    for value in (array("d", range(100_000)), range(10**12), bytearray(10**6)):
        assert size_of(value) == sys.getsizeof(value)


@pytest.mark.parametrize(
    "value",
    [
        list(range(2_000_000)),
        dict.fromkeys(range(500_000)),
        [[[number] * 2 for number in range(300)] for _ in range(300)],
    ],
    ids=["list", "dict", "nested"],
)
def test_the_work_is_bounded(value: object) -> None:
    """A value of millions of parts is weighed in a few milliseconds, about as fast as one of `MOST_PARTS`."""
    best = min(timed(value) for _ in range(3))

    assert best < 0.05
    assert MOST_PARTS == 1000


def timed(value: object) -> float:
    """Time one weighing."""
    start = stopwatch()
    size_of(value)
    return stopwatch() - start
