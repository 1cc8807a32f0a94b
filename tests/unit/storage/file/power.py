"""A disk that loses its power: what was told to be on it is there, and nothing that was written later.

Rule 1: of a file survives what was in it at its last `os.fsync`; what never was synced is empty.
Rule 2: of a directory survive the names, and the time, that it had at its last `os.fsync`: what was renamed or removed
since is not.
Rule 3: a kernel writes back when it likes: `write_back` lets everything survive that is there at this moment.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

import pytest

_SYNC: Final = os.fsync


class Disk:
    """What would survive of one directory."""

    def __init__(self, place: Path, patch: pytest.MonkeyPatch) -> None:
        """Watch over `place`, from now on, through what calls `os.fsync`."""
        self._place = place
        self._files: dict[int, bytes] = {}
        self._directories: dict[int, tuple[dict[str, tuple[int, bool]], int]] = {}
        self._kept: list[int] = []
        """Descriptors, so that no number of a file is given to another one."""
        place.mkdir(mode=0o700, exist_ok=True)
        self.write_back()
        patch.setattr(os, "fsync", self._synced)

    def _synced(self, descriptor: int) -> None:
        _SYNC(descriptor)
        self._survives(descriptor)

    def _survives(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        self._kept.append(os.dup(descriptor))
        if stat.S_ISDIR(found.st_mode):
            names: dict[str, tuple[int, bool]] = {}
            for name in os.listdir(descriptor):
                inside = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                names[name] = inside.st_ino, stat.S_ISDIR(inside.st_mode)
                self._kept.append(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=descriptor))
            self._directories[found.st_ino] = names, found.st_mtime_ns
        else:
            self._files[found.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def write_back(self) -> None:
        """Let everything survive that is there now."""
        for path in (self._place, *self._place.rglob("*")):
            descriptor = os.open(path, os.O_RDONLY)
            self._survives(descriptor)
            os.close(descriptor)

    def after_a_cut(self, place: Path) -> Path:
        """Put what has survived into `place`, which is made."""
        self._restore(self._place.stat().st_ino, place)
        return place

    def _restore(self, number: int, place: Path) -> None:
        place.mkdir(mode=0o700)
        names, changed = self._directories.get(number, ({}, 0))
        for name, (inside, is_directory) in names.items():
            if is_directory:
                self._restore(inside, place / name)
            else:
                (place / name).write_bytes(self._files.get(inside, b""))
                (place / name).chmod(0o600)
        os.utime(place, ns=(changed, changed))

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._kept:
            os.close(descriptor)
        shutil.rmtree(self._place)
