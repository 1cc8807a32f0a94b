import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from aiocache_kit import Config, Layer, LoadConfig, Provider, RateLimitConfig, new_layered, new_provider
from aiocache_kit.errors import OverloadedError, RateLimitedError, StorageUnavailableError
from aiocache_kit.integrations.opentelemetry import OpenTelemetry
from aiocache_kit.storage.base import Size
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FaultyStorage


class Sdk:
    """The SDK, with exporters in memory."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.spans = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))

    def export(
        self, providers: Provider | Mapping[str, Provider], *, traces: bool = False, keys: bool = False
    ) -> OpenTelemetry:
        return OpenTelemetry(
            providers, meter_provider=self.meters, tracer_provider=self.tracers, traces=traces, keys=keys
        )

    async def figures(self) -> dict[str, float]:
        """Collect in a thread, as an exporter does, and give each figure by its name and attributes."""
        data = await asyncio.to_thread(cast("Callable[[], Any]", self.reader.get_metrics_data))
        found: dict[str, float] = {}
        resources: list[Any] = [] if data is None else data.resource_metrics
        metrics = [metric for resource in resources for scope in resource.scope_metrics for metric in scope.metrics]
        for metric in metrics:
            for point in metric.data.data_points:
                labels = ",".join(f"{name}={value}" for name, value in sorted(point.attributes.items()))
                name = f"{metric.name.removeprefix('aiocache_kit.')}{{{labels}}}"
                found[name] = point.value if hasattr(point, "value") else point.count
        return found

    def finished(self) -> list[ReadableSpan]:
        return list(self.spans.get_finished_spans())


@pytest.fixture
async def sdk() -> AsyncIterator[Sdk]:
    sdk = Sdk()
    yield sdk
    sdk.meters.shutdown()
    sdk.tracers.shutdown()


async def test_figures_of_a_provider(sdk: Sdk) -> None:
    """What the SDK collects says what the provider has counted; a collection tells of one moment."""
    async with new_provider() as cache:
        sdk.export({"c": cache})
        await cache.set("k", 1)
        await cache.get("k")
        await cache.get("l")
        await cache.get_or_set("l", lambda: 1)
        for _ in range(20):
            await asyncio.sleep(0)
        found = await sdk.figures()

    assert found["requests{cache.name=c,cache.result=hit}"] == 1.0
    assert found["requests{cache.name=c,cache.result=stale_hit}"] == 0.0
    assert found["requests{cache.name=c,cache.result=miss}"] == 2.0
    assert found["changes{cache.name=c,cache.operation=set}"] == 1.0
    assert found["items{cache.name=c}"] == 2.0
    assert found["removals{cache.name=c,cache.removal.cause=evicted}"] == 0.0
    assert found["load.duration{cache.name=c}"] == 1.0


async def test_failed_loads_are_told_by_the_class_of_the_error(sdk: Sdk) -> None:
    """Durations of loads that failed have the attribute that the conventions give errors, and no message."""

    async def fail() -> int:
        raise LookupError("secret")

    async with new_provider() as cache:
        sdk.export(cache)
        with pytest.raises(LookupError):
            await cache.namespace("n").get_or_set("k", fail)
        for _ in range(20):
            await asyncio.sleep(0)
        found = await sdk.figures()

    assert found["load.duration{cache.name=default,cache.namespace=n,error.type=LookupError}"] == 1.0
    assert "secret" not in repr(found)


async def test_layers_and_circuits(sdk: Sdk) -> None:
    """Parts of a storage are told by name; a namespace has its own requests, and nothing of the storage."""
    storage = FaultyStorage(memory_storage())
    ring = DistributedStorage([Node("a", storage), Node("b", memory_storage())], failures=1, on_failure="miss")
    async with Provider(ring) as cache:
        exported = sdk.export({"c": cache})
        exported.add("c", cache.namespace("n"))
        storage.fail(StorageUnavailableError("down"), times=None)
        await cache.namespace("n").get_multi([f"k{number}" for number in range(50)])
        found = await sdk.figures()

        assert found["requests{cache.name=c,cache.namespace=n,cache.result=miss}"] == 50.0
        assert found["layer.health{cache.layer=a,cache.name=c}"] == 0.0
        assert found["circuit.state{cache.layer=a,cache.name=c}"] == 2.0
        assert found["circuit.openings{cache.layer=a,cache.name=c}"] == 1.0
        assert not any(name.startswith("items") and "namespace" in name for name in found)
        exported.close()
        exported._read_at = None  # the figures of one collection are good for a moment
        await asyncio.sleep(0)
        assert await sdk.figures() == {}


async def test_what_was_refused_and_what_nobody_counts(sdk: Sdk) -> None:
    """Loads that were shed or wait and calls that were refused have figures; items that nobody counts have none."""

    class Uncounted(NullStorage):
        async def size(self) -> Size:
            return Size(counted=False)

    config = Config(
        load_config=LoadConfig(max_loads=1, max_waiting_loads=0), rate_limit=RateLimitConfig(rate=2, per=60)
    )
    async with new_provider(config, storage=Uncounted()) as cache:
        sdk.export({"c": cache})
        go = asyncio.Event()
        under_way = asyncio.create_task(cache.get_or_set("k", go.wait))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await cache.get_or_set("l", lambda: 1)
        with pytest.raises(RateLimitedError):
            await cache.get("k")
        await cache.stats()
        found = await sdk.figures()
        go.set()
        await under_way

    expected = {"shed_loads": 1.0, "refused_calls": 1.0, "waiting_loads": 0.0}
    assert {name: found[f"{name}{{cache.name=c}}"] for name in expected} == expected
    assert [name for name in found if name.startswith(("items", "size"))] == []


async def test_no_span_unless_asked_for(sdk: Sdk) -> None:
    """Tracing is off by default."""
    async with Provider(FaultyStorage(memory_storage())) as cache:
        sdk.export(cache)
        await cache.get_or_set("k", lambda: 1)

    assert sdk.finished() == []


async def test_spans_round_loads_and_storages(sdk: Sdk) -> None:
    """A load and each call of a storage have a span, under that of whoever asks; calls of a part under its whole."""
    below = FaultyStorage(memory_storage())
    async with new_layered(memory_storage(), Layer(below, "below"), backplane=None) as cache:
        exported = sdk.export({"c": cache}, traces=True)
        tracer = sdk.tracers.get_tracer("test")

        async def load() -> int:
            with tracer.start_as_current_span("query"):
                return 1

        with tracer.start_as_current_span("request"):
            await cache.get_or_set("user:secret", load)
        await cache.get_multi(["a", "b"])
        spans = {span.name: span for span in sdk.finished()}
        exported.close()
        sdk.spans.clear()
        await cache.get_or_set("other", load)

    def parent(name: str) -> str | None:
        own = spans[name].parent
        return None if own is None else next(name for name, each in spans.items() if each.context == own)

    assert parent("load user:*") == "request"
    assert parent("query") == "load user:*"
    assert parent("write layered") == "request"
    assert parent("write memory") == "write layered"
    assert dict(spans["load user:*"].attributes or {}) == {"cache.name": "c", "cache.key_group": "user:*"}
    assert dict(spans["read_multi layered"].attributes or {}) == {
        "cache.name": "c",
        "db.operation.name": "read_multi",
        "db.operation.batch.size": 2,
    }
    assert (spans["write memory"].attributes or {})["cache.layer"] == "below"
    assert "secret" not in "".join(span.to_json() for span in spans.values())
    assert [span.name for span in sdk.finished()] == ["query"]


async def test_keys_in_spans_only_where_asked_for(sdk: Sdk) -> None:
    """With `keys` the span of a load has the key; that of many has how many there are."""
    async with new_provider() as cache:
        sdk.export(cache, traces=True, keys=True)
        await cache.namespace("n").get_or_set_multi(["a", "b"], lambda keys: dict.fromkeys(keys, 1))

    (span,) = sdk.finished()
    assert dict(span.attributes or {}) == {
        "cache.name": "default",
        "cache.namespace": "n",
        "cache.key_group": "*",
        "cache.keys": 2,
        "cache.key": "a",
    }


async def test_errors_in_spans_are_classes(sdk: Sdk) -> None:
    """A span that ends with an error says so, by the class, and holds no message."""

    async def fail() -> int:
        raise LookupError("secret")

    async with new_provider(Config(provider="null")) as cache:
        sdk.export(cache, traces=True)
        with pytest.raises(LookupError):
            await cache.get_or_set("k", fail)

    (span,) = [span for span in sdk.finished() if span.name.startswith("load")]
    assert (span.attributes or {})["error.type"] == "LookupError"
    assert span.status.status_code is StatusCode.ERROR
    assert "secret" not in span.to_json()


async def test_hits_in_memory_have_no_span(sdk: Sdk) -> None:
    """Tables of this process are not traced, and their hits take the way that they always take."""
    async with new_provider() as cache:
        plain: object = vars(cache)["get"].__code__
        sdk.export(cache, traces=True)
        await cache.set("k", 1)
        await cache.get("k")

        assert vars(cache)["get"].__code__ is plain
    assert sdk.finished() == []
