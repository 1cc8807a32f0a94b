"""The contracts are worth something: a storage with one mistake does not pass, and the check that fails names it."""

import asyncio
import fnmatch
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import ClassVar

import pytest

from aiocache_kit import Item
from aiocache_kit.errors import CacheError
from aiocache_kit.storage.base import ALWAYS, Capabilities, Condition, Kept, Storage
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.storage_contract.lasting import Lasting
from tests.contract import broken
from tests.contract.test_own_storage import DictStorage


class TakesFalseForMissing(DictStorage):
    """Asks whether there is a value by asking whether it is true."""

    async def read(self, key: str) -> Item[object] | None:
        """Read."""
        item = await super().read(key)
        return item if item is not None and item.value else None


class NeverExpires(DictStorage):
    """Forgets the ttl."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, ttl=None), condition)


class CountsWholeSeconds(DictStorage):
    """Rounds the ttl up to seconds."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, ttl=None if item.ttl is None else math.ceil(item.ttl)), condition)


class TrustsTheWallClock(DictStorage):
    """Compares the expiration with the time of day."""

    async def read(self, key: str) -> Item[object] | None:
        """Read."""
        item = self.kept[key].item if key in self.kept else None
        over = item is not None and item.expiration is not None and self.clock.time() >= item.expiration
        return None if over else item


class DropsStaleItems(DictStorage):
    """Takes what is stale for dead."""

    async def read(self, key: str) -> Item[object] | None:
        """Read."""
        item = await super().read(key)
        return None if item is None or item.is_stale else item


class IgnoresConditions(DictStorage):
    """Writes in any case."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        del condition
        return await super().write(item)


class IgnoresConditionsOfRemovals(DictStorage):
    """Removes in any case."""

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove."""
        del condition
        return await super().remove(key)


class LooksThenLeaps(DictStorage):
    """Lets others come between the look and the write."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        if not condition.holds(await self.read(item.key)):
            return False
        await asyncio.sleep(0)
        return await super().write(item)


class KeepsOneVersion(DictStorage):
    """Never changes the version."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        self.version = 0
        return await super().write(item, condition)


class ForgetsVersions(DictStorage):
    """Counts versions anew after a clear."""

    async def clear(self, prefix: str = "") -> None:
        """Clear."""
        await super().clear(prefix)
        self.version = 0


class SaysYesToRemovals(DictStorage):
    """Says that something went away, whatever was there."""

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove."""
        await super().remove(key, condition)
        return True


class ClearsByPattern(DictStorage):
    """Takes the prefix for a pattern."""

    async def clear(self, prefix: str = "") -> None:
        """Clear."""
        for key in fnmatch.filter(list(self.kept), f"{prefix}*"):
            del self.kept[key]


class ScansByPattern(DictStorage):
    """Takes the prefix for a pattern here."""

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Scan."""
        for key in fnmatch.filter(list(self.kept), f"{prefix}*"):
            item = await self.read(key)
            if item is not None and not item.is_stale:
                yield key


class ScansTheDead(DictStorage):
    """Gives the keys of what is no longer live."""

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Scan."""
        for key in [key for key in self.kept if key.startswith(prefix)]:
            yield key


class FoldsKeys(DictStorage):
    """Takes great and small letters for the same."""

    async def read(self, key: str) -> Item[object] | None:
        """Read."""
        return await super().read(key.casefold())

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, key=item.key.casefold()), condition)


class CutsKeys(DictStorage):
    """Looks at the beginning of a key alone."""

    async def read(self, key: str) -> Item[object] | None:
        """Read."""
        return await super().read(key[:255])

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, key=item.key[:255]), condition)


class LosesTags(DictStorage):
    """Keeps no tags."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, tags=()), condition)


class DatesItemsItself(DictStorage):
    """Puts its own date in the place of the one that came with the item."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        return await super().write(replace(item, created_at=self.clock.time()), condition)


class ClaimsToCopy(DictStorage):
    """Says that values are copies, and gives the same object."""

    capabilities = Capabilities(by_reference=False)


class TouchesNothing(DictStorage):
    """Says that the end was moved."""

    async def touch(self, item: Item[None]) -> bool:
        """Touch."""
        return await self.read(item.key) is not None


class RemovesInsteadOfExpiring(DictStorage):
    """Keeps nothing for a source that fails."""

    async def expire(self, key: str) -> bool:
        """Expire."""
        return await self.remove(key)


class CountsCarelessly(DictStorage):
    """Adds in two steps."""

    async def increment(self, item: Item[int], delta: int) -> int:
        """Increment."""
        current = await self.read(item.key)
        value = item.value if current is None else current.value
        total = value + delta if isinstance(value, int) else delta
        await asyncio.sleep(0)
        await self.write(replace(item, value=total))
        return total


class WritesInTwoSteps(DictStorage):
    """Can be cancelled when half of the work is done."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        if not condition.holds(await self.read(item.key)):
            return False
        self.version += 1
        self.kept[item.key] = Kept.from_now(replace(item, value=None, version=self.version), self.clock)
        await asyncio.sleep(0)
        self.kept[item.key] = Kept.from_now(replace(item, version=self.version), self.clock)
        return True


class LeavesATask(DictStorage):
    """Goes on working when it is closed."""

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Write."""
        self.task = asyncio.create_task(asyncio.Event().wait())
        return await super().write(item, condition)


class OutlivesTheProcess(DictStorage):
    """Keeps for the next one what it says to forget, and shows it to who is beside."""

    everything: ClassVar[dict[str, Kept]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.kept = self.everything

    async def clear(self, prefix: str = "") -> None:
        """Clear."""
        for key in [key for key in self.kept if key.startswith(prefix)]:
            del self.kept[key]


class ShowsToOthers(OutlivesTheProcess):
    """The same, but for a restart: what lies there is forgotten at a close."""

    async def close(self) -> None:
        """Close."""
        self.kept.clear()


class PromisesLocks(DictStorage):
    """Says to have what it does not offer."""

    capabilities = Capabilities(by_reference=True, locks=True)


class PromisesABound(DictStorage):
    """Says to be bounded, and is not."""

    capabilities = Capabilities(by_reference=True, bounded=True)


FAULTS: dict[type[Storage], str] = {
    TakesFalseForMissing: "test_falsy_values_are_values",
    NeverExpires: "test_item_dies_with_its_ttl",
    CountsWholeSeconds: "test_ttl_may_be_below_a_second",
    TrustsTheWallClock: "test_wall_clock_means_nothing",
    DropsStaleItems: "test_stale_item_is_read_as_such",
    IgnoresConditions: "test_write_heeds_its_condition",
    IgnoresConditionsOfRemovals: "test_remove_heeds_its_condition",
    LooksThenLeaps: "test_one_of_many_writes_if_absent_is_done",
    KeepsOneVersion: "test_versions_change_with_every_write",
    ForgetsVersions: "test_versions_grow_over_a_clear",
    SaysYesToRemovals: "test_remove_says_whether_there_was_one",
    ClearsByPattern: "test_clear_takes_its_prefix_as_it_is",
    ScansByPattern: "test_scan_takes_its_prefix_as_it_is",
    ScansTheDead: "test_scan_gives_live_keys_once",
    FoldsKeys: "test_keys_are_kept_apart",
    CutsKeys: "test_keys_are_kept_apart",
    LosesTags: "test_tags_come_back",
    DatesItemsItself: "test_creation_of_what_has_tags_comes_back_exactly",
    ClaimsToCopy: "test_values_belong_to_whom_the_capabilities_say",
    TouchesNothing: "test_touch_moves_the_end",
    RemovesInsteadOfExpiring: "test_expire_makes_stale_at_once",
    CountsCarelessly: "test_no_increment_is_lost",
    WritesInTwoSteps: "test_cancelled_write_leaves_old_or_new",
    LeavesATask: "test_write_says_yes",
    OutlivesTheProcess: "test_what_is_persistent_is_there_after_a_restart",
    ShowsToOthers: "test_what_is_not_shared_is_nobody_elses",
    PromisesLocks: "test_offers_are_what_the_capabilities_say",
    PromisesABound: "test_a_bound_is_told",
}
"""Each storage with a mistake, and the check that it does not pass."""


def failing(contract: StorageContract | ProviderContract, *names: str) -> Iterator[str]:
    """Run checks of a contract, all where none are named, and give the names of those that fail."""
    for name in names or [name for name in dir(contract) if name.startswith("test_")]:
        try:
            getattr(contract, name)()
        except (AssertionError, TimeoutError, CacheError):
            yield name


@pytest.mark.parametrize("storage", FAULTS, ids=lambda storage: storage.__name__)
def test_storage_with_a_mistake_does_not_pass(storage: type[Storage]) -> None:
    """The check that is meant for a mistake finds it."""
    assert list(failing(broken.checked_storage(storage), FAULTS[storage])) == [FAULTS[storage]]


@pytest.mark.parametrize(
    ("storage", "name"),
    [
        (broken.LetsAllLoad, "test_a_key_is_leased_once"),
        (broken.LetsAllLoad, "test_one_of_many_gets_the_lease"),
        (broken.LetsAllLoad, "test_several_keys_are_leased_at_once"),
        (broken.LetsAllLoad, "test_a_lease_ends"),
        (broken.LetsAllLoad, "test_a_change_ends_a_lease"),
        (broken.LetsAllLoad, "test_what_is_shared_is_seen_by_others"),
        (broken.BoundedByOneMore, "test_a_bound_in_entries_holds"),
        (broken.BoundedByOneMore, "test_a_bound_in_bytes_holds"),
    ],
)
def test_storage_that_offers_what_is_worth_nothing_does_not_pass(storage: type[Storage], name: str) -> None:
    """Leases, sharing and bounds that are none are found by each of the checks that ask for them."""
    assert list(failing(broken.checked_storage(storage), name)) == [name]


def test_storage_without_a_mistake_passes() -> None:
    """The storage that the others are made of passes those checks."""

    class Checked(StorageContract):
        def storage(self, clock: FakeClock) -> Storage:
            del clock
            return DictStorage()

    assert list(failing(Checked(), *FAULTS.values())) == []


def test_storage_that_promises_too_much_does_not_pass() -> None:
    """One that says to be persistent and shared, and forgets or is alone, fails where the contract may look again."""

    class Boasts(DictStorage):
        capabilities = Capabilities(persistent=True, shared=True)

    class Checked(StorageContract):
        def storage(self, clock: FakeClock) -> Storage:
            return self.again(clock)

        def again(self, clock: FakeClock) -> Storage:
            del clock
            return Boasts()

    names = [name for name in dir(Checked) if name.startswith("test_") and name in vars(Lasting)]
    others = ["test_offers_are_what_the_capabilities_say", "test_what_is_not_shared_is_nobody_elses"]
    assert list(failing(Checked(), *names)) == [name for name in names if name not in others]


@pytest.mark.parametrize("storage", [LooksThenLeaps, LosesTags, NeverExpires], ids=lambda storage: storage.__name__)
def test_provider_over_a_storage_with_a_mistake_does_not_pass(storage: type[Storage]) -> None:
    """What a storage does wrong is seen by users, too."""

    class Checked(ProviderContract):
        def storage(self, clock: FakeClock) -> Storage:
            del clock
            return storage()

    names = ("test_no_increment_is_lost", "test_any_tag_will_do", "test_value_lives_as_long_as_its_ttl")
    assert len(list(failing(Checked(), *names))) == 1


@pytest.mark.parametrize("storage", broken.STORAGES, ids=lambda storage: storage.__name__)
def test_provider_over_a_storage_that_only_users_see_through(storage: type[DictStorage]) -> None:
    """The check of the contract of providers that is meant for a mistake of a storage finds it."""
    name = broken.STORAGES[storage]

    assert list(failing(broken.checked(storage), name)) == [name]


@pytest.mark.parametrize("wrapped", broken.PROVIDERS, ids=lambda wrapped: wrapped.__name__)
def test_provider_with_a_mistake_does_not_pass(wrapped: type[broken.InFront]) -> None:
    """The check that is meant for a mistake of a provider finds it."""
    name = broken.PROVIDERS[wrapped]

    assert list(failing(broken.checked(wrapped=wrapped), name)) == [name]


def test_provider_with_nothing_in_front_but_itself_passes() -> None:
    """What the mistakes are made of passes those checks, and so does a storage without a mistake."""
    names = {*broken.PROVIDERS.values(), *broken.STORAGES.values()}

    assert list(failing(broken.checked(wrapped=broken.InFront), *names)) == []


def test_storage_that_says_too_little_of_itself_is_told_what_to_do() -> None:
    """Who says to be persistent and shows no second storage is told to."""

    class Boasts(DictStorage):
        capabilities = Capabilities(persistent=True)

    class Checked(StorageContract):
        def storage(self, clock: FakeClock) -> Storage:
            del clock
            return Boasts()

    with pytest.raises(AssertionError, match=r"override again\(clock\)"):
        Checked().test_time_goes_on_while_nobody_is_there()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]  # plain by now


def test_contract_is_not_collected_where_it_is_imported() -> None:
    """Runners of tests leave the contracts themselves alone, and take the classes that derive from them."""

    class Derived(StorageContract):
        pass

    assert (StorageContract.__test__, ProviderContract.__test__, Derived.__test__) == (False, False, True)


def test_contract_without_a_storage_says_what_to_do() -> None:
    """Whoever forgets to override the factory is told so."""

    class Empty(ProviderContract):
        pass

    with pytest.raises(NotImplementedError, match=r"override storage\(clock\)"):
        Empty().test_none_is_a_value()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]  # plain by now
