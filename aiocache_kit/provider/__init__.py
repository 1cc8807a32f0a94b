"""`Provider`, the interface that users await, and what it is made of."""

from aiocache_kit.provider.loading import LoadContext, LoadOptions
from aiocache_kit.provider.locks import Lease
from aiocache_kit.provider.provider import Provider
from aiocache_kit.provider.rate_limiter import RateLimiter

__all__ = ["Lease", "LoadContext", "LoadOptions", "Provider", "RateLimiter"]
