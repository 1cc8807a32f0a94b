"""A quick look at what calls cost with this configuration, from here: some seconds, one row a kind of call.

Rule 1: all of it happens in a namespace of its own (of files: in a directory of its own, beside the configured one), by
a name that nobody else has, which is removed at the end, however it ends. Items there have a ttl, should that fail.
Rule 2: calls are timed one by one; where they are shorter than what timing costs, in groups, and the table says so.
Rule 3: it is no benchmark: the machine, the server and the network have other things to do meanwhile.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from os import urandom
from typing import Final

from aiocache_kit.cli.exits import Exit
from aiocache_kit.cli.screen import Screen
from aiocache_kit.cli.texts import count_text, time_text
from aiocache_kit.cli.views import of_pairs
from aiocache_kit.clock import stopwatch
from aiocache_kit.errors import UnsupportedError
from aiocache_kit.provider import Provider

Call = Callable[[int], Awaitable[object]]

KEYS: Final = 1000
MANY: Final = 100
"""Keys of one call of many, and callers of one missing key."""
_LIFE: Final = 300
_SHORT: Final = 20e-6
_GROUP: Final = 100
_LOAD: Final = 0.005
"""Seconds that a load of the stampede takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one kind of call cost."""

    name: str
    calls: int
    seconds: float
    median: float
    """Seconds of the call in the middle; of the mean of a group, where calls were timed in groups."""
    p99: float
    """Seconds that one call in a hundred exceeded."""

    def as_dict(self) -> dict[str, object]:
        """Give it fit for JSON."""
        per_second = self.calls / self.seconds if self.seconds else 0.0
        return {
            "name": self.name,
            "calls": self.calls,
            "calls_per_second": per_second,
            "median": self.median,
            "p99": self.p99,
        }

    def cells(self) -> Sequence[str]:
        """Give it fit for a table."""
        per_second = self.calls / self.seconds if self.seconds else 0.0
        return [self.name, count_text(self.calls), count_text(per_second), time_text(self.median), time_text(self.p99)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured."""

    seconds: float = 0.5
    """Seconds a row."""
    size: int = 100
    """Characters of a value."""
    tasks: int = 64
    """Tasks of the rows with several."""


def new_name() -> str:
    """Give a name that nobody else has."""
    return f"aiocache_kit-bench-{urandom(4).hex()}"


async def bench(screen: Screen, provider: Provider, plan: Plan, *, made: Sequence[str], as_json: bool) -> Exit:
    """Measure, and show the table. The directories that were `made` for it are removed."""
    if not provider.capabilities.stores:
        await provider.close()
        raise UnsupportedError("the provider null keeps nothing, so there is nothing to measure")
    space = provider.namespace(new_name())
    try:
        bench_of = _Bench(space, plan)
        steps = bench_of.steps()
        rows: list[Row] = []
        await bench_of.fill()
        with screen.progress("measuring", total=len(steps)) as told:
            for name, call, tasks in steps:
                rows.append(await measure(name, call, seconds=plan.seconds, tasks=tasks))
                told(1)
    finally:
        try:
            await space.clear()
        finally:
            await provider.close()
            for path in made:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
    _show(screen, rows, bench_of, as_json=as_json)
    return Exit.DONE


def _show(screen: Screen, rows: Sequence[Row], found: "_Bench", *, as_json: bool) -> None:
    if as_json:
        stampede = {"rounds": found.rounds, "loads": found.loads, "callers": MANY}
        screen.write_json({"rows": [row.as_dict() for row in rows], "stampede": stampede})
        return
    loads = found.loads / found.rounds if found.rounds else 0.0
    caption = (
        f"{MANY} callers of a missing key caused {loads:.4g} load{'' if loads == 1 else 's'} of {time_text(_LOAD)}.\n"
        f"Calls under {time_text(_SHORT)} were timed {_GROUP} at a time."
    )
    columns = ("call", "calls", "calls/s", "median", "99 in 100 within")
    screen.show(of_pairs(columns, [row.cells() for row in rows], caption))


class _Bench:
    """The calls, and what they work on."""

    def __init__(self, space: Provider, plan: Plan) -> None:
        self._space = space
        self._plan = plan
        self._value = "x" * plan.size
        self._keys = [f"key:{number}" for number in range(KEYS)]
        self.rounds = 0
        self.loads = 0

    async def fill(self) -> None:
        """Store what is to be found."""
        await self._space.set_multi(dict.fromkeys(self._keys, self._value), ttl=_LIFE)

    def steps(self) -> Sequence[tuple[str, Call, int]]:
        """Give what is measured: its name, the call, and by how many tasks."""
        space, keys, tasks = self._space, self._keys, self._plan.tasks
        values = dict.fromkeys(keys[:MANY], self._value)
        return (
            ("get, a hit", lambda number: space.get(keys[number % KEYS]), 1),
            ("get, a miss", lambda number: space.get(f"none:{number % KEYS}"), 1),
            ("set", lambda number: space.set(keys[number % KEYS], self._value, _LIFE), 1),
            ("increment", lambda _: space.increment("counter", ttl=_LIFE), 1),
            (f"get, {tasks} tasks", lambda number: space.get(keys[number % KEYS]), tasks),
            (f"set, {tasks} tasks", lambda number: space.set(keys[number % KEYS], self._value, _LIFE), tasks),
            (f"get_multi of {MANY}", lambda _: space.get_multi(keys[:MANY]), 1),
            (f"set_multi of {MANY}", lambda _: space.set_multi(values, _LIFE), 1),
            (f"{MANY} callers of a missing key", self._stampede, 1),
        )

    async def _stampede(self, number: int) -> None:
        async def load() -> str:
            self.loads += 1
            await asyncio.sleep(_LOAD)
            return self._value

        key = f"stampede:{number}"
        await asyncio.gather(*(self._space.get_or_set(key, load, _LIFE) for _ in range(MANY)))
        self.rounds += 1


async def measure(name: str, call: Call, *, seconds: float, tasks: int) -> Row:
    """Make calls for `seconds` by so many tasks, at least one each, and give what they took."""
    start = stopwatch()
    await call(0)
    group = _GROUP if stopwatch() - start < _SHORT else 1
    times: list[float] = []
    numbers = iter(range(1, 2**62))
    start = stopwatch()

    async def work() -> None:
        while True:
            before = stopwatch()
            for _ in range(group):
                await call(next(numbers))
            after = stopwatch()
            times.append((after - before) / group)
            if after - start >= seconds:
                return
            if group > 1:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as workers:
        for _ in range(tasks):
            workers.create_task(work(), name="aiocache-kit bench")
    took = stopwatch() - start
    times.sort()
    return Row(
        name=name,
        calls=len(times) * group,
        seconds=took,
        median=times[len(times) // 2],
        p99=times[min(int(len(times) * 0.99), len(times) - 1)],
    )
