"""The distributed storage: items spread over nodes, each of which is a storage."""

from aiocache_kit.storage.distributed.member import Node
from aiocache_kit.storage.distributed.storage import DistributedStorage

__all__ = ["DistributedStorage", "Node"]
