"""How a contract runs: each check on a storage of its own, on a clock that is turned by hand.

Rule 1: a contract is a class whose checks are its methods ``test_...``. Whoever derives from it and overrides the
factory has a class that pytest collects, whatever its name; importing a contract collects nothing.
Rule 2: checks are written as coroutines and each runs on an event loop of its own, so no plugin is needed. Only asserts
of Python's own are used.
Rule 3: a check also fails where it takes longer than `Contract.limit`, leaves a task behind, or lets an exception get
lost in the event loop.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from aiocache_kit.testing.clock import FakeClock

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

NASTY: tuple[str, ...] = (
    *("@", "@@", "@@@", "@a", "@@a", "@a:", "@a:b", "@@a:b", "@a:@b:c", "@%40:x", "a@b", "a:b", ":", "::"),
    *("*", "**", "a*", "a?", "?", "[", "]", "[x]", "[a-z]", "{x}", "a\\*", "\\", "^$", "(.*)", "%", "%s", "%25", "%40"),
    *("\0", "a\0", "a\0b", "\n", "a\r\nb", "\t", " ", "  ", " a", "a ", "\x7f", "\u200b", "\u202e", "\ufeff"),
    *(".", "..", "../../etc/passwd", "/", "//", "/a", "a/", "C:\\x", "CON", "a.tmp", "-", "--flag", "~", "$HOME"),
    *("a", "A", "\u00e9", "e\u0301", "\u00df", "ss", "\U0001f984", "\U0001f984" * 100, "\u4e2d\u6587", "\U0010ffff"),
    *("None", "True", "0", "00", "1", "1.0", "'", '"', "';--", "<b>", "a,b", "a;b", "a|b", "a&b=c", "__class__"),
    *("x" * 255, "x" * 256, "x" * 10_000, "x" * 9_999 + "y", "\u00e9" * 300),
)
"""Texts that are different from one another, each in its own way hard to keep apart from something else."""

LONG = 1000.0
"""Seconds from which on time passes in one leap."""


class Contract:
    """The base of contracts: runs the checks of the class that derives from it."""

    __test__: ClassVar[bool] = False
    limit: float = 30.0
    """Seconds of real time after which a check counts as hanging."""
    clock: FakeClock
    """The clock of this check."""

    def __init_subclass__(cls) -> None:
        """Make plain functions of the checks, and let runners of tests see the classes that others derive."""
        super().__init_subclass__()
        for name, check in list(vars(cls).items()):
            if name.startswith("test_") and inspect.iscoroutinefunction(check):
                setattr(cls, name, _plain(check))
        if "__test__" not in vars(cls):
            cls.__test__ = not cls.__module__.startswith(__package__ or "")

    async def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass for the storage; to be overridden for one that has a clock of its own."""
        if seconds <= LONG:
            await self.clock.advance(seconds)
        else:  # what is done every second need not be done that often
            self.clock.leap(seconds)
            await self.settle()

    async def stand_still(self, seconds: float) -> None:
        """Let `seconds` pass in which the process did nothing; to be overridden as `pass_time` is."""
        self.clock.leap(seconds)

    async def settle(self) -> None:
        """Let everything run until all tasks wait for time, for an event or for a caller.

        To be overridden for a storage that works outside of the event loop: then what is under way there must be
        waited for as well.
        """
        await self.clock.settle()

    async def set_up(self) -> None:
        """Make what the checks work on."""

    async def tear_down(self) -> None:
        """Let go of it."""

    async def run(self, check: Callable[[Any], Awaitable[None]]) -> None:
        """Run one check, from beginning to end, on the running event loop."""
        lost: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        self.clock = FakeClock()
        async with asyncio.timeout(self.limit):
            await self.set_up()
            try:
                await check(self)
            finally:
                await self.tear_down()
            await self.settle()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        assert not lost, f"errors were lost: {lost}"


def _plain(check: Callable[[Any], Awaitable[None]]) -> Callable[[Contract], None]:
    @functools.wraps(check)
    def run(contract: Contract) -> None:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(contract.run(check))

    return run


async def made(thing: T | Awaitable[T]) -> T:
    """Give what a factory gave, which may be a coroutine function."""
    return cast("T", await thing) if inspect.isawaitable(thing) else thing


class raises(Generic[E]):  # noqa: N801  - reads as the word it is in a ``with``
    """Assert that the block raises a `kind`; `error` is there after the block."""

    error: E

    def __init__(self, kind: type[E]) -> None:
        """Expect a `kind`."""
        self._kind = kind

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Keep the error that was expected, and let any other one through."""
        assert error is not None, f"no {self._kind.__name__} was raised"
        if not isinstance(error, self._kind):
            return False
        self.error = error
        return True


async def together(*calls: Awaitable[T]) -> list[T]:
    """Run calls at the same time, as a task each, and give their results in order; the first error ends all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(call)) for call in calls]
    return [task.result() for task in tasks]


async def _awaited(call: Awaitable[T]) -> T:
    return await call


async def outcomes(tasks: Iterable["asyncio.Task[T]"]) -> list[T | BaseException]:
    """Wait for tasks and give what each returned or raised, in order."""
    return await asyncio.gather(*tasks, return_exceptions=True)
