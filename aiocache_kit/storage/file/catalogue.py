"""The catalogue: what lies in the directory, in one file, so that the next start need not open every file.

    file   = frame*
    frame  = magic:4 directory:u32 part:u32 changed:u64 length:u32 envelope        big-endian

A frame holds some of the items of one directory; the last frame, of directory `END`, says how many frames there are.

Rule 1: it is written by a close and removed when it is opened, so that a crash leaves none.
Rule 2: what it says of a directory is believed only where that directory was not changed since, by its own time.
Rule 3: keys are as secret here as in the files: each frame is sealed by the codec, and bound to its place.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812  - it is a class
from typing import Final, NamedTuple

from aiocache_kit.errors import CorruptPayloadError
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.storage.file.files import Found
from aiocache_kit.storage.file.form import Notes

NAME: Final = "index"
PART: Final = 1024
"""Items in one frame: reading one does not hold the interpreter for long."""
END: Final = 2**32 - 1
_MAGIC: Final = b"AKI\x01"
_FRAME: Final = Struct(">4sIIQI")
_ITEM: Final = Struct(">QQBddddQHI")
_LENGTH: Final = Struct(">I")
_TTL, _EXPIRATION, _STALE, _COST = 1, 2, 4, 8
_LONGEST: Final = 2**30


class Frame(NamedTuple):
    """Where a frame lies."""

    directory: int
    part: int
    changed: int
    start: int
    length: int


class Catalogue:
    """One that an earlier process has left."""

    def __init__(self, file: int, codec: Codec) -> None:
        """Read from a descriptor, -1: there is none. Takes it over."""
        self._file = file
        self._codec = codec
        self._frames: dict[int, list[Frame]] = {}
        for frame in () if file < 0 else _frames(file):
            self._frames.setdefault(frame.directory, []).append(frame)

    def parts(self, directory: int, changed: int) -> int:
        """Give how many parts there are of a directory that was last changed then; 0: it is to be searched."""
        frames = self._frames.get(directory, [])
        return len(frames) if frames and frames[0].changed == changed else 0

    def read(self, directory: int, part: int) -> list[Found]:
        """Give the items in one part; raises `CorruptPayloadError`."""
        frame = self._frames[directory][part]
        data = os.pread(self._file, frame.length, frame.start)
        value = self._codec.decode(_bound(directory, part), data).value
        if not isinstance(value, bytes):
            raise CorruptPayloadError("a part of the catalogue is something else")
        return list(_unpack(value))

    def raw(self, directory: int, changed: int) -> Iterator[bytes]:
        """Give the frames of a directory as they are, for the next catalogue."""
        for frame in self._frames.get(directory, []) if self.parts(directory, changed) else []:
            yield _FRAME.pack(_MAGIC, directory, frame.part, changed, frame.length)
            yield os.pread(self._file, frame.length, frame.start)

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, -1
        self._frames = {}
        if file >= 0:
            os.close(file)


def pack(codec: Codec, directory: int, changed: int, items: Sequence[Found]) -> Iterator[bytes]:
    """Give the frames of one directory."""
    for part, start in enumerate(range(0, max(len(items), 1), PART)):
        data = b"".join(_pack(items[start : start + PART]))
        sealed = codec.encode(Item(key=_bound(directory, part), value=data))
        yield _FRAME.pack(_MAGIC, directory, part, changed, len(sealed))
        yield sealed


def with_end(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give `parts`, heads and bodies of frames in turn, and the frame that says that there are no more."""
    count = 0
    for part in parts:
        count += 1
        yield part
    yield _FRAME.pack(_MAGIC, END, 0, count // 2, 0)


def _bound(directory: int, part: int) -> str:
    return f"index#{directory}.{part}"


def _frames(file: int) -> list[Frame]:
    """Find the frames of a whole file; none where it was torn."""
    frames: list[Frame] = []
    at = 0
    while len(head := os.pread(file, _FRAME.size, at)) == _FRAME.size:
        magic, directory, part, changed, length = _FRAME.unpack(head)
        at += _FRAME.size
        if magic != _MAGIC or length > _LONGEST:
            break
        if directory == END:
            return frames if changed == len(frames) else []
        frames.append(Frame(directory, part, changed, at, length))
        at += length
    return []


def _pack(items: Iterable[Found]) -> Iterator[bytes]:
    for notes, size in items:
        key = notes.key.encode("utf-8", "surrogatepass")
        given = (
            (0 if notes.ttl is None else _TTL)
            | (0 if notes.expiration is None else _EXPIRATION)
            | (0 if notes.stale_until is None else _STALE)
            | (0 if notes.cost is None else _COST)
        )
        yield _ITEM.pack(
            notes.version,
            size,
            given,
            notes.ttl or 0.0,
            notes.expiration or 0.0,
            notes.stale_until or 0.0,
            notes.stamp,
            notes.cost or 0,
            len(notes.tags),
            len(key),
        )
        yield key
        for tag in notes.tags:
            name = tag.encode("utf-8", "surrogatepass")
            yield _LENGTH.pack(len(name))
            yield name


def _unpack(data: bytes) -> Iterator[Found]:
    at = 0
    try:
        while at < len(data):
            version, size, given, ttl, expiration, stale, stamp, cost, tags, length = _ITEM.unpack_from(data, at)
            at += _ITEM.size + length
            key = data[at - length : at].decode("utf-8", "surrogatepass")
            names: list[str] = []
            for _ in range(tags):
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size + length
                names.append(data[at - length : at].decode("utf-8", "surrogatepass"))
            notes = Notes(
                key,
                version,
                ttl if given & _TTL else None,
                expiration if given & _EXPIRATION else None,
                stale if given & _STALE else None,
                stamp,
                tuple(names),
                cost if given & _COST else None,
            )
            yield Found(notes, size)
    except (StructError, UnicodeDecodeError):
        raise CorruptPayloadError("a part of the catalogue cannot be read") from None
