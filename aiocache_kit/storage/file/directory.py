"""The directory of a file storage: safe opening, reading, replacing and removing. Plain `def`, for threads.

    dir/lock            says whose the directory is
    dir/number          the number from which versions go on
    dir/00 .. dir/3f    the items, fanned out by their digests
    dir/aside           what is being written, and what was cleared and is not freed yet
    dir/tags            one mark an invalidated tag
    dir/index           what lies there, written by a close
    dir/...witness      under which secrets, one for each prefix of names

Rule 1: nothing is opened by a path of several parts: each name is opened in the directory that holds it, by descriptor
and without following links, so that nothing planted there leads outside.
Rule 2: a file is written aside and renamed, so that each name holds the old file, the new one or none.
Rule 3: whoever else may write to a directory may put anything there, so such a directory is refused.
"""

import errno
import os
import stat
import struct
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from aiocache_kit.errors import StorageError
from aiocache_kit.storage.file.claims import claim, held

SUBDIRECTORIES: Final = 64
"""How many there are for items: few enough to keep all of them open."""
_LOCK, _NUMBERED = "lock", "number"
ASIDE: Final = "aside"
"""Where files are written."""
_OTHERS_WRITE: Final = stat.S_IWOTH
_NUMBER: Final = struct.Struct(">Q")
_FLAGS: Final = os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
AS_DIRECTORY: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _FLAGS
# A pipe that was planted must not let us wait for somebody to write to it.
_TO_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _FLAGS
_TO_MAKE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS


class Directory:
    """One open directory. The calls that change the same name must not run at the same time."""

    def __init__(self, path: str, *, file_perm: int, dir_perm: int, fsync: bool) -> None:
        """Work in `path`, which `open` makes where it is missing; with `fsync`, a change is on the disk at its end."""
        self.path = path if os.path.isabs(path) else os.path.abspath(path)
        self._file_perm = file_perm
        self._dir_perm = dir_perm
        self._fsync = fsync
        self._root = -1
        self._lock = -1
        self._number = -1
        self._opened: dict[str, int] = {}
        self._names = count()
        self.mine = ""
        """What the names begin with that only this object gives."""

    # --- life --------------------------------------------------------------------------------------------------------

    def open(self, *, shared: bool) -> int:
        """Make what is missing, check what is there, claim it; give the number that `reserve` left.

        Raises `StorageError`, or `OSError` from the system; nothing stays open then.
        """
        try:
            return self._open(shared=shared)
        except BaseException:
            self.close()
            raise

    def _open(self, *, shared: bool) -> int:
        self._make_root()
        try:
            self._root = os.open(self.path, AS_DIRECTORY)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise StorageError("the directory is a link or no directory: give the place itself") from error
            raise
        self._check(os.fstat(self._root), of_root=True)
        self._lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | _FLAGS, self._file_perm, dir_fd=self._root)
        claim(self._lock, shared=shared)
        self._number = os.open(_NUMBERED, os.O_RDWR | os.O_CREAT | _FLAGS, self._file_perm, dir_fd=self._root)
        self.mine = f"{os.getpid():x}-{os.urandom(6).hex()}-"
        self.subdirectory(ASIDE)
        return self.number()

    def _make_root(self) -> None:
        missing: list[str] = []
        path = self.path
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(path, self._dir_perm if path == self.path else 0o700)
                if path == self.path:
                    os.chmod(path, self._dir_perm)

    def _check(self, found: os.stat_result, *, of_root: bool) -> None:
        """Refuse a directory in which somebody else may put files in the place of ours."""
        what = "the directory" if of_root else "a directory in it"
        if found.st_mode & _OTHERS_WRITE and not (of_root and found.st_mode & stat.S_ISVTX):
            raise StorageError(f"{what} may be written by others: take that permission from them")
        if found.st_uid != os.geteuid() and (not of_root or not found.st_mode & stat.S_ISVTX) and os.geteuid() != 0:
            raise StorageError(f"{what} belongs to another user")

    def close(self) -> None:
        """Let go of everything; calling it twice is fine."""
        descriptors = [self._root, self._lock, self._number, *self._opened.values()]
        self._root = self._lock = self._number = -1
        self._opened.clear()
        for descriptor in descriptors:
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)

    def is_there(self) -> bool:
        """Whether the path still leads to the directory that was opened, and to the lock that was taken in it."""
        try:
            root, lock = os.stat(self.path), os.stat(_LOCK, dir_fd=self._root, follow_symlinks=False)
            return os.path.samestat(root, os.fstat(self._root)) and os.path.samestat(lock, os.fstat(self._lock))
        except OSError:
            return False

    def number(self) -> int:
        """Give the number that was kept last; 0: none was."""
        data = os.pread(self._number, _NUMBER.size, 0)
        return _NUMBER.unpack(data)[0] if len(data) == _NUMBER.size else 0

    def keep_number(self, number: int) -> None:
        """Keep a number beyond the end of the process."""
        os.pwrite(self._number, _NUMBER.pack(number), 0)
        if self._fsync:
            os.fsync(self._number)

    def next_number(self) -> int:
        """Give a number greater than all that anybody who uses the directory was given; for shared ones."""
        with self.alone():
            number = self.number() + 1
            self.keep_number(number)
        return number

    @contextmanager
    def alone(self) -> Generator[None]:
        """Keep other processes from doing what they do alone, too, for a moment."""
        with held(self._number):
            yield

    @contextmanager
    def exclusive(self, subdirectory: str) -> Generator[None]:
        """Keep other processes from changing what is in a directory of this one; for shared ones.

        Raises `StorageUnavailableError` where another process does not let go of it.
        """
        while True:
            descriptor = self.subdirectory(subdirectory)
            with held(descriptor):
                if not self.is_stale(subdirectory):
                    yield
                    return
            self.forget(subdirectory)

    def is_stale(self, subdirectory: str) -> bool:
        """Whether another process has removed or replaced a directory that is open here."""
        try:
            found = os.stat(subdirectory, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return subdirectory in self._opened
        return not os.path.samestat(found, os.fstat(self.subdirectory(subdirectory)))

    def subdirectory(self, name: str) -> int:
        """Give the descriptor of a directory in this one, which is made where it is missing."""
        descriptor = self._opened.get(name)
        if descriptor is not None:
            return descriptor
        try:
            descriptor = os.open(name, AS_DIRECTORY, dir_fd=self._root)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(name, self._dir_perm, dir_fd=self._root)
            descriptor = os.open(name, AS_DIRECTORY, dir_fd=self._root)
            is_new = True
        else:
            is_new = False
        try:
            if is_new and self._dir_perm & 0o077:
                os.fchmod(descriptor, self._dir_perm)  # the umask may have taken some
            if is_new and self._fsync:
                os.fsync(self._root)
            self._check(os.fstat(descriptor), of_root=False)
        except BaseException:
            os.close(descriptor)
            raise
        return self._opened.setdefault(name, descriptor)

    def _to_read(self, subdirectory: str) -> int:
        """Give the descriptor of a directory that is there: looking into it must not need the right to make one."""
        if subdirectory not in self._opened and not self._has(subdirectory):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.subdirectory(subdirectory)

    def forget(self, subdirectory: str) -> None:
        """Open a directory anew when it is used next: it was moved or removed."""
        descriptor = self._opened.pop(subdirectory, -1)
        if descriptor >= 0:
            os.close(descriptor)

    # --- files -------------------------------------------------------------------------------------------------------

    def read(self, subdirectory: str, name: str, usual: int, most: int) -> bytes:
        """Give the content of a file, which costs least where it has not more than `usual` bytes.

        Raises `OSError`, as `FileNotFoundError` where there is none; what is longer than `most` is cut off there.
        """
        file = os.open(name, _TO_READ, dir_fd=self._to_read(subdirectory))
        try:
            data = os.read(file, usual + 1)
            if len(data) <= usual:
                return data
            parts, left = [data], min(os.fstat(file).st_size, most) - len(data)
            while left > 0 and parts[-1]:
                parts.append(os.read(file, left))
                left -= len(parts[-1])
            return b"".join(parts)
        finally:
            os.close(file)

    def beginning(self, subdirectory: str, name: str, most: int) -> tuple[bytes, int]:
        """Give the first bytes of a file, at most so many, and how many it has; no bytes of what is no plain file."""
        file = os.open(name, _TO_READ, dir_fd=self._to_read(subdirectory))
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                return b"", 0
            return os.read(file, min(most, found.st_size)), found.st_size
        finally:
            os.close(file)

    def replace(self, subdirectory: str, name: str, parts: Sequence[bytes]) -> None:
        """Let `name` hold `parts`, in one step; raises `OSError`, and nothing has changed then."""
        aside = self.subdirectory(ASIDE)
        temporary = f"{self.mine}{next(self._names):x}"
        file = os.open(temporary, _TO_MAKE, self._file_perm, dir_fd=aside)
        try:
            try:
                if self._file_perm & 0o077:
                    os.fchmod(file, self._file_perm)  # the umask may have taken some
                _write(file, parts)
                if self._fsync:
                    os.fsync(file)
            finally:
                os.close(file)
            self._put_in_place(temporary, subdirectory, name)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=aside)
            raise
        if self._fsync:
            os.fsync(self.subdirectory(subdirectory))

    def _put_in_place(self, temporary: str, subdirectory: str, name: str) -> None:
        aside = self.subdirectory(ASIDE)
        try:
            os.rename(temporary, name, src_dir_fd=aside, dst_dir_fd=self.subdirectory(subdirectory))
        except FileNotFoundError:
            self.forget(subdirectory)  # somebody has removed it: once more, in a new one
            os.rename(temporary, name, src_dir_fd=aside, dst_dir_fd=self.subdirectory(subdirectory))

    def remove(self, subdirectory: str, name: str) -> None:
        """Remove a file, which need not be there. Raises `OSError`."""
        where = self.subdirectory(subdirectory)
        try:
            os.unlink(name, dir_fd=where)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            self._remove_planted(where, name)
        if self._fsync:
            os.fsync(where)

    @staticmethod
    def _remove_planted(where: int, name: str) -> None:
        """Remove an empty directory in the place of a file; anything else there is an error."""
        if not stat.S_ISDIR(os.stat(name, dir_fd=where, follow_symlinks=False).st_mode):
            raise PermissionError(errno.EACCES, "a file cannot be removed")
        os.rmdir(name, dir_fd=where)

    def size(self, subdirectory: str, name: str) -> int:
        """Give the bytes of a file."""
        return os.stat(name, dir_fd=self.subdirectory(subdirectory), follow_symlinks=False).st_size

    def names(self, subdirectory: str) -> list[str]:
        """Give the names in a directory, in any order; none where there is no such directory."""
        if subdirectory not in self._opened and not self._has(subdirectory):
            return []
        return os.listdir(self.subdirectory(subdirectory))

    def changed(self, subdirectory: str) -> int:
        """Give the instant of the last change in a directory, in nanoseconds of the file system's clock; 0: none."""
        if subdirectory not in self._opened and not self._has(subdirectory):
            return 0
        return os.fstat(self.subdirectory(subdirectory)).st_mtime_ns

    def mark_unchanged(self, subdirectory: str) -> int:
        """Give what `changed` will give until somebody changes the directory, were it in this very moment.

        The clock of a file system stands still for some milliseconds, so the instant is moved back a second: the next
        change brings another one in any case.
        """
        changed = self.changed(subdirectory)
        if changed:
            earlier = changed - 10**9
            os.utime(self.subdirectory(subdirectory), ns=(earlier, earlier))
            changed = self.changed(subdirectory)
        return changed

    def _has(self, subdirectory: str) -> bool:
        try:
            os.stat(subdirectory, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    # --- files of the whole directory --------------------------------------------------------------------------------

    def take(self, name: str) -> int:
        """Open a file of the directory itself and remove it, so that nobody finds it again; -1: there is none."""
        try:
            file = os.open(name, _TO_READ, dir_fd=self._root)
        except OSError:
            return -1
        try:
            os.unlink(name, dir_fd=self._root)
        except OSError:
            os.close(file)
            return -1
        return file

    def drop(self, name: str) -> None:
        """Remove a file of the directory itself, which need not be there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._root)

    def content(self, name: str, most: int) -> bytes:
        """Give at most so many bytes of a file of the directory itself. Raises `OSError`."""
        file = os.open(name, _TO_READ, dir_fd=self._root)
        try:
            return os.read(file, most)
        finally:
            os.close(file)

    def put(self, name: str, parts: Iterable[bytes], *, as_item: bool = False) -> None:
        """Put a file into the directory itself, in one step; `parts` are made while they are written.

        `as_item`: those may read it who may read items; otherwise the owner alone.
        """
        aside = self.subdirectory(ASIDE)
        temporary = f"{self.mine}{next(self._names):x}"
        mode = self._file_perm if as_item else 0o600
        file = os.open(temporary, _TO_MAKE, mode, dir_fd=aside)
        try:
            try:
                if mode & 0o077:
                    os.fchmod(file, mode)  # the umask may have taken some
                for part in parts:
                    _write(file, (part,))
                if self._fsync:
                    os.fsync(file)
            finally:
                os.close(file)
            os.rename(temporary, name, src_dir_fd=aside, dst_dir_fd=self._root)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=aside)
            raise

    # --- many files at once ------------------------------------------------------------------------------------------

    def set_aside(self, subdirectories: Iterable[str]) -> None:
        """Move whole directories away, to be freed by `free`: they are empty at once."""
        aside = self.subdirectory(ASIDE)
        for subdirectory in subdirectories:
            self.forget(subdirectory)
            with suppress(FileNotFoundError):
                os.rename(subdirectory, f"{self.mine}{next(self._names):x}", src_dir_fd=self._root, dst_dir_fd=aside)
        if self._fsync:
            os.fsync(self._root)


def _write(file: int, parts: Sequence[bytes]) -> None:
    """Write all of `parts`; a disk that is full may take some of them and refuse the rest."""
    written, total = os.writev(file, parts), sum(map(len, parts))
    if written < total:
        left = memoryview(b"".join(parts))[written:]
        while left:
            left = left[os.write(file, left) :]
