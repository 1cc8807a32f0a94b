import sys
from collections.abc import Iterable, Mapping
from typing import cast

import pytest

from aiocache_kit.storage.sizing import size_of


def bytes_of_all_parts(value: object, seen: set[int]) -> int:
    """Add up every part, however many there are, each object once."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    inner: Iterable[object] = ()
    own = sys.getsizeof(value)
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        inner = [*mapping.keys(), *mapping.values()]
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    return own + sum(bytes_of_all_parts(part, seen) for part in inner)


@pytest.mark.parametrize(
    "value",
    [
        [{"id": number, "name": f"name {number}", "tags": [f"tag {number}"]} for number in range(2000)],
        [str(number) * 200 for number in range(20_000)],
        [[float(column * row) for column in range(100)] for row in range(100)],
        {f"key {number}": str(number) * 50 for number in range(20_000)},
    ],
    ids=["rows", "texts", "matrix", "mapping"],
)
def test_large_values_are_weighed_in_full(value: object) -> None:
    """A value of many thousand parts counts about what it takes, and not a fraction: a bound in bytes is one."""
    assert size_of(value) == pytest.approx(bytes_of_all_parts(value, set()), rel=0.25)
