"""The lane: how work comes to a thread and its outcome back, with one hop for all that is waiting.

A hop to a thread and back costs many times what opening and reading a small file does. So the jobs of one turn of the
event loop share a hop, and those that come while it is out share the next one. Where the last hop had one job alone,
the next job goes at once: most likely nobody else comes in this turn, and waiting for it costs a tenth.

Rule 1: jobs run one after the other, in the order in which they came. What a job finds is what those before it left.
Rule 2: a job that was begun is done to its end, whoever waits for it or does not any more, and `settle` hears of it.
Rule 3: after a fork there is no thread, and descriptors are the other process's: then every job is an error.
Rule 4: a hop needs no task: the event loop calls `_back`. Who has the lane lets its thread go by `leave`; what comes
after that has a thread for as long as it takes, and leaves none behind.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast

from aiocache_kit.errors import StorageError
from aiocache_kit.storage.file.hand import Hand

P = ParamSpec("P")
T = TypeVar("T")

MOST: Final = 256
"""Jobs that share one hop at most, so that telling their outcomes does not hold the event loop."""


class Job(ABC):
    """A piece of work for the thread."""

    __slots__ = ()

    def begin(self) -> None:
        """Learn, on the event loop, that the job is handed to the thread now."""

    @abstractmethod
    def run(self) -> Any:  # noqa: ANN401  - what `settle` gets
        """Do the work, in the thread."""

    @abstractmethod
    def settle(self, result: Any, error: BaseException | None) -> None:  # noqa: ANN401  - what `run` gave
        """Learn the outcome, on the event loop; must not raise."""


Done: TypeAlias = tuple[Any, BaseException | None]
Outcome: TypeAlias = "asyncio.Future[Done]"
"""What is told of a job. An error is a result here, because one that nobody waits for any more is no news."""


class Call(Job, Generic[T]):
    """A call of a plain function, whose outcome is a future's."""

    __slots__ = ("_call", "outcome")

    def __init__(self, call: Callable[[], T]) -> None:
        """Prepare the call."""
        self._call = call
        self.outcome: Outcome = asyncio.get_running_loop().create_future()

    def run(self) -> T:
        """Make the call."""
        return self._call()

    def settle(self, result: T, error: BaseException | None) -> None:
        """Tell who waits, if somebody still does."""
        if not self.outcome.done():
            self.outcome.set_result((result, error))

    async def result(self) -> T:
        """Wait for what the call gives or raises."""
        result, error = await self.outcome
        if error is not None:
            raise error
        return cast("T", result)


class Lane:
    """Brings jobs to a thread."""

    def __init__(self) -> None:
        """Start without work."""
        self._waiting: deque[Job] = deque()
        self._out: list[Job] = []
        self._hand = Hand()
        self._stays = True
        """Whether the thread is to be there for more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where a hop is out or about to go; None: there is nothing to do."""
        self._process = 0
        """The process that uses the lane, from its first job on."""
        self._was_alone = False
        self._idlers: list[asyncio.Future[None]] = []

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to do."""
        return self._loop is not None

    def add(self, job: Job) -> None:
        """Have `job` done."""
        self._waiting.append(job)
        if self._loop is not None and not self._loop.is_closed():
            return
        self._loop = asyncio.get_running_loop()
        if self._was_alone:
            self._go()
        else:
            self._loop.call_soon(self._go)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the thread; whoever is cancelled meanwhile does not stop it."""
        return await self.start(function, *args, **kwargs).result()

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Have a function called; its result may be waited for later, or never."""
        call: Call[T] = Call(partial(function, *args, **kwargs))
        self.add(call)
        return call

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        while self.is_busy:
            idler: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idlers.append(idler)
            await idler

    def stay(self) -> None:
        """Keep the thread for what is to come, from now until `leave`."""
        self._stays = True

    def leave(self) -> None:
        """Need no thread once nothing is left to do, until `stay`."""
        self._stays = False
        if not self.is_busy:
            self._hand.leave()

    def _go(self) -> None:
        waiting = self._waiting
        self._out = jobs = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
        self._was_alone = len(jobs) == 1
        self._process = self._process or os.getpid()
        if self._process != os.getpid():
            error = StorageError("this storage was opened before a fork: each process opens one of its own")
            self._refuse(error)
            return
        for job in jobs:
            job.begin()
        if self._loop is not None:
            try:
                self._hand.give(self._loop, partial(_run_all, jobs), self._back)
            except RuntimeError as error:  # there are no threads any more: that is the answer to all
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        """Give all jobs the same answer: a turn later, since who adds one may not be waiting for it yet."""
        if self._loop is not None:
            outcomes: list[Done] = [(None, error)] * len(self._out)
            self._loop.call_soon(self._back, outcomes)

    def _back(self, outcomes: list[Done]) -> None:
        jobs, self._out = self._out, []
        for job, (result, error) in zip(jobs, outcomes, strict=True):
            job.settle(result, error)
        if self._waiting and self._loop is not None:
            self._loop.call_soon(self._go)  # after those who were waiting, who may have more
            return
        self._loop = None
        if not self._stays:
            self._hand.leave()
        for idler in self._idlers:
            if not idler.done():
                idler.set_result(None)
        self._idlers = []


def _run_all(jobs: list[Job]) -> list[Done]:
    outcomes: list[Done] = []
    for job in jobs:
        try:
            outcomes.append((job.run(), None))
        except BaseException as error:  # noqa: BLE001  - whatever it is, it is the answer to this job
            outcomes.append((None, error))
    return outcomes
