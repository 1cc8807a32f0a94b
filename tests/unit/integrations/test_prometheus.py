import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aiocache_kit import Config, LoadConfig, Provider, RateLimitConfig, new_layered, new_provider
from aiocache_kit.errors import InvalidArgumentError, OverloadedError, RateLimitedError, StorageUnavailableError
from aiocache_kit.integrations.prometheus import PrometheusMetrics
from aiocache_kit.provider.hot_path import REPLACED
from aiocache_kit.storage.base import Size
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FaultyStorage


@pytest.fixture
async def cache() -> AsyncIterator[Provider]:
    """A provider in memory."""
    async with new_provider(Config(max_entries=100)) as cache:
        yield cache


def registered(metrics: PrometheusMetrics) -> CollectorRegistry:
    """Give a registry of its own."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(metrics)
    return registry


async def scraped(registry: CollectorRegistry) -> dict[str, float]:
    """Scrape in a thread, as the server of prometheus_client does, and give each sample by its name and labels."""
    text = (await asyncio.to_thread(generate_latest, registry)).decode()
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if value)
            name = f"{sample.name}{{{labels}}}"
            assert name not in samples
            samples[name.removeprefix("aiocache_kit_")] = sample.value
    return samples


async def test_counters_of_a_provider(cache: Provider) -> None:
    """What prometheus_client writes says what the provider has counted."""
    registry = registered(PrometheusMetrics(cache))

    async def fail() -> int:
        raise LookupError

    await cache.set("k", 1)
    await cache.get("k")
    await cache.get("l")
    await cache.delete("k")
    await cache.get_or_set("k", lambda: 1)
    with pytest.raises(LookupError):
        await cache.get_or_set("l", fail)
    found = await scraped(registry)

    expected = {
        "hits_total": 1.0,
        "misses_total": 3.0,
        "stale_hits_total": 0.0,
        "sets_total": 1.0,
        "deletes_total": 1.0,
        "evictions_total": 0.0,
        "expirations_total": 0.0,
        "items": 1.0,
        "size_bytes": 0.0,
        "load_duration_seconds_count": 2.0,
    }
    assert {name: found[f"{name}{{cache=default}}"] for name in expected} == expected
    assert found["loads_total{cache=default,outcome=ok}"] == 1.0
    assert found["loads_total{cache=default,outcome=failed}"] == 1.0


async def test_loads_are_a_histogram(cache: Provider) -> None:
    """Buckets are cumulative and end at all loads; the sum is that of the seconds."""
    registry = registered(PrometheusMetrics({"c": cache}))
    for number in range(5):
        await cache.get_or_set(f"k{number}", lambda: 1)
    found = await scraped(registry)
    buckets = [value for name, value in found.items() if name.startswith("load_duration_seconds_bucket")]

    assert buckets == sorted(buckets)
    assert buckets[-1] == found["load_duration_seconds_count{cache=c}"] == 5.0
    assert found["load_duration_seconds_sum{cache=c}"] == pytest.approx((await cache.stats()).load_time)
    assert "load_duration_seconds_bucket{cache=c,le=0.5}" in found


async def test_several_providers_and_namespaces(cache: Provider) -> None:
    """Each has its name; what belongs to the storage is told of the whole alone."""
    async with new_provider() as other:
        metrics = PrometheusMetrics({"one": cache, "two": other})
        metrics.add("one", cache.namespace("n"))
        registry = registered(metrics)
        await cache.namespace("n").set("k", 1)
        await other.set("k", 1)
        found = await scraped(registry)
        assert [found[f"sets_total{{cache={each}}}"] for each in ("one", "one,namespace=n", "two")] == [1.0] * 3
        assert "items{cache=one}" in found
        assert "items{cache=one,namespace=n}" not in found
        for name in ("one", "two"):
            with pytest.raises(InvalidArgumentError, match="name must be a new one"):
                metrics.add(name, cache if name == "one" else other)
        metrics.remove("one")
        found = await scraped(registry)

    assert not any("cache=one" in name for name in found)
    assert "sets_total{cache=two}" in found


@pytest.mark.parametrize(("name", "value"), [("", "name"), ("x", "must be a Provider")])
def test_what_cannot_be_collected_is_refused(name: str, value: str) -> None:
    """A provider needs a name, and has to be one."""
    given = new_provider() if not name else "redis"
    with pytest.raises(InvalidArgumentError, match=value):
        PrometheusMetrics({name: given})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]  - the test
    with pytest.raises(InvalidArgumentError, match="patience"):
        PrometheusMetrics(patience=-1)


async def test_layers_have_labels() -> None:
    """Each layer is told of by its name."""
    async with new_layered(Config(max_entries=2), Config(provider="lru"), backplane=None) as cache:
        registry = registered(PrometheusMetrics(cache))
        for key in "abc":
            await cache.set(key, 1)
        await cache.get("a")
        found = await scraped(registry)

    assert found["layer_items{cache=default,layer=lru}"] == 3.0
    assert found["layer_evictions_total{cache=default,layer=memory}"] == 2.0
    assert found["layer_health{cache=default,layer=lru}"] == 1.0


async def test_circuits_have_states() -> None:
    """A node that is left alone is told of; no other circuit is."""
    storage = FaultyStorage(memory_storage())
    ring = DistributedStorage([Node("a", storage), Node("b", memory_storage())], failures=1, on_failure="miss")
    async with Provider(ring) as cache:
        registry = registered(PrometheusMetrics(cache))
        storage.fail(StorageUnavailableError("down"), times=None)
        await cache.get_multi([f"k{number}" for number in range(50)])
        found = await scraped(registry)

    assert found["circuit_state{cache=default,layer=a}"] == 2.0
    assert found["circuit_openings_total{cache=default,layer=a}"] == 1.0
    assert "circuit_state{cache=default,layer=b}" not in found
    assert found["layer_health{cache=default,layer=a}"] == 0.0


async def test_groups_only_where_asked_for(cache: Provider) -> None:
    """Reads and loads are counted by group, never by key, and nobody listens otherwise."""
    plain = {name: getattr(cache, name).__code__ for name in REPLACED}
    registered(PrometheusMetrics(cache))
    assert {name: getattr(cache, name).__code__ for name in REPLACED} == plain
    metrics = PrometheusMetrics(cache, group_sample=1)
    registry = registered(metrics)
    for number in range(3):
        await cache.get_or_set(f"user:{number}", lambda: 1)
    await cache.get("user:1")
    for _ in range(100):
        await asyncio.sleep(0)
    found = await scraped(registry)

    assert found["group_misses_total{cache=default,group=user:*}"] == 3.0
    assert found["group_hits_total{cache=default,group=user:*}"] == 1.0
    assert found["group_loads_total{cache=default,group=user:*}"] == 3.0
    assert not any("user:1" in name for name in found)


async def test_scraping_on_the_loop(cache: Provider) -> None:
    """A route of the service itself awaits `update` first, and gives figures of now."""
    metrics = PrometheusMetrics(cache)
    registry = registered(metrics)
    await cache.set("k", 1)
    await metrics.update()
    text = generate_latest(registry).decode()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert 'aiocache_kit_items{cache="default",namespace=""} 1.0' in text


async def test_registering_reads_nothing() -> None:
    """The registry asks for names alone, so a provider may be registered before it is opened."""
    async with new_provider() as cache:
        registered(PrometheusMetrics(cache))
    unopened = new_provider()
    registry = registered(PrometheusMetrics(unopened))

    assert (await scraped(registry))["hits_total{cache=default}"] == 0.0
    assert not unopened._core.ready


async def test_what_was_refused_is_a_counter() -> None:
    """Loads that were shed, loads that wait, and calls that a rate limit refused."""
    config = Config(
        load_config=LoadConfig(max_loads=1, max_waiting_loads=0), rate_limit=RateLimitConfig(rate=2, per=60)
    )
    async with new_provider(config) as cache:
        registry = registered(PrometheusMetrics(cache))
        go = asyncio.Event()
        under_way = asyncio.create_task(cache.get_or_set("k", go.wait))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await cache.get_or_set("l", lambda: 1)
        with pytest.raises(RateLimitedError):
            await cache.get("k")
        found = await scraped(registry)
        go.set()
        await under_way

    expected = {"shed_loads_total": 1.0, "refused_calls_total": 1.0, "waiting_loads": 0.0}
    assert {name: found[f"{name}{{cache=default}}"] for name in expected} == expected


async def test_what_nobody_counts_has_no_sample() -> None:
    """A storage that cannot tell how many items it has is not said to have none."""

    class Uncounted(NullStorage):
        async def size(self) -> Size:
            return Size(counted=False)

    ring = DistributedStorage([Node("a", Uncounted()), Node("b", Uncounted())])
    async with new_provider(storage=Uncounted()) as alone, new_provider(storage=ring) as several:
        metrics = PrometheusMetrics({"alone": alone, "several": several})
        registry = registered(metrics)
        await metrics.update()
        found = await scraped(registry)

    assert [name for name in found if name.startswith(("items", "size_bytes", "layer_items", "layer_size"))] == []
    assert found["layer_health{cache=several,layer=a}"] == 1.0
