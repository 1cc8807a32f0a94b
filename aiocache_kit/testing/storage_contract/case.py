"""What the checks of a storage share."""

from typing import TypeVar

from aiocache_kit.errors import StorageError
from aiocache_kit.item import Item
from aiocache_kit.storage.base import Capabilities, Storage
from aiocache_kit.testing.contract import Contract, made
from aiocache_kit.testing.given import Given

T = TypeVar("T")


class StorageCase(Given, Contract):
    """A storage, open and empty, for each check."""

    store: Storage
    """The storage of this check."""

    async def set_up(self) -> None:
        """Open a storage."""
        self.store = await made(self.storage(self.clock))
        self.store.clock = self.clock
        await self.store.open()

    async def tear_down(self) -> None:
        """Close it."""
        await self.store.close()

    async def beside(self) -> Storage | None:
        """Open one more while the first is open; None where that is refused, as only who shares nothing may do."""
        other = await self.another()
        try:
            await other.open()
        except StorageError:
            assert not self.store.capabilities.shared
            await other.close()
            return None
        return other

    async def heard(self) -> None:
        """Let the storage hear what another one has done, if it has to be told."""
        await self.store.ping()
        await self.settle()

    async def another(self) -> Storage:
        """Give one more over the same items, not open yet; one without items where the storage says neither."""
        found = self.again(self.clock)
        if found is None:
            self.must_share_nothing()
            found = self.storage(self.clock)
        following = await made(found)
        following.clock = self.clock
        return following

    @property
    def able(self) -> Capabilities:
        """What the storage can do."""
        return self.store.capabilities

    def item(
        self,
        key: str = "k",
        value: object = "v",
        ttl: float | None = None,
        *,
        stale_for: float = 0.0,
        tags: tuple[str, ...] = (),
        cost: int | None = None,
    ) -> Item[object]:
        """Make an item to write now, fresh for `ttl` seconds and stale for `stale_for` more."""
        now = self.clock.time()
        expiration = None if ttl is None else now + ttl
        return Item(
            key=key,
            value=value,
            ttl=ttl,
            expiration=expiration,
            tags=tags,
            cost=cost,
            created_at=now,
            stale_until=expiration + stale_for if expiration is not None and stale_for else None,
        )

    async def write(self, key: str = "k", value: object = "v", ttl: float | None = None) -> None:
        """Write a plain item."""
        await self.store.write(self.item(key, value, ttl))

    async def value(self, key: str = "k") -> object:
        """Read a value, a stale one included; None where there is none."""
        item = await self.store.read(key)
        return None if item is None else item.value

    async def version(self, key: str = "k") -> int:
        """Read a version; 0 where there is no item."""
        item = await self.store.read(key)
        return 0 if item is None else item.version

    async def found(self, prefix: str = "") -> set[str]:
        """Give the keys that a scan gives, each of them once."""
        keys = [key async for key in self.store.scan(prefix)]
        assert len(keys) == len(set(keys))
        return set(keys)
