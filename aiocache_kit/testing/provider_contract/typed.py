"""Checks of a provider: a typed read means the same wherever the value lies."""

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypedDict

from aiocache_kit.errors import WrongTypeError
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase, Source


@dataclass
class Point:
    """A value of a class."""

    x: int
    y: int


class Named(NamedTuple):
    """The same as a tuple."""

    x: int
    y: int


class Mapped(TypedDict):
    """The same as a dict."""

    x: int
    y: int


class Color(enum.Enum):
    """One of two."""

    RED = "red"
    BLUE = "blue"


PLAIN: Final = {"x": 1, "y": 2}
ID: Final = uuid.UUID(int=7)
DATE: Final = datetime(2024, 2, 29, 12, tzinfo=UTC)
READ_AS: Final[tuple[tuple[Any, Any, Any], ...]] = (
    (PLAIN, Point, Point(1, 2)),
    (PLAIN, Mapped, PLAIN),
    ([1, 2], Named, Named(1, 2)),
    ("red", Color, Color.RED),
    (str(ID), uuid.UUID, ID),
    (DATE.isoformat(), datetime, DATE),
    ([PLAIN], list[Point], [Point(1, 2)]),
    ({"a": PLAIN}, dict[str, Point], {"a": Point(1, 2)}),
    (None, Point | None, None),
)
"""What is stored, what it is read as, and what comes of it."""


class Typed(ProviderCase):
    """`type`."""

    async def test_typed_read_makes_the_type(self) -> None:
        """What is stored plainly is read as the type that is asked for, by each call that takes one."""
        for value, kind, expected in READ_AS:
            await self.cache.set("k", value)
            found: list[Any] = [
                await self.cache.get("k", type=kind),
                (await self.cache.get_multi(["k"], type=kind)).get("k"),
                (await self.cache.get_item("k", type=kind)).value if self.stores else None,
            ]
            assert found == self.kept([expected] * 3, [None] * 3), kind
            assert await self.cache.get_or_set("k", Source(value).load, type=kind) == expected, kind
            several = await self.cache.get_or_set_multi(["k"], lambda keys, v=value: dict.fromkeys(keys, v), type=kind)
            assert several == {"k": expected}, kind
            assert await self.holds("k", value), kind

    async def test_loaded_value_is_given_as_the_type(self) -> None:
        """A value that is loaded is given as the type as well, and so it is when it is found."""
        for _ in range(2):
            assert await self.cache.get_or_set("k", Source(PLAIN).load, type=Point) == Point(1, 2)
            several = await self.cache.get_or_set_multi(["a"], lambda keys: dict.fromkeys(keys, PLAIN), type=Point)
            assert several == {"a": Point(1, 2)}
        assert await self.cache.refresh("k", Source(PLAIN).load, type=Point) == Point(1, 2)
        again = await self.cache.refresh_multi(["a"], lambda keys: dict.fromkeys(keys, PLAIN), type=Point)
        assert again == {"a": Point(1, 2)}

    async def test_value_of_another_type_is_told(self) -> None:
        """What does not fit the type is a WrongTypeError, by each call, and stays as it is."""
        wrong: list[Any] = [{"x": 1}, {"x": "one", "y": 2}, [1, 2], "point", 5, None]
        for value in wrong:
            await self.cache.set("k", value)
            if self.stores:
                await self.refuses(
                    WrongTypeError,
                    self.cache.get("k", type=Point),
                    self.cache.get_item("k", type=Point),
                    self.cache.get_multi(["k"], type=Point),
                )
            with raises(WrongTypeError):
                await self.cache.get_or_set("k", Source(value).load, type=Point)
            assert await self.holds("k", value), value
