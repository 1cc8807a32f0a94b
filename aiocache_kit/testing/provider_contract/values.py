"""Checks of a provider: values come back as they were."""

import decimal
import math
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from aiocache_kit.errors import InvalidArgumentError, NotFoundError, SerializationError
from aiocache_kit.sentinels import MISSING
from aiocache_kit.testing.contract import raises
from aiocache_kit.testing.provider_contract.case import ProviderCase

FALSY: tuple[Any, ...] = (False, 0, 0.0, "", b"", [], {})
ODD: tuple[Any, ...] = (
    (),
    (1, "a"),
    {1, 2},
    frozenset({1}),
    bytearray(b"x"),
    {1: "a"},
    {(1, 2): 3},
    2**70,
    -(2**63) - 1,
    1 + 2j,
    "\ud800",
    float("inf"),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    timedelta(days=1),
    decimal.Decimal("1.10"),
    uuid.UUID(int=1),
    [[[[[]]]]],
    {"a": {"b": (None, [b"\xff"])}},
)


class Values(ProviderCase):
    """Reading what was written."""

    async def test_missing_key_gives_the_default(self) -> None:
        """A miss gives None, or the default; MISSING as the default tells it from a stored None."""
        assert await self.cache.get("k") is None
        assert await self.cache.get("k", 7) == 7
        assert await self.cache.get("k", MISSING) is MISSING

    async def test_value_comes_back(self) -> None:
        """What was set is got, and there."""
        await self.cache.set("k", {"name": "x", "numbers": [1, 2.5, None, True]})

        assert await self.holds("k", {"name": "x", "numbers": [1, 2.5, None, True]})
        assert await self.cache.exists("k") is self.stores

    async def test_none_is_a_value(self) -> None:
        """A stored None is a hit: it is there, and no default takes its place."""
        await self.cache.set("k", None)

        assert await self.cache.get("k", 7) is self.kept(None, 7)
        assert await self.cache.exists("k") is self.stores
        assert await self.cache.get_multi(["k"]) == self.kept({"k": None}, {})

    async def test_falsy_values_are_values(self) -> None:
        """What is false in Python is stored and read back with its type."""
        for value in FALSY:
            await self.cache.set("k", value)
            assert await self.holds("k", value), value
            assert await self.cache.exists("k") is self.stores

    async def test_odd_values_come_back_equal_or_are_refused(self) -> None:
        """A value that would not come back equal and of its type is refused at once, and what was there stays."""
        for value in ODD:
            await self.cache.set("k", "before")
            try:
                await self.cache.set("k", value)
            except SerializationError:
                assert await self.holds("k", "before"), value
            else:
                assert await self.holds("k", value), value

    async def test_not_a_number_comes_back_or_is_refused(self) -> None:
        """A NaN is a NaN when it comes back."""
        try:
            await self.cache.set("k", math.nan)
        except SerializationError:
            assert await self.lacks("k")
        else:
            assert math.isnan(await self.cache.get("k", math.nan))

    async def test_set_replaces(self) -> None:
        """The last value counts."""
        for value in (1, "two", [3]):
            await self.cache.set("k", value)
            assert await self.holds("k", value)

    async def test_values_belong_to_whom_the_capabilities_say(self) -> None:
        """A value is the same object in every way to read it, or one's own, and changing it changes nothing stored."""
        value = {"a": [1]}
        await self.cache.set("k", value)
        if not self.stores:
            return
        item = await self.cache.get_item("k")
        found: list[Any] = [await self.cache.get("k"), (await self.cache.get_multi(["k"]))["k"], item.value]
        found.append(await self.cache.get_or_set("k", lambda: None))
        if self.cache.capabilities.by_reference:
            assert all(each is value for each in found)
            return
        value["a"].append(2)
        for each in found:
            assert each == {"a": [1]}
            each["a"].append(3)
        assert await self.holds("k", {"a": [1]})

    async def test_large_values_come_back(self) -> None:
        """A megabyte of text and one of bytes come back whole."""
        for value in ("\u00e9" * 500_000, b"\0\xff" * 500_000):
            await self.cache.set("k", value)
            assert await self.holds("k", value)

    async def test_deep_values_come_back_or_are_refused(self) -> None:
        """A value nested a hundred deep comes back."""
        value: list[Any] = []
        for _ in range(99):
            value = [value]
        await self.cache.set("k", value)

        assert await self.holds("k", value)

    async def test_many_values_are_kept_apart(self) -> None:
        """Hundreds of keys each have their value."""
        for number in range(300):
            await self.cache.set(f"k{number}", number)

        for number in range(300):
            assert await self.holds(f"k{number}", number)

    async def test_typed_read_gives_what_is_of_that_type(self) -> None:
        """A value that is of the type asked for is given as it is, by each call that takes a type."""
        await self.cache.set("k", 5)
        source: Any = 5

        assert await self.cache.get("k", type=int) == self.kept(5, None)
        assert await self.cache.get("missing", 1.5, type=int) == 1.5
        assert await self.cache.get_multi(["k"], type=int) == self.kept({"k": 5}, {})
        assert await self.cache.get_or_set("k", lambda: source, type=int) == 5
        assert not self.stores or (await self.cache.get_item("k", type=int)).value == 5

    async def test_item_tells_what_is_known(self) -> None:
        """An item has key, value, ttl, expiration, tags, cost, version and the instant of its creation."""
        before = self.clock.time()
        await self.cache.set("k", "v", 60, tags=["b", "a", "b"], cost=3)
        if not self.stores:
            with raises(NotFoundError):
                await self.cache.get_item("k")
            return
        item = await self.cache.get_item("k")

        assert (item.key, item.value, item.ttl, item.cost, item.is_stale) == ("k", "v", 60.0, 3, False)
        assert item.tags == ("b", "a")
        assert item.version > 0
        assert item.expiration is not None
        assert abs(item.expiration - before - 60.0) < 0.01
        assert abs(item.created_at - before) < 0.01

    async def test_item_that_is_missing_is_an_error(self) -> None:
        """A missing item is a NotFoundError, which is a KeyError, knows its key and does not print it."""
        with raises(NotFoundError) as caught:
            await self.cache.get_item("secret")

        assert isinstance(caught.error, KeyError)
        assert caught.error.key == "secret"
        assert "secret" not in str(caught.error)

    async def test_costs_are_checked(self) -> None:
        """A cost is None or an int from zero up; anything else is refused and nothing is stored."""
        wrong: tuple[Any, ...] = (-1, 1.5, "1", True)
        for cost in wrong:
            await self.refuses(
                InvalidArgumentError,
                self.cache.set("k", 1, cost=cost),
                self.cache.add("k", 1, cost=cost),
                self.cache.replace("k", 1, cost=cost),
                self.cache.compare_and_set("k", 1, 1, cost=cost),
                self.cache.get_or_set("k", lambda: 1, cost=cost),
            )

        assert await self.lacks("k")

    async def test_nothing_is_told_to_logs(self) -> None:
        """Neither keys nor values are in what a provider and its items print."""
        await self.cache.set("secret", "password", tags=["private"])
        texts = [repr(self.cache), repr(self.cache.namespace("tenant"))]
        if self.stores:
            texts.append(repr(await self.cache.get_item("secret")))

        assert not any(word in text for text in texts for word in ("secret", "password", "private", "tenant"))
