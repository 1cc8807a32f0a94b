import asyncio

import pytest

from aiocache_kit.errors import OverloadedError
from aiocache_kit.management.slots import Slots


class Work:
    """Pieces of work that hold slots until they are told to end."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    async def do(self, name: str, *, at_once: bool = False) -> None:
        self.ends[name] = asyncio.Event()
        async with self.slots.held(name, at_once=at_once):
            self.order.append(name)
            await self.ends[name].wait()

    async def begin(self, name: str, *, at_once: bool = False) -> asyncio.Task[None]:
        task = asyncio.create_task(self.do(name, at_once=at_once))
        await asyncio.sleep(0)
        return task


async def test_no_more_than_the_bound_are_in_and_the_first_to_come_is_the_next() -> None:
    """Who comes while all slots are taken waits, in the order of coming."""
    slots = Slots(2)
    work = Work(slots)
    tasks = [await work.begin(name) for name in "abcd"]
    assert work.order == ["a", "b"]
    assert (slots.has_free, slots.waiting) == (False, 2)

    for number, name in enumerate("abcd"):
        work.ends[name].set()
        await tasks[number]
    assert work.order == ["a", "b", "c", "d"]
    assert (slots.has_free, slots.waiting) == (True, 0)


async def test_who_would_wait_behind_too_many_is_refused() -> None:
    """Beyond the bound on those who wait, `OverloadedError` is raised at once, and nothing has changed."""
    slots = Slots(1, most_waiting=1)
    work = Work(slots)
    first, second = await work.begin("a"), await work.begin("b")

    with pytest.raises(OverloadedError):
        await work.do("c")
    work.ends["a"].set()
    work.ends["b"].set()
    await asyncio.gather(first, second)
    assert slots.has_free


async def test_nobody_may_wait_where_the_queue_is_of_no_length() -> None:
    """Zero as a bound on those who wait means that nobody does."""
    slots = Slots(1, most_waiting=0)
    work = Work(slots)
    first = await work.begin("a")

    with pytest.raises(OverloadedError):
        await work.do("b")
    work.ends["a"].set()
    await first
    second = await work.begin("b")
    work.ends["b"].set()
    await second


async def test_a_slot_is_never_lost_by_a_cancellation() -> None:
    """Who is cancelled while waiting, while holding, or just when a slot came, leaves it to the next."""
    slots = Slots(1)
    work = Work(slots)
    holder, waiter, handed, last = [await work.begin(name) for name in "abcd"]
    waiter.cancel()
    await asyncio.sleep(0)
    holder.cancel()
    await asyncio.sleep(0)  # the slot is handed on, and who gets it has not run yet
    handed.cancel()
    await asyncio.gather(holder, waiter, handed, return_exceptions=True)
    await asyncio.sleep(0)

    assert work.order == ["a", "d"]
    work.ends["d"].set()
    await last
    assert (slots.has_free, slots.waiting) == (True, 0)


async def test_what_somebody_with_a_slot_waits_for_goes_past_the_bound() -> None:
    """Work that is let in, before it waits or while it does, takes no slot and gives none back."""
    slots = Slots(1)
    work = Work(slots)
    first, second, third = await work.begin("a"), await work.begin("b"), await work.begin("c", at_once=True)
    slots.let_in("b")
    slots.let_in("nobody")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.order == ["a", "c", "b"]

    for name in "bc":
        work.ends[name].set()
    await asyncio.gather(second, third)
    assert not slots.has_free
    work.ends["a"].set()
    await first
    assert slots.has_free
