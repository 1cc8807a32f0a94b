"""Redis: this library and others as clients of one real server, which the benchmark starts itself."""

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from bench.redis.peer import Peer

RIVALS: Final = {
    "redis_py": ("RedisPySingle", "RedisPy16", "RedisPy50", "RedisPyUnbounded"),
    "coredis": ("Coredis",),
    "glide": ("Glide",),
    "cashews": ("Cashews",),
    "aiocache": ("Aiocache",),
}
"""The adapters by module, one a library; redis-py with each pool that may be its best."""


def load() -> Iterator[type[Peer]]:
    """Give the adapters whose libraries are installed."""
    for module, classes in RIVALS.items():
        try:
            adapter = import_module(f"bench.redis.for_{module}")
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("bench"):
                raise
            continue
        for each in classes:
            yield getattr(adapter, each)
