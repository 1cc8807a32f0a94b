"""A file of checked frames: what a snapshot is written in and read from. Plain `def`, for threads.

    file   = b"AIOCKIT" version:u8  frame*
    frame  = kind:u8 length:u32 crc32:u32 payload       big-endian; the checksum covers kind, length and payload

The last frame is of kind `END`. Cutting into frames says nothing about what is in them.

Rule 1: `Source` gives what was written or raises `DamageError`; a frame is never larger than `FRAME`.
Rule 2: `Target` writes aside, under a name of its own, with permissions for the owner alone, and puts the file in place
in one step. Whatever happens before that leaves the old file as it was.
Rule 3: the calls of one object exclude one another, since a cancelled task does not stop the thread that works for it.
"""

import os
import re
import stat
import struct
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Final
from zlib import crc32

if TYPE_CHECKING:
    from pathlib import Path  # which the package does without until somebody has a file to name

MAGIC: Final = b"AIOCKIT"
VERSION: Final = 1
FRAME: Final = 256 * 1024
"""Bytes of payload that one frame has at most."""
BATCH: Final = ord("B")
END: Final = ord("E")
_OPENING: Final = MAGIC + bytes([VERSION])
_HEAD: Final = struct.Struct(">BI")
_CHECK: Final = struct.Struct(">I")

if sys.platform == "win32":

    def _claim(file: BinaryIO, *, wait: bool) -> bool:
        """Say yes: there, a file that somebody has open cannot be removed anyway."""
        del file, wait
        return True

else:
    import fcntl

    def _claim(file: BinaryIO, *, wait: bool) -> bool:
        """Mark an open file as in use until it is closed, by whatever end of the process; say whether it was free."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class DamageError(Exception):
    """Raised when a file is not what was written; the message says what is wrong, in a few words."""


class Source:
    """Reads the frames of one file in order."""

    __slots__ = ("_ended", "_file", "_lock", "_path")

    def __init__(self, path: "Path") -> None:
        """Read from `path`, which is opened by the first call of `next`."""
        self._path = path
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._ended = False
        """Whether it was closed: a thread whose caller was cancelled may come to open the file only then."""

    def next(self) -> tuple[int, bytes] | None:
        """Give the kind and the payload of the next frame; None where there is no file, and after `close`.

        Raises `OSError` where it cannot be read, and `DamageError` where it is not what was written, or ends before a
        frame of kind `END` was given.
        """
        with self._lock:
            if self._file is None and not self._ended:
                self._file = self._open()
            if self._file is None:
                return None
            head = self._exactly(self._file, _HEAD.size)
            kind, length = _HEAD.unpack(head)
            if length > FRAME:
                raise DamageError("a frame is too long")
            (check,) = _CHECK.unpack(self._exactly(self._file, _CHECK.size))
            payload = self._exactly(self._file, length)
            if crc32(payload, crc32(head)) != check:
                raise DamageError("a checksum does not match")
            return int(kind), payload

    def _open(self) -> BinaryIO | None:
        try:
            _check_regular(self._path)
            file = self._path.open("rb")
        except FileNotFoundError:
            return None
        opening = file.read(len(_OPENING))
        if opening == _OPENING:
            return file
        file.close()
        if len(opening) < len(_OPENING) and _OPENING.startswith(opening):
            raise DamageError("it ends too early")
        if opening.startswith(MAGIC):
            raise DamageError(f"it is of format {opening[-1]}, and this version reads format {VERSION}")
        raise DamageError("it is no snapshot")

    @staticmethod
    def _exactly(file: BinaryIO, size: int) -> bytes:
        data = file.read(size)
        if len(data) != size:
            raise DamageError("it ends too early")
        return data

    def close(self) -> None:
        """Let go of the file; calling it twice is fine."""
        with self._lock:
            self._ended = True
            file, self._file = self._file, None
            if file is not None:
                file.close()


class Target:
    """Writes frames into a file beside `path`, and puts it in its place."""

    __slots__ = ("_aside", "_ended", "_file", "_fsync", "_lock", "_path")

    def __init__(self, path: "Path", *, fsync: bool) -> None:
        """Write towards `path`; `fsync` waits until the disk has it all before the old file is replaced."""
        self._path = path
        self._fsync = fsync
        self._aside: Path | None = None
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._ended = False
        """Whether it was discarded: a thread whose caller was cancelled may come to begin only then."""

    def begin(self) -> None:
        """Make the directory where it is missing, remove what a crash has left there, and start the file.

        Nothing happens after `discard`.
        """
        with self._lock:
            if self._ended:
                return
            _make_private(self._path.parent)
            if self._path.exists():
                _check_regular(self._path)
            self._remove_leftovers()
            self._file = self._start()
            self._file.write(_OPENING)

    def _start(self) -> BinaryIO:
        while True:
            self._aside = self._path.with_name(f".{self._path.name}.{os.urandom(8).hex()}.tmp")
            file = open(self._aside, "xb", opener=_open_private)  # noqa: SIM115  - Path.open takes no opener
            # Without locks on this file system, nobody removes leftovers either, so the name is safe all the same.
            _claim(file, wait=True)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # another process took it for a leftover between the two lines above

    def _remove_leftovers(self) -> None:
        ours = re.compile(rf"\.{re.escape(self._path.name)}\.[0-9a-f]{{16}}\.tmp")
        for path in [path for path in self._path.parent.iterdir() if ours.fullmatch(path.name)]:
            try:
                with path.open("rb") as file:
                    if _claim(file, wait=False):
                        path.unlink()
            except OSError:
                continue  # somebody else's, or gone already: it does not keep us from writing

    def write(self, parts: Iterable[bytes], kind: int = BATCH) -> None:
        """Write `parts` as frames of `kind`, in order; frames do not begin and end where they do."""
        with self._lock:
            if self._file is None:
                return
            for payload in _payloads(parts):
                head = _HEAD.pack(kind, len(payload))
                self._file.writelines((head, _CHECK.pack(crc32(payload, crc32(head))), payload))

    def finish(self) -> None:
        """Put the file in its place; nothing happens after `discard`."""
        with self._lock:
            if self._file is None or self._aside is None:
                return
            self._file.flush()
            if self._fsync:
                os.fsync(self._file.fileno())
            if sys.platform == "win32":
                self._file.close()  # there, an open file cannot be renamed
            self._aside.replace(self._path)
            self._aside = None
            self._close()

    def discard(self) -> None:
        """Remove the file that is not finished, and leave the old one; nothing happens after `finish`.

        Never fails, because there is a reason already for being here: what cannot be removed now the next save removes.
        """
        with self._lock:
            self._ended = True
            if self._aside is not None:
                with suppress(OSError):
                    self._aside.unlink(missing_ok=True)
                self._aside = None
            with suppress(OSError):  # what is still in the buffer does not fit on the disk, and is not wanted any more
                self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _payloads(parts: Iterable[bytes]) -> Iterator[memoryview]:
    """Join small parts and cut large ones, so that frames are neither tiny nor longer than `FRAME`."""
    group: list[bytes] = []
    size = 0
    for part in parts:
        group.append(part)
        size += len(part)
        if size >= FRAME:
            yield from _cut(b"".join(group))
            group, size = [], 0
    yield from _cut(b"".join(group))


def _cut(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), FRAME):
        yield view[start : start + FRAME]


def _check_regular(path: "Path") -> None:
    """Refuse what is no regular file: a pipe would let us wait for ever, a device would be replaced by a file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is not a regular file")


def _make_private(directory: "Path") -> None:
    """Make `directory` and those above it that are missing, for the owner alone."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
