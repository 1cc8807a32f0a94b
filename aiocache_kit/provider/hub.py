"""`Hub`: who listens to a provider, and what they are told.

Rule 1: whoever has something to tell calls `tell`, which costs a look where nobody listens to that kind.
Rule 2: storages are observed (`aiocache_kit.storage.observer`) for what somebody wants to know, and no longer than
that; only circuits, which seldom change, are always observed.
Rule 3: whatever somebody begins to listen to, or stops listening to, is told to the provider (`when_changed`): it takes
other ways then (`watched_path`).
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from aiocache_kit.clock import Clock
from aiocache_kit.event_kinds import READS, CircuitState, EventKind, RemovalCause
from aiocache_kit.management.key_groups import GroupRule, KeyGrouping
from aiocache_kit.management.quiet_log import QuietLog
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.observer import Observer, Span

if TYPE_CHECKING:
    from aiocache_kit.events import Event
    from aiocache_kit.provider.streams import EventStream, Listening

_AROUND_NOTHING: Final = nullcontext()
LoadSpan: TypeAlias = Callable[[str, int], AbstractContextManager[object]]
"""Takes the stored key, the first of them, and how many keys are loaded; is there while the loader runs."""


class Hub:
    """The listeners of one provider and of all its namespaces."""

    __slots__ = (
        "_clock",
        "_gone",
        "_heard",
        "_listenings",
        "_log",
        "_random",
        "_span",
        "_storage",
        "_streams",
        "circuits",
        "grouping",
        "load_span",
        "openings",
        "sample",
        "when_changed",
    )

    def __init__(self, storage: Storage, clock: Clock, log: QuietLog, random: Random) -> None:
        """Begin without listeners; `random` chooses what a stream hears that wants a sample."""
        self._storage = storage
        self._clock = clock
        self._log = log
        self._random = random
        self._streams: list[EventStream] = []
        self._gone = 0
        """Events that were dropped by those who listen no more."""
        self._heard: dict[EventKind, tuple[EventStream, ...]] = {}
        """Who wants to hear of a kind; a kind that nobody wants to hear of is not there."""
        self._listenings: set[Listening] = set()
        self._span: Span | None = None
        self.load_span: LoadSpan | None = None
        """What is there while a loader runs; None: nothing."""
        self.grouping: KeyGrouping = KeyGrouping()
        self.circuits: Final[dict[str, CircuitState]] = {}
        """The state of each circuit that was not always closed, by layer."""
        self.openings: Final[dict[str, int]] = {}
        """How often each of them has opened."""
        self.sample: int = 1
        """Of reads, one in so many is enough for everybody who listens."""
        self.when_changed: Callable[[], None] = _nothing
        log.on_failure = self.fail
        self._observe()

    # --- telling -----------------------------------------------------------------------------------------------------

    def hears(self, *kinds: EventKind) -> bool:
        """Whether anybody listens to one of `kinds`."""
        return any(kind in self._heard for kind in kinds)

    def tell(self, kind: EventKind, key: str | None, *facts: object, stands_for: int = 1) -> None:
        """Tell of an event; `key` is the stored key, `facts` are what the kind has besides.

        It `stands_for` so many, if whoever tells has chosen it out of them.
        """
        if kind in self._heard:
            all_of_it = (kind, self._clock.time(), key, *facts)
            for stream in self._heard[kind]:
                stream.offer(all_of_it, stands_for)

    def around_load(self, key: str, keys: int) -> AbstractContextManager[object]:
        """Give what is to be there while a loader runs."""
        return _AROUND_NOTHING if self.load_span is None else self.load_span(key, keys)

    def fail(self, doing: str, error: BaseException) -> None:
        """Tell of something that went wrong."""
        self.tell(EventKind.FAILURE, None, doing, type(error).__name__)

    def _removed(self, key: str, cause: RemovalCause, layer: str) -> None:
        self.tell(EventKind.REMOVAL, key, cause, layer)

    def _changed(self, state: CircuitState, layer: str) -> None:
        self.circuits[layer] = state
        self.openings[layer] = self.openings.get(layer, 0) + (state is CircuitState.OPEN)
        self.tell(EventKind.CIRCUIT, None, state, layer)

    # --- listening ---------------------------------------------------------------------------------------------------

    def stream(self, prefix: str, *, kinds: Iterable[str] | None, keys: bool, room: int, sample: int) -> "EventStream":
        """Begin a stream; raises `InvalidArgumentError`."""
        from aiocache_kit.provider.streams import EventStream, choice  # noqa: PLC0415  - for those who listen only

        chosen = choice(kinds, keys=keys, room=room, sample=sample, prefix=prefix)
        stream = EventStream(chosen, lambda: self.grouping, self._leave, self._random)
        self._streams.append(stream)
        self._sort()
        return stream

    def listen(self, stream: "EventStream", function: "Callable[[Event], object]", *, at_once: bool) -> "Listening":
        """Hand what `stream` gives to `function`, from now on or from `start` on."""
        from aiocache_kit.provider.streams import Listening  # noqa: PLC0415  - as above

        listening = Listening(stream, function, self._log, self._listenings.discard)
        self._listenings.add(listening)
        if at_once:
            listening.start()
        return listening

    def start(self) -> None:
        """Let those listen who began before the provider was opened."""
        for listening in self._listenings:
            listening.start()

    async def close(self) -> None:
        """End all streams, and let listeners hear what waits for them."""
        for stream in list(self._streams):
            stream.end()
        others = [listening for listening in self._listenings if not listening.is_here]
        if others:
            await asyncio.gather(*(listening.close() for listening in others))

    def group_by(self, rule: GroupRule) -> None:
        """Group keys by `rule` from now on; raises `InvalidArgumentError`."""
        self.grouping = KeyGrouping(rule)

    def trace(self, span: Span | None, load_span: LoadSpan | None) -> None:
        """Let what these give be there while calls of storages, and loaders, last; None: no more."""
        self._span, self.load_span = span, load_span
        self._observe()
        self.when_changed()

    def _leave(self, stream: "EventStream") -> None:
        if stream in self._streams:
            self._streams.remove(stream)
            self._gone += stream.dropped
            self._sort()

    def _sort(self) -> None:
        had = set(self._heard), self.sample
        self.sample = min((stream.chosen.sample for stream in self._streams if stream.chosen.kinds & READS), default=1)
        kinds = {kind for stream in self._streams for kind in stream.chosen.kinds}
        self._heard = {kind: tuple(stream for stream in self._streams if kind in stream.chosen.kinds) for kind in kinds}
        if (kinds, self.sample) != had:
            self._observe()
            self.when_changed()

    def _observe(self) -> None:
        removals = self._removed if self.hears(EventKind.REMOVAL) else None
        self._storage.observe(Observer(removals, self._changed, self._span))

    # --- being read --------------------------------------------------------------------------------------------------

    @property
    def dropped(self) -> int:
        """Events that those who listened did not take in time."""
        return self._gone + sum(stream.dropped for stream in self._streams)


def _nothing() -> None:
    pass
