"""What turned out not to be for all, remembered for a while, so that requests for it do not wait for one another.

Waiting costs each of them the time of the one before it, for nothing. It is remembered for an address together with the
personal headers of the request: what is not for all who say who they are may be for those who do not.

Rule: bounded, and forgotten as soon as a response is for all again.
"""

from collections import OrderedDict
from typing import Final

from aiocache_kit.integrations.http.asked import Asked

MOST: Final = 4096
PASSING: Final = frozenset({"status", "request", "body"})
"""Refusals that say nothing of the next response."""


class Unshared:
    """Addresses whose responses were not for all lately."""

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        """Remember each for so long; 0: not at all."""
        self._seconds = seconds
        self._until: OrderedDict[tuple[str, tuple[bytes, ...]], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def note(self, asked: Asked, reason: str, now: float) -> None:
        """Remember that a response was refused for that reason."""
        if not self._seconds or reason in PASSING:
            return
        key = (asked.key, asked.personal)
        self._until[key] = now + self._seconds
        self._until.move_to_end(key)
        while len(self._until) > MOST:
            self._until.popitem(last=False)

    def forget(self, asked: Asked) -> None:
        """Know that a response was for all."""
        self._until.pop((asked.key, asked.personal), None)

    def knows(self, asked: Asked, now: float) -> bool:
        """Whether requests such as this one had better not wait for one another."""
        if not self._until:
            return False
        until = self._until.get((asked.key, asked.personal))
        if until is None or until > now:
            return until is not None
        self.forget(asked)
        return False
