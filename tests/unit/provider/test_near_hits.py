"""What the nearest layer answered by itself stands in its figures, whoever asked and however."""

import gc
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from aiocache_kit import Config, Layer, Provider, new_layered
from aiocache_kit.management.statistics import Recorder


@pytest.fixture(params=["default", "copies"])
async def cache(request: pytest.FixtureRequest) -> AsyncGenerator[Provider]:
    """Give two layers in memory, where values are kept by reference, or as copies."""
    options: dict[str, Any] = {} if request.param == "default" else {"max_size": "1MB"}
    layers = [Layer(Config(provider="memory", **options)), Layer(Config(provider="lru"))]
    async with new_layered(*layers) as provider:
        yield provider


async def near(cache: Provider) -> tuple[int, int]:
    """Give the hits of the nearest layer, and those of all together."""
    stats = await cache.stats()
    return next(iter(stats.layers.values())).hits, stats.hits


async def test_each_way_of_reading_counts_in_its_layer(cache: Provider) -> None:
    """Hits of `get`, `get_or_set` and `get_multi` are the nearest layer's, and are counted once."""
    await cache.set("a", 1)
    await cache.set("b", 2)
    await cache.get("a")
    assert await near(cache) == (1, 1)
    await cache.get_or_set("a", lambda: 0)
    assert await near(cache) == (2, 2)
    await cache.get_multi(["a", "b"])
    assert await near(cache) == (4, 4)
    await cache.get("missing")
    assert await near(cache) == (4, 4)


async def test_namespaces_count_in_the_layer_of_all(cache: Provider) -> None:
    """The layer's hits are those of all namespaces, those that are gone and closures that were saved included."""
    saved = cache.get
    await cache.set("a", 1)
    await saved("a")
    space = cache.namespace("space")
    await space.set("a", 1)
    await space.get("a")
    await saved("a")
    assert await near(cache) == (3, 3)
    assert await near(space) == (3, 1)

    del space
    gc.collect()
    assert await near(cache) == (3, 3)
    await cache.get("a")
    assert await near(cache) == (4, 4)


def test_what_is_gone_is_absorbed_once() -> None:
    """The hits near of a recorder whose namespace is gone stay near, through two generations."""
    root = Recorder()
    child = root.child()
    grandchild = child.child()
    grandchild.near().hits += 2
    grandchild.hits += 1
    child.near().hits += 4
    child.let_go(grandchild)
    root.let_go(child)

    for _ in range(2):
        assert (root.near_hits(), root.totals()["hits"]) == (6, 7)
