"""What goes wrong while nobody waits for it, in the log: seldom, and without keys and values.

Rule 1: the same sentence comes once in ten seconds at most, and says then how often it was left out.
Rule 2: of an error of ours its message is logged, which holds neither key nor value; of all others only the class.
"""

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from aiocache_kit.clock import Clock
from aiocache_kit.errors import CacheError

OnFailure: TypeAlias = Callable[[str, BaseException], None]
QUIET: Final = 10.0
"""Seconds between two times that the same is said."""
_log: Final = logging.getLogger("aiocache_kit")


class QuietLog:
    """The log of one provider."""

    __slots__ = ("_clock", "_left_out", "_until", "on_failure")

    def __init__(self, clock: Clock) -> None:
        """Have said nothing yet."""
        self._clock = clock
        self._until: dict[str, float] = {}
        """When each sentence may be said again. As many as there are in the source."""
        self._left_out: dict[str, int] = {}
        self.on_failure: OnFailure | None = None
        """Told of each failure, also of those that are not logged."""

    def failed(self, doing: str, sentence: str, *parts: object, error: BaseException) -> None:
        """Log that what was being done has failed, with `error` as the last part of the sentence."""
        if self.on_failure is not None:
            self.on_failure(doing, error)
        self.warning(sentence, *parts, error)

    def warning(self, sentence: str, *parts: object) -> None:
        """Log `sentence`, in which each ``%s`` stands for a part: a name, a number or an error."""
        now = self._clock.monotonic()
        if now < self._until.get(sentence, now):
            self._left_out[sentence] = self._left_out.get(sentence, 0) + 1
            return
        self._until[sentence] = now + QUIET
        left_out = self._left_out.pop(sentence, 0)
        said = [said_of(part) if isinstance(part, BaseException) else part for part in parts]
        if left_out:
            _log.warning(f"{sentence} (and %d times more since it was last said)", *said, left_out)
        else:
            _log.warning(sentence, *said)


def said_of(error: BaseException) -> str:
    """Give what may be logged of an error."""
    return str(error) if isinstance(error, CacheError) else type(error).__name__
