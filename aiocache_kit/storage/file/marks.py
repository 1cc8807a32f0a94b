"""Tags of files: one small file an invalidated tag, which holds the version up to which it kills.

Rule 1: versions grow with every write of anybody who uses the directory, so no clock is asked.
Rule 2: a mark stays until nothing is left that it kills.
"""

from collections.abc import Iterable
from typing import Final

from aiocache_kit.errors import CorruptPayloadError
from aiocache_kit.item import Item
from aiocache_kit.storage.file.files import Files

_WHERE: Final = "tags"
_MOST: Final = 2**21


class MarkFiles:
    """The marks in a directory. Plain `def`, for threads."""

    def __init__(self, files: Files) -> None:
        """Keep marks beside `files`."""
        self._digest = files.digest
        self._directory = files.directory
        self._codec = files.codec

    def write(self, tags: Iterable[str], version: int) -> None:
        """Let each of `tags` kill what was written up to `version`."""
        for tag in tags:
            name = self._digest(tag)
            # The tag itself stands where tags do, so that it is under the seal as well.
            item: Item[object] = Item(key=_bound(name), value=version, tags=(tag,))
            self._directory.replace(_WHERE, name, (self._codec.encode(item),))

    def read(self, tag: str) -> int:
        """Give the version up to which `tag` kills; 0: it was not invalidated."""
        try:
            return self._read(self._digest(tag))[1]
        except FileNotFoundError:
            return 0

    def killed(self, tags: Iterable[str], stamp: float) -> bool:
        """Whether one of `tags` was invalidated at this version or later."""
        return any(self.read(tag) >= stamp for tag in tags)

    def _read(self, name: str) -> tuple[str, int]:
        data = self._directory.read(_WHERE, name, 256, _MOST)
        item = self._codec.decode(_bound(name), data)
        if len(item.tags) != 1 or not isinstance(item.value, int) or self._digest(item.tags[0]) != name:
            raise CorruptPayloadError("a mark is something else")
        return item.tags[0], item.value

    def all(self) -> dict[str, int]:
        """Give all marks by tag. One that cannot be read is left out: what it killed was to be found by its tag."""
        found: dict[str, int] = {}
        for name in self._directory.names(_WHERE):
            try:
                tag, version = self._read(name)
            except (OSError, CorruptPayloadError):
                continue
            found[tag] = version
        return found

    def forget(self, version: int) -> None:
        """Remove the marks that are no newer than `version`, and what cannot be read."""
        for name in self._directory.names(_WHERE):
            try:
                is_old = self._read(name)[1] <= version
            except FileNotFoundError:
                continue
            except CorruptPayloadError:
                is_old = True
            if is_old:
                self._directory.remove(_WHERE, name)

    def since(self) -> int:
        """Give the instant of the last change of any mark, in nanoseconds of the file system; 0: there is none."""
        return self._directory.changed(_WHERE)


def _bound(name: str) -> str:
    return f"tag#{name}"
