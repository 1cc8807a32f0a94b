"""Metrics and traces for OpenTelemetry, of providers by name.

Rule 1: counters are observed, which costs a hit nothing: the exporter's thread asks for the figures, and waits for the
event loop for half a second at most. Durations of loads are recorded behind whoever waits for the value.
Rule 2: spans are made only where `traces` says so: one round each loader, one round each call of a storage whose items
are not in tables of this process. None holds a value, or the message of an error, which might; keys are in it only
where `keys` says so.
Rule 3: names and attributes are those of the semantic conventions where there are any: for databases (``db.*``) and for
errors (``error.type``); there are none for caches.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import MissingDependencyError
from aiocache_kit.events import CircuitState, Event, EventKind, Load
from aiocache_kit.integrations.named import Figures, NamedProviders, named
from aiocache_kit.keys import parted
from aiocache_kit.provider import Provider
from aiocache_kit.provider.streams import Listening
from aiocache_kit.stats import LOAD_BOUNDS

try:
    from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, Observation, get_meter
    from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, TracerProvider, get_tracer
except ImportError as error:
    raise MissingDependencyError("opentelemetry-api", "opentelemetry") from error

_NAME: Final = "aiocache_kit"
_FRESH: Final = 0.1
"""Seconds for which figures are good: all instruments of one collection are to tell of the same moment."""
_STATES: Final = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}

Attributes: TypeAlias = dict[str, str]
Observed: TypeAlias = Iterator[tuple[float, Attributes]]
"""Figures, with what tells them apart."""


class OpenTelemetry:
    """Exports providers: ``OpenTelemetry({"users": cache}, traces=True)``. A provider without a name is ``default``.

    The instruments are listed in the guide to monitoring.
    """

    def __init__(
        self,
        providers: Provider | Mapping[str, Provider] | None = None,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        traces: bool = False,
        keys: bool = False,
        patience: float = 0.5,
    ) -> None:
        """Export `providers`, and those of `add`, to these meter and tracer providers; None: to the global ones.

        `traces`: make spans; `keys`: with the key of what is loaded. `patience` is how many seconds an exporter's
        thread waits for the event loop. Raises `InvalidArgumentError`.
        """
        self._named = NamedProviders(group_sample=None, patience=patience)
        self._tracer = get_tracer(_NAME, tracer_provider=tracer_provider) if traces else None
        self._keys = keys
        self._traced: list[Provider] = []
        self._listenings = list[Listening]()
        self._read_at: float | None = None
        meter = get_meter(_NAME, meter_provider=meter_provider)
        self._durations = _load_durations(meter)
        _instruments(meter, self._figures)
        for name, provider in named(providers).items():
            self.add(name, provider)

    def add(self, name: str, provider: Provider) -> None:
        """Export one more provider, or a namespace; `InvalidArgumentError` where the name is taken."""
        self._named.add(name, provider)
        self._listenings.append(provider.listen(partial(self._loaded, name), kinds={EventKind.LOAD}))
        if self._tracer is not None:
            spans = _Spans(self._tracer, name, provider, keys=self._keys)
            provider.trace(spans.of_storage, spans.of_load)
            self._traced.append(provider)

    def close(self) -> None:
        """Export nothing any more."""
        self._named.clear()
        for listening in self._listenings:
            listening.stop()
        for provider in self._traced:
            provider.trace(None, None)
        self._listenings, self._traced = [], []

    async def _loaded(self, name: str, event: Event) -> None:
        if isinstance(event, Load):
            attributes = _attributes(name, event.namespace)
            if event.error:
                attributes["error.type"] = event.error
            self._durations.record(event.seconds, attributes)

    def _figures(self) -> list[Figures]:
        now = stopwatch()
        if self._read_at is not None and now - self._read_at < _FRESH:
            return self._named.latest()
        figures = self._named.read()
        self._read_at = stopwatch()
        return figures


# --- metrics ---------------------------------------------------------------------------------------------------------


def _attributes(name: str, namespace: str, **more: str) -> Attributes:
    attributes = {"cache.name": name}
    if namespace:
        attributes["cache.namespace"] = namespace
    return attributes | {key.replace("_", "."): value for key, value in more.items()}


def _load_durations(meter: Meter) -> Histogram:
    return meter.create_histogram(
        "aiocache_kit.load.duration",
        unit="s",
        description="How long loads took.",
        explicit_bucket_boundaries_advisory=LOAD_BOUNDS,
    )


def _instruments(meter: Meter, figures: Callable[[], list[Figures]]) -> None:
    """Make the instruments that are observed."""

    def callback(observe: Callable[[Figures], Observed]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observed(options: CallbackOptions) -> Iterable[Observation]:
            del options
            return [Observation(value, attributes) for each in figures() for value, attributes in observe(each)]

        return observed

    for name, (unit, text, observe) in _COUNTERS.items():
        meter.create_observable_counter(f"{_NAME}.{name}", [callback(observe)], unit, text)
    for name, (unit, text, observe) in _SUMS.items():
        meter.create_observable_up_down_counter(f"{_NAME}.{name}", [callback(observe)], unit, text)
    for name, (unit, text, observe) in _GAUGES.items():
        meter.create_observable_gauge(f"{_NAME}.{name}", [callback(observe)], unit, text)


def _requests(figures: Figures) -> Observed:
    stats, of = figures.reading.stats, partial(_attributes, figures.name, figures.namespace)
    yield stats.hits - stats.stale_hits, of(cache_result="hit")
    yield stats.stale_hits, of(cache_result="stale_hit")
    yield stats.misses, of(cache_result="miss")


def _changes(figures: Figures) -> Observed:
    stats, of = figures.reading.stats, partial(_attributes, figures.name, figures.namespace)
    yield stats.sets, of(cache_operation="set")
    yield stats.deletes, of(cache_operation="delete")


def _plain(name: str) -> Callable[[Figures], Observed]:
    def observe(figures: Figures) -> Observed:
        yield getattr(figures.reading.stats, name), _attributes(figures.name, figures.namespace)

    return observe


def _removals(figures: Figures) -> Observed:
    if figures.is_whole:
        stats, of = figures.reading.stats, partial(_attributes, figures.name, "")
        yield stats.evictions, of(cache_removal_cause="evicted")
        yield stats.expired, of(cache_removal_cause="expired")


def _held(name: str) -> Callable[[Figures], Observed]:
    """Observe what the storage holds, where it knows."""

    def observe(figures: Figures) -> Observed:
        if figures.is_whole and figures.reading.stats.counted:
            yield getattr(figures.reading.stats, name), _attributes(figures.name, "")

    return observe


def _waiting(figures: Figures) -> Observed:
    if figures.is_whole:
        yield figures.reading.stats.waiting_loads, _attributes(figures.name, "")


def _layer_requests(figures: Figures) -> Observed:
    for layer, stats in figures.layers() if figures.is_whole else ():
        of = partial(_attributes, figures.name, "", cache_layer=layer)
        yield stats.hits, of(cache_result="hit")
        yield stats.misses, of(cache_result="miss")


def _of_layers(name: str, *, is_held: bool = False) -> Callable[[Figures], Observed]:
    """Observe what layers do; what `is_held` by them, of those alone that know."""

    def observe(figures: Figures) -> Observed:
        for layer, stats in figures.layers() if figures.is_whole else ():
            if stats.counted or not is_held:
                yield getattr(stats, name), _attributes(figures.name, "", cache_layer=layer)

    return observe


def _circuit_states(figures: Figures) -> Observed:
    for layer, state in figures.reading.circuits.items() if figures.is_whole else ():
        yield _STATES[state], _attributes(figures.name, "", cache_layer=layer)


def _circuit_openings(figures: Figures) -> Observed:
    for layer, count in figures.reading.openings.items() if figures.is_whole else ():
        yield count, _attributes(figures.name, "", cache_layer=layer)


def _events_dropped(figures: Figures) -> Observed:
    if figures.is_whole:
        yield figures.reading.events_dropped, _attributes(figures.name, "")


_Instruments: TypeAlias = Mapping[str, tuple[str, str, Callable[[Figures], Observed]]]
_COUNTERS: Final[_Instruments] = {
    "requests": ("{request}", "Reads, by how they went.", _requests),
    "changes": ("{change}", "Values stored and removed by calls.", _changes),
    "coalesced": ("{request}", "Callers that shared a load already under way.", _plain("coalesced")),
    "refreshes": ("{load}", "Loads begun in the background.", _plain("refreshes")),
    "shed_loads": ("{load}", "Loads that were not begun because too many waited.", _plain("shed_loads")),
    "refused_calls": ("{call}", "Calls that a rate limit has refused.", _plain("refused_calls")),
    "errors": ("{error}", "What went wrong and was answered by a miss, or not stored.", _plain("errors")),
    "removals": ("{item}", "Items that were let go for others, or because their time was over.", _removals),
    "layer.requests": ("{request}", "Reads of a layer, by how they went.", _layer_requests),
    "layer.errors": ("{error}", "Calls of a layer that failed.", _of_layers("errors")),
    "circuit.openings": ("{opening}", "How often a circuit has opened.", _circuit_openings),
    "events.dropped": ("{event}", "Events that no listener took in time.", _events_dropped),
}
_SUMS: Final[_Instruments] = {
    "waiting_loads": ("{load}", "Loads that wait for others to end.", _waiting),
    "items": ("{item}", "Items held.", _held("items")),
    "size": ("By", "Bytes held; 0 where there is no bound in bytes.", _held("size")),
    "layer.items": ("{item}", "Items held by a layer.", _of_layers("items", is_held=True)),
    "layer.size": ("By", "Bytes held by a layer.", _of_layers("size", is_held=True)),
}
_GAUGES: Final[_Instruments] = {
    "layer.health": ("1", "1 while it works, 0.5 while it catches up, 0 while it is left alone.", _of_layers("health")),
    "circuit.state": ("1", "Circuits that ever opened: 0 closed, 1 half open, 2 open.", _circuit_states),
}


# --- traces ----------------------------------------------------------------------------------------------------------


class _Spans:
    """The spans of one provider."""

    def __init__(self, tracer: Tracer, name: str, provider: Provider, *, keys: bool) -> None:
        self._tracer = tracer
        self._name = name
        self._group_of = provider.group_of
        self._keys = keys

    def of_load(self, stored_key: str, keys: int) -> AbstractContextManager[object]:
        names, key = parted(stored_key)
        group = self._group_of(key)
        attributes: dict[str, Any] = {**_attributes(self._name, ":".join(names)), "cache.key_group": group}
        if keys > 1:
            attributes["cache.keys"] = keys
        if self._keys:
            attributes["cache.key"] = key
        return self._span(f"load {group}", SpanKind.INTERNAL, attributes)

    def of_storage(self, layer: str, storage: str, operation: str, items: int) -> AbstractContextManager[object]:
        attributes: dict[str, Any] = {"cache.name": self._name, "db.operation.name": operation}
        if layer:
            attributes["cache.layer"] = layer
        if items > 1:
            attributes["db.operation.batch.size"] = items
        is_redis = storage == "redis"
        if is_redis:
            attributes["db.system.name"] = storage
        return self._span(f"{operation} {storage}", SpanKind.CLIENT if is_redis else SpanKind.INTERNAL, attributes)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: dict[str, Any]) -> Generator[None]:
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as failure:
                # By its class alone: what an error says may be a key, or worse.
                span.set_attribute("error.type", type(failure).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
