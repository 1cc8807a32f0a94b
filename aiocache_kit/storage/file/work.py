"""What is on its way to the disk: writes and removals, and how the index learns what became of them.

The index is changed first, on the event loop, in one step with the decision; the files follow in order. So between the
two a value is read from the job that holds it.

Rule 1: a key has one newest job. A write that comes before the thread has begun with it takes its place, and both
callers are told when the newer one is there. A value does not take the place of dates alone: who reads meanwhile has a
place in line behind those, and is to find the value that was there.
Rule 2: a write that fails leaves the old file. Then the index says again what that file says, unless somebody has
changed the key since.
Rule 3: a removal takes the place of a write in the same way. Where it fails, what was gathered is gathered again.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol, TypeAlias

from aiocache_kit.item import Item, Validators
from aiocache_kit.serializers.codec import Opened, Unsealed
from aiocache_kit.serializers.envelope import FLAGS_OFFSET, read_dates, split
from aiocache_kit.storage.file.files import Fetched, Files, Found, Place
from aiocache_kit.storage.file.form import body_of
from aiocache_kit.storage.file.index import FileTable, State, size_in, version_in
from aiocache_kit.storage.file.lane import Job, Outcome

Told: TypeAlias = "asyncio.Future[BaseException | None]"
"""What becomes None when something is done, or the error that kept it from being done."""


class Owner(Protocol):
    """Who hears of jobs."""

    files: Files
    stuck: dict[str, Place]
    """Keys whose files could not be removed when that was tried last; for the thread to change."""

    def written(self, job: "Write", size: int) -> None:
        """Learn that a file is there."""
        ...

    def removed_one(self, job: "Removal") -> bool:
        """Learn that a removal is over."""
        ...

    def failed(self, job: "Write | Removal", old: Found | None, error: BaseException) -> None:
        """Learn that nothing has changed: `old` is what is still there."""
        ...


class FailedError(Exception):
    """Raised when a file could not be changed: with what is there instead."""

    def __init__(self, old: Found | None) -> None:
        """Keep what is there."""
        super().__init__()
        self.old = old


class _OfKey(Job):
    __slots__ = ("_owner", "_waiting", "key", "place", "table", "taken", "void")

    def __init__(self, owner: Owner, key: str, place: Place, table: FileTable) -> None:
        self._owner = owner
        self._waiting: list[Told] = []
        self.key = key
        self.place = place
        self.table = table
        self.taken = False
        """Whether the thread has it."""
        self.void = False
        """Whether it is not to be done any more."""

    def begin(self) -> None:
        """Take no changes from now on."""
        self.taken = True

    def outcome(self) -> Told:
        """Give what tells when the file is as this job, or one that took its place, wants it: None, or an error."""
        outcome: Told = asyncio.get_running_loop().create_future()
        self._waiting.append(outcome)
        return outcome

    async def done(self) -> None:
        """Wait until it is done; raise the error if there is one."""
        error = await self.outcome()
        if error is not None:
            raise error

    def tell(self, error: BaseException | None) -> None:
        """Let go on who waits."""
        for outcome in self.hand_over():
            if not outcome.done():
                outcome.set_result(error)

    def hand_over(self) -> list[Told]:
        """Give who waits, to be told by a job that takes the place of this one."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _old(self) -> Found | None:
        return self._owner.files.look(self.place)


class Write(_OfKey):
    """Writes the file of a key; without a value, the one it has with other notes."""

    __slots__ = ("notes", "queued", "value", "version")

    def __init__(self, owner: Owner, key: str, place: Place, table: FileTable) -> None:
        """Prepare; what to write is to be filled in."""
        super().__init__(owner, key, place, table)
        self.version = 0
        self.notes = b""
        """What the file begins with."""
        self.value: bytes | Unsealed | None = None
        """The body; None: the one that is in the file stays."""
        self.queued = False
        """Whether it stands in line for the thread."""

    def opened(self) -> Opened:
        """Give the value as if it had been read; only where there is one."""
        if isinstance(self.value, tuple):
            head, _, content, _, rest = self.value
            return read_dates(head), *split(head[FLAGS_OFFSET], content, rest)
        return self._owner.files.codec.open(self.place[1], self.value or b"")

    def run(self) -> int:
        """Write the file."""
        if self.void:
            return 0
        files, value = self._owner.files, self.value
        try:
            if value is None:
                value = body_of(files.read(self.place))
            elif isinstance(value, tuple):
                value = files.codec.seal(value)
            size = files.store(self.place, self.notes, value)
        except Exception as error:
            raise FailedError(self._old()) from error
        self._owner.stuck.pop(self.key, None)
        return size

    def settle(self, result: int, error: BaseException | None) -> None:
        """Tell the index, then the callers."""
        if self.void:
            self.tell(None)
        elif error is None:
            self._owner.written(self, result)
        else:
            old = error.old if isinstance(error, FailedError) else None
            self._owner.failed(self, old, error.__cause__ or error)


class Removal(_OfKey):
    """Removes the file of a key."""

    __slots__ = ("instead_of",)

    def __init__(self, owner: Owner, key: str, place: Place, table: FileTable, instead_of: Write | None = None) -> None:
        """Prepare; whoever waits for a write that the thread has not begun with waits for this from now on."""
        super().__init__(owner, key, place, table)
        self.instead_of = instead_of
        if instead_of is not None and not instead_of.taken:
            self._waiting = instead_of.hand_over()

    def run(self) -> None:
        """Remove the file."""
        try:
            self._owner.files.remove(self.place)
        except OSError as error:
            self._owner.stuck[self.key] = self.place
            raise FailedError(self._old()) from error
        self._owner.stuck.pop(self.key, None)

    def settle(self, result: None, error: BaseException | None) -> None:
        """Tell the index, then the callers."""
        del result
        if error is None:
            self._owner.removed_one(self)
            self.tell(None)
        else:
            old = error.old if isinstance(error, FailedError) else None
            self._owner.failed(self, old, error.__cause__ or error)


class Leftover(Removal):
    """Removes what an entry has left that was evicted before; where that fails, nobody is to find it again."""

    __slots__ = ()

    def _old(self) -> None:
        return None


class Reading(Job):
    """Reads the file of a key."""

    __slots__ = ("_files", "outcome", "place", "state")

    def __init__(self, files: Files, place: Place, state: State) -> None:
        """Prepare to read what the index says is there."""
        self._files = files
        self.place = place
        self.state = state
        self.outcome: Outcome = asyncio.get_running_loop().create_future()

    def run(self) -> Fetched:
        """Read the file."""
        record = self.state[0]
        return self._files.fetch(self.place, version_in(record), size_in(record))

    def settle(self, result: Fetched, error: BaseException | None) -> None:
        """Tell who waits, if somebody still does."""
        if not self.outcome.done():
            self.outcome.set_result((result, error))


def whole(
    key: str, value: object, created_at: float, state: State, validators: Validators | None = None
) -> Item[object]:
    """Put together what the file says of an item, and what the index says."""
    record, ttl, expiration, tags, cost, stale_until, is_stale = state
    return Item(
        key=key,
        value=value,
        ttl=ttl,
        expiration=expiration,
        tags=tags,
        cost=cost,
        version=version_in(record),
        created_at=created_at,
        stale_until=stale_until,
        is_stale=is_stale,
        validators=validators,
    )


async def all_done(jobs: Iterable[Told], refused: Iterable[BaseException] = ()) -> None:
    """Wait for the outcomes of all of them, and raise the first error, what was `refused` before included."""
    errors = [*refused, *(error for error in [await job for job in jobs] if error is not None)]
    if errors:
        raise errors[0]
