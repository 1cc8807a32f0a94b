"""`cached` and `cached_multi`: a call becomes a key, and a key becomes a `get_or_set`."""

from aiocache_kit.decorators.declared import KeyBy
from aiocache_kit.decorators.many import CachedMulti, cached_multi
from aiocache_kit.decorators.one import Cached, cached

__all__ = ["Cached", "CachedMulti", "KeyBy", "cached", "cached_multi"]
