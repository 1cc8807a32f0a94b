"""Warnings about what went wrong: each kind at most once in ten seconds, and without keys and values."""

import logging
from typing import Final

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError

NOT_READ: Final = "stored responses cannot be read"
NOT_STORED: Final = "a response is not stored"
NOT_REMOVED: Final = "a response that is no longer true could not be removed"
NOT_RENEWED: Final = "a stale response could not be made anew"
STANDS_IN: Final = "a stale response stands in for one that failed"
_QUIET: Final = 10.0
_log: Final = logging.getLogger("aiocache_kit")


class Complaints:
    """Writes warnings to the log, and not too many."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing said."""
        self._clock = clock
        self._until: dict[str, float] = {}

    def say(self, what: str, error: Exception) -> None:
        """Say that `what`, one of the texts above, has happened because of `error`."""
        now = self._clock.monotonic()
        if now >= self._until.get(what, 0.0):
            self._until[what] = now + _QUIET
            _log.warning("%s: %s", what, error if isinstance(error, CacheError) else type(error).__name__)
