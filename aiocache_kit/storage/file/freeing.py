"""Freeing what was set aside: files of cleared directories, and what a crash left half written. For threads.

Rule: a few files at a time, so that the thread can do something else in between.
"""

import os
from contextlib import suppress

from aiocache_kit.storage.file.directory import AS_DIRECTORY, ASIDE, Directory


def free(directory: Directory, most: int, before: float | None = None) -> bool:
    """Look at up to `most` files that were set aside or left by a crash, and remove them; say whether to go on.

    Temporary files may be another process's, which writes them now: then only those go that were last changed
    `before` an instant of the wall clock. None: there is no other process. What cannot be removed is left for the next
    time.
    """
    aside = directory.subdirectory(ASIDE)
    removed = looked = 0
    with os.scandir(aside) as found:
        for entry in found:
            if looked >= most:
                return removed > 0
            looked += 1
            with suppress(OSError):  # somebody else was faster
                if entry.is_dir(follow_symlinks=False):
                    count = _free_directory(aside, entry.name, most - looked)
                    removed += count
                    looked += count
                elif before is None or entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.name, dir_fd=aside)
                    removed += 1
    return False


def _free_directory(aside: int, name: str, most: int) -> int:
    """Remove files of a directory, and it when it is empty; give how many went."""
    inner = os.open(name, AS_DIRECTORY, dir_fd=aside)
    removed = 0
    try:
        with os.scandir(inner) as found:
            for entry in found:
                if removed > most:
                    return removed
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        os.rmdir(entry.name, dir_fd=inner)
                    else:
                        os.unlink(entry.name, dir_fd=inner)
                    removed += 1
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=aside)
    return removed
