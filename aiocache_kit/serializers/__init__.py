"""Objects to bytes and back, one format a file, and the reading of plain values as the types that callers name.

Users need this package only to bring a format of their own: a `Serializer`, registered by `register_serializer`.
"""

from aiocache_kit.serializers.base import Serializer
from aiocache_kit.serializers.registry import register_serializer

__all__ = ["Serializer", "register_serializer"]
