"""Client-side caching: what was read from Redis is kept here until Redis tells that it has changed.

The server notes what is read on a tracked connection (``CLIENT TRACKING ON``), and says once on the same connection
that it has changed, expired or was evicted, whoever did it, this process included.

Rule 1: only a reply of a tracked connection is kept. Replies and what the server tells come in one order, but whoever
waits for a reply wakes later: so a mark is left before asking, and a reply whose mark is gone is given and not kept.
Rule 2: when a tracked connection ends, all that is kept is dropped before anybody can read it.
Rule 3: what is kept is given only while each tracked connection has answered something that was asked at most `SURE`
seconds ago: it is asked every `EVERY` seconds while what is kept is read. Until then the server could be away without
anybody noticing.
Rule 4: what this process writes is dropped when the reply is there, whatever the server will tell of it and when.
Rule 5: it is bounded, in bytes and in entries; the one that was not read for longest goes first.

What is kept are payloads, not items: they share nothing with callers, and their dates are judged at each read.
"""

import asyncio
import math
import os
import weakref
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypedDict

from hiredis import ReplyError

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import ConfigError, StorageAccessError, StorageUnavailableError
from aiocache_kit.stats import Stats
from aiocache_kit.storage.redis.link import pack_command
from aiocache_kit.storage.redis.replies import code_of, refusal
from aiocache_kit.storage.redis.wire import Wire

EVERY: Final = 1.0
"""Seconds between two questions to a tracked connection whether it is still there."""
SURE: Final = 4.0
"""Seconds for which an answer says that nothing has changed unnoticed."""
LIFE_IN_CLUSTER: Final = 4.0
"""Seconds that anything is kept in a cluster: nobody tells that a slot has moved to another node."""
MOST_ENTRIES: Final = 2**17
"""Entries at most: one step of growing the table takes no longer than a few milliseconds."""
OVERHEAD: Final = 256
"""Bytes that an entry takes beyond name and payload."""
_LARGEST: Final = 8
"""One payload may take this part of the room."""
_RELEASED: Final = 1000
"""Entries that are released in one turn of the event loop: a fifth of a millisecond."""
_ON: Final = pack_command((b"CLIENT", b"TRACKING", b"ON"))
_PING: Final = pack_command((b"PING",))


class Kept(NamedTuple):
    """A reply that is kept."""

    data: bytes | None
    """None: there was nothing."""
    until: float
    """The reading of the stopwatch from which on it is not given any more."""


class Hooks(TypedDict, total=False):
    """What a `Link` does for tracking."""

    prepare: Callable[[Wire], Awaitable[None]]
    on_push: Callable[[Sequence[Any]], None]
    on_end: Callable[[], None]


class Tracking:
    """What is kept of one installation of Redis; one event loop uses it."""

    def __init__(self, most: int, *, life: float = math.inf, now: Callable[[], float] = stopwatch) -> None:
        """Keep at most `most` bytes, each entry for at most `life` seconds, as `now` reads them."""
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self._most = most
        self._life = life
        self.now: Final = now
        self._size = 0
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._asking: dict[bytes, object] = {}
        """The mark of who asked last, until it is answered or something has changed."""
        self._watches: set[_Watch] = set()
        """One for each tracked connection that is open."""
        self._look_at = 0.0
        """When the connections are to be asked next."""
        self._sure_until = 0.0
        self._dropped: list[OrderedDict[bytes, Kept]] = []
        _all.add(self)

    def __repr__(self) -> str:
        return f"<Tracking with {len(self._kept)} entries, {self._size} bytes>"

    def hooks(self) -> Hooks:
        """Give the hooks of one `Link`: each has its own."""
        watch = _Watch(self)
        return Hooks(prepare=watch.prepare, on_push=self.told, on_end=watch.end)

    def stats(self) -> Stats:
        """Count the reads of items that took no round trip and those that did, and what is kept."""
        return Stats(
            hits=self.hits,
            misses=self.misses,
            size=self._size,
            items=len(self._kept),
            evictions=self.evictions,
        )

    # --- reading -----------------------------------------------------------------------------------------------------

    def find(self, name: bytes) -> Kept | None:
        """Give what is kept under `name`, if it may be given."""
        kept = self._kept.get(name)
        if kept is None:
            return None
        now = self.now()
        if now >= self._look_at:
            self._look(now)
        if now >= self._sure_until or now >= kept.until:
            return None
        self._kept.move_to_end(name)
        return kept

    def find_many(self, names: Sequence[bytes]) -> list[Kept | None]:
        """Give what `find` gives for each of `names`."""
        kept, now = self._kept, self.now()
        if now >= self._look_at:
            self._look(now)
        if now >= self._sure_until:
            return [None] * len(names)
        found = [kept.get(name) for name in names]
        for place, (name, each) in enumerate(zip(names, found, strict=True)):
            if each is not None:
                if now < each.until:
                    kept.move_to_end(name)
                else:
                    found[place] = None
        return found

    def takes(self, size: int) -> bool:
        """Whether a payload of so many bytes is not too large to be kept."""
        return size + OVERHEAD <= self._most // _LARGEST

    def ask(self, names: Iterable[bytes]) -> object:
        """Leave a mark before names are read from the server; give it."""
        mark = object()
        for name in names:
            self._asking[name] = mark
        return mark

    def answered(self, mark: object, name: bytes, data: bytes | None) -> None:
        """Keep a reply of a tracked connection, unless something has changed since the mark was left."""
        if self._asking.get(name) is not mark or not self._watches:
            return
        size = _weight(name, data)
        if size > self._most // _LARGEST:
            return
        self.drop(name)  # so that it is the newest, and counted once
        self._kept[name] = Kept(data, self.now() + self._life)
        self._size += size
        while self._size > self._most or len(self._kept) > MOST_ENTRIES:
            oldest, kept = self._kept.popitem(last=False)
            self._size -= _weight(oldest, kept.data)
            self.evictions += 1

    def leave(self, mark: object, names: Iterable[bytes]) -> None:
        """Take the mark away, where it still is."""
        for name in names:
            if self._asking.get(name) is mark:
                del self._asking[name]

    # --- changes -----------------------------------------------------------------------------------------------------

    def told(self, message: Sequence[Any]) -> None:
        """Heed what the server says unasked."""
        if message[0] != b"invalidate":
            return
        if message[1] is None:  # everything: FLUSHALL and such
            self.drop_all()
            return
        for name in message[1]:
            self.forget(name)

    def forget(self, name: bytes) -> None:
        """Know that what is under `name` has changed: nothing that was asked for before is kept."""
        self._asking.pop(name, None)
        self.drop(name)

    def drop(self, name: bytes) -> None:
        """Keep nothing under `name`, until a reply comes."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._size -= _weight(name, kept.data)

    def drop_all(self) -> None:
        """Keep nothing, nor any reply that is under way; the room is released in slices."""
        self._asking = {}
        if self._kept:
            self._dropped.append(self._kept)
            self._kept = OrderedDict()
            self._size = 0
            self._release_soon()

    def _release_soon(self) -> None:
        try:
            asyncio.get_running_loop().call_soon(self._release)
        except RuntimeError:  # there is none to hold up
            self._dropped.clear()

    def _release(self) -> None:
        if self._dropped:
            dropped = self._dropped[-1]
            for _ in range(min(_RELEASED, len(dropped))):
                dropped.popitem()
            if not dropped:
                self._dropped.pop()
            self._release_soon()

    # --- connections -------------------------------------------------------------------------------------------------

    def begin(self, watch: "_Watch") -> None:
        """Know of one more tracked connection."""
        if not self._watches:
            self._look_at = watch.heard + EVERY
        self._watches.add(watch)
        self.heard()

    def end(self, watch: "_Watch") -> None:
        """Know of one less, and drop what may have come by it."""
        self._watches.discard(watch)
        self.drop_all()
        self.heard()

    def heard(self) -> None:
        """Reckon anew for how long nothing can have changed unnoticed."""
        self._sure_until = min((watch.heard for watch in self._watches), default=-SURE) + SURE

    def _look(self, now: float) -> None:
        self._look_at = now + EVERY
        for watch in list(self._watches):  # one that has ended takes itself out
            watch.ask(now)

    def forsake(self) -> None:
        """Leave connections and all that came by them to the process that this one was forked from."""
        self._watches.clear()
        self.drop_all()
        self.heard()


class _Watch:
    """The tracked connection of one `Link`, and when it was last heard of."""

    def __init__(self, tracking: Tracking) -> None:
        self.heard = 0.0
        """When that was sent which it has answered."""
        self._tracking = tracking
        self._wire: Wire | None = None
        self._is_asking = False

    async def prepare(self, wire: Wire) -> None:
        """Turn tracking on.

        Raises `StorageAccessError` and `ConfigError` where the server refuses that.
        """
        sent = self._tracking.now()  # the answer says what was so when it was asked, and no more than that
        reply = await wire.send(_ON)
        if reply.__class__ is ReplyError:
            raise _refused(reply) from reply
        self._wire, self.heard, self._is_asking = wire, sent, False
        self._tracking.begin(self)

    def end(self) -> None:
        """Know that the connection has ended."""
        self._wire = None
        self._tracking.end(self)

    def ask(self, now: float) -> None:
        """Ask whether the connection is still there; what comes back is noticed by itself."""
        wire = self._wire
        if wire is None or wire.ended:
            self.end()
        elif not self._is_asking:
            self._is_asking = True
            wire.send(_PING).add_done_callback(lambda answer: self._answered(wire, now, answer))

    def _answered(self, wire: Wire, sent: float, answer: "asyncio.Future[Any]") -> None:
        if answer.exception() is None and wire is self._wire:  # any answer will do, an error included
            self._is_asking = False
            self.heard = sent
            self._tracking.heard()


def _refused(reply: ReplyError) -> Exception:
    error = refusal(reply)
    if isinstance(error, StorageAccessError):
        return StorageAccessError("redis_config.client_cache needs the command CLIENT TRACKING, which Redis refused")
    if isinstance(error, StorageUnavailableError):
        return error
    problem = f"is given, but this Redis does not track what is read ({code_of(reply)}): leave it None"
    return ConfigError("redis_config.client_cache", problem)


def _weight(name: bytes, data: bytes | None) -> int:
    return len(name) + OVERHEAD + (0 if data is None else len(data))


_all: Final["weakref.WeakSet[Tracking]"] = weakref.WeakSet()


def _forsake_all() -> None:
    for tracking in _all:
        tracking.forsake()


os.register_at_fork(after_in_child=_forsake_all)
