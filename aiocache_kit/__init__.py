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

Importing it loads the provider. Configuration and decorators are loaded when they are first named, because making their
classes takes as long as importing the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from aiocache_kit.clock import Clock, SystemClock
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
from aiocache_kit.item import Item
from aiocache_kit.management.rate_limit import RateDecision
from aiocache_kit.provider import Lease, LoadContext, LoadOptions, Provider, RateLimiter
from aiocache_kit.sentinels import DEFAULT, MISSING
from aiocache_kit.stats import Stats

if TYPE_CHECKING:
    from aiocache_kit.batching import BatchLoader
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
    "BatchLoader": "aiocache_kit.batching",
    "Config": "aiocache_kit.config",
    "FileConfig": "aiocache_kit.config",
    "LoadConfig": "aiocache_kit.config",
    "MemoryConfig": "aiocache_kit.config",
    "KeyBy": "aiocache_kit.decorators",
    "Layer": "aiocache_kit.storage.layered",
    "Node": "aiocache_kit.storage.distributed",
    "RateLimitConfig": "aiocache_kit.config",
    "RedisConfig": "aiocache_kit.config",
    "SentinelConfig": "aiocache_kit.config",
    "TLSConfig": "aiocache_kit.config",
    "cached": "aiocache_kit.decorators",
    "cached_multi": "aiocache_kit.decorators",
    "new_distributed": "aiocache_kit.factory",
    "new_layered": "aiocache_kit.factory",
    "new_provider": "aiocache_kit.factory",
    "new_storage": "aiocache_kit.factory",
}
"""Where the names are that are loaded when they are first asked for (PEP 562)."""


def __getattr__(name: str) -> object:
    """Load a name of `_LATER`, and keep it."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """List the public names, those not loaded yet included."""
    return sorted(__all__)
