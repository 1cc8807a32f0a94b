"""A process whose event loop stood still for 3 s as it connected was wrong by half of that about the server's time.

For half a minute its invalidations came before loads elsewhere that had begun before them, and stale items stayed.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from aiocache_kit.storage.redis import server_time
from aiocache_kit.storage.redis.server_time import AGE, SOON, ServerTime
from aiocache_kit.testing import FakeClock

AHEAD = 500.0
"""Seconds by which the server's clock is ahead of that of the process."""


class _Slow:
    """A server that is asked for its time, and whose answers lie unread for a while."""

    def __init__(self, clock: FakeClock, waits: Iterator[float]) -> None:
        self.asked = 0
        self._clock = clock
        self._waits = waits

    async def call(self, command: tuple[bytes, ...], *, again: bool) -> list[bytes]:
        """Answer at once, and have it read later."""
        assert (command, again) == ((b"TIME",), True)
        self.asked += 1
        seconds, part = divmod(self._clock.time() + AHEAD, 1)
        self._clock.leap(next(self._waits))
        return [b"%d" % seconds, b"%d" % (part * 1_000_000)]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Give the clock by which the server is asked again."""
    clock = FakeClock()
    monkeypatch.setattr(server_time, "stopwatch", clock.monotonic)
    return clock


async def off_by(clock: FakeClock, time: ServerTime, *waits: float) -> tuple[float, int]:
    """Ask a server whose answers are read after `waits`; give how wrong that left `time`, and how many it took."""
    server: Any = _Slow(clock, iter(waits))
    await time.ask(server)
    return abs(time.now() - clock.time() - AHEAD), server.asked


async def test_it_is_asked_again() -> None:
    """One answer that was read late is not heeded where the next one comes promptly."""
    clock = FakeClock()
    assert await off_by(clock, ServerTime(clock), 3.0, 0.0) == (0.0, 2)
    assert await off_by(clock, ServerTime(clock), 3.0, 0.5, 2.0) == (0.25, 3)
    assert await off_by(clock, ServerTime(clock), 0.0) == (0.0, 1)


async def test_it_is_asked_soon_where_nothing_came_promptly(passed: FakeClock) -> None:
    """Who knows the time only roughly does not go on so for as long as others."""
    clock = FakeClock()
    time = ServerTime(clock)
    await off_by(clock, time, 1.0, 1.0, 1.0)
    passed.leap(SOON)
    is_old = [time.is_old]
    await off_by(clock, time, 0.0)
    for seconds in (SOON, AGE - SOON):
        passed.leap(seconds)
        is_old.append(time.is_old)
    assert is_old == [True, False, True]


async def test_what_is_known_well_stays() -> None:
    """Slow answers change nothing that they do not speak against."""
    clock = FakeClock()
    time = ServerTime(clock)
    await off_by(clock, time, 0.0)
    assert await off_by(clock, time, 1.0, 1.0, 1.0) == (0.0, 3)
    clock.set_time(clock.time() - 10.0)  # as at another server, after a failover
    assert await off_by(clock, time, 1.0, 1.0, 1.0) == (0.5, 3)
    assert await off_by(clock, time, 0.0) == (0.0, 1)
