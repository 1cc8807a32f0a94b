import asyncio

from aiocache_kit.clock import stopwatch
from aiocache_kit.storage.pace import SLICE, Pace


def test_a_slice_is_over_after_its_time() -> None:
    """Not at once, and no later than the time of a slice after the beginning."""
    pace = Pace()
    start = stopwatch()
    early = pace.is_over()
    while stopwatch() - start < SLICE:
        pass

    assert not early
    assert pace.is_over()


async def test_a_rest_gives_everybody_a_turn_and_begins_anew() -> None:
    """Whatever is ready runs while we rest, and the next slice is a whole one."""
    ran: list[int] = []
    others = [asyncio.create_task(asyncio.to_thread(int)) for _ in range(1)]
    for number in range(5):
        asyncio.get_running_loop().call_soon(ran.append, number)
    pace = Pace()
    while not pace.is_over():
        pass
    await pace.rest()

    assert not pace.is_over()
    assert ran == [0, 1, 2, 3, 4]
    await asyncio.gather(*others)
