"""What `Provider.stats` gives: what was counted here, and what the storage says of itself."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from aiocache_kit.clock import stopwatch
from aiocache_kit.management.statistics import Recorder
from aiocache_kit.provider.core import Core
from aiocache_kit.stats import Stats


async def figures(core: Core, recorder: Recorder, near_hits: int) -> Stats:
    """Give the figures of an open provider, or of a namespace that counts by `recorder`.

    `near_hits` were answered by the nearest part of the storage without asking it.
    """
    size = await core.storage.size()
    counters: dict[str, Any] = {**recorder.totals()}
    counters["errors"] += size.errors
    return Stats(
        size=size.bytes,
        items=size.items,
        counted=size.counted,
        waiting_loads=0 if core.slots is None else core.slots.waiting,
        evictions=size.evictions,
        expired=size.expired,
        layers=_with(near_hits, await core.storage.layers()),
        load_buckets=recorder.load_buckets(),
        **counters,
    )


def time_a_read(core: Core, recorder: Recorder) -> None:
    """Time one look at a table, as every read of it takes one: reads themselves are too short to be timed each."""
    if core.tables is not None:
        start = stopwatch()
        core.tables.tables[0].lookup("", core.clock.monotonic())
        recorder.get_time += stopwatch() - start
        recorder.timed_gets += 1


def _with(hits: int, layers: Mapping[str, Stats]) -> Mapping[str, Stats]:
    if not hits:
        return layers
    nearest = next(iter(layers))
    return MappingProxyType({**layers, nearest: replace(layers[nearest], hits=layers[nearest].hits + hits)})
