"""The providers of one process of the soak, by name, and what is to be expected of each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from aiocache_kit import (
    Config,
    FileConfig,
    Layer,
    MemoryConfig,
    Node,
    Provider,
    RedisConfig,
    new_distributed,
    new_layered,
    new_provider,
)

KEY: Final = sha256(b"soak").hexdigest()
"""For what is encrypted in a test."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the servers and directories are."""

    mortal: str
    """A server that is killed and frozen, as host:port."""
    steady: str
    """A server that stays, by a proxy that does not."""
    nodes: tuple[str, ...]
    """Servers of the ring, of which one at a time is killed or frozen."""
    cluster: tuple[str, ...]
    folder: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One storage."""

    make: Callable[[Places, str], Provider]
    """Makes a provider for the process of this name."""
    may_vanish: bool = False
    """Whether values may be gone: they are evicted, or were in a server that forgets."""
    is_replaced: bool = False
    """Whether copies take the place of lost servers."""
    is_shared: bool = False
    """Whether processes meet there, and nothing is lost: counters and locks are compared between them."""
    is_own: bool = False
    """Whether nothing but this process can make it fail."""


def _server(addr: str, who: str) -> RedisConfig:
    return RedisConfig(addr=addr, key_prefix=f"soak-{who}:", read_timeout=0.5, dial_timeout=0.5)


def _redis(server: RedisConfig, encryption_keys: tuple[str, ...] = ()) -> Config:
    return Config(provider="redis", redis_config=server, encryption_keys=encryption_keys)


def _memory(places: Places, who: str) -> Provider:
    del places, who
    return new_provider(Config(max_entries=50_000))


def _small(places: Places, who: str) -> Provider:
    del places, who
    return new_provider(Config(max_entries=150, memory_config=MemoryConfig(isolation="copy")))


def _lru(places: Places, who: str) -> Provider:
    del places, who
    return new_provider(Config(provider="lru", max_entries=120))


def _file(places: Places, who: str) -> Provider:
    config = FileConfig(dir=f"{places.folder}/{who}-file", janitor_interval=5)
    return new_provider(Config(provider="file", file_config=config))


def _gathered(places: Places, who: str) -> Provider:
    config = FileConfig(dir=f"{places.folder}/{who}-gathered", janitor_interval=5)
    return new_provider(
        Config(provider="file", file_config=config, sync_interval=0.2, compression="zlib", compression_threshold=100)
    )


def _shared_files(places: Places, who: str) -> Provider:
    del who
    config = FileConfig(dir=f"{places.folder}/shared", shared=True, janitor_interval=5)
    return new_provider(Config(provider="file", file_config=config))


def _multiplexed(places: Places, who: str) -> Provider:
    return new_provider(_redis(_server(places.mortal, f"{who}-multiplexed")))


def _pooled(places: Places, who: str) -> Provider:
    server = replace(_server(places.mortal, f"{who}-pooled"), multiplexed=False, protocol=2)
    return new_provider(_redis(server, encryption_keys=(KEY,)))


def _tracked(places: Places, who: str) -> Provider:
    return new_provider(_redis(replace(_server(places.mortal, f"{who}-tracked"), client_cache="1MB")))


def _by_proxy(places: Places, who: str) -> Provider:
    del who
    return new_provider(_redis(_server(places.steady, "all")))


def _cluster(places: Places, who: str) -> Provider:
    server = _server(places.cluster[0], who)
    return new_provider(_redis(replace(server, addr="localhost:6379", cluster=True, cluster_addrs=places.cluster)))


def _ring(places: Places, who: str) -> Provider:
    nodes = [Node(str(number), _redis(_server(addr, f"{who}-ring"))) for number, addr in enumerate(places.nodes)]
    return new_distributed(*nodes, replicas=2)


def _layered(places: Places, who: str) -> Provider:
    return new_layered(Layer("memory://", ttl=5), _redis(_server(places.mortal, f"{who}-layered")))


def _streams(places: Places, who: str) -> Provider:
    del who
    return new_layered(Layer("memory://", ttl=5), _redis(_server(places.steady, "layers")), backplane="streams")


def _over_files(places: Places, who: str) -> Provider:
    config = FileConfig(dir=f"{places.folder}/{who}-below", janitor_interval=5)
    return new_layered("memory://", Config(provider="file", file_config=config))


SUBJECTS: Final[dict[str, Subject]] = {
    "memory": Subject(_memory, is_own=True),
    "memory, small": Subject(_small, may_vanish=True, is_own=True),
    "lru": Subject(_lru, may_vanish=True, is_own=True),
    "file": Subject(_file, is_own=True),
    "file, gathered": Subject(_gathered, is_own=True),
    "file, shared": Subject(_shared_files, is_shared=True, is_own=True),
    "redis": Subject(_multiplexed, may_vanish=True),
    "redis, pooled": Subject(_pooled, may_vanish=True),
    "redis, tracked": Subject(_tracked, may_vanish=True),
    "redis, by proxy": Subject(_by_proxy, is_shared=True),
    "cluster": Subject(_cluster, may_vanish=True, is_replaced=True),
    "ring": Subject(_ring, may_vanish=True),
    "layered": Subject(_layered, may_vanish=True),
    "layered, streams": Subject(_streams, may_vanish=True, is_shared=True),
    "layered, files": Subject(_over_files, is_own=True),
}
