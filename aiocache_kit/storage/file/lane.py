"""The lane: how work comes to a thread and its outcome back, with one hop for all that is waiting.

A hop to a thread and back costs 50 to 100 us, many times what opening and reading a small file does. So the jobs of one
turn of the event loop share a hop, and those that come while it is out share the next one.

Rule 1: jobs run one after the other, in the order in which they came. What a job finds is what those before it left.
Rule 2: a job that was begun is done to its end, whoever waits for it or does not any more, and `settle` hears of it.
Rule 3: there is a task while there is work, and none when there is not.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast

from aiofiles.os import wrap

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


Outcome: TypeAlias = "asyncio.Future[tuple[Any, BaseException | None]]"
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
        self._hop = wrap(_run_all)
        self._waiting: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, job: Job) -> None:
        """Have `job` done."""
        self._waiting.append(job)
        task = self._task
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="aiocache_kit files")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the thread; whoever is cancelled meanwhile does not stop it."""
        return await self.start(function, *args, **kwargs).result()

    def start(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Have a function called; its result may be waited for later, or never."""
        call: Call[T] = Call(partial(function, *args, **kwargs))
        self.add(call)
        return call

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to do."""
        return self._task is not None and not self._task.done()

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        waiting = self._waiting
        while waiting:
            jobs = [waiting.popleft() for _ in range(min(len(waiting), MOST))]
            for job in jobs:
                job.begin()
            try:
                outcomes = await self._hop(jobs)
            except BaseException as error:  # the event loop ends, or has no threads any more
                for job in (*jobs, *waiting):
                    job.settle(None, error)
                waiting.clear()
                raise
            for job, (result, failure) in zip(jobs, outcomes, strict=True):
                job.settle(result, failure)
            if not waiting:
                await asyncio.sleep(0)  # those who were waiting may have more


def _run_all(jobs: list[Job]) -> list[tuple[Any, BaseException | None]]:
    outcomes: list[tuple[Any, BaseException | None]] = []
    for job in jobs:
        try:
            outcomes.append((job.run(), None))
        except Exception as error:  # noqa: BLE001  - whatever it is, it is the answer to this job
            outcomes.append((None, error))
    return outcomes
