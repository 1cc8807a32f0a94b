"""The parts of a configuration that concern one storage each. All are frozen, and right or refused."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Final, TypeAlias

from aiocache_kit.config import kinds
from aiocache_kit.config.rules import Part, Rule
from aiocache_kit.errors import ConfigError

Seconds: TypeAlias = float | timedelta | str
"""A duration as it may be given; in a configuration that was built it is a float, in seconds."""
FilePath: TypeAlias = str | os.PathLike[str]
"""A path as it may be given; in a configuration that was built it is a `str`."""

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26_379
_HERE: Final = f"localhost:{REDIS_PORT}"
_MOST_SHARDS: Final = 4096
_TELLING: Final = 3
"""The version of the protocol of Redis in which a server can say something unasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig(Part):
    """What the storages `memory` and `lru` need to know."""

    where: ClassVar[str] = "memory_config."
    schema: ClassVar[Mapping[str, Rule]] = {
        "shard_count": kinds.power_of_two(_MOST_SHARDS, none="for as many as the bounds ask for"),
        "hash_func": kinds.function(
            "from a str to an int", none="for the built-in hash", sample=lambda call: call("key")
        ),
        "isolation": kinds.choice("reference", "copy"),
        "sizer": kinds.function("from a key and a value to a number of bytes", none="for an estimate"),
        "snapshot_path": kinds.path(none="for no snapshot"),
    }

    shard_count: int | None = None
    """Parts with a dict, an eviction policy and a lock each: a power of two; None: as many as the bounds ask for."""
    hash_func: Callable[[str], int] | None = None
    """Chooses the shard of a key; None: the built-in `hash`."""
    isolation: str = "reference"
    """``"reference"``: what is read is the very object that was stored. ``"copy"``: a deep copy, in and out."""
    sizer: Callable[[str, object], int] | None = None
    """Gives the bytes of an entry against `Config.max_size`; None: an estimate that follows containers."""
    snapshot_path: FilePath | None = None
    """The file that keeps the items over a restart, written on close and every `Config.sync_interval`; None: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConfig(Part):
    """What the storage `file` needs to know."""

    where: ClassVar[str] = "file_config."
    schema: ClassVar[Mapping[str, Rule]] = {
        "dir": kinds.path(none="where the provider is not file"),
        "file_perm": kinds.permissions(0o600),
        "dir_perm": kinds.permissions(0o700),
        "cache_file_prefix": kinds.matching(
            r"(?!\.)[A-Za-z0-9._-]{0,32}", "at most 32 letters, digits, dots, hyphens and underscores, no dot first"
        ),
        "janitor_interval": kinds.seconds(),
        "shared": kinds.flag(),
        "fsync": kinds.flag(),
    }

    dir: FilePath | None = None
    """The directory, which belongs to the cache alone; None: there is none, and the provider is not ``file``."""
    file_perm: int = 0o600
    """Permissions of the files; the owner must be able to read and write, others must not be able to write."""
    dir_perm: int = 0o700
    """Permissions of the directories."""
    cache_file_prefix: str = "cache-"
    """What the names of the files begin with; it may be empty."""
    janitor_interval: Seconds = 60.0
    """Seconds between two searches for files that nobody needs any more."""
    shared: bool = False
    """Whether several processes use the directory at the same time. False: it is refused to all but the first."""
    fsync: bool = False
    """Whether a call waits until the disk has what it wrote, so that a loss of power takes nothing back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSConfig(Part):
    """How to speak TLS with Redis. The server's certificate is always verified."""

    where: ClassVar[str] = "redis_config.tls."
    schema: ClassVar[Mapping[str, Rule]] = {
        "ca_file": kinds.path(none="for the authorities of the system"),
        "cert_file": kinds.path(none="for no certificate of one's own"),
        "key_file": kinds.path(none="where cert_file holds the key as well"),
        "check_hostname": kinds.flag(),
    }

    ca_file: FilePath | None = None
    """The authorities that are trusted, as PEM; None: those of the system."""
    cert_file: FilePath | None = None
    """The certificate to show to the server, as PEM; None: none."""
    key_file: FilePath | None = None
    """The key of that certificate, as PEM; None: it is in `cert_file`."""
    check_hostname: bool = True
    """Whether the certificate must be for the host that was asked for."""

    def _agree(self) -> None:
        if self.key_file is not None and self.cert_file is None:
            raise ConfigError("redis_config.tls.key_file", "is given, but it needs the cert_file that it belongs to")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelConfig(Part):
    """Where to ask which Redis server is the master."""

    where: ClassVar[str] = "redis_config.sentinel."
    schema: ClassVar[Mapping[str, Rule]] = {
        "addrs": kinds.addresses(SENTINEL_PORT),
        "service_name": kinds.text(),
        "username": kinds.text(none="for the default user"),
        "password": kinds.text(none="for no password", secret=True),
    }

    addrs: Sequence[str] = ()
    """The sentinels, each as ``host:port``; at least one."""
    service_name: str = ""
    """The name under which they know the master; it must be given."""
    username: str | None = None
    """The user of the sentinels themselves; None: the default one."""
    password: str | None = field(default=None, repr=False)
    """The password of the sentinels themselves; None: they ask for none."""

    def _agree(self) -> None:
        if not self.addrs:
            raise ConfigError("redis_config.sentinel.addrs", "is empty, but must hold at least one address")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisConfig(Part):
    """What the storage `redis` needs to know. Unless said otherwise, each step of an operation ends within a second."""

    where: ClassVar[str] = "redis_config."
    schema: ClassVar[Mapping[str, Rule]] = {
        "addr": kinds.address(REDIS_PORT),
        "username": kinds.text(none="for the default user"),
        "password": kinds.text(none="for no password", secret=True),
        "db": kinds.whole(0),
        "max_retries": kinds.whole(0),
        "dial_timeout": kinds.seconds(),
        "read_timeout": kinds.seconds(),
        "write_timeout": kinds.seconds(),
        "pool_size": kinds.whole(1),
        "pool_timeout": kinds.seconds(),
        "cluster": kinds.flag(),
        "cluster_addrs": kinds.addresses(REDIS_PORT),
        "tls": kinds.part(TLSConfig, flagged="True, False or "),
        "sentinel": kinds.part(SentinelConfig, none="for no sentinels"),
        "unix_socket": kinds.path(none="for a connection by network"),
        "multiplexed": kinds.flag(),
        "protocol": kinds.whole(2, 3),
        "key_prefix": kinds.matching(
            r"[^\x00-\x1f\x7f-\x9f{}\ud800-\udfff]{1,200}",
            "a str of 1 to 200 characters, no braces or control characters",
        ),
        "lease_ttl": kinds.seconds(),
        "on_unavailable": kinds.choice("raise", "miss"),
        "breaker_failures": kinds.whole(1, none="for no circuit breaker"),
        "breaker_wait": kinds.seconds(),
        "client_cache": kinds.size(none="for none"),
    }

    addr: str = _HERE
    """The server as ``host:port``, ``[IPv6]:port`` or without the port for 6379."""
    username: str | None = None
    """The user (Redis ACL); None: the default one."""
    password: str | None = field(default=None, repr=False)
    """The password; None: the server asks for none."""
    db: int = 0
    """The number of the database; a cluster has only 0."""
    max_retries: int = 2
    """How often a command that failed for the network is tried again; 0: never."""
    dial_timeout: Seconds = 1.0
    """Seconds that connecting may take."""
    read_timeout: Seconds = 1.0
    """Seconds that an answer may take."""
    write_timeout: Seconds = 1.0
    """Seconds that sending a command may take."""
    pool_size: int = 20
    """Connections that are open at most, where they are not `multiplexed`; to a cluster, to each node."""
    pool_timeout: Seconds = 1.0
    """Seconds that a command may wait for a free one of them."""
    cluster: bool = False
    """Whether the servers of `cluster_addrs` are nodes of a Redis Cluster."""
    cluster_addrs: Sequence[str] = ()
    """Some nodes of the cluster, each as in `addr`; the others are found by asking these."""
    tls: bool | TLSConfig = False
    """Whether, or how, to speak TLS; True: with the authorities of the system."""
    sentinel: SentinelConfig | None = None
    """The sentinels that know the master; None: the server is `addr`."""
    unix_socket: FilePath | None = None
    """The server's socket in the file system; None: it is reached by network."""
    multiplexed: bool = True
    """Whether all tasks share two connections a server. False: each command has one of `pool_size` to itself."""
    protocol: int = 3
    """The version of Redis's protocol: 2 or 3."""
    key_prefix: str = "aiocache:"
    """What every name in Redis begins with, so that programs can share a server: 1 to 200 characters, no braces."""
    lease_ttl: Seconds = 5.0
    """Seconds after which another process may load a key whose loader is not heard of any more."""
    on_unavailable: str = "raise"
    """While Redis is away, ``"raise"`` errors, or let reads ``"miss"`` and forget plain writes."""
    breaker_failures: int | None = 5
    """Failures in a row after which calls fail at once instead of waiting for the network; None: never."""
    breaker_wait: Seconds = 1.0
    """Seconds until a call tries the network again, a fifth more or less."""
    client_cache: int | str | None = None
    """Bytes of what was read that are kept here until Redis tells of changes, as in `Config.max_size`; None: none."""

    def _agree(self) -> None:
        if self.cluster and not self.cluster_addrs:
            raise ConfigError("redis_config.cluster_addrs", "is empty, but a cluster needs at least one address")
        if self.cluster_addrs and not self.cluster:
            raise ConfigError("redis_config.cluster_addrs", "is given, but cluster is False: only a cluster has nodes")
        if self.cluster and self.db:
            raise ConfigError("redis_config.db", f"is {self.db}, but a cluster has only the database 0")
        self._agree_on_one_server()
        self._agree_on_client_cache()

    def _agree_on_client_cache(self) -> None:
        if self.client_cache is None:
            return
        if not self.multiplexed:
            raise ConfigError(
                "redis_config.client_cache",
                "is given, but multiplexed is False: only shared connections are told of changes",
            )
        if self.protocol != _TELLING:
            raise ConfigError(
                "redis_config.client_cache", f"is given, but protocol is {self.protocol}: only 3 tells of changes"
            )

    def _agree_on_one_server(self) -> None:
        places = {
            "addr": self.addr != _HERE,
            "cluster_addrs": self.cluster,
            "sentinel": self.sentinel is not None,
            "unix_socket": self.unix_socket is not None,
        }
        given = [name for name, is_given in places.items() if is_given]
        if len(given) > 1:
            raise ConfigError(
                f"redis_config.{given[1]}", f"is given together with {given[0]}: only one can say where Redis is"
            )
        if self.unix_socket is not None and self.tls is not False:
            raise ConfigError("redis_config.tls", "is given, but a unix_socket is never encrypted: leave it False")
