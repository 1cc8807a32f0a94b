"""Room for large values: bounded, in the order of asking, and never lost with whoever waits for it."""

import asyncio

import pytest

from aiocache_kit import StorageUnavailableError
from aiocache_kit.storage.redis.room import Room


async def started(*waits: "asyncio.Task[None]") -> None:
    """Let tasks begin to wait."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(each.done() for each in waits)


async def test_room_is_given_in_turn() -> None:
    """Who comes later waits behind who came earlier, though there would be room for him."""
    room = Room(100)
    assert room.take(60)
    large, small = asyncio.create_task(room.wait(80)), asyncio.create_task(room.wait(10))
    await started(large, small)
    assert not room.take(1)
    room.give(60)
    await large
    await small
    assert not room.take(20)
    room.give(80)
    room.give(10)
    assert room.take(100)


async def test_what_is_larger_than_the_room_goes_alone() -> None:
    """A value that is larger than all of the room waits until nobody else is in it, and then has all of it."""
    room = Room(100)
    assert room.take(1)
    wait = asyncio.create_task(room.wait(1000))
    await started(wait)
    room.give(1)
    await wait
    assert not room.take(1)
    room.give(1000)
    assert room.take(1000)


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_cancelled_in_line(*, late: bool) -> None:
    """Who is cancelled in line, even as his turn comes, leaves the room to those behind him."""
    room = Room(100)
    assert room.take(100)
    first, second = asyncio.create_task(room.wait(100)), asyncio.create_task(room.wait(50))
    await started(first, second)
    if late:
        room.give(100)
    first.cancel()
    await asyncio.wait([first])
    if not late:
        room.give(100)
    await second
    assert first.cancelled()
    assert room.take(50)


async def test_waiting_is_bounded() -> None:
    """Who waits for too long is told that the storage is not available, and others have the room."""
    room = Room(100, patience=0.01)
    assert room.take(100)
    with pytest.raises(StorageUnavailableError, match="too many large values"):
        await room.wait(10)
    room.give(100)
    assert room.take(100)
