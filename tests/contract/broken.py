"""Storages and providers with a mistake that only the contract of providers can see, for the tests of that contract.

Rule: a provider with a mistake is a provider with something in front of it, since nobody derives from `Provider`.
"""

import asyncio
import inspect
from collections.abc import Collection
from typing import Any, Final, TypeAlias

from aiocache_kit import Item, NotFoundError, Provider
from aiocache_kit.errors import CacheError
from aiocache_kit.provider import LoadContext
from aiocache_kit.stats import Stats
from aiocache_kit.storage.agreements import SharedLocks
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Grant, Leases, Size, Storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.contract import Contract
from tests.contract.test_own_storage import DictStorage

Anything: TypeAlias = Any
"""What a provider takes and gives, for who stands in front of it."""

# --- storages --------------------------------------------------------------------------------------------------------


class FreeForAll(SharedLocks):
    """Locks that everybody gets."""

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Give it."""
        del name, token, ttl
        return 1

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Say that it is extended."""
        del name, token, ttl
        return True

    async def release(self, name: str, token: str) -> bool:
        """Say that it is free."""
        del name, token
        return True


class Occupied(FreeForAll):
    """Locks that nobody gets twice, since they are not given back."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    async def acquire(self, name: str, token: str, ttl: float) -> int | None:
        """Give it once."""
        if name in self.taken:
            return None
        self.taken.add(name)
        return await super().acquire(name, token, ttl)


class Fleeting(FreeForAll):
    """Locks that are lost at once."""

    async def extend(self, name: str, token: str, ttl: float) -> bool:
        """Say that it was lost."""
        del name, token, ttl
        return False

    async def release(self, name: str, token: str) -> bool:
        """Say so here as well."""
        del name, token
        return False


class GivesLocksToAll(DictStorage):
    """Excludes nobody who comes from elsewhere."""

    capabilities = Capabilities(by_reference=True, shared=True, locks=True)

    def __init__(self) -> None:
        super().__init__()
        self.locks = FreeForAll()


class KeepsLocks(DictStorage):
    """Gives no lock back."""

    def __init__(self) -> None:
        super().__init__()
        self.locks = Occupied()


class LosesLocks(DictStorage):
    """Extends no lock."""

    def __init__(self) -> None:
        super().__init__()
        self.locks = Fleeting()


class LeasesToAll(Leases):
    """Leases that everybody gets, and that nothing ends."""

    ttl = 10.0

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        """Give one for each key."""
        del tags, anew
        return {key: Grant(lease=key) for key in keys}

    async def extend(self, key: str, lease: str) -> bool:
        """Say that it is extended."""
        return key == lease

    async def drop(self, key: str, lease: str) -> None:
        """Keep it."""


class LetsAllLoad(DictStorage):
    """Is shared by nobody, and gives leases that are worth nothing."""

    capabilities = Capabilities(by_reference=True, shared=True, leases=True)

    def __init__(self) -> None:
        super().__init__()
        self.leases = LeasesToAll()

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write, under any lease."""
        return await super().write(item, ALWAYS if condition.lease else condition)


class BoundedByOneMore(DictStorage):
    """Holds one item more than it may, and knows nothing of bytes."""

    def __init__(self, entries: int | None = 1000) -> None:
        super().__init__()
        self.entries = entries
        self.evictions = 0
        self.capabilities = Capabilities(by_reference=True, bounded=True)

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write, and let the oldest go."""
        done = await super().write(item, condition)
        while self.entries is not None and len(self.kept) > self.entries + 1:
            del self.kept[next(iter(self.kept))]
            self.evictions += 1
        return done

    async def size(self) -> Size:
        """Count."""
        return Size(items=len(self.kept), bytes=1000 * len(self.kept), evictions=self.evictions)


# --- providers -------------------------------------------------------------------------------------------------------


class InFront:
    """Does what the provider behind it does."""

    def __init__(self, provider: Provider) -> None:
        self.provider: Anything = provider

    def __getattr__(self, name: str) -> Anything:
        return getattr(self.provider, name)

    def __repr__(self) -> str:
        return repr(self.provider)

    async def __aenter__(self) -> Anything:
        await self.provider.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool:
        await self.provider.__aexit__(*error)
        return False


class _Hides(InFront):
    hidden: type[Exception]

    def __getattr__(self, name: str) -> Anything:
        method = super().__getattr__(name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def call(*args: object, **options: object) -> object:
            try:
                return await method(*args, **options)
            except self.hidden:
                return None

        return call


class TakesAnything(_Hides):
    """Does nothing where it is asked for nonsense, and says nothing."""

    hidden: type[Exception] = ValueError

    def namespace(self, name: str) -> Anything:
        """Give itself for a name that is none."""
        try:
            return self.provider.namespace(name)
        except ValueError:
            return self

    def lock(self, *args: Anything, **options: Anything) -> Anything:
        """Lock something else."""
        try:
            return self.provider.lock(*args, **options)
        except ValueError:
            return self.provider.lock("k")


class HidesErrors(_Hides):
    """Gives None where something goes wrong."""

    hidden: type[Exception] = Exception

    async def __aexit__(self, *error: object) -> bool:
        await super().__aexit__(*error)
        return True


class ForgetsDefaults(InFront):
    """Gives None for a miss, whatever was to be given."""

    async def get(self, key: str, default: object = None, **options: object) -> object:
        """Read."""
        del default
        return await self.provider.get(key, **options)


class TellsKeys(InFront):
    """Prints what was looked for."""

    async def get_item(self, key: str, **options: object) -> object:
        """Read."""
        try:
            return await self.provider.get_item(key, **options)
        except NotFoundError as error:
            error.args = (f"{key} is missing",)
            raise


class CountsNothing(InFront):
    """Has no figures."""

    async def ping(self) -> float:
        """Answer before it was asked."""
        return await self.provider.ping() - 100.0  # type: ignore[no-any-return]  # of whatever is in front

    async def stats(self) -> Stats:
        """Give none."""
        await self.provider.stats()
        return Stats()


class NeedsSomething(InFront):
    """Cannot do nothing."""

    async def get_multi(self, keys: Anything, **options: object) -> object:
        """Read."""
        listed = list(keys)
        if not listed:
            raise CacheError("no keys")
        return await self.provider.get_multi(listed, **options)

    async def clear(self) -> None:
        """Clear what is not clear."""
        if not [key async for key in self.provider.keys("")]:
            raise CacheError("nothing to clear")
        await self.provider.clear()


class GoesOnLoading(InFront):
    """Ends no load, whoever leaves."""

    async def get_or_set(self, *args: object, **options: object) -> object:
        """Load."""
        self.load = asyncio.create_task(self.provider.get_or_set(*args, **options))
        return await asyncio.shield(self.load)


class KeepsContexts(InFront):
    """Hears nothing of what a loader says."""

    async def get_or_set(self, key: str, loader: Anything, *args: object, **options: object) -> object:
        """Load."""
        wants = callable(loader) and not inspect.isbuiltin(loader) and bool(inspect.signature(loader).parameters)
        if not wants:
            return await self.provider.get_or_set(key, loader, *args, **options)

        async def load() -> object:
            made = loader(LoadContext(key, 600.0, (), None))
            return await made if inspect.isawaitable(made) else made

        return await self.provider.get_or_set(key, load, *args, **options)


class NeverCloses(InFront):
    """Says that it is closed."""

    async def close(self, timeout: float = 0.0) -> None:
        """Say so."""


class IsGenerous(InFront):
    """Lets one more pass than the limit says."""

    def rate_limiter(self, name: str, rate: int, **options: Anything) -> Anything:
        """Give a limiter."""
        return self.provider.rate_limiter(name, rate + 1, **options)


STORAGES: Final[dict[type[DictStorage], str]] = {
    GivesLocksToAll: "test_lock_holds_among_all_who_have_them",
    KeepsLocks: "test_error_in_the_block_gives_the_lock_back",
    LosesLocks: "test_lock_is_extended_while_it_is_held",
    LetsAllLoad: "test_one_load_among_all_who_have_leases",
    BoundedByOneMore: "test_a_bound_in_entries_holds",
}
"""Each storage with a mistake, and a check of the contract of providers that it does not pass."""
PROVIDERS: Final[dict[type[InFront], str]] = {
    TakesAnything: "test_wrong_keys_are_refused",
    HidesErrors: "test_error_of_a_sync_loader_comes_out_unchanged",
    ForgetsDefaults: "test_missing_key_gives_the_default",
    TellsKeys: "test_item_that_is_missing_is_an_error",
    CountsNothing: "test_stats_add_up",
    NeedsSomething: "test_no_keys_are_no_keys",
    GoesOnLoading: "test_last_caller_to_leave_ends_the_load",
    KeepsContexts: "test_loader_may_forbid_to_store",
    NeverCloses: "test_close_ends_loads",
    IsGenerous: "test_a_limit_lets_as_many_pass_as_it_has",
}
"""The same for providers."""


class OverOne(Contract):
    """Gives each check a storage with a mistake; a check that hangs has found something."""

    limit = 3.0
    made: type[Storage] = DictStorage

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage with the mistake."""
        del clock
        return self.made()

    def again(self, clock: FakeClock) -> Storage | None:
        """Give one more, where it says to be shared or persistent."""
        del clock
        return self.made() if self.made.capabilities.shared or self.made.capabilities.persistent else None

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> Storage | None:
        """Give one with a bound, where there is such a one."""
        del clock, size
        return self.made(entries) if issubclass(self.made, BoundedByOneMore) else None


class OfStorages(OverOne, StorageContract):
    """The contract of storages over one of these, or of its own file."""

    __test__ = False


class OfProviders(OverOne, ProviderContract):
    """The contract of providers over one of these, with something in front of the provider."""

    __test__ = False
    wrapped: type[InFront] = InFront

    def over(self, storage: Storage, clock: FakeClock) -> Anything:
        """Give the provider, with the mistake in front of it."""
        return self.wrapped(super().over(storage, clock))


def checked(made: type[Storage] = DictStorage, wrapped: type[InFront] = InFront) -> OfProviders:
    """Give the contract of providers over a storage, with something in front of the provider."""
    contract = OfProviders()
    contract.made, contract.wrapped = made, wrapped
    return contract


def checked_storage(made: type[Storage]) -> OfStorages:
    """Give the contract of storages over a storage."""
    contract = OfStorages()
    contract.made = made
    return contract
