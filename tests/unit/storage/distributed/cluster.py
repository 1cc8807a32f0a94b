"""Nodes in memory that fail when they are told to, and a distributed storage over them."""

import asyncio
import itertools
from collections.abc import Awaitable
from random import Random
from typing import Any, Self, TypeVar

from aiocache_kit.item import Item
from aiocache_kit.storage.distributed import DistributedStorage, Node
from aiocache_kit.storage.distributed.member import Member
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage

T = TypeVar("T")


class Server(FaultyStorage):
    """A node that outlives those who use it, as a server does; nobody closes it."""

    def __init__(self) -> None:
        super().__init__(memory_storage(max_entries=10_000))
        self.capabilities = self.capabilities._replace(shared=True, by_reference=False)

    async def close(self) -> None:
        """Stay."""


class Cluster:
    """Some nodes, and a storage over them."""

    def __init__(self, count: int = 3, *, clock: FakeClock | None = None, **options: Any) -> None:  # noqa: ANN401  - each of its own type
        self.clock = FakeClock() if clock is None else clock
        self.nodes: dict[str, FaultyStorage] = {
            f"node-{each}": FaultyStorage(memory_storage(max_entries=10_000)) for each in range(count)
        }
        self.storage = self.over(**options)

    def over(self, **options: Any) -> DistributedStorage:  # noqa: ANN401  - as above
        """Make a storage over the nodes."""
        settings: dict[str, Any] = {"random": Random(0), **options}  # noqa: S311  - to repeat a run
        storage = DistributedStorage([Node(name, node) for name, node in self.nodes.items()], **settings)
        storage.clock = self.clock
        return storage

    async def __aenter__(self) -> Self:
        """Open."""
        await self.storage.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Heal and close."""
        for node in self.nodes.values():
            node.heal()
        await self.storage.close()

    def owners(self, key: str) -> list[FaultyStorage]:
        """Give the nodes of a key, the first one first."""
        return [self.nodes[member.name] for member in self.members(key)]

    def members(self, key: str) -> list[Member]:
        """Give them as the storage sees them."""
        return list(self.storage._nodes.owners(key))

    def keys_of(self, node: FaultyStorage, count: int = 5) -> list[str]:
        """Give keys that belong to a node first."""
        mine = (key for number in itertools.count() if self.owners(key := f"k{number}")[0] is node)
        return list(itertools.islice(mine, count))

    async def set(self, key: str, value: object) -> None:
        """Write."""
        await self.storage.write(self.item(key, value))

    async def get(self, key: str) -> object:
        """Read; None where nothing is."""
        item = await self.storage.read(key)
        return None if item is None else item.value

    def item(self, key: str, value: object, ttl: float | None = None) -> Item[Any]:
        """Make an item."""
        now = self.clock.time()
        return Item(
            key=key, value=value, ttl=ttl, expiration=None if ttl is None else now + ttl, created_at=self.clock.time()
        )

    async def wait(self, call: Awaitable[T], seconds: float = 0.5) -> T:
        """Give what a call gives after so much time."""
        task = asyncio.ensure_future(call)  # noqa: TID251  - awaited below
        await self.clock.advance(seconds)
        assert task.done()
        return await task
