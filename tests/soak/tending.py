"""One task that uses one provider at random, and looks whether it answers as it must.

Rule 1: the keys of a task are changed by nobody else, so that each answer can be judged.
Rule 2: a call may be cancelled at any moment, and may fail where servers can: both leave the key unsure. So does a
change that a hierarchy keeps for a layer that did not answer: the layer may have been told, and do it later.
Rule 3: what is neither an answer nor an error of the package is wrong.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Final

from aiocache_kit import MISSING, CacheError, NotFoundError, Provider, SystemClock
from aiocache_kit.storage.layered import LayeredStorage
from tests.soak.model import Register, State, number_in, value_of
from tests.soak.subjects import Subject

CLOCK: Final = SystemClock()
KEYS: Final = 12
PAUSE: Final = 0.03
"""Seconds between two calls of a task, in the mean."""
CANCELLED: Final = 0.03
"""The share of calls that are cancelled."""
SHORT: Final = 0.5
"""Seconds that short-lived values live."""
CATCHING_UP: Final = 5.0
"""Seconds that a hierarchy takes, at most, to tell its lowest layer what that has missed."""
LATE: Final = 0.1
"""Seconds by which processes may differ about the time."""


class Tally:
    """What a process has seen."""

    def __init__(self, undone: Callable[[], list[float]]) -> None:
        """Begin with nothing; `undone` gives when copies took the place of servers."""
        self.calls: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.cancelled = 0
        self.wrong: list[str] = []
        self.counted: Counter[str] = Counter()
        """Increments that were answered, by subject."""
        self.unsure: Counter[str] = Counter()
        """Increments that may have been made."""
        self.undone = undone


class Cancelled(Exception):  # noqa: N818  - it is no error: we did it
    """Raised in the place of `CancelledError`, which is not ours alone."""


class Tending:
    """One task, with its keys."""

    def __init__(self, name: str, subject: Subject, cache: Provider, who: str, tally: Tally) -> None:
        """Use `cache` as `who`."""
        self._name, self._subject, self._cache, self._who, self._tally = name, subject, cache, who, tally
        self._random = Random(f"{who} {name}")  # noqa: S311  - a run can be repeated
        self._registers = {f"{who}:{number}": Register(subject.may_vanish) for number in range(KEYS)}
        self._number = 0
        self._loading: Counter[str] = Counter()
        self._heard: set[float] = set()
        self._acts: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._get, 34),
            (self._set, 25),
            (self._delete, 6),
            (self._many, 8),
            (self._conditions, 8),
            (self._update, 4),
            (self._invalidate, 3),
            (self._load, 8),
            (self._short, 4),
        ]

    async def until(self, end: float) -> None:
        """Go on until that instant."""
        acts, weights = zip(*self._acts, strict=True)
        while time.monotonic() < end:
            await CLOCK.sleep(self._random.expovariate(1 / PAUSE))
            act = self._random.choices(acts, weights)[0]
            try:
                await act()
            except Cancelled:
                self._tally.cancelled += 1
            except CacheError as error:
                self._tally.failed[type(error).__name__] += 1
                if self._subject.is_own:
                    self._is_wrong(f"{act.__name__}: {error!r}")
            except Exception as error:  # noqa: BLE001  - rule 3
                self._is_wrong(f"{act.__name__}: {error!r}")

    def _is_wrong(self, what: str) -> None:
        self._tally.wrong.append(f"{self._name}, {self._who}: {what}")

    async def _call(self, calling: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  - what it gives
        """Give what a call gives; some are cancelled."""
        self._tally.calls[self._name] += 1
        if self._random.random() >= CANCELLED:
            return await calling
        task: asyncio.Task[Any] = asyncio.create_task(calling)  # ends in this call
        await asyncio.wait([task], timeout=self._random.choice([0, 0, 0.0002, 0.001, 0.005]))
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            raise Cancelled
        return task.result()

    def _queued(self) -> int:
        """Give how many changes a hierarchy has taken that its lowest layer did not answer."""
        storage = self._cache._core.storage
        return storage._lowest.pending.queued if isinstance(storage, LayeredStorage) else 0

    async def _change(self, calling: Coroutine[Any, Any, Any], states: dict[str, State]) -> Any:  # noqa: ANN401  - as above
        """Make a change that leaves keys in these states; where it fails, or was not answered below, they may be."""
        queued = self._queued()
        try:
            answer = await self._call(calling)
        except BaseException:
            for key, state in states.items():
                self._registers[key].failed(time.monotonic(), state)
            raise
        for key, state in states.items():
            if self._queued() != queued:
                self._registers[key].failed(time.monotonic() + CATCHING_UP, state)
            self._registers[key].done(time.monotonic(), state)
        return answer

    def _judge(self, act: str, key: str, value: object) -> None:
        register = self._registers[key]
        try:
            state = number_in(key, value)
        except (ValueError, KeyError) as error:
            self._is_wrong(f"{act}: {error}")
            return
        if register.allows(state):
            return
        if self._subject.is_replaced:
            for begun in self._tally.undone():
                if begun not in self._heard:
                    self._heard.add(begun)
                    for each in self._registers.values():
                        each.undone(begun)
        if not register.allows(state):
            self._is_wrong(
                f"{act}: {key} gave {state}, not {register.sure} nor {[each for _, each in register.unsure]}"
            )

    def _key(self) -> str:
        return self._random.choice(list(self._registers))

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _value(self, key: str, number: int) -> dict[str, Any]:
        return value_of(key, number, self._random.choice([0, 30, 300, 3000]))

    async def _get(self) -> None:
        key = self._key()
        self._judge("get", key, await self._call(self._cache.get(key, MISSING)))

    async def _set(self) -> None:
        key, number = self._key(), self._next()
        tags = [f"tag of {key}"] if self._random.random() < 0.5 else []
        await self._change(self._cache.set(key, self._value(key, number), tags=tags), {key: number})

    async def _delete(self) -> None:
        key = self._key()
        await self._change(self._cache.delete(key), {key: None})

    async def _invalidate(self) -> None:
        """Give a key a value with a tag, and take it away by the tag."""
        key, number = self._key(), self._next()
        await self._change(self._cache.set(key, self._value(key, number), tags=["doomed", key]), {key: number})
        await self._change(self._cache.invalidate_tags(key), {key: None})
        self._judge("get after invalidate_tags", key, await self._call(self._cache.get(key, MISSING)))

    async def _many(self) -> None:
        keys = self._random.sample(list(self._registers), 5)
        numbers = {key: self._next() for key in keys}
        if self._random.random() < 0.4:
            values = {key: self._value(key, number) for key, number in numbers.items()}
            await self._change(self._cache.set_multi(values), {**numbers})
        found = await self._call(self._cache.get_multi(keys))
        for key in keys:
            self._judge("get_multi", key, found.get(key, MISSING))

    async def _conditions(self) -> None:
        """Store where nothing is, where something is, and over a version."""
        key, number = self._key(), self._next()
        act = self._random.choice([self._cache.add, self._cache.replace])
        before = self._registers[key]
        try:
            done = await self._call(act(key, self._value(key, number)))
        except BaseException:
            before.failed(time.monotonic(), number)
            raise
        if done:
            before.done(time.monotonic(), number)
        try:
            item = await self._call(self._cache.get_item(key))
        except NotFoundError:
            return
        self._judge("get_item", key, item.value)
        number = self._next()
        try:
            done = await self._call(self._cache.compare_and_set(key, self._value(key, number), item.version))
        except BaseException:
            before.failed(time.monotonic(), number)
            raise
        if done:
            before.done(time.monotonic(), number)

    async def _update(self) -> None:
        key, number = self._key(), self._next()

        def change(value: object) -> dict[str, Any]:
            self._judge("update", key, MISSING if value is None else value)
            return self._value(key, number)

        await self._change(self._cache.update(key, change, default=None), {key: number})

    async def _load(self) -> None:
        """Load what nobody changes by hand: one load at a time, and the value is that of the key."""
        key = f"{self._who}:loaded:{self._random.randrange(3)}"

        async def load() -> dict[str, Any]:
            self._loading[key] += 1
            try:
                if self._loading[key] > 1:
                    self._is_wrong(f"{key} is loaded {self._loading[key]} times at once")
                await CLOCK.sleep(self._random.choice([0, 0.001, 0.02]))
                return self._value(key, self._next())
            finally:
                self._loading[key] -= 1

        policy: dict[str, Any] = {"refresh_ahead": 0.5, "stale_while_revalidate": 0.3, "jitter": 0.1}
        given = policy if self._random.random() < 0.5 else {}
        callers: list[Coroutine[Any, Any, Any]] = [
            self._cache.get_or_set(key, load, SHORT, **given) for _ in range(self._random.choice([1, 1, 4]))
        ]
        for answer in await asyncio.gather(*map(self._call, callers), return_exceptions=True):
            if not isinstance(answer, BaseException):
                number_in(key, answer)
            elif not isinstance(answer, Cancelled):
                raise answer

    async def _short(self) -> None:
        """Store what lives shortly; it is never given after that."""
        key = f"{self._who}:short"
        number = self._next()
        await self._call(self._cache.set(key, number, SHORT))
        until = time.time() + SHORT
        await CLOCK.sleep(self._random.choice([0.0, SHORT * 0.9, SHORT * 1.3]))
        begun = time.time()
        value = await self._call(self._cache.get(key))
        if value is not None and begun > until + LATE:
            self._is_wrong(f"{key} was given {begun - until:.3f} s after its end")
