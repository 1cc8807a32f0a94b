"""aiocache_kit while somebody watches: what a hit costs then."""

from collections.abc import Mapping
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry, generate_latest

from aiocache_kit.events import READS, Event, EventKind
from aiocache_kit.integrations.prometheus import PrometheusMetrics
from aiocache_kit.management.key_groups import KeyGroups
from bench.compare.ours import Ours


class OursMeasured(Ours):
    """Its metrics are collected."""

    name: ClassVar[str] = "aiocache_kit, with metrics"
    settings: ClassVar[str] = "a collector of prometheus_client is registered, and was scraped"
    options: ClassVar[Mapping[str, Any]] = {}

    async def open(self, entries: int) -> None:
        """Make the provider, register it and scrape once."""
        await super().open(entries)
        self.metrics = PrometheusMetrics(self.cache, **self.options)
        registry = CollectorRegistry(auto_describe=True)
        registry.register(self.metrics)
        await self.metrics.update()
        generate_latest(registry)


class OursByGroup(OursMeasured):
    """Its reads are counted by groups of keys, one in 64."""

    name: ClassVar[str] = "aiocache_kit, with metrics by groups of keys"
    settings: ClassVar[str] = "as before, and with one read of 64 counted by the group of its key"
    options: ClassVar[Mapping[str, Any]] = {"group_sample": 64}


class OursHeard(Ours):
    """Somebody hears of each read."""

    name: ClassVar[str] = "aiocache_kit, each read heard"
    settings: ClassVar[str] = "a listener counts each read by the group of its key; those that do not fit are dropped"

    async def open(self, entries: int) -> None:
        """Make the provider, and listen."""
        await super().open(entries)
        groups = KeyGroups()

        async def note(event: Event) -> None:
            groups.note(event)

        self.cache.listen(note, kinds=READS | {EventKind.LOAD})
