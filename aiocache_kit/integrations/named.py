"""Providers by name, and their figures, for whatever exports them.

Rule 1: what is exported about a provider is told by a bounded number of labels: the name that it was given here, its
namespace, its layers and, only if asked for, groups of keys; never a key.
Rule 2: a namespace counts as a part of its provider. What belongs to the storage is told of the whole only, so that
nothing is counted twice.
Rule 3: no provider is opened, and none is waited for longer than `patience`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.events import READS, Event, EventKind
from aiocache_kit.management.key_groups import GroupFigures, KeyGroups
from aiocache_kit.provider import Provider
from aiocache_kit.provider.readings import Reading, Readings, read_all
from aiocache_kit.stats import Stats

DEFAULT_NAME: Final = "default"


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one provider, or of one namespace of it."""

    name: str
    namespace: str
    """The names of the namespaces; "": the whole provider."""
    reading: Reading
    groups: list[GroupFigures]

    @property
    def is_whole(self) -> bool:
        """Whether this is of the whole provider, and tells of its storage, too."""
        return not self.namespace

    def layers(self) -> Iterator[tuple[str, Stats]]:
        """Go over the parts of the storage by name; those of a part after a ``/``."""
        yield from _layers("", self.reading.stats)


def _layers(before: str, stats: Stats) -> Iterator[tuple[str, Stats]]:
    for name, layer in stats.layers.items():
        yield before + name, layer
        yield from _layers(f"{before}{name}/", layer)


class _Source:
    """One provider."""

    def __init__(self, name: str, provider: Provider, readings: Readings, sample: int | None) -> None:
        self.name: Final = name
        self.readings: Final = readings
        self.groups = KeyGroups()
        wanted = READS | {EventKind.LOAD}
        self.listening = None if sample is None else provider.listen(self._note, kinds=wanted, sample=sample)

    async def _note(self, event: Event) -> None:
        self.groups.note(event)

    def figures(self) -> Figures:
        groups = self.groups.all() if self.listening is not None else []
        return Figures(self.name, self.readings.namespace, self.readings.latest, groups)


def named(providers: Provider | Mapping[str, Provider] | None) -> Mapping[str, Provider]:
    """Give by name what a constructor was given: nothing, several by name, or one, which is called ``default``."""
    if providers is None:
        return {}
    return providers if isinstance(providers, Mapping) else {DEFAULT_NAME: providers}


class NamedProviders:
    """The providers that something exports the figures of."""

    def __init__(self, *, group_sample: int | None, patience: float) -> None:
        """Wait for the figures for `patience` seconds at most.

        `group_sample`: count by groups of keys, one read of so many; None: do not.
        """
        if isinstance(patience, bool) or not 0.0 <= patience <= 60.0:  # noqa: PLR2004  - said below
            raise InvalidArgumentError(f"patience must be a number of seconds from 0 to 60, not {patience!r:.40}")
        self._sample = group_sample
        self._patience = patience
        self._sources: dict[tuple[str, str], _Source] = {}

    def add(self, name: str, provider: Provider) -> None:
        """Export `provider`, or a namespace, as `name`; `InvalidArgumentError` where that is taken, or no name."""
        if not name:
            raise InvalidArgumentError("name must be a non-empty str")
        if not isinstance(provider, Provider):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
            raise InvalidArgumentError(f"what is exported must be a Provider, not {type(provider).__name__}")
        readings = provider.readings()
        key = name, readings.namespace
        if key in self._sources:
            raise InvalidArgumentError("name must be a new one: something else is exported by it")
        self._sources[key] = _Source(name, provider, readings, self._sample)

    def remove(self, name: str) -> None:
        """Export nothing by `name` any more, its namespaces included."""
        for key in [key for key in self._sources if key[0] == name]:
            listening = self._sources.pop(key).listening
            if listening is not None:
                listening.stop()

    def clear(self) -> None:
        """Export nothing any more."""
        for name in {name for name, _ in self._sources}:
            self.remove(name)

    async def update(self) -> None:
        """Read all figures now; on the event loop of the providers."""
        for source in list(self._sources.values()):
            await source.readings.update()

    def read(self) -> list[Figures]:
        """Read all figures, from any thread, and give them; where that takes too long, those of before."""
        sources = list(self._sources.values())
        read_all([source.readings for source in sources], self._patience)
        return [source.figures() for source in sources]

    def latest(self) -> list[Figures]:
        """Give the figures that were read last."""
        return [source.figures() for source in list(self._sources.values())]
