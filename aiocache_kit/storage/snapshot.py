"""A snapshot: the items of a storage in one file, to be there again after a restart.

The file is made of checked frames (`frames`), which hold the items (`records`) and at the end their number.

Rule 1: whoever reads gets what was written or less, never something else: a torn, foreign or altered file gives the
items that lie before the damage, and one warning.
Rule 2: a file is old or new, never half: whatever ends a `save` in the middle leaves the old one.
Rule 3: the event loop is held for about a millisecond at most, however many items there are and however many parts one
value has. Only a single str or bytes of many megabytes is copied in one go.
Rule 4: one frame is one hop to a thread.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, ParamSpec, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.frames import END, FRAME, DamageError, Source, Target
from aiocache_kit.storage.pace import Pace
from aiocache_kit.storage.records import Packer, UnfitError, Unpacker, load_msgpack

P = ParamSpec("P")
R = TypeVar("R")

_log: Final = logging.getLogger("aiocache_kit")


class Snapshot:
    """Keeps items in the file at `path`. One process writes it at a time, and what others leave half done is removed.

    Values come back equal and of the same type, or are not kept: None, bool, int of 64 bits, float, str, bytes, and
    lists and dicts of these are kept; tuples, sets and objects of other classes are left out and counted.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = True) -> None:
        """Read and write the file at `path`; nothing is touched yet.

        Directories that are missing are made by `save` for the owner alone (0700), and so is the file (0600). With
        `fsync`, a save has reached the disk before the old file is replaced, so that even a loss of power leaves one.
        """
        # Finding a module on disk takes longer than the event loop may be held: better now than in the first save.
        from pathlib import Path  # noqa: PLC0415  - loaded for those alone who want a snapshot

        import aiofiles.os  # noqa: PLC0415  - as above

        load_msgpack()
        self._in_thread = aiofiles.os.wrap
        self.path = Path(path).absolute()
        self.left_out = 0
        """Items that the newest `save` left out, because their values would not come back the same."""
        self._fsync = fsync
        self._said = False
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Snapshot({str(self.path)!r})"

    async def items(self, clock: Clock) -> AsyncGenerator[Item[object], None]:
        """Give the items in the file that are live by the wall clock of `clock`, with what is left of their ttl.

        A file that is not there holds none; a damaged one gives what lies before the damage, and logs one warning. No
        item lives longer than it once was to, even where the wall clock was set back. Raises `StorageError` where the
        file cannot be read at all.
        """
        source, unpacker, pace = Source(self.path), Unpacker(), Pace()
        try:
            while frame := await self._hop("read", source.next):
                kind, payload = frame
                if kind == END:
                    unpacker.end(payload)
                    return
                for item in unpacker.steps(payload, clock.time()):
                    if item is not None:
                        yield item
                    if pace.is_over():
                        await pace.rest()
        except DamageError as damage:
            _log.warning("the snapshot %s is damaged: %s; %d items were read", self.path, damage, unpacker.count)
        finally:
            await self._hop("closed", source.close)

    async def save(self, items: AsyncIterator[Item[object]]) -> None:
        """Replace the file by one with `items`, which are read to their end.

        Calls wait for one another. The first time that something is left out, one warning is logged. Raises
        `StorageError` where the file cannot be written: it is the old one then, as it is when the call is cancelled.
        """
        async with _closed_after(items), self._lock:
            target = Target(self.path, fsync=self._fsync)
            try:
                await self._hop("written", target.begin)
                await self._write(items, target)
                await self._hop("written", target.finish)
            except BaseException:
                # The thread waits for the one that may still be writing, so being cancelled once more does no harm.
                await self._hop("removed", target.discard)
                raise

    async def _write(self, items: AsyncIterator[Item[object]], target: Target) -> None:
        packer, pace = Packer(), Pace()
        left_out, reason = 0, ""
        async for item in items:
            try:
                for _ in packer.steps(item):
                    if pace.is_over():
                        await pace.rest()
            except UnfitError as error:
                left_out, reason = left_out + 1, str(error)
            if packer.size >= FRAME:
                await self._hop("written", target.write, packer.take())
            if pace.is_over():
                await pace.rest()
        await self._hop("written", target.write, packer.take())
        await self._hop("written", target.write, [packer.end()], END)
        self._tell(left_out, reason)

    def _tell(self, left_out: int, reason: str) -> None:
        self.left_out = left_out
        if left_out and not self._said:
            self._said = True
            _log.warning(
                "%d items are left out of the snapshot %s, since their values would not come back the same"
                " (in one of them it is a part of type %s); this is said once",
                left_out,
                self.path,
                reason,
            )

    async def _hop(self, done: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread; where the system refuses, `StorageError` says what cannot be `done`."""
        try:
            return await self._in_thread(function)(*args, **kwargs)
        except OSError as error:
            raise StorageError(f"the snapshot {self.path} cannot be {done}: {error.strerror or error}") from error


@asynccontextmanager
async def _closed_after(items: AsyncIterator[Item[object]]) -> AsyncGenerator[None, None]:
    """Close a generator at once, and not when it is found to be garbage: it may hold a lock."""
    try:
        yield
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
