"""Calling what users give: on the event loop, or in a thread.

Rule 1: a coroutine function runs on the event loop, any other callable in a thread. One that gives an awaitable (a
lambda around a coroutine function, say) is awaited on the loop; its code is remembered, and called on the loop from the
second time on, so that only its first call pays for a thread.
Rule 2: of a function that has captured another one, which may block, its code says nothing.
Rule 3: a coroutine that nobody will await is closed.
"""

import asyncio
import inspect
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Final, cast

from aiocache_kit.errors import InvalidArgumentError

_gives_awaitable: Final["weakref.WeakSet[CodeType]"] = weakref.WeakSet()


def check_callable(function: object, name: str) -> None:
    """Raise `InvalidArgumentError` unless `function` can be called; `name` is that of the argument."""
    if not callable(function):
        hint = ": pass the function, without calling it" if inspect.isawaitable(function) else ""
        msg = f"{name} must be callable, not {type(function).__name__}{hint}"
        if inspect.iscoroutine(function):
            function.close()
        raise InvalidArgumentError(msg)


async def call(function: Callable[..., object], *arguments: object) -> object:
    """Call `function` as rule 1 says and give its result."""
    code = _code_of(function)
    if _runs_on_the_loop(function, code):
        result = function(*arguments)
    else:
        given: list[object] = []
        left: list[bool] = []
        try:
            result, error = await asyncio.to_thread(_outcome, function, arguments, given, left)
        except asyncio.CancelledError:
            left.append(True)
            _drop(given)
            raise
        if error is not None:
            raise error
        if code is not None and inspect.isawaitable(result) and not _may_block(function):
            _gives_awaitable.add(code)
    if inspect.isawaitable(result):
        return await cast("Awaitable[object]", result)
    return result


def _runs_on_the_loop(function: Callable[..., object], code: CodeType | None) -> bool:
    if code is None:
        return inspect.iscoroutinefunction(_callee(function))
    return bool(code.co_flags & inspect.CO_COROUTINE) or (code in _gives_awaitable and not _may_block(function))


def _may_block(function: Callable[..., object]) -> bool:
    """Whether a function calls, or may call, one that it has captured and that may block."""
    closure: tuple[CellType, ...] | None = getattr(function, "__closure__", None)
    if not closure:
        return False
    return any(_is_blocking(cell) for cell in closure)


def _is_blocking(cell: CellType) -> bool:
    try:
        held: object = cell.cell_contents
    except ValueError:  # nothing is in it yet
        return False
    return callable(held) and not isinstance(held, type) and not inspect.iscoroutinefunction(_callee(held))


def _callee(function: Callable[..., object]) -> object:
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return type(function).__call__


def _code_of(function: Callable[..., object]) -> CodeType | None:
    if isinstance(function, MethodType):
        function = function.__func__
    return function.__code__ if isinstance(function, FunctionType) else None


def _outcome(
    function: Callable[..., object], arguments: tuple[object, ...], given: list[object], left: list[bool]
) -> tuple[object, Exception | None]:
    """Give what `function` gave, or what it raised: a future would refuse a `StopIteration`, and exchange others.

    What it gave is put into `given` as well, for whoever waits here and is cancelled; once there is something in `left`
    nobody waits any more.
    """
    try:
        result = function(*arguments)
    except Exception as error:  # noqa: BLE001  - it is raised again on the loop
        return None, error
    given.append(result)
    if left:
        _drop(given)
    return result, None


def _drop(given: list[object]) -> None:
    """Close the coroutines that nobody will await; whichever thread comes last finds what there is."""
    for result in given:
        if inspect.iscoroutine(result):
            result.close()
