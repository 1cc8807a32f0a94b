"""What every serializer must do: derive from this, say which one is yours and what it writes.

    class TestLines(SerializerContract):
        def serializer(self):
            return Lines()

        def values(self):
            return [[], ["one"], ["one", "two"]]

Rule: a value that a serializer writes comes back the same, types included. Whatever else it may be given, it refuses.
"""

import datetime as dt
import math
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from aiocache_kit.errors import CorruptPayloadError, SerializationError
from aiocache_kit.item import Item
from aiocache_kit.serializers.base import Serializer
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.signing import Signing
from aiocache_kit.testing.contract import Contract, raises

_SECRETS: Final = [bytes(range(32)), bytes(range(100, 132))]
_MOST_CUTS: Final = 200


class _Stranger:
    """An object that no serializer can know."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("nobody can take this apart")


_EMPTY: Final[list[object]] = []
HARD: Final[Sequence[object]] = (
    *((1, 2), [(1, 2)], {1, 2}, frozenset({"a"}), {1: "a"}, {"1": "a"}, {None: 1}, {(1, 2): 3}),
    *([True, 1, 1.0], [False, 0, None], [1.0, -0.0], [math.inf], [math.nan], [2**63], [2**64], [-(2**70)]),
    *(["\ud800"], {"\ud800": 1}, ["\0"], [b"\xff"], bytearray(b"x"), range(3), 1j, ..., [Decimal("1.50")]),
    *([UUID(int=5)], [dt.date(2020, 1, 1)], [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)], [dt.timedelta(1)]),
    *({"@tagged": {"@tuple": [1]}}, {"__class__": "os.system"}, ["int", "list"], [[_EMPTY]], _EMPTY),
)
"""Values that formats are tempted to make something else of: each comes back as it is, or is refused."""


class SerializerContract(Contract):
    """The checks of a serializer. Each makes what it needs anew."""

    @abstractmethod
    def serializer(self) -> Serializer:
        """Give a new serializer."""

    @abstractmethod
    def values(self) -> Iterable[object]:
        """Give some values that it writes, small ones; at least one."""

    def typed(self) -> Mapping[type[Any], object]:
        """Give values by the type by which they must be read, where there are such."""
        return {}

    def test_it_has_a_name_and_says_whether_it_runs_code(self) -> None:
        """Its name can be registered, and whoever asks whether reading can run code gets a plain answer."""
        serializer = self.serializer()

        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", serializer.name)
        assert serializer.name == self.serializer().name
        assert serializer.runs_code in {True, False}

    def test_values_come_back(self) -> None:
        """What was written is read as an equal value of the same types, by any serializer of that kind."""
        values = list(self.values())
        assert values, "values() gave none"
        for value in values:
            data = self.serializer().encode(value)
            assert type(data) is bytes
            assert is_same(self.serializer().decode(data), value), (
                f"a {type(value).__name__} came back as another value"
            )

    def test_values_are_left_as_they_were(self) -> None:
        """Writing changes nothing about a value, so that it can be written twice."""
        serializer = self.serializer()
        for value in self.values():
            first, second = serializer.encode(value), serializer.encode(value)
            assert is_same(serializer.decode(first), serializer.decode(second))

    def test_types_that_are_named_are_read(self) -> None:
        """A value that is read by its type is of that type, and equal."""
        serializer = self.serializer()
        for kind, value in self.typed().items():
            assert is_same(serializer.decode(serializer.encode(value), kind), value)

    def test_hard_values_come_back_or_are_refused(self) -> None:
        """No value becomes another one in silence, as tuples, large numbers and sets do in many formats."""
        serializer = self.serializer()
        for value in HARD:
            try:
                data = serializer.encode(value)
            except Exception:  # noqa: BLE001, S112  - refused, in whatever words: a codec puts its own in their place
                continue
            assert is_same(serializer.decode(data), value), f"{value!r} was written and came back as another value"

    def test_a_stranger_is_refused(self) -> None:
        """An object that cannot be written is refused, and the error says no word of the value."""
        codec = self._codec()
        with raises(SerializationError) as refusal:
            codec.encode(Item(key="key", value=cast("object", _Stranger())))
        assert "object at" not in str(refusal.error)

    def test_items_come_back_through_a_codec(self) -> None:
        """Under a seal, among dates and tags, values are the same; one that is read elsewhere is not believed."""
        for value in self.values():
            item = Item(key="key", value=value, ttl=5.0, expiration=15.0, created_at=10.0, tags=("tag",), version=3)
            data = self._codec().encode(item)
            assert is_same(self._codec().decode("key", data).value, value)
            with raises(CorruptPayloadError):
                self._codec().decode("another key", data)

    def test_damaged_bytes_are_a_value_or_an_error(self) -> None:
        """Bytes that were cut or changed never end the process; where reading runs code, none such are read."""
        serializer = self.serializer()
        if serializer.runs_code:
            return
        for value in self.values():
            data = serializer.encode(value)
            for place in range(min(len(data), _MOST_CUTS)):
                for damaged in (data[:place], data[:place] + bytes((data[place] ^ 0x55,)) + data[place + 1 :]):
                    try:
                        serializer.decode(damaged)
                    except Exception:  # noqa: BLE001, S112  - a codec makes a `CorruptPayloadError` of it
                        continue

    def _codec(self) -> Codec:
        return Codec(self.serializer(), seal=Signing(_SECRETS))


def is_same(one: object, other: object) -> bool:
    """Tell whether two values are equal and of the same types, at every depth; NaN is the same as itself here."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (one, math.copysign(1.0, one)) == (
            other,
            math.copysign(1.0, other),
        )
    if isinstance(one, Mapping):
        return _are_same(_flat(cast("Mapping[object, object]", one)), _flat(cast("Mapping[object, object]", other)))
    if isinstance(one, Sequence) and not isinstance(one, str | bytes | bytearray | range):
        return _are_same(cast("Sequence[object]", one), cast("Sequence[object]", other))
    if isinstance(one, AbstractSet):
        some, others = cast("AbstractSet[object]", one), cast("AbstractSet[object]", other)
        return some == others and sorted(map(_kind, some)) == sorted(map(_kind, others))
    return bool(one == other)


def _flat(pairs: Mapping[object, object]) -> list[object]:
    """Give keys and values in the order of the keys' texts."""
    return [part for pair in sorted(pairs.items(), key=lambda pair: (_kind(pair[0]), repr(pair[0]))) for part in pair]


def _are_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(map(is_same, some, others))


def _kind(value: object) -> str:
    return type(value).__name__
