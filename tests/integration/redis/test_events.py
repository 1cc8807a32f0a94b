"""What a provider over a real Redis tells: reads by its short way, its circuit when the server dies, and spans."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from aiocache_kit import NotFoundError, StorageUnavailableError
from aiocache_kit.events import READS, CircuitChange, CircuitState, EventKind, Failure, KeyEvent
from aiocache_kit.integrations.opentelemetry import OpenTelemetry
from tests.integration.redis.caches import cache_at
from tests.servers.fixtures import StartServer
from tests.servers.server import Server
from tests.unit.provider.test_events import READING


@pytest.mark.parametrize("call", list(READING))
async def test_each_read_is_told_once(redis_server: Server, fresh_prefix: str, call: str) -> None:
    """Over Redis, too, a hit is one event and so is a miss, whatever call reads."""
    async with (
        cache_at(redis_server.port, fresh_prefix) as cache,
        cache.events(kinds=READS, keys=True) as stream,
    ):
        try:
            await READING[call](cache)
        except NotFoundError:
            assert call == "get_item"
        await cache.set("k", 1)
        await READING[call](cache)

        events = [(event.kind, event.key) for event in stream.take() if isinstance(event, KeyEvent)]
        assert events == [(EventKind.MISS, "k"), (EventKind.HIT, "k")]


async def test_a_server_that_dies_opens_the_circuit(start_server: StartServer, fresh_prefix: str) -> None:
    """The circuit opens and closes again, and is told of without a host; each failed call is told of once."""
    server = start_server()
    async with (
        cache_at(server.port, fresh_prefix, breaker_failures=2, breaker_wait=1.0, max_retries=0) as cache,
        cache.events(kinds=["circuit", "failure"]) as stream,
    ):
        await cache.set("k", 1)
        server.kill()
        for _ in range(3):
            with pytest.raises(StorageUnavailableError):
                await cache.get("k")
        events = stream.take()
        assert [event.doing for event in events if isinstance(event, Failure)] == ["get"] * 3
        assert [event.state for event in events if isinstance(event, CircuitChange)] == [CircuitState.OPEN]
        assert (await cache.readings().update()).circuits == {"redis": CircuitState.OPEN}
        server.start()
        states: list[CircuitState] = []
        async with asyncio.timeout(10.0):
            while CircuitState.CLOSED not in states:
                await asyncio.gather(cache.get("k"), return_exceptions=True)
                states += [event.state for event in stream.take() if isinstance(event, CircuitChange)]

        assert states[-1] is CircuitState.CLOSED
        assert str(server.port) not in repr(events)
        assert (await cache.readings().update()).openings["redis"] >= 1


async def test_spans_of_round_trips(redis_server: Server, fresh_prefix: str) -> None:
    """Calls of Redis have spans as the conventions for databases have them, by its short way as well, until the end."""
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        exported = OpenTelemetry({"c": cache}, tracer_provider=tracers, traces=True)
        await cache.set("secret", 1)
        await cache.get("secret")
        await cache.get_multi(["secret", "other"])
        await cache.delete("secret")
        names = [span.name for span in spans.get_finished_spans()]
        read = spans.get_finished_spans()[1]
        exported.close()
        await cache.get("secret")
        assert len(spans.get_finished_spans()) == len(names)

    assert names == ["write redis", "read redis", "read_multi redis", "remove redis"]
    assert read.kind is SpanKind.CLIENT
    assert dict(read.attributes or {}) == {"cache.name": "c", "db.operation.name": "read", "db.system.name": "redis"}
    assert "secret" not in "".join(span.to_json() for span in spans.get_finished_spans())
    tracers.shutdown()
