"""What must be left when a call is over, however it ended: nothing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection, Generator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

from aiocache_kit import MISSING, Provider
from aiocache_kit.clock import Clock, SystemClock
from aiocache_kit.provider.locks import Locks
from aiocache_kit.stats import Stats
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.tables import TableStorage
from aiocache_kit.testing import FakeClock
from tests.concurrency.order import all_of, held, is_shut, name_of, opened
from tests.property.table_invariants import check_invariants

T = TypeVar("T")

STANDING: Final = (
    *("aiocache_kit maintenance", "aiocache_kit time limits", "aiocache_kit index"),
    *("aiocache_kit tells", "aiocache_kit listens", "aiocache_kit beats"),
)
"""What the names of those tasks begin with that a provider or a storage keeps from its opening to its closing."""


PATIENCE: Final = 5.0
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
        "slots": 0 if core.slots is None else core.slots.waiting + (not core.slots.has_free),
        "background": (core.background._tasks or core.background._kept or core.background.keys),
        "tasks": [task for task in tasks if not (task.get_name().startswith(STANDING) or is_of_a_proxy(task))],
    }
    return {name: what for name, what in left.items() if what} | held(core.storage)


def is_of_a_proxy(task: "asyncio.Task[object]") -> bool:
    """Whether a task belongs to a proxy between a storage and its server."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("FaultyProxy.")


async def rest(clock: Clock) -> None:
    """Let everything run that can; where time goes on by itself, let everything begin."""
    if isinstance(clock, FakeClock):
        await clock.settle()
    else:
        await asyncio.sleep(0)


async def is_quiet(cache: Provider, clock: Clock, *, policies: bool = True, claims: bool = True) -> None:
    """Assert that nothing is left of calls that are over, and that tables are in order, eviction `policies` too.

    `claims`: that leases and locks in files are gone as well, and not only going to end by themselves.
    """
    await rests(cache, clock, but=() if claims else ("file: claims",))
    for storage in all_of(cache._core.storage):
        if isinstance(storage, TableStorage):
            for table in storage.tables:
                check_invariants(table, clock.monotonic(), policy=policies)


async def rests(cache: Provider, clock: Clock, but: Collection[str]) -> None:
    """Assert that nothing is left of calls that are over, `but` for what has one of these names."""
    await rest(clock)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while trace(cache).keys() - set(but):  # noqa: ASYNC110  - what goes over a network ends, and tells nobody
                await asyncio.sleep(0)
    left = {name: what for name, what in trace(cache).items() if name not in but}
    assert not left, left


@asynccontextmanager
async def nothing_stays(storage: Storage, clock: Clock) -> AsyncGenerator[Provider]:
    """Give a provider, which the block closes; afterwards no task, descriptor or thread of it may be there."""
    before, tasks = opened(), asyncio.all_tasks()
    cache = Provider(storage, clock=clock)
    yield cache
    await rest(clock)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while asyncio.all_tasks() != tasks or not opened() <= before:
                await SystemClock().sleep(0.001)  # threads and transports end a moment later, and tell nobody
    assert asyncio.all_tasks() == tasks
    left = [name_of(each) for each in opened() - before]
    assert not left, left
    assert cache.closed
    assert is_shut(storage)


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
    adds_up(await cache.stats())
    await cache.clear()


def adds_up(stats: Stats) -> None:
    """Assert that no counter says what cannot be."""
    counters = {name: count for name, count in stats.as_dict().items() if isinstance(count, int | float)}
    assert {name: count for name, count in counters.items() if count < 0} == {}
    assert stats.load_failures <= stats.loads
    assert stats.stale_hits <= stats.hits
    assert 0.0 <= stats.hit_rate <= 1.0


def stores(cache: Provider) -> bool:
    """Tell whether what is stored can be read back."""
    return cache._core.storage.capabilities.stores
