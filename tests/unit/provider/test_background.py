import asyncio
import logging

import pytest

from aiocache_kit.errors import LoadTimeoutError
from aiocache_kit.provider.background import Background, StillLoadingError
from aiocache_kit.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def fail() -> None:
    raise LookupError("user:secret")


async def test_a_load_in_the_background_has_an_owner(clock: FakeClock) -> None:
    """Rule 1: what goes on is counted until it ends."""
    background, end = Background(clock), asyncio.Event()
    background.begin(end.wait())
    assert len(background) == 1
    end.set()
    await clock.settle()

    assert len(background) == 0


async def test_room_is_bounded(clock: FakeClock) -> None:
    """Where there are as many as may be, no more are to be begun, and what was waited for does not go on."""
    background, end = Background(clock, most=1), asyncio.Event()
    background.begin(end.wait())
    assert background.is_full
    late = asyncio.create_task(background.or_later(5.0, end.wait(), object))
    await clock.advance(5.0)

    with pytest.raises(StillLoadingError):
        await late
    assert len(background) == 1
    await background.close()


async def test_errors_are_logged_now_and_then(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """Rule 2: one line in ten seconds, without what the error says, which may be a key."""
    background = Background(clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            background.begin(fail())
        await clock.settle()
        assert [each.message for each in caplog.records] == ["a load in the background failed: LookupError"]
        await clock.advance(10.0)
        background.begin(fail())
        await clock.settle()

    assert len(caplog.records) == 2


async def test_within(clock: FakeClock) -> None:
    """What ends in time is given, and what it raises is raised; what does not is ended."""
    background = Background(clock)
    assert await background.within(5.0, asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError):
        await background.within(5.0, fail())
    late = asyncio.create_task(background.within(5.0, asyncio.Event().wait()))
    await clock.advance(5.0)

    with pytest.raises(LoadTimeoutError):
        await late
    await clock.settle()
    assert len(background) == 0


async def test_who_leaves_ends_the_work(clock: FakeClock) -> None:
    """A caller that is cancelled takes what he waits for with him."""
    background, ended = Background(clock), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    for call in (background.within(5.0, work()), background.or_later(5.0, work(), object)):
        ended.clear()
        caller = asyncio.create_task(call)
        await clock.settle()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await clock.settle()
        assert ended.is_set()


async def test_one_that_goes_on_is_enough(clock: FakeClock) -> None:
    """Of those who waited for the same, one goes on; where it is of no use any more, none."""
    background, end, subject = Background(clock), asyncio.Event(), object()
    late = [asyncio.create_task(background.or_later(5.0, end.wait(), lambda: subject)) for _ in range(3)]
    late.append(asyncio.create_task(background.or_later(5.0, end.wait(), lambda: None)))
    await clock.advance(5.0)
    errors = await asyncio.gather(*late, return_exceptions=True)

    assert [type(error) for error in errors] == [StillLoadingError] * 4
    assert len(background) == 1
    end.set()
    await clock.settle()
    assert len(background) == 0


async def test_closing_waits_for_as_long_as_it_may(clock: FakeClock) -> None:
    """What ends meanwhile has ended by itself, the rest is cancelled, and nothing is left."""
    background, done = Background(clock), list[str]()

    async def work(name: str, seconds: float) -> None:
        try:
            await clock.sleep(seconds)
            done.append(name)
        except asyncio.CancelledError:
            done.append(f"{name} cancelled")
            raise

    background.begin(work("short", 1.0))
    background.begin(work("long", 9.0))
    closing = asyncio.create_task(background.close(5.0))
    await clock.advance(5.0)
    await closing

    assert done == ["short", "long cancelled"]
    assert len(background) == 0
