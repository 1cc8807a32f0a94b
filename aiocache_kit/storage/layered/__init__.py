"""The layered storage: copies near by, the truth in the lowest layer."""

from aiocache_kit.storage.layered.layer import Layer
from aiocache_kit.storage.layered.storage import LayeredStorage

__all__ = ["Layer", "LayeredStorage"]
