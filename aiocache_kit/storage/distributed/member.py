"""`Node`, what users name, and `Member`, a node at work: with its health, and with what it has missed.

Rule 1: a member that is out is not called by anybody but its nurse (`recovery`).
Rule 2: what a node answers with an error of the caller's own making (a value that is too large, say) is an answer. A
`StorageError`, and no answer in time, is a failure. A node that answered nobody for the whole of that time is out at
once; others are after some failures, as its circuit breaker says.
Rule 3: a node that missed more than single keys is out until it was made up for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, TypeAlias, TypeVar

from aiocache_kit.errors import CacheError, InvalidArgumentError, StorageError, StorageUnavailableError
from aiocache_kit.item import Item
from aiocache_kit.management.circuit_breaker import CircuitBreaker, CircuitState
from aiocache_kit.stats import Stats
from aiocache_kit.storage.base import Size, Storage
from aiocache_kit.storage.distributed.missed import Missed
from aiocache_kit.storage.distributed.patience import Patience
from aiocache_kit.storage.observer import Observer

T = TypeVar("T")
_TAG_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Node:
    """One place of a distributed storage: a storage, which nobody else uses, under a name.

    The name says which keys lie there, so it stays what it is when the address changes, and another node never gets it.
    A node of weight 2 holds twice as many keys as one of weight 1.
    """

    name: str
    """Not empty, and no other node's."""
    storage: object
    """A `Storage`; to `new_distributed`, also a `Config` or a URL."""
    weight: float = 1.0
    """From 0.01 to 100. `new_distributed` raises `InvalidArgumentError` for another one."""


class Member:
    """A node at work."""

    __slots__ = (
        "_idle",
        "_last_answer",
        "_on_trouble",
        "breaker",
        "errors",
        "in_flight",
        "is_cold",
        "is_in",
        "is_open",
        "lacks_copies",
        "missed",
        "name",
        "patience",
        "storage",
        "tag",
    )

    def __init__(
        self, node: Node, *, timeout: float, breaker: CircuitBreaker, on_trouble: Callable[["Member"], None]
    ) -> None:
        """Begin with a node that is in, and not opened; `on_trouble` is told when it is out or has missed something."""
        if not isinstance(node.storage, Storage):
            raise InvalidArgumentError(f"storage of a node must be a Storage, not {type(node.storage).__name__}")
        self.name: Final = node.name
        self.storage: Final = node.storage
        self.tag: Final = int.from_bytes(blake2b(node.name.encode("utf-8", "surrogatepass"), digest_size=4).digest())
        """Tells the versions and leases of this node from those of others."""
        self.breaker: Final = breaker
        self.patience: Final = Patience(timeout)
        self.missed: Final = Missed()
        self.is_open: bool = False
        self.is_in: bool = True
        self.is_cold: bool = False
        """Whether other owners of its keys are asked before it, because it may lack what they have."""
        self.lacks_copies: bool = False
        """Whether it may lack what others have, in whatever order they are asked."""
        self.in_flight: int = 0
        """Calls that wait for an answer."""
        self.errors: int = 0
        """Calls that got none."""
        self._idle: asyncio.Event | None = None
        self._last_answer = 0.0
        self._on_trouble = on_trouble

    def __repr__(self) -> str:
        state = "in" if self.is_in else "out"
        return f"<Member {state}, {self.in_flight} calls under way, {self.errors} errors>"

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of this node from now on."""
        self.breaker.on_change = observer.circuit
        self.storage.observe(observer)

    def stats(self, size: Size, share: float) -> Stats:
        """Tell of the node, which holds `size` and has this share of all keys."""
        return Stats(
            size=size.bytes,
            items=size.items,
            counted=size.counted,
            evictions=size.evictions,
            expired=size.expired,
            errors=size.errors + self.errors,
            share=share,
            health=0.0 if not self.is_in else 0.5 if self.is_cold else 1.0,
            missed=self.missed.counted,
        )

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, act: Callable[[], Awaitable[T]]) -> T:
        """Give what `act`, a call of the storage, gives; any `StorageError` counts against the node."""
        began = self.patience.clock.monotonic()
        self.in_flight += 1
        try:
            result = await self.patience.within(act)
        except asyncio.CancelledError:
            raise
        except StorageError:
            self._failed(trip=False)
            raise
        except CacheError:
            self._answered()
            raise
        except TimeoutError as error:
            self._failed(trip=self._last_answer < began)
            raise StorageUnavailableError("a node did not answer in time") from error
        finally:
            self.in_flight -= 1
            if self._idle is not None and not self.in_flight:
                self._idle.set()
        self._answered()
        return result

    async def finish(self) -> None:
        """Wait until no call is under way."""
        if self.in_flight:
            self._idle = asyncio.Event()
            await self._idle.wait()

    async def close(self) -> Exception | None:
        """Close the node; give the error, since who waited for it may have left."""
        await self.patience.close()
        try:
            await self.storage.close()
        except Exception as error:  # noqa: BLE001  - the storage looks at it
            # One that cannot be reached has nothing to write out.
            return error if self.is_in or not isinstance(error, StorageError) else None
        return None

    def _answered(self) -> None:
        self._last_answer = self.patience.clock.monotonic()
        if self.is_in:
            self.breaker.succeeded(self._last_answer)

    def _failed(self, *, trip: bool) -> None:
        self.errors += 1
        if not self.is_in:
            return
        now = self.patience.clock.monotonic()
        self.breaker.failed(now)
        if trip or self.breaker.state(now) is not CircuitState.CLOSED:
            self.put_out()

    def put_out(self) -> None:
        """Call the node no more until its nurse says so."""
        if self.is_in:
            self.is_in = False
            now = self.patience.clock.monotonic()
            if self.breaker.state(now) is CircuitState.CLOSED:
                self.breaker.trip(now)
        self._on_trouble(self)

    # --- what it missed ----------------------------------------------------------------------------------------------

    def miss(self, *keys: str) -> None:
        """Note that changes of `keys` did not reach the node for certain."""
        self.miss_many(keys)

    def miss_many(self, keys: Iterable[str]) -> None:
        """Note that changes of `keys` did not reach the node for certain."""
        self.missed.note_keys(keys)
        self._look()

    def miss_clear(self, prefix: str) -> None:
        """Note that a clear did not."""
        self.missed.note_prefix(prefix)
        self._look()

    def miss_tags(self, tags: Iterable[str]) -> None:
        """Note that an invalidation did not."""
        self.missed.note_tags(tuple(tags))
        self._look()

    def miss_everything(self) -> None:
        """Trust nothing that the node holds."""
        self.missed.note_everything()
        self._look()

    def _look(self) -> None:
        if self.missed.is_wide:
            self.put_out()
        else:
            self._on_trouble(self)

    def may_answer(self, key: str) -> bool:
        """Whether the node can be asked for `key`."""
        return self.is_in and not (self.missed and self.missed.covers(key))

    # --- versions ----------------------------------------------------------------------------------------------------

    def outward(self, item: Item[object]) -> Item[object]:
        """Give an item of this node with a version that no other node gives."""
        return Item(  # `replace` would take as long as all the rest of a read from memory
            key=item.key,
            value=item.value,
            ttl=item.ttl,
            expiration=item.expiration,
            tags=item.tags,
            cost=item.cost,
            version=item.version << _TAG_BITS | self.tag,
            created_at=item.created_at,
            stale_until=item.stale_until,
            is_stale=item.is_stale,
            validators=item.validators,
        )

    def inward(self, version: int) -> int | None:
        """Give this node's own version for an outward one; None where it is of another node."""
        return version >> _TAG_BITS if version & ((1 << _TAG_BITS) - 1) == self.tag else None


Outcome: TypeAlias = tuple[T | None, Exception | None]
"""What a call gave, or what it raised."""


async def side_by_side(calls: Sequence[tuple[Member, Callable[[], Awaitable[T]]]]) -> list[Outcome[T]]:
    """Make calls of members at the same time, and give how each ended, in order. No error ends the other calls."""

    async def call(member: Member, act: Callable[[], Awaitable[T]]) -> Outcome[T]:
        try:
            return await member.call(act), None
        except Exception as error:  # noqa: BLE001  - the caller looks at it
            return None, error

    if len(calls) <= 1:
        return [await call(*each) for each in calls]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(member, act)) for member, act in calls]
    return [task.result() for task in tasks]


def together(sizes: Collection[Size]) -> Size:
    """Add up what nodes hold; it is known if any of them knows."""
    return Size(
        items=sum(size.items for size in sizes),
        bytes=sum(size.bytes for size in sizes),
        evictions=sum(size.evictions for size in sizes),
        expired=sum(size.expired for size in sizes),
        errors=sum(size.errors for size in sizes),
        counted=any(size.counted for size in sizes),
    )
