import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from aiocache_kit.errors import RecursiveLoadError
from aiocache_kit.management.single_flight import Flight, SingleFlight
from aiocache_kit.provider.turns import Turns


async def nothing() -> None:
    """Do nothing in one's turn."""


async def take(turns: Turns, key: str, act: Callable[[], Awaitable[object]] = nothing) -> None:
    """Do something in one's turn at `key`."""
    async with turns.of(key):
        await act()


async def test_turns_at_one_key_follow_one_another() -> None:
    """Nobody's turn begins before the one before is over, in the order of asking; other keys do not wait."""
    turns, order, go_on = Turns(), list[str](), asyncio.Event()

    async def work(name: str) -> None:
        order.append(f"{name} begins")
        await go_on.wait()
        order.append(f"{name} ends")

    tasks = [asyncio.create_task(take(turns, "k", partial(work, name))) for name in "abc"]
    await asyncio.sleep(0)
    assert order == ["a begins"]
    await take(turns, "other")
    assert len(turns) == 1
    go_on.set()
    await asyncio.gather(*tasks)

    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert len(turns) == 0


async def test_a_turn_within_a_turn() -> None:
    """A turn at another key may be taken inside of one; at the same key it is refused, also further inside."""
    turns = Turns()
    async with turns.of("a"), turns.of("b"):
        with pytest.raises(RecursiveLoadError):
            await take(turns, "a")
        with pytest.raises(RecursiveLoadError):
            await asyncio.create_task(take(turns, "b"))

    assert len(turns) == 0


async def test_a_task_that_outlives_the_turn_is_free() -> None:
    """Tasks begun in a turn are part of it until it is over, and may take one of their own then."""
    turns, over = Turns(), asyncio.Event()

    async def later() -> None:
        await over.wait()
        await take(turns, "k")

    async with turns.of("k"):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    over.set()
    async with asyncio.timeout(5):
        await task

    assert len(turns) == 0


async def test_providers_do_not_share_turns() -> None:
    """The same key of another provider is another key."""
    turns, others = Turns(), Turns()
    async with turns.of("k"), others.of("k"):
        assert (len(turns), len(others)) == (1, 1)


async def test_two_that_would_wait_for_each_other() -> None:
    """Rule 2: of two that hold a turn and ask for the other's, one goes ahead, and both end."""
    turns, both = Turns(), asyncio.Barrier(2)

    async def cross(mine: str, other: str) -> None:
        async with turns.of(mine):
            await both.wait()
            await take(turns, other)

    async with asyncio.timeout(5):
        await asyncio.gather(cross("a", "b"), cross("b", "a"))
    assert len(turns) == 0


async def test_three_in_a_circle() -> None:
    """The same around three of them."""
    turns, all_three = Turns(), asyncio.Barrier(3)

    async def cross(mine: str, other: str) -> None:
        async with turns.of(mine):
            await all_three.wait()
            await take(turns, other)

    async with asyncio.timeout(5):
        await asyncio.gather(cross("a", "b"), cross("b", "c"), cross("c", "a"))
    assert len(turns) == 0


async def test_whoever_is_inside_of_a_load_does_not_wait() -> None:
    """Others may wait for that load, holders of the turn among them: it goes ahead."""
    turns, flights, go_on = Turns(), SingleFlight(), asyncio.Event()

    async def work(flight: Flight) -> dict[str, object]:
        del flight
        await go_on.wait()
        await take(turns, "k")
        return {"x": 1}

    async with asyncio.timeout(5):
        load = asyncio.create_task(flights.load("x", work))
        await asyncio.sleep(0)
        holder = asyncio.create_task(take(turns, "k", lambda: flights.load("x", work)))
        await asyncio.sleep(0)
        go_on.set()

        assert await load == (1, False)
        await holder
    assert len(turns) == 0


@pytest.mark.parametrize("rounds", range(4))
async def test_cancelled_while_waiting(rounds: int) -> None:
    """Who is cancelled in the queue is out of it: nobody waits for him, and nothing is left."""
    turns, go_on = Turns(), asyncio.Event()
    holder = asyncio.create_task(take(turns, "k", go_on.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(take(turns, "k"))
    for _ in range(rounds):
        await asyncio.sleep(0)
    last = asyncio.create_task(take(turns, "k"))
    waiting.cancel()
    go_on.set()
    async with asyncio.timeout(5):
        await asyncio.gather(holder, last)

    assert waiting.cancelled()
    assert len(turns) == 0


async def test_an_error_ends_the_turn() -> None:
    """A turn that raises is over."""
    turns = Turns()

    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await take(turns, "k", fail)
    await take(turns, "k")
    assert len(turns) == 0
