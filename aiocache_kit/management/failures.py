"""Sources that failed lately: their errors, where they are to be remembered, and until when not to ask again.

Rule 1: bounded; where there is no room, the oldest is forgotten, and its source is asked again that much sooner.
Rule 2: whoever changes a key makes it forgotten: then there is something new to find out.
"""

from typing import Final, NamedTuple

MOST: Final = 10_000


class Failure(NamedTuple):
    """What is remembered of one key, on a monotonic clock."""

    error: Exception
    raised_until: float
    """Until when the error is raised again without a load."""
    quiet_until: float
    """Until when the source is not asked while there is an old value to give."""


class Failures:
    """The failures of the loads of one provider, by stored key."""

    __slots__ = ("_failures",)

    def __init__(self) -> None:
        """Start with none."""
        self._failures: dict[str, Failure] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def note(self, key: str, error: Exception, now: float, *, negative_ttl: float, throttle: float) -> None:
        """Remember that a load failed just now."""
        if not negative_ttl and not throttle:
            return
        self._failures.pop(key, None)
        self._failures[key] = Failure(error.with_traceback(None), now + negative_ttl, now + throttle)
        if len(self._failures) > MOST:
            del self._failures[next(iter(self._failures))]

    def remembered(self, key: str, now: float) -> Exception | None:
        """Give the error that is to be raised again."""
        failure = self._failures.get(key)
        return None if failure is None or now >= failure.raised_until else failure.error

    def is_quiet(self, key: str, now: float) -> bool:
        """Whether the source is not to be asked where there is an old value to give."""
        failure = self._failures.get(key)
        return failure is not None and now < failure.quiet_until

    def forget(self, key: str) -> None:
        """Know that the key was changed, or loaded."""
        if self._failures:
            self._failures.pop(key, None)

    def forget_all(self, prefix: str = "") -> None:
        """Know that all keys which begin with `prefix` were changed."""
        for key in [key for key in self._failures if key.startswith(prefix)]:
            del self._failures[key]

    def tidy(self, now: float) -> None:
        """Forget what is over."""
        over = [key for key, each in self._failures.items() if now >= max(each.raised_until, each.quiet_until)]
        for key in over:
            del self._failures[key]
