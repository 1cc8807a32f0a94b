"""Warnings about what went wrong: each kind at most once in ten seconds, and without keys and values."""

from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.management.quiet_log import QuietLog

NOT_READ: Final = "stored responses cannot be read"
NOT_STORED: Final = "a response is not stored"
NOT_REMOVED: Final = "a response that is no longer true could not be removed"
NOT_RENEWED: Final = "a stale response could not be made anew"
STANDS_IN: Final = "a stale response stands in for one that failed"


class Complaints:
    """Writes warnings to the log, and not too many."""

    __slots__ = ("_log",)

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing said."""
        self._log = QuietLog(clock)

    def say(self, what: str, error: Exception) -> None:
        """Say that `what`, one of the texts above, has happened because of `error`."""
        self._log.warning(f"{what}: %s", error)
