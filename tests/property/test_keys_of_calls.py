"""Keys of arbitrary calls: equal for the same call, different for others, and the same by both ways of making them."""

import math
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.decorators import cached
from aiocache_kit.decorators.texts import typed_text
from aiocache_kit.errors import InvalidKeyError
from aiocache_kit.provider import Provider


class Colour(Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: object
    y: object


@dataclass(frozen=True)
class Query:
    text: object


def unused() -> Provider:
    """Stand for a provider that no test gets as far as to ask for."""
    raise AssertionError


@cached(unused)
async def shapes(a: object, /, b: object = 2, *rest: object, c: object = None, **more: object) -> None:
    """Take arguments in every way there is."""
    del a, b, rest, c, more


@cached(unused, key="{a}:{b.real}:{b}")
async def templated(a: object, b: Any) -> None:  # noqa: ANN401  - anything with the attribute
    """Name parameters and an attribute."""
    del a, b


# Few of each, so that equal ones and near misses meet often.
few = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, float("nan"), float("inf"), 1j),
        *("", "1", "a", "a'", 'a"', "\\", "(", ",", "None", "\udc80", "é", "a,b", "\n", b"", b"1", b"a'"),
        *(Decimal(1), Decimal("1.0"), uuid.UUID(int=1), Colour.RED, Colour.BLUE, int, str, timedelta(1)),
        *(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    ]
)
leaves = few | st.text(max_size=4) | st.binary(max_size=3) | st.integers() | st.floats()
hashable = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3) | st.builds(Point, inner, few)
    ),
    max_leaves=6,
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.sets(hashable, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.builds(Query, inner)
    ),
    max_leaves=8,
)


def shape(value: Any) -> object:  # noqa: ANN401  - of anything
    """Give what tells a value apart from all others, in a form that compares and hashes as it should."""
    return shape_of(type(value), value)


def shape_of(kind: Any, value: Any) -> object:  # noqa: ANN401  - as above
    """Give the shape of a value of a class."""
    if kind is float:
        return kind, "nan" if math.isnan(value) else struct.pack("d", value)
    if kind is complex:
        return kind, shape(value.real), shape(value.imag)
    if kind in {tuple, list, Point}:
        return kind, tuple(map(shape, value))
    if kind in {set, frozenset}:
        return kind, frozenset(map(shape, value))
    if kind is dict:
        return kind, frozenset((shape(key), shape(held)) for key, held in value.items())
    if kind is Query:
        value = shape(value.text)
    return kind, repr(value) if kind in {Decimal, datetime} else value


@given(values, values)
def test_texts_are_equal_for_equal_values_alone(one: object, two: object) -> None:
    """Two values have one text if and only if their types and values are the same, all the way down."""
    assert (typed_text(one, "") == typed_text(two, "")) == (shape(one) == shape(two))


names = st.sampled_from(["x", "y", "a", "rest"])
calls = st.tuples(
    values, st.lists(few, max_size=3), st.fixed_dictionaries({}, optional={"c": few}), st.dictionaries(names, few)
)


@given(calls, calls)
def test_keys_are_equal_for_equal_calls_alone(one: Any, two: Any) -> None:  # noqa: ANN401  - of anything
    """Two calls have one key if and only if they give every parameter the same."""

    def key(call: Any) -> str:  # noqa: ANN401  - of anything
        first, others, by_name, more = call
        key_for: Any = shapes.key_for
        return str(key_for(first, *others, **by_name, **more))

    def meaning(call: Any) -> object:  # noqa: ANN401  - of anything
        first, others, by_name, more = call
        return shape((first, others[0] if others else 2, tuple(others[1:]), by_name.get("c"), more))

    assert (key(one) == key(two)) == (meaning(one) == meaning(two))


def easily(function: Any, *arguments: object, **names: object) -> str | None:  # noqa: ANN401  - a cached function
    """Make a key by the code that answers hits, None where it leaves that to others."""
    plan = function._plan
    expression, objects = plan.key.code()
    try:
        made: str | None = plan.compile(f"return {expression}", objects, is_async=False)(*arguments, **names)
    except (AttributeError, ValueError):
        return None
    return made


@given(values, few, st.lists(few, max_size=1), st.dictionaries(names, few, max_size=1))
def test_both_ways_make_the_same_keys(a: object, b: object, rest: list[object], more: dict[str, object]) -> None:
    """Where the generated code makes a key, it is the key that everybody else makes."""
    assert easily(shapes, a, b, *rest, **more) in {None, shapes.key_for(a, b, *rest, **more)}
    assert easily(shapes, "x", b) is None or easily(shapes, "x", b) == shapes.key_for("x", b)
    made = easily(templated, a, b)
    try:
        assert made in {None, templated.key_for(a, b)}
    except InvalidKeyError:
        assert made is None


def test_common_values_are_easy() -> None:
    """Calls with plain values alone are answered by the generated code."""
    assert easily(shapes, 1, "b", c=None) == shapes.key_for(1, "b")
    assert easily(templated, "x", 1.5) == "x:1.5:1.5"
