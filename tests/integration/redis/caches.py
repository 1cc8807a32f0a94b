"""Providers over Redis in the process of the test itself, each with connections of its own."""

from typing import Any

from aiocache_kit import Config, Provider, RedisConfig, new_provider
from aiocache_kit.storage.redis.link import Link
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.storage.redis.wire import Wire


def cache_at(port: int, prefix: str, *, strict: bool = False, **options: Any) -> Provider:  # noqa: ANN401  - see RedisConfig
    """Give a provider at a server of this machine, with `options` of `RedisConfig`."""
    config = RedisConfig(addr=f"127.0.0.1:{port}", key_prefix=prefix, **options)
    return new_provider(Config(provider="redis", strict=strict, redis_config=config))


def storage_of(cache: Provider) -> RedisStorage:
    """Give its storage."""
    storage = cache._core.storage
    assert isinstance(storage, RedisStorage)
    return storage


def link_of(cache: Provider) -> Link:
    """Give the way to its server."""
    link = storage_of(cache)._channel
    assert isinstance(link, Link)
    return link


def wire_of(cache: Provider) -> Wire | None:
    """Give its connection for small commands, where that is open."""
    return link_of(cache).wire
