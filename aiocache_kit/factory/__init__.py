"""From configurations to providers: the only place that knows every storage."""

from aiocache_kit.factory.providers import new_distributed, new_layered, new_provider, new_redis_channel, new_storage

__all__ = ["new_distributed", "new_layered", "new_provider", "new_redis_channel", "new_storage"]
