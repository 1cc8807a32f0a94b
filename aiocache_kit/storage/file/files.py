"""Items as files: where the file of a key lies, and what a thread does with it. Plain `def`, for the lane.

Rule: what cannot be read for reasons of its own (torn, foreign, planted) is a `CorruptPayloadError`, what is not there
a `FileNotFoundError`; any other `OSError` says that the system refuses.
"""

import errno
from collections.abc import Iterable
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from aiocache_kit.errors import CacheError, CorruptPayloadError, StorageError, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec, Opened
from aiocache_kit.serializers.envelope import HEAD, VERSION_OFFSET
from aiocache_kit.serializers.key_hashing import KeyHasher
from aiocache_kit.storage.file.directory import SUBDIRECTORIES, Directory
from aiocache_kit.storage.file.form import USUAL, Notes, digest_of, read_notes, room_for_notes, sealed_notes

NAMES: Final = tuple(f"{number:02x}" for number in range(SUBDIRECTORIES))
"""The directories that hold items."""
MOST: Final = 2**31 - 2**20
"""Bytes that a file may have at most: more cannot be read at once."""
_NUMBERS: Final = {f"{number:02x}": number % SUBDIRECTORIES for number in range(256)}
_VERSION_AND_CREATION: Final = Struct(">Qd")
_PLANTED: Final = frozenset({errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EAGAIN, errno.ENODEV, errno.EINVAL})
_LASTING: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG})


Place: TypeAlias = tuple[int, str]
"""Where the file of a key is: the number of the directory, and the digest in the name, to which the file is bound."""
Fetched: TypeAlias = tuple[object, float, Opened | None]
"""The value and when it was created; with the rest, where the value is yet to be read, on the event loop."""


class Found(NamedTuple):
    """A file that was met in a scan."""

    notes: Notes
    size: int


class Files:
    """The files of items in one directory."""

    def __init__(self, directory: Directory, codec: Codec, prefix: str, hasher: KeyHasher | None = None) -> None:
        """Name files by `prefix` and a digest; one of another prefix is somebody else's and left alone.

        With a `hasher`, nobody can tell without its secret whether a key is there.
        """
        self.directory = directory
        self.codec = codec
        self.prefix = prefix
        self._hashed = None if hasher is None else hasher.hashed

    def digest(self, key: str) -> str:
        """Give the part of names that stands for a key, or a tag."""
        return digest_of(key if self._hashed is None else self._hashed(key))

    def place(self, key: str) -> Place:
        """Give the place of a key."""
        digest = self.digest(key)
        return _NUMBERS[digest[:2]], digest

    def fetch(self, place: Place, version: int, size: int) -> Fetched:
        """Give what the file holds that was written with this version."""
        data = self.read(place, size)
        body = data[room_for_notes(data) :]
        digest, codec = place[1], self.codec
        found = codec.decode_value(digest.encode(), body)
        if found is not None and len(body) >= HEAD.size:
            found_version, created_at = _VERSION_AND_CREATION.unpack_from(body, VERSION_OFFSET)
            fetched: Fetched = found[0], created_at, None
        else:
            opened = codec.open(digest, body)
            found_version, created_at = opened[0][:2]
            fetched = None, created_at, opened
        if found_version != version:
            raise CorruptPayloadError("the file is of another version than was written")
        return fetched

    def read(self, place: Place, size: int = USUAL) -> bytes:
        """Give a whole file."""
        try:
            return self.directory.read(NAMES[place[0]], self.prefix + place[1], size, MOST)
        except OSError as error:
            if error.errno in _PLANTED:
                raise CorruptPayloadError("in the place of a file is something else") from error
            raise

    def store(self, place: Place, notes: bytes, body: bytes) -> int:
        """Write a file and give its size."""
        self.directory.replace(NAMES[place[0]], self.prefix + place[1], (notes, body))
        return len(notes) + len(body)

    def remove(self, place: Place) -> None:
        """Remove a file, which need not be there."""
        self.directory.remove(NAMES[place[0]], self.prefix + place[1])

    def set_aside(self) -> None:
        """Move all files away, to be freed by `Directory.free`."""
        self.directory.set_aside(NAMES)

    def look(self, place: Place) -> Found | None:
        """Give what a file's beginning says; None: there is none that could be read."""
        try:
            return self._beginning(place)
        except (OSError, CorruptPayloadError):
            return None

    def _start_of(self, place: Place) -> tuple[bytes, int]:
        """Give a file from its beginning to the end of its notes, at least, and its size."""
        name = self.prefix + place[1]
        data, size = self.directory.beginning(NAMES[place[0]], name, USUAL)
        end = room_for_notes(data)
        return (data, size) if end <= len(data) else self.directory.beginning(NAMES[place[0]], name, end)

    def _beginning(self, place: Place) -> Found:
        data, size = self._start_of(place)
        found = Found(read_notes(self.codec, place[1], data), size)
        if self.digest(found.notes.key) != place[1]:
            raise CorruptPayloadError("the file is that of another key")
        return found

    def is_ours(self, place: Place) -> bool | None:
        """Whether a file is one of our secrets; None: it does not say, for it is gone, or damaged."""
        try:
            data, _ = self._start_of(place)
            sealed = sealed_notes(data)
        except (OSError, CorruptPayloadError):
            return None
        try:
            key = read_notes(self.codec, place[1], data).key
        except CorruptPayloadError:
            return False if self.codec.may_be_of_others(sealed) else None
        return self.digest(key) == place[1]

    def listed(self, number: int) -> list[Place]:
        """Give the places of all files in a directory that bear names of ours."""
        start, length = len(self.prefix), len(self.prefix) + 32
        return [
            (number, name[start:])
            for name in self.directory.names(NAMES[number])
            if len(name) == length and name.startswith(self.prefix) and _is_digest(name[start:], number)
        ]

    def count(self, number: int) -> tuple[int, int]:
        """Give how many files there are in a directory, and their bytes."""
        items = size = 0
        for _, digest in self.listed(number):
            try:
                size += self.directory.size(NAMES[number], self.prefix + digest)
            except FileNotFoundError:
                continue
            items += 1
        return items, size

    def look_at(self, places: Iterable[Place]) -> tuple[list[Found], list[Place]]:
        """Give what the files say, and those that say nothing of ours. Raises `OSError` where the system refuses."""
        found: list[Found] = []
        wrong: list[Place] = []
        for place in places:
            try:
                found.append(self._beginning(place))
            except FileNotFoundError:
                continue
            except CorruptPayloadError:
                wrong.append(place)
            except OSError as error:
                if error.errno not in _PLANTED and error.errno not in _LASTING:
                    raise
                wrong.append(place)
        return found, wrong


def _is_digest(text: str, number: int) -> bool:
    return not text.strip("0123456789abcdef") and _NUMBERS[text[:2]] == number


def fault(error: BaseException, what: str) -> BaseException:
    """Give the error to raise for one that the lane gave: those of the system say `what` could not be done."""
    if isinstance(error, CacheError) or not isinstance(error, OSError):
        return error
    kind = StorageError if error.errno in _LASTING else StorageUnavailableError
    mapped = kind(f"{what}: {error.strerror or 'the system refuses'}")
    mapped.__cause__ = error
    return mapped
