"""What type checkers know of events, figures and metrics."""

from collections.abc import Mapping
from typing import assert_type

from aiocache_kit import Provider, Stats
from aiocache_kit.events import (
    CircuitChange,
    CircuitState,
    Event,
    EventKind,
    Hit,
    KeyEvent,
    Load,
    Refusal,
    RefusalCause,
    Removal,
    RemovalCause,
)
from aiocache_kit.integrations.prometheus import PrometheusMetrics
from aiocache_kit.management.key_groups import GroupFigures, KeyGroups


async def events(cache: Provider) -> None:
    """A stream gives events, which are told apart by their classes."""
    async with cache.events(kinds={EventKind.LOAD, "hit"}, keys=True, room=10, sample=5) as stream:
        assert_type(stream.take(), list[Event])
        assert_type(stream.dropped, int)
        async for event in stream:
            assert_type(event, Event)
            assert_type(event.kind, EventKind)
            match event:
                case Load():
                    assert_type(event.seconds, float)
                    assert_type(event.ok, bool)
                case Removal(cause=cause):
                    assert_type(cause, RemovalCause)
                case Refusal(cause=why):
                    assert_type(why, RefusalCause)
                case Hit(weight=weight):
                    assert_type(weight, int)
                case KeyEvent():
                    assert_type(event.key, str | None)
                case CircuitChange():
                    assert_type(event.state, CircuitState)
                case _:
                    assert_type(event.at, float)


async def note(event: Event) -> None:
    """Listen on the event loop."""
    del event


async def listening(cache: Provider) -> None:
    """A listener is a function of an event, plain or not."""
    listening = cache.listen(note, kinds={"circuit"})
    listening.stop()
    cache.listen(print)
    cache.group_keys([(r"user:\d+", "user")])
    cache.group_keys(lambda key: key[:1])
    assert_type(cache.group_of("user:1"), str)

    cache.listen(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    cache.events(kinds=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def figures(cache: Provider) -> None:
    """Figures are numbers, and a difference of figures is figures."""
    before = await cache.stats()
    change = await cache.stats() - before
    assert_type(change, Stats)
    assert_type(change.hit_rate, float)
    assert_type(
        (change.shed_loads, change.waiting_loads, change.refused_calls, change.counted), tuple[int, int, int, bool]
    )
    assert_type(change.layers, Mapping[str, Stats])
    assert_type(change.as_dict(), dict[str, object])
    assert_type(KeyGroups(20).top(10, by="load_seconds"), list[GroupFigures])
    metrics = PrometheusMetrics({"users": cache}, group_sample=64)
    metrics.add("orders", cache.namespace("orders"))
    await metrics.update()
    change.hits = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
