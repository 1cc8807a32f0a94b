import datetime as dt
import decimal
import fractions
import ipaddress
import re
import threading
import uuid
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePosixPath
from typing import NamedTuple, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit.errors import SerializationError
from aiocache_kit.storage.isolation import is_immutable, own_copy


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    parts: list[int]


class Stubborn:
    def __deepcopy__(self, memo: object) -> object:
        raise LookupError


def numbers() -> Iterator[int]:
    yield 1


IMMUTABLE: list[object] = [
    None,
    True,
    10**30,
    1.5,
    2j,
    "text",
    b"bytes",
    range(3),
    ...,
    dt.date(2026, 1, 1),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.time(1),
    dt.timedelta(1),
    dt.UTC,
    decimal.Decimal("1.5"),
    fractions.Fraction(1, 2),
    uuid.UUID(int=5),
    re.compile("x"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_address("127.0.0.1"),
    Colour.RED,
    PurePosixPath("a"),
    int,
    Colour,
    (),
    (1, ("a", frozenset({b"b"}))),
]


@pytest.mark.parametrize("value", IMMUTABLE, ids=repr)
def test_what_cannot_change_passes_through(value: object) -> None:
    """Nobody can change it, so it is given as it is."""
    assert is_immutable(value)
    assert own_copy(value) is value


@pytest.mark.parametrize("value", [[1], {"a": [1]}, {1}, bytearray(b"a"), ([],), (1, {"a": 1}), Point([1])], ids=repr)
def test_what_can_change_is_copied_all_through(value: object) -> None:
    """The copy is equal and of the same type, and another object."""
    copied = own_copy(value)

    assert not is_immutable(value)
    assert copied == value
    assert copied is not value
    assert type(copied) is type(value)


@given(st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3) | st.tuples(inner)))
def test_a_copy_shares_nothing_that_can_change(value: object) -> None:
    """No list of the copy, however deep, is one of the original."""

    def lists(part: object) -> set[int]:
        here, inner = id(part), list[object]()
        if isinstance(part, list | tuple):
            inner.extend(cast("list[object]", part))
        return set[int]().union([here] if isinstance(part, list) else [], *map(lists, inner))

    copied = own_copy(value)

    assert copied == value
    assert lists(copied).isdisjoint(lists(value))


def test_circles_are_kept() -> None:
    """What holds itself does so in the copy."""
    circle: list[object] = []
    circle.append(circle)
    copied = own_copy(circle)

    assert isinstance(copied, list)
    assert copied is not circle
    assert copied[0] is copied


@pytest.mark.parametrize("value", [threading.Lock(), [Stubborn()], numbers()], ids=type)
def test_what_cannot_be_copied_is_refused(value: object) -> None:
    """The error names the type and the way out, and not the value."""
    with pytest.raises(SerializationError, match=f"a value of type {type(value).__name__} cannot be copied") as caught:
        own_copy(value)
    assert 'set isolation to "reference"' in str(caught.value)
