"""What every storage must hold, whatever it keeps its items in."""

from aiocache_kit.testing.storage_contract.bounds import Bounds
from aiocache_kit.testing.storage_contract.conditions import Conditions
from aiocache_kit.testing.storage_contract.items import Items
from aiocache_kit.testing.storage_contract.lasting import Lasting
from aiocache_kit.testing.storage_contract.leasing import Leasing
from aiocache_kit.testing.storage_contract.many import Many
from aiocache_kit.testing.storage_contract.times import Times


class StorageContract(Items, Times, Conditions, Many, Leasing, Lasting, Bounds):
    """The boundary of storages, as checks: derive from it, override `storage`, and let pytest run the class.

    `storage(clock)` gives a new, empty storage each time; it may be a coroutine function. The storage is opened and
    closed by the contract, and uses `clock`, unless `pass_time` is overridden as well. A storage whose capabilities say
    that it is persistent or shared also overrides `again(clock)`, which gives one more over the same items; one that
    is bounded overrides `bounded(clock, entries, size)`, which gives one with these bounds.
    """
