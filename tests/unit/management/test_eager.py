import asyncio
import contextlib
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from aiocache_kit.management.eager import begin

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of an error that nobody asked for."""
    del loop, context


async def test_work_runs_up_to_its_first_wait_at_once() -> None:
    """`begin` returns after the first step was taken, and the rest follows in turns of the event loop."""
    steps: list[str] = []

    async def work() -> str:
        steps.append("first")
        await asyncio.sleep(0)
        steps.append("second")
        return "done"

    task = begin(work())
    steps.append("begun")

    assert await task == "done"
    assert steps == ["first", "begun", "second"]


async def test_work_that_waits_for_nothing_is_over_at_once() -> None:
    """A coroutine without a wait has done all its work when `begin` returns; its task gives the result."""
    ran: list[int] = []

    async def work() -> int:
        ran.append(1)
        return 7

    task = begin(work())

    assert ran == [1]
    assert await task == 7


async def test_the_task_is_the_current_one_from_the_start() -> None:
    """In the first step, in later ones, and for the caller afterwards, `current_task` is who runs."""
    seen: list[asyncio.Task[Any] | None] = []

    async def work() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    task = begin(work())

    assert asyncio.current_task() is not task
    await task
    assert seen == [task, task]


async def test_begun_from_a_callback() -> None:
    """Where no task is current, as in a callback of the loop, work can be begun as well."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.Task[Any]] = loop.create_future()

    async def work() -> asyncio.Task[Any] | None:
        current = asyncio.current_task()
        await asyncio.sleep(0)
        return current

    loop.call_soon(lambda: made.set_result(begin(work())))
    task = await made

    assert await task is task


async def test_a_timeout_entered_in_the_first_step_ends_the_work() -> None:
    """`asyncio.timeout` binds to the task in which it is entered: to this one, and not to the caller's."""

    async def work() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "never"

    assert await begin(work()) == "timed out"


async def test_a_task_group_works_in_the_first_step() -> None:
    """What needs a parent task, as a group does, finds it."""

    async def work() -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
        return sum(task.result() for task in tasks)

    assert await begin(work()) == 3


async def test_work_has_a_copy_of_the_context() -> None:
    """It sees what the caller has set, keeps what it sets from step to step, and nobody else sees that."""
    variable.set("caller")
    seen: list[str] = []

    async def work() -> None:
        seen.append(variable.get())
        variable.set("work")
        await asyncio.sleep(0)
        seen.append(variable.get())

    task = begin(work())
    seen.append(variable.get())
    variable.set("changed")
    await task

    assert seen == ["caller", "caller", "work"]
    assert variable.get() == "changed"


@pytest.mark.parametrize("turns", [0, 1])
async def test_an_exception_is_the_tasks(turns: int) -> None:
    """What the work raises comes out of its task, with the trace of the line, and never out of `begin`."""
    error = LookupError("wrong")

    async def work() -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        raise error

    task = begin(work())
    with pytest.raises(LookupError) as caught:
        await task

    assert caught.value is error
    assert caught.traceback[-1].name == "work"


async def test_a_cancellation_raised_in_the_first_step_cancels_the_task() -> None:
    """Work that ends by `CancelledError` at once makes a cancelled task."""

    async def work() -> None:
        raise asyncio.CancelledError

    task = begin(work())
    await asyncio.wait([task])

    assert task.cancelled()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_passes_through(kind: type[BaseException]) -> None:
    """What is no `Exception` comes out of `begin` itself, and the caller is the current task again."""
    here = asyncio.current_task()

    async def work() -> None:
        raise kind

    asyncio.get_running_loop().set_exception_handler(ignore)  # 3.12 also notes it as the task's, unasked for
    with pytest.raises(kind):
        await begin(work())

    assert asyncio.current_task() is here
    await asyncio.sleep(0)


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_cancelled_at_once_or_later(turns: int) -> None:
    """The work gets the cancellation where it waits, and may clean up there, whenever it comes."""
    seen: list[str] = []
    never = asyncio.Event()

    async def work() -> None:
        try:
            await never.wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("clean")
            raise

    task = begin(work())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert seen == ["cancelled", "clean"]


async def test_a_cancellation_may_be_survived() -> None:
    """Work that catches the cancellation goes on, as in any task."""

    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "survived"

    task = begin(work())
    task.cancel()

    assert await task == "survived"


async def test_a_future_that_is_done_before_the_tasks_first_turn() -> None:
    """What the first step waits for may come at once: nothing is lost."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        return await future + await future

    task = begin(work())
    future.set_result(21)

    assert await task == 42


async def test_a_task_can_be_shown() -> None:
    """The `repr` and the stack of a begun task, which debuggers show, can be made before its first turn."""
    task = begin(asyncio.sleep(0))

    assert "Task" in repr(task)
    assert isinstance(task.get_coro(), Coroutine)
    task.get_stack()
    await task


async def test_beginning_within_a_beginning() -> None:
    """Work may begin other work in its first step; each is current in its own."""
    order: list[str] = []

    async def inner() -> str:
        order.append("inner")
        await asyncio.sleep(0)
        return "inner"

    async def outer() -> tuple[str, bool]:
        here = asyncio.current_task()
        task = begin(inner())
        order.append("outer")
        return await task, asyncio.current_task() is here

    assert await begin(outer()) == ("inner", True)
    assert order == ["inner", "outer"]
