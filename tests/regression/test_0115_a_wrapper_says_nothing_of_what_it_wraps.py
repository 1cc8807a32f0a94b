"""A wrapper that once gave an awaitable ran every blocking loader that it wrapped from then on in the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from aiocache_kit import new_provider


def wrapped(function: Callable[[], Any]) -> Callable[[], Any]:
    """Give what a decorator without `functools.wraps` gives."""

    def inner() -> Any:  # noqa: ANN401  - whatever the function gives
        return function()

    return inner


async def of_a_task() -> threading.Thread:
    return threading.current_thread()


async def test_a_wrapper_says_nothing_of_what_it_wraps() -> None:
    """A blocking loader runs in a thread, and an async one where the event loop is, whatever came before."""
    here = threading.current_thread()
    async with new_provider() as cache:
        for number in range(3):
            assert await cache.get_or_set(f"a{number}", wrapped(of_a_task)) is here
            assert await cache.get_or_set(f"b{number}", wrapped(threading.current_thread)) is not here


async def test_a_function_that_makes_coroutines_of_what_it_captured_stays_in_the_loop() -> None:
    """A lambda over values, and over coroutine functions, is called in the event loop once it is known."""
    called: list[threading.Thread] = []

    def loader(number: int) -> Callable[[], Any]:
        async def load(number: int) -> int:
            await asyncio.sleep(0)
            return number

        def make() -> Any:  # noqa: ANN401  - a coroutine
            called.append(threading.current_thread())
            return load(number)

        return make

    async with new_provider() as cache:
        for number in range(3):
            assert await cache.get_or_set(str(number), loader(number)) == number

    assert called[1:] == [threading.current_thread()] * 2
