"""With `refresh_ahead` in the configuration, `get` took an ageing value for missing, where a closure was not plain."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Config, FileConfig, LoadConfig, MemoryConfig, new_provider
from aiocache_kit.testing import FakeClock

WAYS: dict[str, dict[str, Any]] = {
    "memory": {},
    "lru": {"provider": "lru"},
    "copies": {"memory_config": MemoryConfig(isolation="copy")},
    "shards": {"max_entries": 100_000},
    "file": {"provider": "file"},
}


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("namespace", [False, True])
@pytest.mark.parametrize("way", WAYS)
async def test_an_ageing_value_is_a_hit_for_who_only_reads(
    way: str, tmp_path: Path, *, namespace: bool, listens: bool
) -> None:
    """It is given by `get` and `get_multi`, and counted."""
    options: dict[str, Any] = WAYS[way] | ({"file_config": FileConfig(dir=str(tmp_path))} if way == "file" else {})
    clock = FakeClock()
    async with new_provider(Config(load_config=LoadConfig(refresh_ahead=0.5), **options), clock=clock) as whole:
        cache = whole.namespace("n") if namespace else whole
        listening = cache.events() if listens else nullcontext()
        async with listening:
            await cache.set("k", "v", ttl=10)
            await clock.advance(6)
            assert await cache.get("k") == "v"
            assert await cache.get_multi(["k"]) == {"k": "v"}
            stats = await cache.stats()
            assert (stats.hits, stats.misses) == (2, 0)
