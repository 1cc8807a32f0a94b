import zlib
from typing import Any

import pytest

from aiocache_kit.errors import InvalidKeyError
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage


@pytest.mark.parametrize("key", [5, None, b"key", ["key"], ""])
async def test_a_key_that_the_hash_cannot_take(key: Any) -> None:  # noqa: ANN401  - what is no key
    """A wrong key is told as such, and not by what a `hash_func` of the user's own makes of it."""
    storage = memory_storage(shard_count=4, hash_func=lambda text: zlib.crc32(text.encode()))
    async with Provider(storage) as cache:
        calls: list[Any] = [cache.get(key), cache.get_or_set(key, str), cache.set(key, 1), cache.get_multi([key])]
        for call in calls:
            with pytest.raises(InvalidKeyError):
                await call
        with pytest.raises(InvalidKeyError):
            cache.lookup(key)
