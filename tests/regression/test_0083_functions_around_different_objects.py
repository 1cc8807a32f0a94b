"""Functions of one name around different members of an enum, UUIDs, tuples ... got each other's results."""

import enum
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from aiocache_kit import InvalidArgumentError, Provider, cached, new_provider


class Tenant(enum.Enum):
    """Whose data it is."""

    ACME = 1
    OTHER = 2


@dataclass(frozen=True)
class Table:
    """Where data is."""

    name: str
    connection: object = field(default_factory=str)


class Keyed:
    """An object that says what it is in a key."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __cache_key__(self) -> str:
        return self.name


def make_loader(cache: Provider, around: object) -> Callable[[int], Coroutine[Any, Any, str]]:
    @cached(cache)
    async def load(number: int) -> str:
        return f"{number} of {around}"

    return load


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Tenant.ACME, Tenant.OTHER),
        (UUID(int=1), UUID(int=2)),
        (("users", 1), ("users", 2)),
        (frozenset({"users"}), frozenset({"posts"})),
        (Table("users"), Table("posts")),
        (date(2020, 1, 1), date(2021, 1, 1)),
        (Decimal(1), Decimal(2)),
        (Keyed("users"), Keyed("posts")),
    ],
    ids=["enum", "uuid", "tuple", "frozenset", "dataclass", "date", "decimal", "keyed"],
)
async def test_they_are_refused(one: object, two: object) -> None:
    """A function around another value is refused, and one around the same value is not."""
    async with new_provider() as cache:
        assert await make_loader(cache, one)(1) == f"1 of {one}"
        with pytest.raises(InvalidArgumentError, match="exists twice, with different values of 'around'"):
            await make_loader(cache, two)(1)
        assert await make_loader(cache, one)(1) == f"1 of {one}"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (object(), object()),
        (str.upper, str.lower),
        (["users"], ["posts"]),
        ({"a": 1}, {"b": 1}),
        (Table("users", object()), Table("users", object())),
    ],
    ids=["objects", "functions", "lists", "dicts", "holding objects"],
)
async def test_what_has_no_text_or_changes_is_not_compared(one: object, two: object) -> None:
    """Connections, functions, and what a function keeps from one call to the next may differ."""
    async with new_provider() as cache:
        assert await make_loader(cache, one)(1) == await make_loader(cache, two)(1)
