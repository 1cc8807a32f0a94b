"""Who may use what: locks on open files, which the system lets go when a process ends, however it ends.

Rule: nobody is waited for without end; a process that was stopped while it held a lock makes others fail, not hang.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event
from typing import Final

from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import StorageError, StorageUnavailableError

PATIENCE: Final = 1.0
"""Seconds for which a thread waits for another process at most."""

if sys.platform == "win32":

    def claim(descriptor: int, *, shared: bool) -> None:
        """Say that it cannot be done here."""
        del descriptor, shared
        raise StorageError("the storage file needs a system with descriptors of directories, as Linux and macOS are")

    def _try_to_hold(descriptor: int) -> bool:
        del descriptor
        return False

    def _let_go(descriptor: int) -> None:
        del descriptor

else:
    import fcntl

    def _try_to_hold(descriptor: int) -> bool:
        """Lock an open file among processes, if nobody has it locked."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def claim(descriptor: int, *, shared: bool) -> None:
        """Say to other processes, and to other storages of this one, that the directory is in use."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            how = "by one that has it to itself" if shared else "by another process or storage"
            raise StorageUnavailableError(
                f"the directory is in use {how}: only storages with shared=True share one"
            ) from None


@contextmanager
def held(descriptor: int) -> Generator[None]:
    """Hold a lock, which others hold for a few files only: who does not let go in time is not waited for."""
    end, pause = stopwatch() + PATIENCE, 0.0001
    while not _try_to_hold(descriptor):
        if stopwatch() >= end:
            raise StorageUnavailableError("another process keeps a part of the directory locked")
        Event().wait(pause)
        pause = min(pause * 2.0, 0.01)
    try:
        yield
    finally:
        _let_go(descriptor)
