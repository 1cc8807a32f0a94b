import asyncio
import math
import time

import pytest

from aiocache_kit.clock import Clock, SystemClock, stopwatch
from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.testing import FakeClock


def test_readings_are_those_of_this_machine() -> None:
    """The monotonic reading and the wall clock lie between two readings of the machine's own."""
    clock = SystemClock()
    before = (time.monotonic(), time.time())
    read = (clock.monotonic(), clock.time())
    after = (time.monotonic(), time.time())

    assert before[0] <= read[0] <= after[0]
    assert before[1] <= read[1] <= after[1]


def test_a_bound_reading_needs_no_clock() -> None:
    """Hot paths may keep `monotonic` itself: it is the C function, with no frame around it."""
    assert SystemClock().monotonic is time.monotonic
    assert SystemClock().time is time.time


def test_both_clocks_are_clocks() -> None:
    """The system's clock and the one for tests are of the one type that the package asks for."""
    clocks: list[Clock] = [SystemClock(), FakeClock()]

    assert [type(clock.monotonic()) for clock in clocks] == [float, float]
    assert repr(SystemClock()) == "SystemClock()"


async def test_sleeping_no_time_lets_others_run() -> None:
    """A sleep of zero or less returns at once, after one turn of the event loop."""
    ran: list[str] = []

    async def run() -> None:
        ran.append("other")

    other = asyncio.create_task(run())
    async with asyncio.timeout(5):
        await SystemClock().sleep(0.0)
        await SystemClock().sleep(-math.inf)

    assert ran == ["other"]
    await other


async def test_sleeping_takes_its_time() -> None:
    """A sleep ends no earlier than it was to."""
    clock = SystemClock()
    start = clock.monotonic()
    await clock.sleep(0.002)

    assert clock.monotonic() - start >= 0.0019


def test_the_stopwatch_is_real_and_fine() -> None:
    """The stopwatch runs on while a test's clock stands still."""
    start = stopwatch()
    while stopwatch() == start:
        pass

    assert 0.0 < stopwatch() - start < 10.0


@pytest.mark.parametrize("monotonic", [0.0, -1.0, math.nan])
def test_instants_are_above_zero(monotonic: float) -> None:
    """A clock for tests that begins elsewhere is refused: storages would take what never ends for what has ended."""
    with pytest.raises(InvalidArgumentError, match="monotonic must be above zero"):
        FakeClock(monotonic=monotonic)
