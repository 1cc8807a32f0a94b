"""What every provider must hold, whatever it is built on."""

from aiocache_kit.testing.provider_contract.changes import Changes
from aiocache_kit.testing.provider_contract.conditions import Conditions, Counters, Updates
from aiocache_kit.testing.provider_contract.freshness import Freshness
from aiocache_kit.testing.provider_contract.keys import Keys
from aiocache_kit.testing.provider_contract.life import Life, Locking
from aiocache_kit.testing.provider_contract.limits import Limits
from aiocache_kit.testing.provider_contract.loading import Loading
from aiocache_kit.testing.provider_contract.many import Multi, Scopes, Tags
from aiocache_kit.testing.provider_contract.refreshing import Refreshing
from aiocache_kit.testing.provider_contract.sharing import Sharing, SharingMany
from aiocache_kit.testing.provider_contract.telling import Telling
from aiocache_kit.testing.provider_contract.times import Times
from aiocache_kit.testing.provider_contract.values import Values


class ProviderContract(
    Values,
    Times,
    Keys,
    Conditions,
    Counters,
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
    Life,
):
    """The interface that users await, as checks: derive from it, override `storage`, and let pytest run the class.

    `storage(clock)` gives a new, empty storage each time, which is not open yet; or override `provider(clock)` to build
    the provider as well. Both may be coroutine functions. What a storage cannot do, its capabilities say.
    """
