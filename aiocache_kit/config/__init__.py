"""What a user may configure: `Config` and its parts, and where they may be written down."""

from aiocache_kit.config.config import Config
from aiocache_kit.config.limits import RateLimitConfig
from aiocache_kit.config.loads import LoadConfig
from aiocache_kit.config.parts import FileConfig, MemoryConfig, RedisConfig, SentinelConfig, TLSConfig

__all__ = [
    "Config",
    "FileConfig",
    "LoadConfig",
    "MemoryConfig",
    "RateLimitConfig",
    "RedisConfig",
    "SentinelConfig",
    "TLSConfig",
]
