"""Beginning a coroutine at once, as a task that exists from its first step on.

Python 3.12 brought eager tasks; for 3.11 the same is done here with what asyncio documents for writers of tasks of
their own ("Extending": `_enter_task`, `_leave_task`). It matters that the task is the *current* one from the start:
`asyncio.timeout` and the like bind to the task in which they are entered.
"""

import asyncio
import sys
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")

if sys.version_info >= (3, 12):

    def begin(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `coroutine` up to its first wait, in a copy of this context, as a new task of the running loop.

        The task may be done already. What is no `Exception`, such as `KeyboardInterrupt`, passes through in that step.
        """
        return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)

else:
    from asyncio.tasks import (
        _enter_task,  # pyright: ignore[reportPrivateUsage]  # documented, its name notwithstanding
        _leave_task,  # pyright: ignore[reportPrivateUsage]  # as above
    )

    def begin(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `coroutine` up to its first wait, in a copy of this context, as a new task of the running loop.

        What is no `Exception`, such as `KeyboardInterrupt`, passes through in that step. If `coroutine` ended, its task
        still needs one turn of the loop to say so, and nobody has to wait for that.
        """
        loop = asyncio.get_running_loop()
        context = copy_context()
        begun = _Begun(coroutine)
        task: asyncio.Task[T] = asyncio.Task(begun, loop=loop, context=context)
        caller = asyncio.current_task(loop)
        if caller is not None:
            _leave_task(loop, caller)
        _enter_task(loop, task)
        try:
            context.run(begun.first_step)
        finally:
            _leave_task(loop, task)
            if caller is not None:
                _enter_task(loop, caller)
        return task

    class _Begun(Coroutine[Any, Any, T]):
        """A coroutine whose first step was taken before its task's; it gives the task what that step gave."""

        __slots__ = ("_first", "_inner", "_taken")

        def __init__(self, inner: Coroutine[Any, Any, T]) -> None:
            self._inner = inner
            self._first: object = None
            self._taken: BaseException | bool = False

        def first_step(self) -> None:
            try:
                self._first = self._inner.send(None)
            except StopIteration as end:
                self._taken = end
            except Exception as error:  # noqa: BLE001  - the task raises it in its own first step
                self._taken = error
            except BaseException as error:
                self._taken = StopIteration(None)
                if isinstance(error, asyncio.CancelledError):
                    self._taken = error
                else:
                    raise

        def send(self, value: object) -> object:
            if self._taken is True:
                return self._inner.send(value)
            if isinstance(self._taken, BaseException):
                raise self._taken
            self._taken = True
            return self._first

        def throw(self, *error: Any) -> object:  # noqa: ANN401  - the signature of Coroutine.throw
            if isinstance(self._taken, BaseException):
                raise self._taken
            self._taken = True
            # The task does not know yet what it waits for: that is cancelled here, as the task would do, and awaited.
            if asyncio.isfuture(self._first) and self._first.cancel():
                return self._first
            return self._inner.throw(*error)

        def close(self) -> None:
            self._inner.close()

        def __await__(self) -> Generator[Any, Any, T]:
            return self._inner.__await__()
