"""aiocache_kit: one await-able interface over many caches, for FastAPI, aiohttp and any asyncio program.

How the package is laid out, from the top down; a module imports only from those below it:

    testing                     fakes and contracts for people who write storages
    decorators, batching        a call becomes a key; many questions become one
    config, factory             what is wanted, and building it
    provider                    what users await
    storage                     where items are kept
    management, serializers     policies; objects to bytes
    item, stats, keys           values
    clock, errors, sentinels    the ground

Importing it loads the errors; everything else is loaded when it is first named, with what it needs and no more.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from aiocache_kit.errors import (
    BatchLoaderClosedError,
    CacheError,
    ConfigError,
    CorruptPayloadError,
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTagError,
    InvalidTTLError,
    LoadFailedError,
    LoadTimeoutError,
    LockError,
    LockLostError,
    LockTimeoutError,
    MissingDependencyError,
    NotFoundError,
    NotLoadedError,
    OverloadedError,
    PartialFailureError,
    ProviderClosedError,
    RateLimitedError,
    RecursiveLoadError,
    SerializationError,
    StorageAccessError,
    StorageError,
    StorageUnavailableError,
    UnsupportedError,
    ValueTooLargeError,
    WrongTypeError,
)
from aiocache_kit.sentinels import DEFAULT, MISSING

if TYPE_CHECKING:
    from aiocache_kit.batching import BatchLoader
    from aiocache_kit.clock import Clock, SystemClock
    from aiocache_kit.config import (
        Config,
        FileConfig,
        LoadConfig,
        MemoryConfig,
        RateLimitConfig,
        RedisConfig,
        SentinelConfig,
        TLSConfig,
    )
    from aiocache_kit.decorators import KeyBy, cached, cached_multi
    from aiocache_kit.factory import new_distributed, new_layered, new_provider, new_storage
    from aiocache_kit.item import Item
    from aiocache_kit.management.rate_limit import RateDecision
    from aiocache_kit.provider import Lease, LoadContext, LoadOptions, Provider, RateLimiter
    from aiocache_kit.stats import Stats
    from aiocache_kit.storage.distributed import Node
    from aiocache_kit.storage.layered import Layer

__all__ = [
    "DEFAULT",
    "MISSING",
    "BatchLoader",
    "BatchLoaderClosedError",
    "CacheError",
    "Clock",
    "Config",
    "ConfigError",
    "CorruptPayloadError",
    "FileConfig",
    "InvalidArgumentError",
    "InvalidKeyError",
    "InvalidTTLError",
    "InvalidTagError",
    "Item",
    "KeyBy",
    "Layer",
    "Lease",
    "LoadConfig",
    "LoadContext",
    "LoadFailedError",
    "LoadOptions",
    "LoadTimeoutError",
    "LockError",
    "LockLostError",
    "LockTimeoutError",
    "MemoryConfig",
    "MissingDependencyError",
    "Node",
    "NotFoundError",
    "NotLoadedError",
    "OverloadedError",
    "PartialFailureError",
    "Provider",
    "ProviderClosedError",
    "RateDecision",
    "RateLimitConfig",
    "RateLimitedError",
    "RateLimiter",
    "RecursiveLoadError",
    "RedisConfig",
    "SentinelConfig",
    "SerializationError",
    "Stats",
    "StorageAccessError",
    "StorageError",
    "StorageUnavailableError",
    "SystemClock",
    "TLSConfig",
    "UnsupportedError",
    "ValueTooLargeError",
    "WrongTypeError",
    "__version__",
    "cached",
    "cached_multi",
    "new_distributed",
    "new_layered",
    "new_provider",
    "new_storage",
]

__version__: Final = "0.1.0"

_LATER: Final = {
    "BatchLoader": "batching",
    "Clock": "clock",
    "Config": "config",
    "FileConfig": "config",
    "Item": "item",
    "KeyBy": "decorators",
    "Layer": "storage.layered",
    "Lease": "provider",
    "LoadConfig": "config",
    "LoadContext": "provider",
    "LoadOptions": "provider",
    "MemoryConfig": "config",
    "Node": "storage.distributed",
    "Provider": "provider",
    "RateDecision": "management.rate_limit",
    "RateLimitConfig": "config",
    "RateLimiter": "provider",
    "RedisConfig": "config",
    "SentinelConfig": "config",
    "Stats": "stats",
    "SystemClock": "clock",
    "TLSConfig": "config",
    "cached": "decorators",
    "cached_multi": "decorators",
    "new_distributed": "factory",
    "new_layered": "factory",
    "new_provider": "factory",
    "new_storage": "factory",
}
"""The module of each name that is loaded when it is first asked for (PEP 562)."""


def __getattr__(name: str) -> object:
    """Load a name of `_LATER`, and keep it."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names, those not loaded yet included."""
    return sorted(__all__)
