"""How many bytes a value counts against a bound in bytes.

An estimate: exact for text, bytes and numbers, and for containers of them up to `MOST_PARTS` parts; of larger ones a
few parts at each level stand for all, so that one huge value cannot hold the event loop. What several values share
(interned text, classes, modules) is counted with each of them or not at all; a `cost` given by the caller, or a `sizer`
in the configuration, knows better.
"""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Final, cast

MOST_PARTS: Final = 1000
_SAMPLES: Final = 32
"""Parts that stand for all parts of a value too large to be counted; fewer, but no less than `_FEWEST`, within them."""
_FEWEST: Final = 4
ENTRY_BYTES: Final = 190
"""What the table itself takes for an entry, key and value apart; measured at a million entries."""
_ATOMS: Final = (str, bytes, bytearray, memoryview, array, range, int, float, complex, bool, type(None))
_SHARED: Final = (type, ModuleType, FunctionType, BuiltinFunctionType)


def size_of_entry(key: str, value: object) -> int:
    """Estimate the bytes that keeping `value` under `key` takes, the table's own share included."""
    if value.__class__ is str or value.__class__ is bytes:
        return ENTRY_BYTES + sys.getsizeof(key) + sys.getsizeof(value)
    return ENTRY_BYTES + sys.getsizeof(key) + size_of(value)


def size_of(value: object) -> int:
    """Estimate the bytes of `value` and of all that only it is known to hold."""
    total, seen, left = 0, {id(value)}, [value]
    counted = 0
    while left:
        part = left.pop()
        counted += 1
        total += sys.getsizeof(part, 64)
        if isinstance(part, _ATOMS):
            continue
        for looked_at, inner in enumerate(_parts(part)):
            if looked_at == MOST_PARTS * 4 or counted + len(left) > MOST_PARTS:
                return _size_by_samples(value)
            if id(inner) not in seen and not isinstance(inner, _SHARED):
                seen.add(id(inner))
                left.append(inner)
    return total


def _size_by_samples(value: object) -> int:
    total, parts_met, seen = 0.0, 0.0, {id(value)}
    left: list[tuple[object, float, int]] = [(value, 1.0, _SAMPLES)]
    counted = 0
    while left and counted < MOST_PARTS:
        part, stands_for, samples = left.pop()
        counted += 1
        total += stands_for * sys.getsizeof(part, 64)
        parts_met += stands_for
        if isinstance(part, _ATOMS):
            continue
        inner_parts, count = _some_parts(part, samples)
        for inner in inner_parts:
            if id(inner) not in seen and not isinstance(inner, _SHARED):
                seen.add(id(inner))
                left.append((inner, stands_for * count / len(inner_parts), max(samples // 4, _FEWEST)))
    return round(total + total / parts_met * sum(stands_for for _, stands_for, _ in left))


def _some_parts(value: object, most: int) -> tuple[list[object], int]:
    """Give some parts of `value`, spread over it where that is cheap, and the number of all."""
    if value.__class__ is list or value.__class__ is tuple:
        row = cast("Sequence[object]", value)
        return list(row[:: max(-(-len(row) // most), 1)]), len(row)
    if isinstance(value, Mapping | Sequence | AbstractSet):
        count = len(cast("Sequence[object]", value)) * (2 if isinstance(value, Mapping) else 1)
        step = min(count, MOST_PARTS * 4) // most | 1  # odd, to come by keys and values alike
        return list(islice(_parts(cast("object", value)), 0, most * step, step)), count
    parts = list(_parts(value))
    return parts, len(parts)


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return chain.from_iterable(cast("Mapping[object, object]", value).items())
    if isinstance(value, Sequence | AbstractSet):
        return cast("Iterable[object]", value)
    own: object = getattr(value, "__dict__", None)
    slots = (name for kind in type(value).__mro__ for name in _slot_names(kind))
    values = (getattr(value, name) for name in slots if hasattr(value, name))
    return chain((own,), values) if own is not None else values


def _slot_names(kind: type) -> tuple[str, ...]:
    names = cast("str | Iterable[str]", kind.__dict__.get("__slots__", ()))
    return (names,) if isinstance(names, str) else tuple(names)
