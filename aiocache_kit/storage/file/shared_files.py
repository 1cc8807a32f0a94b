"""Items in a directory that several processes use: each call is whole, and alone with its key. For threads.

Rule 1: nothing is remembered between two calls: the files are the truth, so that each process sees at once what another
one has done.
Rule 2: whatever looks before it changes holds the lock of the key's directory meanwhile. Reading takes no lock: a file
is replaced in one step.
Rule 3: versions are numbers that all processes draw from one file, so they grow whoever writes.
Rule 4: time is the wall clock's, which all processes of one machine share.
"""

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, NamedTuple

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CorruptPayloadError
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Unsealed
from aiocache_kit.serializers.envelope import VERSION_OFFSET
from aiocache_kit.storage.base import ALWAYS, Condition, ConditionKind, later_end, stale_for, whole_number
from aiocache_kit.storage.file.files import MOST, NAMES, Files, Found, Place
from aiocache_kit.storage.file.form import USUAL, Notes, body_of, pack_notes, read_notes
from aiocache_kit.storage.file.marks import MarkFiles

LEASE: Final = ".lease"
LOCK: Final = ".lock"


class Claim(NamedTuple):
    """A lease, or a lock, as it lies in its file."""

    key: str
    token: str
    until: float
    number: int
    """Of a lease the version at which it was given, of a lock its fencing number."""
    tags: tuple[str, ...] = ()
    """Of a lease those that the item will have: an invalidation of one of them ends it."""


class SharedFiles:
    """What threads do with the files."""

    def __init__(self, files: Files, clock: Clock) -> None:
        """Work on `files`."""
        self.files = files
        self.marks: Final = MarkFiles(files)
        self.errors = 0
        self.written = 0
        """Bytes written since somebody last set it to zero."""
        self.writes = 0
        """Files written since then."""
        self.clock = clock

    # --- reading -----------------------------------------------------------------------------------------------------

    def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`, a stale one included.

        Raises `CorruptPayloadError` for what is no item of this key; it is removed.
        """
        place = self.files.place(key)
        try:
            return self._read(key, place)
        except FileNotFoundError:
            if not self.files.directory.is_stale(NAMES[place[0]]):
                return None
        except CorruptPayloadError:
            self._sweep(place)
            raise
        self.files.directory.forget(NAMES[place[0]])  # another process has removed the directory that is open here
        try:
            return self._read(key, place)
        except FileNotFoundError:
            return None

    def _read(self, key: str, place: Place) -> Item[object] | None:
        data = self.files.read(place, USUAL)
        notes = read_notes(self.files.codec, place[1], data)
        state = self.state(notes)
        if notes.key != key:
            raise CorruptPayloadError("the file is that of another key")
        if state is None:
            return None
        body = self.files.codec.decode(place[1], body_of(data))
        if body.version != notes.version:
            raise CorruptPayloadError("the file is of two versions")
        return Item(
            key=key,
            value=body.value,
            ttl=notes.ttl,
            expiration=notes.expiration,
            tags=notes.tags,
            cost=notes.cost,
            version=notes.version,
            created_at=body.created_at,
            stale_until=notes.stale_until,
            is_stale=not state,
            validators=body.validators,
        )

    def state(self, notes: Notes) -> bool | None:
        """Tell whether an item is live; None: it is dead, or was invalidated."""
        now = self.clock.time()
        end = math.inf if notes.expiration is None else notes.expiration
        last = end if notes.stale_until is None else max(notes.stale_until, end)
        if now >= last or self.marks.killed(notes.tags, notes.stamp):
            return None
        return now < end

    def live(self, place: Place) -> Notes | None:
        """Give the notes of the live item at a place."""
        found = self.files.look(place)
        return None if found is None or not self.state(found.notes) else found.notes

    def held(self, place: Place) -> Notes | None:
        """Give the notes of the item at a place, live or stale."""
        found = self.files.look(place)
        return None if found is None or self.state(found.notes) is None else found.notes

    def _sweep(self, place: Place) -> None:
        """Remove what cannot be read, unless somebody has just written it anew."""
        with self._alone(place):
            if self.files.look(place) is None or not self._is_whole(place):
                self.files.remove(place)

    def _is_whole(self, place: Place) -> bool:
        try:
            self.files.codec.open(place[1], body_of(self.files.read(place, USUAL)))
        except (OSError, CorruptPayloadError):
            return False
        return True

    @contextmanager
    def _alone(self, place: Place) -> Generator[None]:
        with self.files.directory.exclusive(NAMES[place[0]]):
            yield

    # --- changing ----------------------------------------------------------------------------------------------------

    def laid_out(self, item: Item[object]) -> Unsealed:
        """Serialize the value of `item`, on the event loop. Raises `SerializationError` or `ValueTooLargeError`."""
        digest = self.files.digest(item.key)
        return self.files.codec.lay_out(
            Item(key=digest, value=item.value, created_at=item.created_at, validators=item.validators)
        )

    def write(self, item: Item[object], laid: Unsealed, condition: Condition) -> bool:
        """Store an item whose body was laid out."""
        place = self.files.place(item.key)
        with self._alone(place):
            stamp = self._may(place, condition)
            if stamp is None:
                return False
            version = self.files.directory.next_number()
            self._store(place, self._notes(item, version, stamp or version), self._sealed(laid, version))
            self.end_lease(place)
        return True

    def _may(self, place: Place, condition: Condition) -> float | None:
        """Decide a condition: None is no; otherwise the stamp of what is written, 0 for that of now."""
        if condition.kind is ConditionKind.ALWAYS:
            return 0.0
        if condition.kind is ConditionKind.LEASE:
            claim = self.claim(place, LEASE)
            return float(claim.number) if claim is not None and claim.token == condition.lease else None
        live = self.live(place)
        match condition.kind:
            case ConditionKind.ABSENT:
                return 0.0 if live is None else None
            case ConditionKind.PRESENT:
                return None if live is None else 0.0
            case _:
                return 0.0 if live is not None and live.version == condition.version else None

    def _notes(self, item: Item[object], version: int, stamp: float) -> Notes:
        stale = stale_for(item)
        end = None if item.ttl is None else self.clock.time() + item.ttl
        last = None if end is None or not stale else end + stale
        return Notes(item.key, version, item.ttl, end, last, float(stamp), item.tags, item.cost)

    def _sealed(self, laid: Unsealed, version: int) -> bytes:
        head, key, content, serializer, rest = laid
        whole = head[:VERSION_OFFSET] + version.to_bytes(8, "big") + head[VERSION_OFFSET + 8 :]
        return self.files.codec.seal((whole, key, content, serializer, rest))

    def _store(self, place: Place, notes: Notes, body: bytes) -> None:
        self.writes += 1
        self.written += self.files.store(place, pack_notes(self.files.codec, place[1], notes), body)

    def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key`; say whether a live one went away."""
        place = self.files.place(key)
        with self._alone(place):
            if self._may(place, condition) is None:
                return False
            was_live = self.live(place) is not None
            self.files.remove(place)
            self.end_lease(place)
        return was_live

    def increment(self, item: Item[int], delta: int) -> int:
        """Add to the live integer under a key, or begin one."""
        place = self.files.place(item.key)
        codec = self.files.codec
        with self._alone(place):
            found = self.found(item.key, place)
            version = self.files.directory.next_number()
            if found is None or found.is_stale:
                total = item.value + delta
                notes, created_at = self._notes(item, version, version), item.created_at
            else:
                total = whole_number(found.value) + delta
                kept = self.files.look(place)
                stamp = version if kept is None else kept.notes.stamp
                notes = self._notes(found, version, stamp)._replace(
                    expiration=found.expiration, stale_until=found.stale_until
                )
                created_at = found.created_at
            body = codec.encode(Item(key=place[1], value=total, version=version, created_at=created_at))
            self._store(place, notes, body)
            self.end_lease(place)
        return total

    def found(self, key: str, place: Place) -> Item[object] | None:
        """Give the item at a place that is locked; None also for what cannot be read, and is to be written over."""
        try:
            return self._read(key, place)
        except (FileNotFoundError, CorruptPayloadError):
            return None

    def redate(self, key: str, change: Callable[[Notes], Notes], *, also_stale: bool = False) -> bool:
        """Give the live item under `key` other dates; its value and version stay. Say whether there was one.

        `also_stale`: a stale one gets them, too.
        """
        place = self.files.place(key)
        with self._alone(place):
            is_live = self.live(place) is not None
            notes = self.held(place) if is_live or also_stale else None
            if notes is None:
                return False
            try:
                body = body_of(self.files.read(place, USUAL))
            except (FileNotFoundError, CorruptPayloadError):
                return False
            self._store(place, change(notes), body)
        return is_live

    def touched(self, item: Item[None]) -> bool:
        """Give the live item another end, counted from now; it is kept beyond that for as long as it was to be."""
        moved = self._notes(replace(item, value=None), 0, 0.0)

        def move(notes: Notes) -> Notes:
            ends = Item(key=item.key, value=None, expiration=moved.expiration, stale_until=moved.stale_until)
            there = Item(key=item.key, value=None, expiration=notes.expiration, stale_until=notes.stale_until)
            return notes._replace(ttl=moved.ttl, expiration=moved.expiration, stale_until=later_end(ends, there))

        return self.redate(item.key, move)

    def expired(self, key: str) -> bool:
        """Make the live item stale; one that is stale already is ended by hand, too."""

        def end(notes: Notes) -> Notes:
            death = notes.stale_until if notes.stale_until is not None else notes.expiration
            now = self.clock.time()
            return notes._replace(ttl=0.0, expiration=now, stale_until=math.inf if death is None else death)

        place = self.files.place(key)
        with self._alone(place):  # also where there is nothing: a load under way has begun before
            self.end_lease(place)
        return self.redate(key, end, also_stale=True)

    # --- many --------------------------------------------------------------------------------------------------------

    def clear_some(self, places: list[Place], prefix: str) -> None:
        """Remove the items at some places of one directory whose keys begin with `prefix`."""
        for place in places:
            with self._alone(place):
                found = self.files.look(place) if prefix else None
                if not prefix or (found is not None and found.notes.key.startswith(prefix)):
                    self.files.remove(place)
                    self.end_lease(place)

    def end_leases(self, number: int, prefix: str) -> None:
        """End the leases in a directory for keys that begin with `prefix`: they are cleared."""
        with self.files.directory.exclusive(NAMES[number]):
            for place, kind in self._claims(number):
                claim = self.claim(place, kind) if kind == LEASE else None
                if claim is not None and claim.key.startswith(prefix):
                    self.end_claim(place, kind)

    def _claims(self, number: int) -> list[tuple[Place, str]]:
        """Give where leases and locks lie in a directory."""
        prefix = self.files.prefix
        return [
            ((number, name[len(prefix) : -len(kind)]), kind)
            for name in self.files.directory.names(NAMES[number])
            for kind in (LEASE, LOCK)
            if name.startswith(prefix) and name.endswith(kind)
        ]

    def keys_at(self, places: list[Place], prefix: str) -> list[str]:
        """Give the live keys at some places that begin with `prefix`."""
        found, _ = self.files.look_at(places)
        return [notes.key for notes, _ in found if notes.key.startswith(prefix) and self.state(notes)]

    def places(self, number: int) -> list[Place]:
        """Give the places of all items in a directory, once nobody is changing anything there."""
        with self.files.directory.exclusive(NAMES[number]):
            return self.files.listed(number)

    def look_over(self, places: list[Place]) -> tuple[list[tuple[Place, Found]], int]:
        """Give the items at some places, and how many were dead, or no items at all, and were removed."""
        kept: list[tuple[Place, Found]] = []
        removed = 0
        for place in places:
            found = self.files.look(place)
            if found is not None and self.state(found.notes) is not None:
                kept.append((place, found))
                continue
            with self._alone(place):
                again = self.files.look(place)
                if again is None or self.state(again.notes) is None:
                    self.files.remove(place)
                    removed += 1
        return kept, removed

    def evict(self, places: list[tuple[Place, int]]) -> int:
        """Remove items that still have the versions given with them; say how many went."""
        removed = 0
        for place, version in places:
            with self._alone(place):
                found = self.files.look(place)
                if found is not None and found.notes.version == version:
                    self.files.remove(place)
                    removed += 1
        return removed

    # --- leases and locks --------------------------------------------------------------------------------------------

    def claim(self, place: Place, kind: str) -> Claim | None:
        """Give the lease or lock at a place, None where there is none, or its time is over."""
        name = place[1] + kind
        try:
            data = self.files.directory.read(NAMES[place[0]], self.files.prefix + name, USUAL, MOST)
            item = self.files.codec.decode(name, data)
        except (FileNotFoundError, CorruptPayloadError):
            return None
        if not isinstance(item.value, str) or item.expiration is None or not item.tags:
            return None
        if self.clock.time() >= item.expiration:
            return None
        key, *tags = item.tags
        if self.marks.killed(tags, item.version):
            return None
        return Claim(key, item.value, item.expiration, item.version, tuple(tags))

    def sweep_claims(self, number: int, begun: int) -> int:
        """Remove leases and locks that are over; give the number of the oldest lease, at most `begun`."""
        oldest = begun
        with self.files.directory.exclusive(NAMES[number]):
            for place, kind in self._claims(number):
                claim = self.claim(place, kind)
                if claim is None:
                    self.end_claim(place, kind)
                elif kind == LEASE:
                    oldest = min(oldest, claim.number)
        return oldest

    def put_claim(self, place: Place, kind: str, claim: Claim) -> None:
        """Write a lease or a lock."""
        name = place[1] + kind
        item: Item[object] = Item(
            key=name, value=claim.token, expiration=claim.until, tags=(claim.key,), version=claim.number
        )
        self.files.directory.replace(NAMES[place[0]], self.files.prefix + name, (self.files.codec.encode(item),))

    def end_claim(self, place: Place, kind: str) -> None:
        """Remove a lease or a lock."""
        self.files.directory.remove(NAMES[place[0]], self.files.prefix + place[1] + kind)

    def end_lease(self, place: Place) -> None:
        """End the lease of a key that somebody has changed."""
        self.end_claim(place, LEASE)
