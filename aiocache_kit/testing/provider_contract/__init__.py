"""What every provider must hold, whatever it is built on."""

from aiocache_kit.testing.provider_contract.beside import Beside
from aiocache_kit.testing.provider_contract.bounds import Bounds
from aiocache_kit.testing.provider_contract.changes import Changes
from aiocache_kit.testing.provider_contract.conditions import Conditions, Counters, Updates
from aiocache_kit.testing.provider_contract.freshness import Freshness
from aiocache_kit.testing.provider_contract.keys import Keys
from aiocache_kit.testing.provider_contract.lasting import Lasting
from aiocache_kit.testing.provider_contract.life import Life
from aiocache_kit.testing.provider_contract.limits import Limits
from aiocache_kit.testing.provider_contract.loading import Loading
from aiocache_kit.testing.provider_contract.locking import Locking
from aiocache_kit.testing.provider_contract.many import Multi, Scopes, Tags
from aiocache_kit.testing.provider_contract.numbers import Numbers
from aiocache_kit.testing.provider_contract.refreshing import Refreshing
from aiocache_kit.testing.provider_contract.refusing import Refusing
from aiocache_kit.testing.provider_contract.sharing import Sharing, SharingMany
from aiocache_kit.testing.provider_contract.telling import Telling
from aiocache_kit.testing.provider_contract.times import Times
from aiocache_kit.testing.provider_contract.typed import Typed
from aiocache_kit.testing.provider_contract.values import Values


class ProviderContract(
    Values,
    Typed,
    Times,
    Keys,
    Conditions,
    Counters,
    Numbers,
    Updates,
    Multi,
    Tags,
    Scopes,
    Loading,
    Sharing,
    SharingMany,
    Changes,
    Freshness,
    Refreshing,
    Telling,
    Locking,
    Limits,
    Refusing,
    Life,
    Lasting,
    Beside,
    Bounds,
):
    """The interface that users await, as checks: derive from it, override `storage`, and let pytest run the class.

    `storage(clock)` gives a new, empty storage each time, which is not open yet; it may be a coroutine function. To
    build the provider as well, override `over(storage, clock)`. What a storage cannot do, its capabilities say. One
    that says to be persistent or shared also overrides `again(clock)`, which gives one more over the same items; one
    that is bounded overrides `bounded(clock, entries, size)`, which gives one with these bounds.
    """
