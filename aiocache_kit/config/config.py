"""`Config`: which storage, how large, for how long. It is frozen, and right or refused.

Rule: what contradicts itself is refused; what only another storage would use is not, so that changing `provider` is
changing one word.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from aiocache_kit.config import kinds
from aiocache_kit.config.limits import RateLimitConfig
from aiocache_kit.config.loads import LoadConfig
from aiocache_kit.config.parts import FileConfig, FilePath, MemoryConfig, RedisConfig, Seconds
from aiocache_kit.config.rules import Part, Rule
from aiocache_kit.config.sources import read_env, read_toml
from aiocache_kit.config.url import read_url
from aiocache_kit.errors import ConfigError
from aiocache_kit.management.eviction import POLICIES
from aiocache_kit.management.expiration import TTL

PROVIDERS: Final = ("memory", "lru", "null", "redis", "file", "custom")
MOST_ENTRIES: Final = 1_000_000_000
LEVELS: Final = {"gzip": (1, 9), "zlib": (1, 9), "zstd": (1, 22), "lz4": (0, 16)}
"""The least and the greatest level of each compression."""
_IN_PROCESS: Final = frozenset({"memory", "lru"})
_WITHOUT_BYTES: Final = frozenset({"memory", "lru", "null"})
"""Providers that keep objects, so that no value becomes bytes."""
LARGEST_VALUE: Final = 2**30
_SECRETS: Final = {
    "encryption": ("encryption_keys", "encryption_keys_file"),
    "signing": ("signing_keys", "signing_keys_file"),
    "key_hash": ("key_hash_secret", "key_hash_secret_file"),
}
"""What needs secrets, and the fields that may hold them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Part):
    """What `new_provider` builds a provider from. Every wrong field raises `ConfigError`, which names it.

    Durations are seconds as int or float, a `timedelta`, or text such as ``"500ms"`` and ``"1h30m"``; once built they
    are floats, and sizes are ints. Use `dataclasses.replace` for another one that differs in a few fields.
    """

    schema: ClassVar[Mapping[str, Rule]] = {
        "provider": kinds.choice(*PROVIDERS),
        "default_ttl": kinds.seconds(none="for never"),
        "max_entries": kinds.whole(1, MOST_ENTRIES, none="for no bound in entries"),
        "max_size": kinds.size(none="for no bound in bytes"),
        "eviction_policy": kinds.choice(*sorted(POLICIES)),
        "sync_interval": kinds.seconds(zero="for on close only"),
        "cleanup_interval": kinds.seconds(),
        "serialization_format": kinds.serializer(),
        "compression": kinds.choice(*sorted(LEVELS), none="for no compression"),
        "compression_level": kinds.whole(0, none="for the algorithm's own default"),
        "compression_threshold": kinds.size(none="for 1024"),
        "max_value_size": kinds.size(most=LARGEST_VALUE),
        "encryption": kinds.choice("aes-256-gcm", "chacha20-poly1305", none="for aes-256-gcm where there are keys"),
        "encryption_keys": kinds.secrets("encryption_keys", exactly=32),
        "encryption_keys_file": kinds.path(none="for no such file"),
        "signing": kinds.choice("hmac-sha256", "blake2b", none="for hmac-sha256 where there are keys"),
        "signing_keys": kinds.secrets("signing_keys"),
        "signing_keys_file": kinds.path(none="for no such file"),
        "key_hash_secret": kinds.secret("key_hash_secret", none="for keys that are stored as they are"),
        "key_hash_secret_file": kinds.path(none="for no such file"),
        "key_hash_readable": kinds.whole(0, 64),
        "strict": kinds.flag(),
        "load_config": kinds.part(LoadConfig),
        "rate_limit": kinds.part(RateLimitConfig, none="for no limit"),
        "redis_config": kinds.part(RedisConfig),
        "file_config": kinds.part(FileConfig),
        "memory_config": kinds.part(MemoryConfig),
    }

    provider: str = "memory"
    """The storage: ``memory``, ``lru``, ``null``, ``redis``, ``file``, or ``custom``, which `new_provider` is given."""
    default_ttl: TTL = 600.0
    """Seconds that an item lives where a call does not say; None: for ever."""
    max_entries: int | None = 10_000
    """Entries held at most; None: no bound of that kind, which `max_size` must then give."""
    max_size: int | str | None = None
    """Bytes held at most, an int or text such as ``"64MB"`` (a million each) or ``"64MiB"`` (2**20); None: no bound."""
    eviction_policy: str = "adaptive"
    """Which entry makes room, by its name in `aiocache_kit.management.eviction`; the provider lru has its own, lru."""
    sync_interval: Seconds = 0.0
    """Seconds between two times that what would be lost with the process is written out; 0: on close only."""
    cleanup_interval: Seconds = 1.0
    """Seconds between two times that the room of expired items is freed; they are never read after their end anyway."""
    serialization_format: str = "json"
    """How values become bytes where they leave the process (see `register_serializer`); others keep the objects."""
    compression: str | None = None
    """How those bytes are made fewer: ``gzip``, ``zlib``, ``zstd`` or ``lz4``; None: not at all."""
    compression_level: int | None = None
    """How hard it tries: 1 to 9 for gzip and zlib, 1 to 22 for zstd, 0 to 16 for lz4; None: as the algorithm has it."""
    compression_threshold: int | str | None = None
    """Bytes from which on it is tried, as in `max_size`; None: 1024."""
    max_value_size: int | str = 64 * 2**20
    """What one value may take as bytes, before compression: more is a `ValueTooLargeError`, and is not read either."""
    encryption: str | None = None
    """``aes-256-gcm`` or ``chacha20-poly1305``; None: the former where there are keys, and none without."""
    encryption_keys: Sequence[bytes | str] = field(default=(), repr=False)
    """Secrets of 32 bytes, as bytes or hexadecimal text: the first writes, all of them read. Empty: no encryption."""
    encryption_keys_file: FilePath | None = None
    """A file that holds them instead, as text, one a line; read when a provider is built."""
    signing: str | None = None
    """``hmac-sha256`` or ``blake2b``; None: the former where there are keys, and none without."""
    signing_keys: Sequence[bytes | str] = field(default=(), repr=False)
    """Secrets of at least 32 bytes for signatures, as `encryption_keys`. Empty: nothing is signed."""
    signing_keys_file: FilePath | None = None
    """A file that holds them instead, as `encryption_keys_file`."""
    key_hash_secret: bytes | str | None = field(default=None, repr=False)
    """A secret of at least 32 bytes: keys are stored as digests under it, which tell nothing. None: as they are."""
    key_hash_secret_file: FilePath | None = None
    """A file that holds it instead, as text."""
    key_hash_readable: int = 0
    """Characters of each key that stay readable before its digest, 0 to 64; its namespaces do in any case."""
    strict: bool = False
    """Whether stored bytes that cannot be read raise `CorruptPayloadError`. False: they are counted, and are a miss."""
    load_config: LoadConfig = field(default_factory=LoadConfig)
    """How values are served, and when their source is asked again."""
    rate_limit: RateLimitConfig | None = None
    """How often the provider may be called; None: as often as anybody likes."""
    redis_config: RedisConfig = field(default_factory=RedisConfig)
    file_config: FileConfig = field(default_factory=FileConfig)
    memory_config: MemoryConfig = field(default_factory=MemoryConfig)

    def _agree(self) -> None:
        if self.max_entries is None and self.max_size is None:
            raise ConfigError("max_entries", "is None, and so is max_size, but a cache must have a bound: give one")
        if self.provider in _IN_PROCESS and self.sync_interval and self.memory_config.snapshot_path is None:
            raise ConfigError("sync_interval", "is given, but there is no memory_config.snapshot_path to write to")
        if self.provider == "file" and self.file_config.dir is None:
            raise ConfigError("file_config.dir", "is None, but the provider file needs a directory")
        if self.provider == "file" and self.file_config.shared and self.sync_interval:
            problem = "is given, but file_config.shared is True, and others must see writes at once: leave it 0"
            raise ConfigError("sync_interval", problem)
        self._agree_on_shards()
        self._agree_on_compression()
        self._agree_on_secrets()

    def _agree_on_shards(self) -> None:
        shards = self.memory_config.shard_count
        if self.provider == "lru":
            if self.eviction_policy not in {"lru", "adaptive"}:
                problem = f"is {self.eviction_policy!r}, but the provider lru knows only lru: memory knows them all"
                raise ConfigError("eviction_policy", problem)
            if shards is not None and shards > 1:
                raise ConfigError("memory_config.shard_count", f"is {shards}, but the provider lru has only one shard")
        for bound in ("max_entries", "max_size"):
            most: int | None = getattr(self, bound)
            if shards is not None and most is not None and shards > most:
                problem = f"is {shards}, but must be at most {bound}, which is {most}"
                raise ConfigError("memory_config.shard_count", problem)

    def _agree_on_secrets(self) -> None:
        for name, ways in _SECRETS.items():
            given = [way for way in ways if getattr(self, way)]
            if len(given) > 1:
                raise ConfigError(given[1], f"is given together with {given[0]}: only one can say what is secret")
            needs = {"key_hash": "key_hash_readable"}.get(name, name)
            if getattr(self, needs) and not given:
                raise ConfigError(needs, f"is given, but there are no secrets: give {ways[0]}, or {ways[1]}")
        is_encrypted, is_signed = (
            any(getattr(self, way) for way in _SECRETS[name]) for name in ("encryption", "signing")
        )
        if is_encrypted and is_signed:
            raise ConfigError(
                "signing_keys", "are given, but so are encryption_keys: what is encrypted is as good as signed"
            )
        if (
            self.serialization_format == "pickle"
            and self.provider not in _WITHOUT_BYTES
            and not (is_encrypted or is_signed)
        ):
            problem = "is pickle, which can run code when it is read: turn on encryption or signing"
            raise ConfigError("serialization_format", problem)

    def _agree_on_compression(self) -> None:
        if self.compression_threshold is not None and self.compression is None:
            raise ConfigError("compression_threshold", "is given, but compression is None: choose one, or give none")
        if self.compression_level is None:
            return
        if self.compression is None:
            raise ConfigError("compression_level", "is given, but compression is None: choose one, or give no level")
        least, most = LEVELS[self.compression]
        if not least <= self.compression_level <= most:
            problem = f"is {self.compression_level}, but must be from {least} to {most} for {self.compression}, or None"
            raise ConfigError("compression_level", problem)

    @classmethod
    def from_env(cls, prefix: str = "AIOCACHE_KIT_", environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment variables that begin with `prefix`; `environ` None: those of this process.

        ``AIOCACHE_KIT_MAX_ENTRIES`` is `max_entries`, ``AIOCACHE_KIT_REDIS_ADDR`` is `redis_config.addr`, and
        ``AIOCACHE_KIT_REDIS_TLS_CA_FILE`` is `redis_config.tls.ca_file`. An empty variable counts as not there,
        ``none`` is None, and lists are separated by commas. A variable that begins so and is unknown raises
        `ConfigError`, which names the nearest one, and so does a value that is wrong, by the name of its field.
        """
        return cls.build(read_env(cls, prefix, os.environ if environ is None else environ))

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], table: str = "aiocache_kit") -> Self:
        """Read ``[aiocache_kit]``, or ``[tool.aiocache_kit]``, of the TOML file at `path`.

        Fields have their own names, parts are tables: ``[aiocache_kit.redis_config]``. The text ``"none"`` is None. The
        file is read at once, so call this before the event loop runs. A file that is missing, is not TOML or has no
        such table, and a key that is unknown, raise `ConfigError`, and so does a value that is wrong.
        """
        return cls.build(read_toml(cls, path, table))

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read a URL such as ``redis://user:password@host:6379/0?pool_size=5&default_ttl=10m``.

        The scheme is the provider: ``memory``, ``lru``, ``null``, ``file`` (its path is the directory), ``redis``,
        ``rediss`` (with TLS), ``unix`` (Redis; the path is the socket) or ``custom``. The query sets further fields,
        named as in `from_env` in lower case; those of the provider's own part need no prefix. Reserved characters are
        percent-encoded, and ``none`` is None. Raises `ConfigError` for a URL of another form, a field that there is not
        and a value that is wrong; no message shows user, password, host or path.
        """
        return cls.build(read_url(cls, url))
