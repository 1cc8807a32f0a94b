import pytest

from aiocache_kit.errors import SerializationError
from aiocache_kit.storage.isolation import own_copy


def test_values_nested_too_deep_to_copy() -> None:
    """A tuple nested deeper than Python's stack is refused with the error that is promised for such values."""
    nested: object = []
    for _ in range(100_000):
        nested = (nested,)

    with pytest.raises(SerializationError, match="cannot be copied"):
        own_copy(nested)
