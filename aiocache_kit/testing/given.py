"""What is given to the contracts of storages and of providers: the storages to check, made by who wrote them."""

from abc import abstractmethod
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from aiocache_kit.storage.base import Capabilities, Storage
from aiocache_kit.testing.clock import FakeClock

T = TypeVar("T")


class Given:
    """Storages, and what may be expected of them."""

    def storage(self, clock: FakeClock) -> Storage | Awaitable[Storage]:
        """Give a new, empty storage that is not open yet; `clock` will be its clock.

        To be overridden, unless `provider` is, where providers are checked.
        """
        raise NotImplementedError("override storage(clock), or provider(clock) where providers are checked")

    def again(self, clock: FakeClock) -> Storage | Awaitable[Storage] | None:
        """Give one more storage over the items of the one that `storage` gave last, not open yet.

        To be overridden where storages say that they are `persistent` or `shared`, since they have to prove it. None:
        they say neither, so that one more of them has to be empty.
        """
        del clock
        return None

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | Awaitable[Storage] | None:
        """Give a new storage that holds at most `entries` items and `size` bytes; one of the two is None, no bound.

        To be overridden where storages say that they are `bounded`, since they have to prove it. None: they have no
        bound of that kind.
        """
        del clock, entries, size
        return None

    @property
    @abstractmethod
    def able(self) -> Capabilities:
        """What the storage of this check can do."""
        raise NotImplementedError

    def must_share_nothing(self) -> None:
        """Fail a storage that says that others see its items, or that they outlive it, and gives no second one."""
        proves = "a storage that says so proves it: override again(clock)"
        assert not self.able.persistent | self.able.shared, proves

    @property
    def stores(self) -> bool:
        """Whether anything is kept at all."""
        return self.able.stores

    @property
    def counts_alone(self) -> bool:
        """Whether nobody but this process counts the time, so that wall clocks mean nothing."""
        return not (self.able.shared or self.able.persistent)

    def kept(self, value: T, otherwise: T) -> T:
        """Give `value` where the storage keeps anything, `otherwise` where it forgets all."""
        return value if self.stores else otherwise

    def those(self, keys: Iterable[str]) -> set[str]:
        """Give `keys`, or none where the storage forgets all."""
        return set(keys) if self.stores else set()
