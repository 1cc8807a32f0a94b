"""For tests of programs that use the package, and of storages written for it."""

import sys

if "pytest" in sys.modules:  # its asserts show the values of both sides only in modules that it is told of before
    contracts = ("storage_contract", "provider_contract", "serializer_contract")
    sys.modules["pytest"].register_assert_rewrite(*(f"{__name__}.{name}" for name in contracts))

from aiocache_kit.testing.backplane import Exchange, InProcessBackplane
from aiocache_kit.testing.clock import FakeClock
from aiocache_kit.testing.faults import FaultyStorage, Gate
from aiocache_kit.testing.provider_contract import ProviderContract
from aiocache_kit.testing.proxy import FaultyProxy
from aiocache_kit.testing.serializer_contract import SerializerContract
from aiocache_kit.testing.storage_contract import StorageContract

__all__ = [
    "Exchange",
    "FakeClock",
    "FaultyProxy",
    "FaultyStorage",
    "Gate",
    "InProcessBackplane",
    "ProviderContract",
    "SerializerContract",
    "StorageContract",
]
