"""What must be left when a call is over, however it ended: nothing."""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from aiocache_kit import MISSING, Provider
from aiocache_kit.clock import Clock
from aiocache_kit.provider.locks import Locks
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock, FaultyStorage
from tests.property.table_invariants import check_invariants

T = TypeVar("T")

STANDING: Final = ("aiocache_kit maintenance", "aiocache_kit time limits")
"""What the names of those tasks begin with that a provider or a storage keeps from its opening to its closing."""


PATIENCE: Final = 2.0
"""Seconds within which a network has brought to an end what was under way."""


class Interrupted(Awaitable[T]):
    """An awaitable that cancels its task at the n-th place where it waits for something.

    It is cancelled while it waits; or `late`, when it has what it waited for and does not know it yet.
    """

    def __init__(self, call: Awaitable[T], at: int, *, late: bool = False) -> None:
        self.call = call
        self.at = at
        self.late = late
        self.waits = 0
        """How often it has waited."""

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self.call.__await__()
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                waiting = steps.send(sent) if error is None else steps.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            self.waits += 1
            if self.waits == self.at:
                self._cancel(waiting)
            sent, error = None, None
            try:
                sent = yield waiting
            except BaseException as thrown:  # noqa: BLE001  - handed on to the call
                error = thrown

    def _cancel(self, waiting: Any) -> None:  # noqa: ANN401  - a future, or None, which is a turn of the loop
        task = asyncio.current_task()
        assert task is not None
        if self.late and waiting is not None:
            waiting.add_done_callback(partial(_cancel, task))  # the task itself has not asked to be told yet
        else:
            asyncio.get_running_loop().call_soon(task.cancel)

    @property
    def passed(self) -> bool:
        """Whether it never came to that place."""
        return self.waits < self.at


def _cancel(task: "asyncio.Task[object]", done: object) -> None:
    del done
    task.cancel()


def trace(cache: Provider) -> dict[str, object]:
    """Give what is left of calls: loads, locks, turns, marks and tasks, by name."""
    core = cache._core
    flights = core.flights
    locks: object = getattr(core.locks, "_local", core.locks)  # those of this process, where others take part
    assert isinstance(locks, Locks)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    left: dict[str, object] = {
        "flights": flights.flights,
        "all flights": flights._all,
        "storing": flights._storing,
        "changing": flights._changing,
        "clearing": flights._clearing,
        "nested": flights._nested,
        "locks": len(locks),
        "keepers": locks._keepers,
        "turns": len(core.turns),
        "tasks": [task for task in tasks if not task.get_name().startswith(STANDING)],
    }
    return {name: what for name, what in left.items() if what}


async def rest(clock: Clock) -> None:
    """Let everything run that can; where time goes on by itself, let everything begin."""
    if isinstance(clock, FakeClock):
        await clock.settle()
    else:
        await asyncio.sleep(0)


async def is_quiet(cache: Provider, clock: Clock) -> None:
    """Assert that nothing is left of calls that are over, and that tables are in order."""
    await rest(clock)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while trace(cache):  # noqa: ASYNC110  - what still goes over a network ends by itself, and tells nobody
                await asyncio.sleep(0)
    assert trace(cache) == {}
    storage = cache._core.storage
    inner = storage.inner if isinstance(storage, FaultyStorage) else storage
    if isinstance(inner, TableStorage):
        for table in inner.tables:
            assert not table.busy or table.closed
            check_invariants(table, clock.monotonic())


async def works(cache: Provider) -> None:
    """Assert that calls of each kind still do what they should, on the same keys."""

    async def load() -> str:
        await asyncio.sleep(0)
        return "loaded"

    await cache.delete("k")
    assert await cache.get_or_set("k", load) == "loaded"
    assert await cache.get_or_set_multi(["k", "m"], lambda keys: dict.fromkeys(keys, "many")) == {
        "k": "loaded" if stores(cache) else "many",
        "m": "many",
    }
    async with cache.lock("k", timeout=1):
        await cache.set("k", 1)
    if stores(cache):
        assert await cache.increment("k") == 2
        assert await cache.update("k", lambda old: old + 1) == 3
        assert await cache.pop("k") == 3
        await cache.set("k", 1, tags=["t"])
    await cache.invalidate_tags("t")
    assert await cache.get("k", MISSING) is MISSING
    await cache.clear()


def stores(cache: Provider) -> bool:
    """Tell whether what is stored can be read back."""
    return cache._core.storage.capabilities.stores
