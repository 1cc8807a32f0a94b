"""The hand: one thread that does what it is given, and tells the event loop when it is done.

A pool's way costs twice as much as the work that it brings: it makes a future with a lock of its own for each hop, and
an event loop takes a turn more to hear of it. Figures: docs/decisions/0016-files-have-a-thread-of-their-own.md.

Rule 1: the thread is there from the first work until `leave`, or until nobody has the hand any more. It does to its end
what it was given before that.
Rule 2: it never keeps the process from ending: what it is doing then is cut off as by a crash, which files outlive.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeAlias

Work: TypeAlias = tuple[AbstractEventLoop, Callable[[], Any], Callable[[Any], None]]


class Hand:
    """A thread, started when there is something to do."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        """Start without a thread."""
        self._line: SimpleQueue[Work | None] | None = None

    def give(self, loop: AbstractEventLoop, work: Callable[[], Any], back: Callable[[Any], None]) -> None:
        """Have `work` done, which must not raise, and `back` called on the loop with what it gives.

        Raises `RuntimeError` where the system gives no thread.
        """
        if self._line is None:
            line: SimpleQueue[Work | None] = SimpleQueue()
            Thread(target=_serve, args=(line,), name=NAME, daemon=True).start()
            self._line = line
        self._line.put((loop, work, back))

    def leave(self) -> None:
        """Let the thread end when it has done what it was given; more work will have another one."""
        if self._line is not None:
            self._line.put(None)
            self._line = None

    def __del__(self) -> None:
        """Leave no thread that nobody can give work to."""
        self.leave()


NAME: Final = "aiocache_kit files"


def _serve(line: "SimpleQueue[Work | None]") -> None:
    while (given := line.get()) is not None:
        loop, work, back = given
        done = work()
        with suppress(RuntimeError):  # the loop was closed meanwhile, and with it whoever waited
            loop.call_soon_threadsafe(back, done)
        del given, loop, work, back, done  # nothing is kept alive while there is nothing to do
