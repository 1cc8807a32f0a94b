"""Metrics for Prometheus: a collector over providers by name.

Rule 1: nothing is counted for Prometheus: the counters of the providers are read when somebody scrapes. A hit costs
nothing more, unless groups of keys are asked for.
Rule 2: `collect` may be called in any thread. In another one than the event loop's it waits for that, for half a second
at most, and gives the figures of before where it is busy. On the event loop, await `update` first: otherwise what is
not a plain counter is as old as the scrape before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.events import CircuitState
from aiocache_kit.integrations.named import Figures, NamedProviders, named
from aiocache_kit.management.key_groups import GroupFigures
from aiocache_kit.provider import Provider
from aiocache_kit.stats import LOAD_BOUNDS, Stats

try:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
        SummaryMetricFamily,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingDependencyError("prometheus_client", "prometheus") from error

_PREFIX: Final = "aiocache_kit_"
_LABELS: Final = ("cache", "namespace")
_BOUNDS: Final = (*map(repr, LOAD_BOUNDS), "+Inf")
_STATES: Final = {CircuitState.CLOSED: 0.0, CircuitState.HALF_OPEN: 1.0, CircuitState.OPEN: 2.0}


def _items(stats: Stats) -> float | None:
    return stats.items if stats.counted else None


def _size(stats: Stats) -> float | None:
    return stats.size if stats.counted else None


def _waiting(stats: Stats) -> float:
    return stats.waiting_loads


_OF_CALLS: Final[Mapping[str, tuple[str, Callable[[Stats], float]]]] = {
    "hits": ("Reads that got a value, old ones included.", lambda stats: stats.hits),
    "misses": ("Reads that found no value.", lambda stats: stats.misses),
    "stale_hits": ("Reads that got an old value.", lambda stats: stats.stale_hits),
    "sets": ("Values stored by calls.", lambda stats: stats.sets),
    "deletes": ("Values removed by calls.", lambda stats: stats.deletes),
    "coalesced": ("Callers that got their value from a load already under way.", lambda stats: stats.coalesced),
    "refreshes": ("Loads begun in the background.", lambda stats: stats.refreshes),
    "shed_loads": ("Loads that were not begun because too many waited.", lambda stats: stats.shed_loads),
    "refused_calls": ("Calls that a rate limit has refused.", lambda stats: stats.refused_calls),
    "errors": ("What went wrong and was answered by a miss, or not stored.", lambda stats: stats.errors),
}
"""Counters of a provider or a namespace."""
_OF_STORAGE: Final[Mapping[str, tuple[str, Callable[[Stats], float]]]] = {
    "evictions": ("Items that were let go because others needed their room.", lambda stats: stats.evictions),
    "expirations": ("Items that were let go because their time was over.", lambda stats: stats.expired),
}
_OF_LAYERS: Final[Mapping[str, tuple[str, Callable[[Stats], float]]]] = {
    "hits": ("Reads that this layer answered.", lambda stats: stats.hits),
    "misses": ("Reads that this layer did not answer.", lambda stats: stats.misses),
    "evictions": _OF_STORAGE["evictions"],
    "expirations": _OF_STORAGE["expirations"],
    "errors": ("Calls of this layer that failed.", lambda stats: stats.errors),
    "missed": ("Changes that did not reach this layer.", lambda stats: stats.missed),
}
_STATES_OF_LAYERS: Final[Mapping[str, tuple[str, Callable[[Stats], float | None]]]] = {
    "items": ("Items held.", _items),
    "size_bytes": ("Bytes held.", _size),
    "health": ("1 while it works, 0.5 while it catches up, 0 while it is left alone.", lambda stats: stats.health),
    "share": ("The share of all keys that belong here first.", lambda stats: stats.share),
}
_OF_GROUPS: Final[Mapping[str, tuple[str, Callable[[GroupFigures], float]]]] = {
    "hits": ("Reads of keys of this group that got a value.", lambda group: group.hits),
    "misses": ("Reads of keys of this group that found none.", lambda group: group.misses),
    "loads": ("Loads of keys of this group.", lambda group: group.loads),
    "load_seconds": ("Seconds spent in loads of this group.", lambda group: group.load_seconds),
}


class PrometheusMetrics(Collector):
    """What `prometheus_client` collects of providers: ``REGISTRY.register(PrometheusMetrics({"users": cache}))``.

    A provider given without a name is called ``default``. The metrics are listed in the guide to monitoring.
    """

    def __init__(
        self,
        providers: Provider | Mapping[str, Provider] | None = None,
        *,
        group_sample: int | None = None,
        patience: float = 0.5,
    ) -> None:
        """Collect `providers`, and those of `add`; wait for their event loop for `patience` seconds at most.

        `group_sample` has reads and loads counted by groups of keys, too: one read of about so many is told, and counts
        for as many. Hits in memory are then told by code that is slower than that which nobody listens to. Raises
        `InvalidArgumentError`.
        """
        self._named = NamedProviders(group_sample=group_sample, patience=patience)
        for name, provider in named(providers).items():
            self.add(name, provider)
        self._has_groups = group_sample is not None

    def add(self, name: str, provider: Provider) -> None:
        """Collect one more provider, or a namespace, which is told from the whole by its label ``namespace``.

        Raises `InvalidArgumentError` where the name is taken.
        """
        self._named.add(name, provider)

    def remove(self, name: str) -> None:
        """Collect nothing of this name any more."""
        self._named.remove(name)

    async def update(self) -> None:
        """Read all figures now: to be awaited by whoever scrapes on the event loop of the providers."""
        await self._named.update()

    def describe(self) -> Iterable[Metric]:
        """Give the metrics without figures, so that registering reads nothing."""
        return self._metrics([])

    def collect(self) -> Iterable[Metric]:
        """Give the metrics."""
        return self._metrics(self._named.read())

    def _metrics(self, figures: list[Figures]) -> Iterator[Metric]:
        whole = [each for each in figures if each.is_whole]
        yield from _counters("", figures, _OF_CALLS)
        yield from _loads(figures)
        yield from _counters("", whole, _OF_STORAGE)
        yield _gauge("items", "Items held, those that are over and not swept yet included.", whole, _items)
        yield _gauge("size_bytes", "Bytes held; 0 where there is no bound in bytes.", whole, _size)
        yield _gauge("waiting_loads", "Loads that wait for others to end.", whole, _waiting)
        yield from _layers(whole)
        yield from _circuits(whole)
        dropped = CounterMetricFamily(
            _PREFIX + "events_dropped", "Events that no listener took in time.", labels=_LABELS
        )
        for each in whole:
            dropped.add_metric(_labels(each), each.reading.events_dropped)
        yield dropped
        if self._has_groups:
            yield from _groups(figures)


def _labels(figures: Figures, *more: str) -> list[str]:
    return [figures.name, figures.namespace, *more]


def _counters(
    kind: str, figures: list[Figures], metrics: Mapping[str, tuple[str, Callable[[Stats], float]]]
) -> Iterator[Metric]:
    for name, (text, value) in metrics.items():
        family = CounterMetricFamily(_PREFIX + kind + name, text, labels=_LABELS)
        for each in figures:
            family.add_metric(_labels(each), value(each.reading.stats))
        yield family


def _gauge(name: str, text: str, figures: list[Figures], value: Callable[[Stats], float | None]) -> Metric:
    """Make a gauge of what is known: there is no sample where `value` is None."""
    family = GaugeMetricFamily(_PREFIX + name, text, labels=_LABELS)
    for each in figures:
        found = value(each.reading.stats)
        if found is not None:
            family.add_metric(_labels(each), found)
    return family


def _loads(figures: list[Figures]) -> Iterator[Metric]:
    loads = CounterMetricFamily(_PREFIX + "loads", "Loads that have ended.", labels=(*_LABELS, "outcome"))
    times = HistogramMetricFamily(_PREFIX + "load_duration_seconds", "How long loads took.", labels=_LABELS)
    gets = SummaryMetricFamily(
        _PREFIX + "get_duration_seconds", "How long those reads took that were timed.", labels=_LABELS
    )
    for each in figures:
        stats = each.reading.stats
        ended = list(accumulate(stats.load_buckets))
        loads.add_metric(_labels(each, "ok"), max(ended[-1] - stats.load_failures, 0))
        loads.add_metric(_labels(each, "failed"), stats.load_failures)
        times.add_metric(_labels(each), list(zip(_BOUNDS, map(float, ended), strict=True)), stats.load_time)
        gets.add_metric(_labels(each), stats.timed_gets, stats.get_time)
    yield from (loads, times, gets)


def _layers(figures: list[Figures]) -> Iterator[Metric]:
    labels = (*_LABELS, "layer")
    kinds = ((CounterMetricFamily, _OF_LAYERS), (GaugeMetricFamily, _STATES_OF_LAYERS))
    for kind, metrics in kinds:
        for name, (text, value) in metrics.items():
            family = kind(f"{_PREFIX}layer_{name}", text, labels=labels)
            for each in figures:
                for layer, stats in each.layers():
                    found = value(stats)
                    if found is not None:
                        family.add_metric(_labels(each, layer), found)
            yield family


def _circuits(figures: list[Figures]) -> Iterator[Metric]:
    labels = (*_LABELS, "layer")
    state = GaugeMetricFamily(
        _PREFIX + "circuit_state", "Circuit breakers that ever opened: 0 closed, 1 half open, 2 open.", labels=labels
    )
    openings = CounterMetricFamily(_PREFIX + "circuit_openings", "How often a circuit has opened.", labels=labels)
    for each in figures:
        for layer, now in each.reading.circuits.items():
            state.add_metric(_labels(each, layer), _STATES[now])
        for layer, count in each.reading.openings.items():
            openings.add_metric(_labels(each, layer), count)
    yield from (state, openings)


def _groups(figures: list[Figures]) -> Iterator[Metric]:
    for name, (text, value) in _OF_GROUPS.items():
        family = CounterMetricFamily(f"{_PREFIX}group_{name}", text, labels=(*_LABELS, "group"))
        for each in figures:
            for group in each.groups:
                family.add_metric(_labels(each, group.group), value(group))
        yield family
