"""A storage that goes wrong when it is told to.

Rule 1: a fault strikes one call, or several in a row, counted from the moment it is ordered; before the inner storage
has heard of the call, or after it has done it, when only the answer is lost.
Rule 2: what the inner storage does not write itself but inherits from `Storage` runs here, so that each of the calls it
is made of can be struck, as over a network.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aiocache_kit.clock import Clock
from aiocache_kit.errors import InvalidArgumentError, StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.storage.agreements import SharedLocks, SharedRates
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Leases, SharedTags, Size, Storage
from aiocache_kit.storage.observer import Observer
from aiocache_kit.testing.shared_faults import FaultyLeases, FaultyLocks, FaultyRates, FaultyTags

T = TypeVar("T")

_OFFERS: Final = {"leases": Leases, "locks": SharedLocks, "rates": SharedRates, "tags": SharedTags}
"""What a storage may offer beside its own methods, by the name of the attribute."""


class Gate:
    """Where calls are held up: `reached` is set when the first one stands there, `open` lets all of them go on."""

    __slots__ = ("_opened", "reached")

    def __init__(self) -> None:
        """Start closed, with nobody there."""
        self.reached: Final = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Let those who stand here go on, and let pass whoever still comes."""
        self._opened.set()

    async def wait(self) -> None:
        """Stand here until it is open."""
        self.reached.set()
        await self._opened.wait()


@dataclass(slots=True)
class _Fault:
    act: Callable[[], Awaitable[None]]
    of: frozenset[str]
    after: bool
    skip: int
    """Calls to let through before it strikes."""
    times: float
    """Calls it still strikes."""

    def strikes(self, method: str) -> bool:
        """Count a call, and say whether this is one to strike."""
        if (self.of and method not in self.of) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class _Orders:
    faults: list[_Fault] = field(default_factory=list[_Fault])
    gates: list[Gate] = field(default_factory=list[Gate])


class FaultyStorage(Storage):
    """The storage `inner`, with faults: `fail`, `hold` and `cancel` order them, `heal` takes them back.

    `at` counts from 1, among the calls to come of the methods named by `of` (none: of all). A fault strikes `times`
    calls in a row (None: all from then on), and comes `after` the inner storage has done its part, or before. What the
    storage offers for the sake of other processes is named with a dot, as in "leases.take" or "locks.release".
    """

    capabilities: Capabilities
    name: str
    clock: Clock

    def __init__(self, inner: Storage, *, turns: bool = False) -> None:
        """Work as `inner` does; with `turns`, every call gives the event loop a turn before and after."""
        self.inner = inner
        self.capabilities = inner.capabilities
        self.name = inner.name
        self.clock = inner.clock
        self.calls: list[str] = []
        """The methods called so far, in order."""
        self.leases: Leases | None = None if inner.leases is None else FaultyLeases(inner.leases, self._call)
        self.locks: SharedLocks | None = None if inner.locks is None else FaultyLocks(inner.locks, self._call)
        self.rates: SharedRates | None = None if inner.rates is None else FaultyRates(inner.rates, self._call)
        self.tags: SharedTags | None = None if inner.tags is None else FaultyTags(inner.tags, self._call)
        self._turns = turns
        self._orders = _Orders()

    # --- orders ------------------------------------------------------------------------------------------------------

    def fail(
        self,
        error: BaseException | type[BaseException] = StorageUnavailableError,
        *,
        at: int = 1,
        times: int | None = 1,
        of: Iterable[str] = (),
        after: bool = False,
    ) -> None:
        """Raise `error`."""

        async def act() -> None:
            raise error

        self._order(act, at, times, of, after=after)

    def hold(self, *, at: int = 1, times: int | None = 1, of: Iterable[str] = (), after: bool = False) -> Gate:
        """Hold the calls up at a gate, and give it."""
        gate = Gate()
        self._orders.gates.append(gate)
        self._order(gate.wait, at, times, of, after=after)
        return gate

    def cancel(self, *, at: int = 1, times: int | None = 1, of: Iterable[str] = (), after: bool = False) -> None:
        """Cancel the task that makes the call, which then never comes back from it."""
        self._order(_cancel_this_task, at, times, of, after=after)

    def heal(self) -> None:
        """Take all orders back, and let go whoever is held up."""
        for gate in self._orders.gates:
            gate.open()
        self._orders = _Orders()

    def _order(
        self, act: Callable[[], Awaitable[None]], at: int, times: int | None, of: Iterable[str], *, after: bool
    ) -> None:
        if at < 1 or (times is not None and times < 1):
            raise InvalidArgumentError(f"at and times must be 1 or more, not {at} and {times}")
        if isinstance(of, str):
            raise InvalidArgumentError("of must be a collection of names of methods, not a str")
        methods = frozenset(of)
        for name in methods:
            offer, _, method = name.rpartition(".")
            if not callable(getattr(_OFFERS.get(offer) if offer else Storage, method, None)):
                raise InvalidArgumentError(f"of names {name!r}, and a storage has no method of that name")
        self._orders.faults.append(_Fault(act, methods, after, at - 1, float("inf") if times is None else times))

    async def _call(self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(method)
        struck = [fault for fault in self._orders.faults if fault.strikes(method)]
        await self._strike(struck, after=False)
        result = await call()
        await self._strike(struck, after=True)
        return result

    async def _strike(self, struck: list[_Fault], *, after: bool) -> None:
        if self._turns:
            await asyncio.sleep(0)
        for fault in struck:
            if fault.after is after:
                await fault.act()

    def _inherits(self, method: str) -> bool:
        return getattr(type(self.inner), method) is getattr(Storage, method)

    # --- the five ----------------------------------------------------------------------------------------------------

    async def read(self, key: str) -> Item[object] | None:
        """Read from the inner storage."""
        return await self._call("read", lambda: self.inner.read(key))

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write to the inner storage."""
        return await self._call("write", lambda: self.inner.write(item, condition))

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove from the inner storage."""
        return await self._call("remove", lambda: self.inner.remove(key, condition))

    async def clear(self, prefix: str = "") -> None:
        """Clear the inner storage."""
        await self._call("clear", lambda: self.inner.clear(prefix))

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Scan the inner storage; a fault that comes after comes when all keys were given."""
        self.calls.append("scan")
        struck = [fault for fault in self._orders.faults if fault.strikes("scan")]
        await self._strike(struck, after=False)
        async for key in self.inner.scan(prefix):
            yield key
        await self._strike(struck, after=True)

    # --- what a storage may override ---------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the inner storage, which gets the clock of this one."""
        self.inner.clock = self.clock
        await self._call("open", self.inner.open)

    async def close(self) -> None:
        """Close the inner storage; also where the call is to fail or is cancelled, so that nothing is left open."""
        try:
            await self._call("close", self.inner.close)
        except BaseException:
            await self.inner.close()
            raise

    async def size(self) -> Size:
        """Give the size of the inner storage."""
        return await self._call("size", self.inner.size)

    def observe(self, observer: Observer) -> None:
        """Tell of what happens inside, and of calls that were made to fail."""
        super().observe(observer)
        self.inner.observe(observer)

    async def tidy(self) -> None:
        """Tidy the inner storage."""
        await self._call("tidy", self.inner.tidy)

    async def sync(self) -> None:
        """Let the inner storage write out."""
        await self._call("sync", self.inner.sync)

    async def ping(self) -> None:
        """Ping the inner storage."""
        await self._call("ping", self.inner.ping)

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Read from the inner storage."""
        if self._inherits("read_multi"):
            return await super().read_multi(keys)
        return await self._call("read_multi", lambda: self.inner.read_multi(keys))

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Write to the inner storage."""
        if self._inherits("write_multi"):
            await super().write_multi(items)
        else:
            await self._call("write_multi", lambda: self.inner.write_multi(items))

    async def remove_multi(self, keys: Iterable[str]) -> int:
        """Remove from the inner storage."""
        if self._inherits("remove_multi"):
            return await super().remove_multi(keys)
        return await self._call("remove_multi", lambda: self.inner.remove_multi(keys))

    async def increment(self, item: Item[int], delta: int) -> int:
        """Count in the inner storage."""
        if self._inherits("increment"):
            return await super().increment(item, delta)
        return await self._call("increment", lambda: self.inner.increment(item, delta))

    async def touch(self, item: Item[None]) -> bool:
        """Move an end in the inner storage."""
        if self._inherits("touch"):
            return await super().touch(item)
        return await self._call("touch", lambda: self.inner.touch(item))

    async def expire(self, key: str) -> bool:
        """Expire in the inner storage."""
        if self._inherits("expire"):
            return await super().expire(key)
        return await self._call("expire", lambda: self.inner.expire(key))


async def _cancel_this_task() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()
    await asyncio.sleep(0)
