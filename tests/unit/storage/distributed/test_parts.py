"""What a distributed storage is made of: what was missed, patience, errands."""

import asyncio

import pytest

from aiocache_kit.storage.distributed.missed import MOST_KEYS, Missed
from aiocache_kit.storage.distributed.patience import Patience
from aiocache_kit.storage.errands import Errands
from aiocache_kit.testing import FakeClock

# --- what was missed -------------------------------------------------------------------------------------------------


def test_nothing_was_missed_at_first() -> None:
    """Without gaps nothing is covered."""
    missed = Missed()

    assert not missed
    assert not missed.covers("k")
    assert not missed.is_wide


def test_keys_prefixes_and_everything_are_covered() -> None:
    """A key is covered by itself, by a beginning, and by a clear of everything; only keys are no wide gap."""
    missed = Missed()
    missed.note_keys(["a"])
    assert (missed.covers("a"), missed.covers("ab"), missed.is_wide) == (True, False, False)
    missed.note_prefix("x:")
    assert (missed.covers("x:1"), missed.covers("x"), missed.is_wide) == (True, False, True)
    missed.note_prefix("")
    assert missed.covers("anything")
    assert missed.counted == 3


def test_what_reached_the_node_later_is_covered_no_more() -> None:
    """A newer change of a key takes it out; it does not while it is being made up for."""
    missed = Missed()
    missed.note_keys(["a", "b"])
    missed.drop(["a"])
    assert not missed.covers("a")
    missed.take()
    missed.drop(["b"])
    assert missed.covers("b")
    missed.done()
    assert not missed


def test_what_is_missed_meanwhile_stays() -> None:
    """What is noted while something is being made up for is still there afterwards; what was put back is, too."""
    missed = Missed()
    missed.note_keys(["a", "b", "c"])
    assert list(missed.take(["a", "b", "other"]).keys) == ["a", "b"]
    missed.note_keys(["a"])
    missed.done()
    assert (missed.covers("a"), missed.covers("b"), missed.covers("c")) == (True, False, True)
    missed.take()
    missed.note_tags(["t"])
    missed.put_back()
    assert missed.covers("c")
    assert missed.is_wide


def test_too_much_is_everything() -> None:
    """More keys, beginnings or tags than are kept in mind become everything, and take no room then."""
    keys, prefixes, tags = Missed(), Missed(), Missed()
    keys.note_keys(map(str, range(MOST_KEYS + 1)))
    for each in range(101):
        prefixes.note_prefix(f"{each}")
    tags.note_tags([f"{each}" for each in range(101)])
    for missed in (keys, prefixes, tags):
        gaps = missed.take()
        assert gaps.everything
        assert not gaps.keys
        assert missed.covers("whatever")


# --- patience --------------------------------------------------------------------------------------------------------


async def test_calls_end_in_their_time() -> None:
    """Each call has its own time, by the clock, and those that are quick are not disturbed."""
    clock = FakeClock()
    patience = Patience(1.0)
    patience.clock = clock

    async def quick() -> str:
        return "done"

    slow = asyncio.create_task(patience.within(asyncio.Event().wait))
    await clock.advance(0.5)
    slower = asyncio.create_task(patience.within(asyncio.Event().wait))
    slowest = asyncio.create_task(patience.within(asyncio.Event().wait, times=10))
    assert await patience.within(quick) == "done"
    await clock.advance(0.5)
    assert isinstance(slow.exception(), TimeoutError)
    assert not slower.done()
    await clock.advance(0.5)
    assert isinstance(slower.exception(), TimeoutError)
    await clock.advance(8.5)
    assert not slowest.done()
    await clock.advance(0.5)
    assert isinstance(slowest.exception(), TimeoutError)
    await patience.close()


async def test_cancelling_is_no_end_of_patience() -> None:
    """A caller that is cancelled is cancelled, and one watcher at most is there for all calls."""
    clock = FakeClock()
    patience = Patience(1.0)
    patience.clock = clock
    before = asyncio.all_tasks()
    tasks = [asyncio.create_task(patience.within(asyncio.Event().wait)) for _ in range(10)]
    await clock.settle()
    assert len(asyncio.all_tasks() - before) == 11
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    await clock.advance(1.0)
    assert asyncio.all_tasks() == before
    await patience.close()


# --- errands ---------------------------------------------------------------------------------------------------------


async def test_an_errand_goes_on_without_its_caller() -> None:
    """Work goes on when its caller is cancelled, its error then goes nowhere, and closing waits for it."""
    errands = Errands()
    gate = asyncio.Event()
    ended: list[str] = []

    async def work() -> None:
        await gate.wait()
        ended.append("work")
        raise ValueError

    caller = asyncio.create_task(errands.run(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    closing = asyncio.create_task(errands.close())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.set()
    await closing
    assert ended == ["work"]
    with pytest.raises(ValueError):  # noqa: PT011  - it says nothing
        await errands.run(work())
