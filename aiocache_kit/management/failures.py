"""Sources that failed lately: their errors, where they are to be remembered, and until when not to ask again.

Rule 1: bounded; where there is no room, the oldest is forgotten, and its source is asked again that much sooner.
Rule 2: whoever changes a key makes it forgotten: then there is something new to find out. So does whoever invalidates
one of the tags that the value would have had.
Rule 3: no frames, and what they hold, are kept alive by an error for longer than until the next `tidy`.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, cast

MOST: Final = 10_000
_NONE: Final[frozenset[str]] = frozenset()


class Failure(NamedTuple):
    """What is remembered of one key, on a monotonic clock."""

    error: Exception | None
    """None where it is not to be raised again."""
    raised_until: float
    """Until when the error is raised again without a load."""
    quiet_until: float
    """Until when the source is not asked while there is an old value to give."""
    tags: frozenset[str] = _NONE


class Failures:
    """The failures of the loads of one provider, by stored key; `by_key` may be looked at by anyone."""

    __slots__ = ("_most", "by_key")

    def __init__(self, most: int = MOST) -> None:
        """Start with none; no more than `most` are remembered."""
        self._most = most
        self.by_key: Final[dict[str, Failure]] = {}

    def __len__(self) -> int:
        return len(self.by_key)

    def note(
        self,
        key: str,
        error: Exception,
        now: float,
        *,
        negative_ttl: float = 0.0,
        throttle: float = 0.0,
        tags: Iterable[str] = (),
    ) -> None:
        """Remember that a load failed just now, of a value that would have had the stored `tags`."""
        if not negative_ttl and not throttle:
            return
        self.by_key.pop(key, None)
        kept = error if negative_ttl else None
        self.by_key[key] = Failure(kept, now + negative_ttl, now + max(throttle, negative_ttl), frozenset(tags))
        if len(self.by_key) > self._most:
            del self.by_key[next(iter(self.by_key))]

    def remembered(self, key: str, now: float) -> Exception | None:
        """Give the error that is to be raised again, without the way that it came the last time."""
        failure = self.by_key.get(key)
        if failure is None or failure.error is None or now >= failure.raised_until:
            return None
        return failure.error.with_traceback(None)

    def is_quiet(self, key: str, now: float) -> bool:
        """Whether the source is not to be asked where there is an old value to give."""
        failure = self.by_key.get(key)
        return failure is not None and now < failure.quiet_until

    def forget(self, key: str) -> None:
        """Know that the key was changed, or loaded."""
        if self.by_key:
            self.by_key.pop(key, None)

    def forget_many(self, keys: Iterable[str]) -> None:
        """Know that the keys were changed."""
        if self.by_key:
            for key in keys:
                self.by_key.pop(key, None)

    def forget_all(self, prefix: str = "") -> None:
        """Know that all keys which begin with `prefix` were changed."""
        self.forget_many([key for key in self.by_key if key.startswith(prefix)])

    def forget_tags(self, tags: Collection[str]) -> None:
        """Know that whatever has one of `tags` has changed."""
        self.forget_many([key for key, each in self.by_key.items() if not each.tags.isdisjoint(tags)])

    def tidy(self, now: float) -> None:
        """Forget what is over, and the ways that errors came."""
        over: list[str] = []
        for key, each in self.by_key.items():
            if now >= each.quiet_until:
                over.append(key)
            elif each.error is not None:
                _forget_ways(each.error)
        self.forget_many(over)


def _forget_ways(error: BaseException) -> None:
    """Let go of the frames that `error` came through, and those that it came from or is made of."""
    left: list[BaseException] = [error]
    seen = {id(error)}
    while left:
        each = left.pop()
        each.__traceback__ = None
        inner: tuple[BaseException, ...] = ()
        if isinstance(each, BaseExceptionGroup):
            inner = cast("BaseExceptionGroup[BaseException]", each).exceptions
        for other in (each.__cause__, each.__context__, *inner):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                left.append(other)
