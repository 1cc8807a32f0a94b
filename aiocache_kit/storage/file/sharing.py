"""Leases, locks and tags among the processes that share a directory."""

import os
from collections.abc import Callable, Collection
from typing import Final, ParamSpec, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.storage.agreements import SharedLocks
from aiocache_kit.storage.base import ELSEWHERE, Grant, Leases, SharedTags
from aiocache_kit.storage.file.files import NAMES, Place, fault
from aiocache_kit.storage.file.lane import Call, Lane
from aiocache_kit.storage.file.shared_files import LEASE, LOCK, Claim, SharedFiles

P = ParamSpec("P")
T = TypeVar("T")
LEASE_TTL: Final = 10.0

"""Seconds after which somebody else may load, if whoever loads has died."""


async def result_of(call: Call[T]) -> T:
    """Wait for what a call in the thread gives; what the system refuses is a `StorageError`."""
    try:
        return await call.result()
    except OSError as error:
        raise fault(error, "the file system refuses") from error


class _Part:
    def __init__(self, shared: SharedFiles, lane: Lane) -> None:
        self._shared = shared
        self._lane = lane

    async def _do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await result_of(self._lane.start(function, *args, **kwargs))

    @property
    def _clock(self) -> Clock:
        return self._shared.clock

    def _extend(self, place: Place, kind: str, token: str, ttl: float) -> bool:
        with self._shared.files.directory.exclusive(NAMES[place[0]]):
            claim = self._shared.claim(place, kind)
            if claim is None or claim.token != token:
                return False
            self._shared.put_claim(place, kind, claim._replace(until=self._clock.time() + ttl))
        return True

    def _end(self, place: Place, kind: str, token: str) -> bool:
        with self._shared.files.directory.exclusive(NAMES[place[0]]):
            claim = self._shared.claim(place, kind)
            if claim is None or claim.token != token:
                return False
            self._shared.end_claim(place, kind)
        return True


class FileLeases(_Part, Leases):
    """A lease is a file beside that of its key.

    Who asks in this process was let through by its single flight: a lease of this process that is there already is of
    a load that nobody minds any more, and gives way.
    """

    ttl = LEASE_TTL

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Ask to load the keys. What is written under a lease counts as written when it was given."""
        given: dict[str, str] = {}
        calls = {key: self._lane.start(self._take, key, tags, given, anew=anew) for key in keys}
        try:
            return {key: await result_of(call) for key, call in calls.items()}
        except BaseException:
            self._lane.start(self._take_back, given)  # nobody knows of them
            raise

    def _take_back(self, given: dict[str, str]) -> None:
        for key, token in given.items():
            self._end(self._shared.files.place(key), LEASE, token)

    def _take(self, key: str, tags: tuple[str, ...], given: dict[str, str], *, anew: bool) -> Grant:
        shared = self._shared
        place = shared.files.place(key)
        with shared.files.directory.exclusive(NAMES[place[0]]):
            if not anew and shared.live(place) is not None:
                item = shared.found(key, place)
                if item is not None and not item.is_stale:
                    return Grant(item=item)
            claim = shared.claim(place, LEASE)
            if claim is not None and not claim.token.startswith(shared.files.directory.mine):
                return ELSEWHERE
            number = shared.files.directory.next_number()
            claim = Claim(
                key, shared.files.directory.mine + os.urandom(16).hex(), self._clock.time() + self.ttl, number, tags
            )
            shared.put_claim(place, LEASE, claim)
        given[key] = claim.token
        return Grant(lease=claim.token)

    async def extend(self, key: str, lease: str) -> bool:
        """Let the lease end later."""
        return await self._do(self._extend, self._shared.files.place(key), LEASE, lease, self.ttl)

    async def drop(self, key: str, lease: str) -> None:
        """End the lease."""
        await self._do(self._end, self._shared.files.place(key), LEASE, lease)


class FileLocks(_Part, SharedLocks):
    """A lock is a file, too; `clear` does not touch it."""

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Take the lock if nobody else has it."""
        return await self._do(self._acquire, name, token, ttl)

    def _acquire(self, name: str, token: str, ttl: float) -> int | None:
        shared = self._shared
        place = shared.files.place(name)
        with shared.files.directory.exclusive(NAMES[place[0]]):
            claim = shared.claim(place, LOCK)
            if claim is not None and claim.token != token:
                return None
            number = shared.files.directory.next_number()
            shared.put_claim(place, LOCK, Claim(name, token, self._clock.time() + ttl, number))
        return number

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Let the lock end later."""
        return await self._do(self._extend, self._shared.files.place(name), LOCK, token, ttl)

    async def release(self, name: str, token: str) -> bool:
        """Give the lock back."""
        return await self._do(self._end, self._shared.files.place(name), LOCK, token)


class SharedMarks(_Part, SharedTags):
    """A mark is a file that every read of an item with its tag looks for."""

    async def invalidate(self, tags: Collection[str]) -> None:
        """Kill every item with one of `tags` that was written, or whose lease was given, before."""
        await self._do(self._invalidate, tuple(tags))

    def _invalidate(self, tags: tuple[str, ...]) -> None:
        self._shared.marks.write(tags, self._shared.files.directory.next_number())
