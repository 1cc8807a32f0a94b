"""A circuit breaker: leave alone for a while what has failed, and look now and then whether it works again.

    closed --(failures in a row, or too large a share of the calls of late, or `trip`)--> open
    open --(its wait is over)--> half open: one call at a time may go and see
    half open --(that call succeeds, or `restore`)--> closed;  --(it fails)--> open again, for longer

Rule 1: it decides and does nothing: whoever calls something asks `allows` before, and says afterwards how it went, by
exactly one of `succeeded`, `failed` and `abandoned`. Time is a parameter, in seconds of any clock that never goes back.
Rule 2: a call that was cancelled says nothing about the other side: `abandoned` counts as neither, and lets the next
one go and see. So does a probe of which nothing is heard for as long as the circuit was open.
Rule 3: calls that began before the circuit opened may end while it is open; they change nothing then. While it is half
open any success is a sign of life, any failure a sign of the opposite, and any `abandoned` makes room for one more
probe, whoever said it.
Rule 4: each opening waits longer than the one before it, up to a bound, and a little more or less than that by chance,
so that many processes do not come back at the same moment. The waits are short again once the circuit has been closed
for the longest of them: something that comes and goes is asked ever more seldom.
"""

import math
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.event_kinds import CircuitState

__all__ = ["CircuitBreaker", "CircuitState"]

OnChange: TypeAlias = Callable[[CircuitState], None]
_BUCKETS: Final = 10
"""Parts of the window that are forgotten one by one."""


class CircuitBreaker:
    """One circuit. It opens after `failures` in a row, or at `ratio` of at least `calls` within `window` seconds.

    It stays open for `wait` seconds, twice as long each time, `longest_wait` at most, and up to the share `jitter` of
    that more or less. `random` is what that is drawn from: give a seeded one to repeat a run.
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_closed_at",
        "_failures",
        "_in_a_row",
        "_jitter",
        "_longest_wait",
        "_next_wait",
        "_opened_for",
        "_probe_until",
        "_random",
        "_ratio",
        "_recent",
        "_reopens_at",
        "_told",
        "_wait",
        "on_change",
        "openings",
    )

    def __init__(
        self,
        *,
        failures: int = 5,
        ratio: float = 0.5,
        calls: int = 20,
        window: float = 10.0,
        wait: float = 1.0,
        longest_wait: float = 30.0,
        jitter: float = 0.2,
        random: Random | None = None,
    ) -> None:
        """Start closed. Raises `InvalidArgumentError` for bounds that make no sense."""
        _check("failures", failures >= 1, "1 or more", failures)
        _check("calls", calls >= 1, "1 or more", calls)
        _check("ratio", 0.0 < ratio <= 1.0, "above 0 and at most 1", ratio)
        _check("window", 0.0 < window < math.inf, "seconds above 0", window)
        _check("wait", 0.0 < wait < math.inf, "seconds above 0", wait)
        _check("longest_wait", wait <= longest_wait < math.inf, "seconds from wait up", longest_wait)
        _check("jitter", 0.0 <= jitter < 1.0, "from 0 up and below 1", jitter)
        self._failures = failures
        self._ratio = ratio
        self._calls = calls
        self._recent = _Recent(window)
        self._wait = wait
        self._longest_wait = longest_wait
        self._jitter = jitter
        self._random = Random() if random is None else random  # noqa: S311  - spreads waits, guards nothing
        self._in_a_row = 0
        self._next_wait = wait
        self._closed_at = -math.inf
        self._opened_for = 0.0
        self._reopens_at: float | None = None
        """Until when the circuit is open; None while it is closed."""
        self._probe_until = -math.inf
        """Until when the probe that is under way has to be heard of."""
        self._told = CircuitState.CLOSED
        self.on_change: OnChange | None = None
        """Told of each state that is another one than before; half open once a call was let through to see."""
        self.openings: int = 0
        """How often the circuit has opened, after probes that failed too."""

    def __repr__(self) -> str:
        state = "closed" if self._reopens_at is None else "open"
        return f"<CircuitBreaker {state}, {self._in_a_row} failures in a row, opened {self.openings} times>"

    def state(self, now: float) -> CircuitState:
        """Give the state; asking changes nothing."""
        if self._reopens_at is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self._reopens_at else CircuitState.HALF_OPEN

    def retry_after(self, now: float) -> float:
        """Give the seconds until a call may go again; 0.0 where one may go now."""
        if self._reopens_at is None:
            return 0.0
        return max(self._reopens_at - now, self._probe_until - now, 0.0)

    def allows(self, now: float) -> bool:
        """Say whether a call may go; where it is a probe, nobody else may until it was heard of."""
        if self._reopens_at is None:
            return True
        if now < self._reopens_at or now < self._probe_until:
            return False
        self._probe_until = now + self._opened_for
        self._tell(CircuitState.HALF_OPEN)
        return True

    def succeeded(self, now: float) -> None:
        """Note a call that the other side answered, were it with an error of the caller's own making."""
        if self._reopens_at is None:
            self._in_a_row = 0
            self._recent.note(now, failed=False)
            if now - self._closed_at >= self._longest_wait:
                self._next_wait = self._wait
        elif now >= self._reopens_at:
            self._close(now)

    def failed(self, now: float) -> None:
        """Note a call that got no answer."""
        if self._reopens_at is not None:
            if now >= self._reopens_at:
                self.trip(now)
            return
        self._in_a_row += 1
        self._recent.note(now, failed=True)
        if self._in_a_row >= self._failures or self._recent.is_over(self._ratio, self._calls):
            self.trip(now)

    def abandoned(self, now: float) -> None:
        """Note a call that was cancelled before anybody could know how it ends."""
        del now
        self._probe_until = -math.inf

    def trip(self, now: float) -> None:
        """Open the circuit, whatever was counted: for whoever knows by other means that the other side is gone."""
        if self._reopens_at is None and now - self._closed_at >= self._longest_wait:
            self._next_wait = self._wait
        spread = self._random.uniform(1.0 - self._jitter, 1.0 + self._jitter)
        self._opened_for = self._next_wait * spread
        self._next_wait = min(self._next_wait * 2.0, self._longest_wait)
        self._reopens_at = now + self._opened_for
        self._probe_until = -math.inf
        self._in_a_row = 0
        self._recent.clear()
        self.openings += 1
        self._tell(CircuitState.OPEN)

    def restore(self, now: float) -> None:
        """Close the circuit, whatever was counted: for whoever knows by other means that the other side is back."""
        if self._reopens_at is not None:
            self._close(now)

    def _close(self, now: float) -> None:
        self._reopens_at = None
        self._closed_at = now
        self._probe_until = -math.inf
        self._in_a_row = 0
        self._tell(CircuitState.CLOSED)

    def _tell(self, state: CircuitState) -> None:
        if state is not self._told:
            self._told = state
            if self.on_change is not None:
                self.on_change(state)


class _Recent:
    """How many calls of late there were, and how many of them failed; in parts, so that its size is bounded."""

    __slots__ = ("_calls", "_failures", "_part", "_parts", "_window")

    def __init__(self, window: float) -> None:
        self._window = window
        self._part = window / _BUCKETS
        self._parts: deque[list[float]] = deque()
        """Start, calls and failures of each part."""
        self._calls = 0.0
        self._failures = 0.0

    def note(self, now: float, *, failed: bool) -> None:
        """Count a call, and forget those that are older than the window."""
        parts = self._parts
        while parts and parts[0][0] <= now - self._window:
            _, calls, failures = parts.popleft()
            self._calls -= calls
            self._failures -= failures
        if not parts or now >= parts[-1][0] + self._part:
            parts.append([now, 0.0, 0.0])
        parts[-1][1] += 1
        parts[-1][2] += failed
        self._calls += 1
        self._failures += failed

    def is_over(self, ratio: float, calls: int) -> bool:
        """Whether there were `calls`, and `ratio` of them failed."""
        return self._calls >= calls and self._failures >= ratio * self._calls

    def clear(self) -> None:
        """Forget all."""
        self._parts.clear()
        self._calls = self._failures = 0.0


def _check(name: str, holds: bool, allowed: str, given: object) -> None:  # noqa: FBT001  - the condition is the point
    if not holds:
        raise InvalidArgumentError(f"{name} must be {allowed}, not {given}")
