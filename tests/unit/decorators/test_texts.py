import os
import subprocess
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal, localcontext
from enum import Enum, Flag, IntEnum, StrEnum, auto
from itertools import pairwise
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from aiocache_kit.decorators.texts import DEEPEST, plain_text, typed_text
from aiocache_kit.errors import InvalidKeyError

WHERE = "the argument 'x' of shop:load"
BERLIN = ZoneInfo("Europe/Berlin")


class Colour(Enum):
    RED = 1
    GREEN = 2


class Word(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Right(Flag):
    READ = auto()
    WRITE = auto()


class Point(NamedTuple):
    x: int
    y: int


class Place(NamedTuple):
    x: int
    y: int


class Handy(Point):
    """A named tuple with methods of its own, perhaps, but without room for more."""

    __slots__ = ()


class Wider(Point):
    """A named tuple with room for more."""


@dataclass(frozen=True)
class Query:
    text: str
    limit: int = 10


@dataclass(frozen=True)
class Other:
    text: str
    limit: int = 10


class More(Query):
    """Not a dataclass itself, so it may hold anything."""


@dataclass
class Mutable:
    text: str


class Tenant:
    def __init__(self, name: str) -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name


class Guest(Tenant):
    """Another class with the same texts."""


class Forgetful:
    def __cache_key__(self) -> int:
        return 7


class Shown:
    def __repr__(self) -> str:
        return "<shown>"


class Told(Shown):
    def __str__(self) -> str:
        return "told"


class UserId(int):
    def __repr__(self) -> str:
        return "UserId()"


class Slug(str):
    __slots__ = ()


class DriverUUID(uuid.UUID):
    """As database drivers have them."""


class OddZone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _: datetime | None) -> str:
        return "odd"


ID = "12345678-1234-5678-1234-567812345678"

DIFFERENT: list[object] = [
    *(None, "None", b"None", "", b"", (), [], {}, set(), frozenset()),
    *(0, 1, -1, True, False, 0.0, -0.0, 1.0, 1j, complex(1, -0.0), complex(1, 0.0), "0", "1", "True", "1.0", b"1"),
    *(10**5000, 10**5000 + 1, float("inf"), float("nan"), "inf", "nan"),
    *("a'b", 'a"b', "a\\'b", "a\nb", "a\\nb", "\udc80", "\\udc80", "é", "e\u0301", "1,", "(1,)"),
    *((1,), [1], {1}, frozenset({1}), {1: 1}, (1, 1), ((1,), 1), (1, (1,)), ((1, 1),), ([1], 1), {(1, 1)}, {1: (1,)}),
    *((None,), ("",), ((),), ("a", "b"), ("a,", "b"), ("a','b",), ({}, {}), ({1: 2, 3: 4},), ({1: 2}, {3: 4})),
    *(Decimal(1), Decimal("1.0"), Decimal("1E+3"), Decimal(1000), Decimal("NaN"), Decimal("sNaN"), Decimal("-0")),
    *(date(2024, 1, 1), datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, fold=1)),  # noqa: DTZ001  - naive on purpose
    *(datetime(2024, 1, 1, tzinfo=BERLIN), datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    *(datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), time(12), time(12, fold=1), time(12, tzinfo=BERLIN)),
    *(timedelta(1), timedelta(seconds=1), timedelta(microseconds=1), timedelta(-1)),
    *(uuid.UUID(ID), ID, Path("a"), PurePosixPath("a"), PureWindowsPath("a"), Path("b"), "a", "b"),
    *(Colour.RED, Colour.GREEN, Word.RED, "red", Number.ONE, Right.READ, Right.WRITE, Right.READ | Right.WRITE),
    *(Point(1, 2), Place(1, 2), Handy(1, 2), (1, 2), Point(2, 1)),
    *(Query("a"), Query("b"), Query("a", 11), Other("a"), Tenant("a"), Tenant("b"), Guest("a")),
    *(int, str, Query, Colour, type),
]


def text(value: object) -> str:
    return typed_text(value, WHERE)


def test_what_differs_has_different_texts() -> None:
    """No two of very many confusable values have the same typed text, alone or before others in a tuple."""
    assert len(set(map(text, DIFFERENT))) == len(DIFFERENT)
    assert len({text((first, second)) for first in DIFFERENT for second in DIFFERENT}) == len(DIFFERENT) ** 2


def test_no_text_begins_with_another_one() -> None:
    """A text tells where it ends: whatever follows it is not taken for part of it."""
    delimited = sorted(text(value) + "," for value in DIFFERENT)

    assert not [before for before, after in pairwise(delimited) if after.startswith(before)]


def test_texts_can_be_written_anywhere() -> None:
    """Texts have no control characters and no lone surrogates, so that any storage can hold them."""
    for value in DIFFERENT:
        assert text(value).isprintable()
        text(value).encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (42, "42"),
        ("it's", '"it\'s"'),
        ("é", "'\\xe9'"),
        ((1, "a"), "(1,'a',)"),
        ({"b": [1], "a": None}, "{'a':None,'b':[1,]}"),
        ({3, 1, 2}, "set(1,2,3)"),
        (Decimal("1.50"), "Decimal(1.50)"),
        (datetime(2024, 1, 1, 12, tzinfo=BERLIN), "datetime(2024-01-01T12:00:00+01:00 ZoneInfo<'Europe/Berlin'>)"),
        (uuid.UUID(ID), "UUID(12345678123456781234567812345678)"),
    ],
)
def test_texts_read_like_source(value: object, expected: str) -> None:
    """The typed text is fixed, because stored items are found by it after an upgrade."""
    assert text(value) == expected


def test_order_counts_only_where_it_means_something() -> None:
    """Equal dicts and sets have the same text, however they were filled."""
    assert text({"a": 1, "b": 2}) == text({"b": 2, "a": 1})
    assert text({"x", "y", "z"}) == text({"z", "y", "x"})
    assert text([1, 2]) != text([2, 1])


def test_text_of_a_decimal_ignores_the_context() -> None:
    """The context of `decimal` changes how a Decimal is shown, and not its text."""
    with localcontext() as context:
        context.capitals = 0

        assert text(Decimal("1E+9")) == "Decimal(1E+9)"


def test_uuids_of_drivers_are_uuids() -> None:
    """A UUID of a subclass, as database drivers make them, is the UUID that it is equal to."""
    assert text(DriverUUID(ID)) == text(uuid.UUID(ID))


def test_texts_are_the_same_in_every_process() -> None:
    """Texts do not depend on the seed of hashes, nor on the order in which anything was made."""
    program = (
        "from aiocache_kit.decorators.texts import typed_text;"
        "from pathlib import PurePosixPath;"
        "print(typed_text([{'a', 'b', 'c', 1}, {'k': {2.5, None}}, frozenset({('x',), PurePosixPath('y')}), int], ''))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert printed == {
        "[set('a','b','c',1),{'k':set(2.5,None)},frozenset(('x',),PurePosixPath('y')),class builtins:int;,]\n"
    }


HIDDEN: list[tuple[object, str]] = [
    (object(), "object"),
    (Shown(), "Shown"),
    (Told(), "Told"),
    (len, "builtin_function_or_method"),
    (Mutable("a"), "Mutable"),
    (More("a"), "More"),
    (Wider(1, 2), "Wider"),
    (OrderedDict[str, int](a=1), "OrderedDict"),
    (UserId(1), "UserId"),
    (Slug("a"), "Slug"),
    (bytearray(b"a"), "bytearray"),
    (list[int], "GenericAlias"),
    (datetime(2024, 1, 1, tzinfo=OddZone()), "OddZone"),
    (time(1, tzinfo=OddZone()), "OddZone"),
]


@pytest.mark.parametrize(("value", "named"), HIDDEN)
@pytest.mark.parametrize("inside", [False, True])
def test_what_has_no_text_is_refused(value: object, named: str, *, inside: bool) -> None:
    """One sentence names the argument, the class and the ways out, and nothing of the value."""
    with pytest.raises(InvalidKeyError) as raised:
        text([{"k": (value,)}] if inside else value)

    said = str(raised.value)
    assert said.startswith(f"{WHERE} ")
    assert f"an object of class {named}, which cannot be part of a key" in said
    assert all(way in said for way in ("exclude=", "key=", "__cache_key__"))
    assert "0x" not in said
    assert "shown" not in said
    assert "told" not in said


def test_what_holds_itself_is_refused() -> None:
    """A list in itself, and nesting without end, is refused instead of running out of stack."""
    endless: list[object] = []
    endless.append(endless)
    deep: object = 1
    for _ in range(DEEPEST):
        deep = [deep]

    assert text(deep) == "[" * DEEPEST + "1" + ",]" * DEEPEST
    with pytest.raises(InvalidKeyError, match=f"nested more than {DEEPEST} levels deep"):
        text(endless)


@pytest.mark.parametrize("write", [typed_text, plain_text])
def test_own_text_must_be_text(write: Callable[[object, str], str]) -> None:
    """A `__cache_key__` that gives no str is refused, by the name of its class."""
    with pytest.raises(InvalidKeyError, match="__cache_key__ of Forgetful must give a str, not int"):
        write(Forgetful(), WHERE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a:b", "a:b"),
        (Slug("a"), "a"),
        (7, "7"),
        (UserId(7), "7"),
        (True, "True"),
        (None, "None"),
        (1.5, "1.5"),
        (b"a\xff", "b'a\\xff'"),
        (uuid.UUID(ID), ID),
        (Decimal("1.50"), "1.50"),
        (date(2024, 1, 2), "2024-01-02"),
        (Path("a/b"), "a/b"),
        (Colour.RED, "RED"),
        (Word.RED, "red"),
        (Number.ONE, "1"),
        (Right.READ | Right.WRITE, "3"),
        (Tenant("acme"), "acme"),
        (Told(), "told"),
    ],
)
def test_plain_texts_are_what_values_stand_for(value: object, expected: str) -> None:
    """In a template, a value is the text that one would write for it."""
    assert plain_text(value, WHERE) == expected


def test_large_numbers_are_written_in_hexadecimal() -> None:
    """An int with more digits than Python writes in decimal still has its texts."""
    assert text(10**5000) == plain_text(10**5000, WHERE) == hex(10**5000)


@pytest.mark.parametrize("value", [object(), Shown(), [1], (1,), {}, Query("a"), Point(1, 2), int, len, 1j])
def test_what_only_has_a_repr_is_refused_in_templates(value: object) -> None:
    """What would put its `repr` into a template is refused in a sentence that names the argument and the class."""
    with pytest.raises(InvalidKeyError) as raised:
        plain_text(value, WHERE)

    said = str(raised.value)
    assert said.startswith(f"{WHERE} is an object of class {type(value).__qualname__}, which has no text of its own")
    assert "0x" not in said
    assert "shown" not in said
