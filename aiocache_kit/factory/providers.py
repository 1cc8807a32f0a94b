"""`new_provider` and its like: from configurations to a provider. The only place that knows every storage.

Rule 1: a storage is imported where it is chosen, so that nobody pays for what is not used.
Rule 2: a `Config` was checked when it was built, and its fields have their one form: durations are floats, sizes ints.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from aiocache_kit.clock import Clock
from aiocache_kit.config import Config, LoadConfig, MemoryConfig
from aiocache_kit.errors import ConfigError, InvalidArgumentError
from aiocache_kit.management.expiration import TTL
from aiocache_kit.provider import Provider
from aiocache_kit.storage.base import Storage

if TYPE_CHECKING:
    from aiocache_kit.serializers.seal import Seal
    from aiocache_kit.storage.backplane import Backplane
    from aiocache_kit.storage.distributed import Node
    from aiocache_kit.storage.layered import Layer
    from aiocache_kit.storage.layered.storage import OnFailure as WhenAway
    from aiocache_kit.storage.redis.link import Channel
    from aiocache_kit.storage.snapshot import Snapshot


def new_provider(
    config: Config | str | None = None, *, storage: Storage | None = None, clock: Clock | None = None
) -> Provider:
    """Build what `config` describes: a `Config`, a URL for `Config.from_url`, or None for the defaults.

    `storage` is one of your own, which nobody else uses, in the place of one that a configuration can name; `provider`
    is ``custom`` then, or left out. It gets all that concerns a provider: `default_ttl`, `load_config`, `rate_limit`,
    `cleanup_interval` and `sync_interval`. What it keeps, how much of it and in what form is its own affair. None: the
    storage that `config` names.

    Nothing is opened, read or started yet: the first call does that, or ``async with``. `clock` is what time is read
    from, by the storage as well; None: the storage's own, which is the clock of this machine unless it was given one.
    Raises `ConfigError` where the configuration is wrong, or names another storage, `InvalidArgumentError` for what is
    neither, `UnsupportedError` for a rate limit among processes that `storage` cannot count for, and
    `MissingDependencyError` for an extra that is needed and not installed.
    """
    config = _config(config, Config() if storage is None else Config(provider="custom"))
    intervals = cast("float", config.cleanup_interval), cast("float", config.sync_interval)
    used = _storage(config, clock) if storage is None else _given(storage, config)
    provider = _over(used, config.load_config, clock, config.default_ttl, *intervals)
    limit = config.rate_limit
    if limit is None:
        return provider
    limiter = provider.rate_limiter(
        "provider", limit.rate, per=limit.per, burst=limit.burst, on_unavailable=limit.on_unavailable
    )
    return provider.limited(limiter, closes=True)


def _config(given: object, default: Config) -> Config:
    if given is None:
        return default
    if isinstance(given, str):
        return Config.from_url(given)
    if not isinstance(given, Config):
        hint = ": give it as storage=" if isinstance(given, Storage) else ""
        raise InvalidArgumentError(f"config must be a Config, a URL or None, not {type(given).__name__}{hint}")
    return given


def _given(storage: object, config: Config) -> Storage:
    """Give a storage of somebody's own, as far as it is one and `config` names no other."""
    if not isinstance(storage, Storage):
        wrong = f"the class {storage.__name__}: make one" if isinstance(storage, type) else type(storage).__name__
        raise InvalidArgumentError(f"storage must be a Storage or None, not {wrong}")
    if config.provider not in {"custom", "memory"}:  # memory is what a configuration has that does not say
        problem = f"is {config.provider!r}, but a storage was given as well: say 'custom', or leave it out"
        raise ConfigError("provider", problem)
    return storage


def _over(  # noqa: PLR0917  - within this file
    storage: Storage, part: LoadConfig | None, clock: Clock | None, default_ttl: TTL, cleanup: float, sync: float
) -> Provider:
    part = LoadConfig() if part is None else part
    return Provider(
        storage,
        default_ttl=default_ttl,
        cleanup_interval=cleanup,
        sync_interval=sync,
        freshness=part.options(),
        max_loads=part.max_loads,
        max_waiting_loads=part.max_waiting_loads,
        clock=clock,
    )


def new_storage(config: Config | str, *, clock: Clock | None = None) -> Storage:
    """Build the storage alone that `config`, or its URL, names, for whoever puts several together.

    What a configuration says of a provider (`default_ttl`, `load_config`, `rate_limit` and the intervals) is left out.
    Nothing is opened yet. `clock` is what time is read from, None: the clock of this machine. Raises as `new_provider`.
    """
    return _storage(_config(config, Config()), clock)


def new_redis_channel(config: Config) -> "Channel":
    """Build the way to the servers of a configuration for redis, for whoever asks about them and not for items.

    Nothing is connected yet; whoever asks closes it.
    """
    from aiocache_kit.factory.redis_way import way_of  # noqa: PLC0415  - rule 1
    from aiocache_kit.storage.redis.building import new_channel  # noqa: PLC0415  - rule 1

    return new_channel(way_of(config))


def new_distributed(
    *nodes: "Node | Config | str",
    replicas: int = 1,
    virtual_nodes: int = 160,
    ketama: bool = False,
    on_failure: Literal["raise", "miss"] = "raise",
    timeout: float = 0.5,
    balance: float | None = None,
    default_ttl: TTL = 600,
    cleanup_interval: float = 1.0,
    sync_interval: float = 0.0,
    load_config: LoadConfig | None = None,
    clock: Clock | None = None,
) -> Provider:
    """Build a provider over several storages, among which its keys are divided; each item is kept `replicas` times.

    A node is a `Node` with a name, whose storage is a `Storage`, a `Config` or a URL; or a `Config` or a URL alone,
    which is named by its address. Names decide where keys lie: give names where addresses may change. A node never
    degrades by itself: `on_failure` says what happens, and one that does not answer in `timeout` seconds has failed.
    The other arguments are those of `DistributedStorage`, of `Config` and of `Provider`; `load_config` None: its
    defaults; `clock` None: that of this machine. Nothing is opened yet. Raises `InvalidArgumentError` for what cannot
    be, `ConfigError` for what a `Config` or a URL has wrong, and `MissingDependencyError` as `new_provider`.
    """
    from aiocache_kit.storage.distributed import DistributedStorage  # noqa: PLC0415  - rule 1

    storage = DistributedStorage(
        [_node(node, clock) for node in nodes],
        replicas=replicas,
        virtual_nodes=virtual_nodes,
        ketama=ketama,
        on_failure=on_failure,
        timeout=timeout,
        balance=balance,
    )
    return _over(storage, load_config, clock, default_ttl, cleanup_interval, sync_interval)


def new_layered(
    *layers: "Layer | Storage | Config | str",
    backplane: "Backplane | str | None" = "auto",
    on_failure: "WhenAway" = "queue",
    heartbeat: float = 1.0,
    distrust_after: float = 5.0,
    default_ttl: TTL = 600,
    cleanup_interval: float = 1.0,
    sync_interval: float = 0.0,
    load_config: LoadConfig | None = None,
    clock: Clock | None = None,
) -> Provider:
    """Build a provider over a hierarchy: copies in the first layers, the truth in the last one.

    A layer is a `Layer`, or a `Storage`, a `Config` or a URL alone. `backplane` is by what processes tell one another
    of changes: ``"pubsub"`` or ``"streams"`` of the Redis that the last layer is configured for, a `Backplane` of
    one's own, or None for by nothing; ``"auto"`` is ``"pubsub"`` where the last layer is configured for Redis, and None
    elsewhere. `heartbeat` and `distrust_after` are seconds, above 0.

    The other arguments are those of `LayeredStorage`, of `Config` and of `Provider`; `load_config` None: its defaults;
    `clock` None: that of this machine. Nothing is opened yet. Raises `InvalidArgumentError` for what cannot be,
    `ConfigError` for what a `Config` or a URL has wrong, and `MissingDependencyError` as `new_provider`.
    """
    from aiocache_kit.storage.layered import Layer, LayeredStorage  # noqa: PLC0415  - rule 1

    given = [layer if isinstance(layer, Layer) else Layer(layer) for layer in layers]
    sources = [Config.from_url(layer.source) if isinstance(layer.source, str) else layer.source for layer in given]
    lowest = sources[-1] if sources else None
    config = lowest if isinstance(lowest, Config) else None
    way = _backplane(backplane, config)
    storage = LayeredStorage(
        [replace(layer, source=_source(source, clock)) for layer, source in zip(given, sources, strict=True)],
        on_failure=on_failure,
        backplane=way,
        seal=None if config is None or way is None else _seal_of_news(config),
        heartbeat=heartbeat,
        distrust_after=distrust_after,
    )
    return _over(storage, load_config, clock, default_ttl, cleanup_interval, sync_interval)


def _source(source: object, clock: Clock | None) -> object:
    if not isinstance(source, Config):
        return source
    return _storage(replace(source, redis_config=replace(source.redis_config, on_unavailable="raise")), clock)


def _backplane(given: "Backplane | str | None", config: Config | None) -> "Backplane | None":
    is_redis = config is not None and config.provider == "redis"
    if given == "auto":
        given = "pubsub" if is_redis else None
    if not isinstance(given, str):
        return given
    if given not in {"pubsub", "streams"}:
        raise InvalidArgumentError(
            f"backplane must be 'auto', 'pubsub', 'streams', a Backplane or None, not {given!r:.40}"
        )
    if config is None or not is_redis:
        raise InvalidArgumentError(f"backplane {given!r} needs a last layer that is configured for redis")
    from aiocache_kit.factory.redis_way import way_of  # noqa: PLC0415  - rule 1

    name = f"{config.redis_config.key_prefix}@:news"
    if given == "pubsub":
        from aiocache_kit.storage.redis.pubsub import RedisPubSub  # noqa: PLC0415  - rule 1

        return RedisPubSub(way_of(config), name)
    if config.redis_config.cluster:
        raise InvalidArgumentError("backplane 'streams' needs a single Redis server or sentinels: use 'pubsub'")
    from aiocache_kit.storage.redis.streams import RedisStreams  # noqa: PLC0415  - rule 1

    return RedisStreams(way_of(config), name)


def _seal_of_news(config: Config) -> "Seal | None":
    """Give what seals messages as values are sealed; messages name keys, so those that are hidden must stay so."""
    from aiocache_kit.config.codec import seal_of  # noqa: PLC0415  - rule 1

    hides_keys = config.key_hash_secret is not None or config.key_hash_secret_file is not None
    if hides_keys and not (config.encryption_keys or config.encryption_keys_file):
        raise ConfigError("key_hash_secret", "hides keys, which a backplane would show: give encryption_keys as well")
    return seal_of(config)


def _node(given: "Node | Config | str", clock: Clock | None) -> "Node":
    from aiocache_kit.storage.distributed import Node  # noqa: PLC0415  - rule 1

    source: object = given.storage if isinstance(given, Node) else given
    if isinstance(source, str):
        source = Config.from_url(source)
    if isinstance(given, Node):
        node = given
    elif isinstance(source, Config):
        node = Node(_address(source), None)
    else:
        raise InvalidArgumentError(f"a node must be a Node, a Config or a URL, not {type(given).__name__}")
    if not isinstance(source, Config):
        return node
    own = replace(source, redis_config=replace(source.redis_config, on_unavailable="raise"))
    return replace(node, storage=_storage(own, clock))


def _address(config: Config) -> str:
    """Give what tells a place from others, without secrets."""
    part = config.redis_config
    match config.provider:
        case "redis":
            return f"{part.unix_socket or part.addr}/{part.db}"
        case "file":
            return str(config.file_config.dir)
        case name:
            raise InvalidArgumentError(
                f"a node of the provider {name} has no address to be named by: use Node(name, ...)"
            )


def _storage(config: Config, clock: Clock | None) -> Storage:
    match config.provider:
        case "memory":
            return _memory(config, clock)
        case "lru":
            return _lru(config, clock)
        case "null":
            from aiocache_kit.storage.null import NullStorage  # noqa: PLC0415  - rule 1

            return NullStorage()
        case "file":
            return _file(config, clock)
        case "redis":
            return _redis(config, clock)
        case _:
            raise ConfigError("provider", "is 'custom', but no storage was given: give new_provider one as storage=")


def _memory(config: Config, clock: Clock | None) -> Storage:
    from aiocache_kit.storage.memory import memory_storage  # noqa: PLC0415  - rule 1

    part = config.memory_config
    return memory_storage(
        max_entries=config.max_entries,
        max_size=cast("int | None", config.max_size),
        eviction_policy=config.eviction_policy,
        shard_count=part.shard_count,
        hash_func=part.hash_func,
        copies=part.isolation == "copy",
        sizer=part.sizer,
        snapshot=_snapshot(part),
        clock=clock,
    )


def _lru(config: Config, clock: Clock | None) -> Storage:
    from aiocache_kit.storage.lru import lru_storage  # noqa: PLC0415  - rule 1

    part = config.memory_config
    return lru_storage(
        max_entries=config.max_entries,
        max_size=cast("int | None", config.max_size),
        copies=part.isolation == "copy",
        sizer=part.sizer,
        snapshot=_snapshot(part),
        clock=clock,
    )


def _file(config: Config, clock: Clock | None) -> Storage:
    from aiocache_kit.config.codec import codec_of, key_hasher_of  # noqa: PLC0415  - rule 1
    from aiocache_kit.storage.file import file_storage  # noqa: PLC0415  - rule 1

    part = config.file_config
    return file_storage(
        str(part.dir),
        codec_of(config),
        hasher=key_hasher_of(config),
        max_entries=config.max_entries,
        max_size=cast("int | None", config.max_size),
        eviction_policy=config.eviction_policy,
        prefix=part.cache_file_prefix,
        file_perm=part.file_perm,
        dir_perm=part.dir_perm,
        janitor_interval=cast("float", part.janitor_interval),
        gathers=bool(config.sync_interval),
        fsync=part.fsync,
        shared=part.shared,
        strict=config.strict,
        clock=clock,
    )


def _redis(config: Config, clock: Clock | None) -> Storage:
    from aiocache_kit.config.codec import codec_of, key_hasher_of  # noqa: PLC0415  - rule 1
    from aiocache_kit.factory.redis_way import tracking_of, way_of  # noqa: PLC0415  - rule 1
    from aiocache_kit.storage.redis.building import new_channel  # noqa: PLC0415  - rule 1
    from aiocache_kit.storage.redis.storage import RedisStorage  # noqa: PLC0415  - rule 1

    part = config.redis_config
    tracking = tracking_of(part)
    way = way_of(config, tracking)
    return RedisStorage(
        new_channel(way),
        codec_of(config),
        prefix=part.key_prefix,
        hasher=key_hasher_of(config),
        strict=config.strict,
        degrades=part.on_unavailable == "miss",
        lease_ttl=cast("float", part.lease_ttl),
        tracking=tracking,
        circuits=way.circuits,
        clock=clock,
    )


def _snapshot(part: MemoryConfig) -> "Snapshot | None":
    if part.snapshot_path is None:
        return None
    from aiocache_kit.storage.snapshot import Snapshot  # noqa: PLC0415  - rule 1

    return Snapshot(part.snapshot_path)
