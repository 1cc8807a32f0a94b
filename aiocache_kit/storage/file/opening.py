"""How a file storage begins and ends: the directory is taken, what lies in it is found, and noted for the next time.

Rule 1: a table is known when every file in its directories is: from the catalogue, where it can be believed, otherwise
from the files themselves, a few at a time.
Rule 2: what cannot be a file of ours although it bears such a name is removed and counted; other names are left alone.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Final

from aiocache_kit.errors import CorruptPayloadError, ValueTooLargeError
from aiocache_kit.storage.file.catalogue import NAME, Catalogue, pack, with_end
from aiocache_kit.storage.file.files import NAMES, Found, Place, fault
from aiocache_kit.storage.file.index import FileTable, record_of, size_in
from aiocache_kit.storage.file.keeper import RESERVED, Keeper, in_chunks
from aiocache_kit.storage.file.loading import Loading
from aiocache_kit.storage.file.marks import MarkFiles
from aiocache_kit.storage.file.witness import check_witness
from aiocache_kit.storage.pace import Pace


class Opening:
    """Opens and closes what a keeper works on."""

    def __init__(self, keeper: Keeper) -> None:
        """Touch nothing yet."""
        self._keeper = keeper
        self._files = keeper.files
        self._directory = keeper.files.directory
        self._catalogue: Catalogue | None = None
        self.marks: Final = MarkFiles(keeper.files)
        self.loading: Final = Loading(self._load)

    async def open(self) -> None:
        """Take the directory, and begin to find out what lies there.

        Raises `StorageError`, as `StorageAccessError` where that was written under other secrets.
        """
        keeper = self._keeper
        keeper.lane.stay()
        try:
            number, marks = await keeper.lane.call(self._take_directory)
        except asyncio.CancelledError:
            keeper.lane.start(self.close)  # the thread takes the directory all the same
            keeper.lane.leave()
            raise
        except Exception as error:
            keeper.lane.leave()
            if isinstance(error, OSError):
                raise fault(error, "the directory cannot be opened") from error
            raise
        keeper.version = number
        keeper.reserved = number + RESERVED
        for tag, version in marks.items():
            keeper.marks.mark([tag], float(version))
        self.loading.begin(range(len(keeper.tables)))

    def _take_directory(self) -> tuple[int, dict[str, int]]:
        directory = self._directory
        number = directory.open(shared=False)
        try:
            check_witness(self._files)
            marks = self.marks.all()
            number = max(number, *marks.values(), 0)
            directory.keep_number(number + RESERVED)
            self._catalogue = Catalogue(directory.take(NAME), self._files.codec)
        except BaseException:
            directory.close()
            raise
        return number, marks

    def close(self) -> None:
        """Let go of the directory; in the thread."""
        if self._catalogue is not None:
            self._catalogue.close()
        self._directory.close()

    # --- finding out -------------------------------------------------------------------------------------------------

    def _numbers(self, place: int) -> range:
        """Give the directories of a table."""
        return range(place, len(NAMES), len(self._keeper.tables))

    async def _load(self, place: int) -> None:
        table, lane = self._keeper.tables[place], self._keeper.lane
        for number in self._numbers(place):
            if await self._load_from_catalogue(table, number):
                continue
            for chunk in in_chunks(await lane.call(self._files.listed, number)):
                found, wrong = await lane.call(self._files.look_at, chunk)
                self._keeper.errors += len(wrong)
                await lane.call(self._sweep, wrong)
                await self._take_in(table, found)

    def _sweep(self, wrong: Sequence[Place]) -> None:
        for place in wrong:
            with suppress(OSError):  # then it is met again at the next start, and written over before, perhaps
                self._files.remove(place)

    async def _load_from_catalogue(self, table: FileTable, number: int) -> bool:
        catalogue, lane = self._catalogue, self._keeper.lane
        if catalogue is None:
            return False
        changed = await lane.call(self._directory.changed, NAMES[number])
        parts = catalogue.parts(number, changed)
        for part in range(parts):
            try:
                found = await lane.call(catalogue.read, number, part)
            except (OSError, CorruptPayloadError):
                return False  # what was taken in already is met again, and found to be the same
            await self._take_in(table, found)
        return parts > 0 or changed == 0

    async def _take_in(self, table: FileTable, found: Collection[Found]) -> None:
        keeper, pace = self._keeper, Pace()
        now = keeper.clock.monotonic()
        to_date = keeper.clock.time() - now
        for notes, size in found:
            keeper.version = max(keeper.version, notes.version)
            if not table.take_in(notes, size, now, to_date):
                table.gone.append((notes.key, record_of(notes.version, size)))
            if pace.is_over():
                await pace.rest()
        await keeper.removed(keeper.take_gone(table))

    # --- noting ------------------------------------------------------------------------------------------------------

    def note(self) -> None:
        """Note what lies here, for the next start, which searches where that cannot be; in the thread."""
        with suppress(OSError, ValueTooLargeError):  # a bound on values may be lower than what a part of it takes
            self._directory.keep_number(self._keeper.version)
            self._directory.put(NAME, with_end(self._frames()))

    def _frames(self) -> Iterator[bytes]:
        for place, table in enumerate(self._keeper.tables):
            is_known = place not in self.loading.left
            items = self._items(table, place) if is_known else {}
            for number in self._numbers(place):
                if is_known:
                    changed = self._directory.mark_unchanged(NAMES[number])
                    yield from pack(self._files.codec, number, changed, items[number])
                elif self._catalogue is not None:
                    yield from self._catalogue.raw(number, self._directory.changed(NAMES[number]))

    def _items(self, table: FileTable, place: int) -> dict[int, list[Found]]:
        """Give what a table knows, by directory."""
        clock = self._keeper.clock
        to_date = clock.time() - clock.monotonic()
        items: dict[int, list[Found]] = {number: [] for number in self._numbers(place)}
        for key, slot in table.index.items():
            found = Found(table.notes(key, slot, to_date), size_in(table.values[slot]))
            items[self._files.place(key)[0]].append(found)
        return items
