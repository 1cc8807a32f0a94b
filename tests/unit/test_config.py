import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from aiocache_kit.config import (
    Config,
    FileConfig,
    LoadConfig,
    MemoryConfig,
    RateLimitConfig,
    RedisConfig,
    SentinelConfig,
    TLSConfig,
)
from aiocache_kit.config.config import LEVELS
from aiocache_kit.config.rules import Part
from aiocache_kit.errors import ConfigError
from aiocache_kit.management.eviction import POLICIES

PARTS: list[type[Part]] = [
    Config,
    LoadConfig,
    MemoryConfig,
    FileConfig,
    RateLimitConfig,
    RedisConfig,
    SentinelConfig,
    TLSConfig,
]
SECRET = "correct horse"  # noqa: S105  - it opens nothing

DURATION = 'a positive number of seconds, a timedelta or text such as "1h30m"'
DURATION_OR_ZERO = 'a positive number of seconds, a timedelta, text such as "1h30m", or 0 for on close only'
DURATION_OR_NONE = 'a positive number of seconds, a timedelta, text such as "1h30m", or None for never'
NO_DURATIONS: tuple[object, ...] = (
    -1,
    True,
    float("nan"),
    float("inf"),
    10**400,
    "soon",
    "",
    "1h!",
    timedelta(-1),
    [],
    b"1s",
)
NO_FLAGS: tuple[object, ...] = (0, 1, None, "true")
NO_TEXTS: tuple[object, ...] = ("", 5, b"x", ["x"])
NO_PATHS: tuple[object, ...] = ("", "a\0b", 5, b"x", True)
NO_ADDRESSES: tuple[object, ...] = (
    "",
    ":6379",
    "a:",
    "a:0",
    "a:65536",
    "a:x",
    "a b",
    "::1",
    "[::1",
    "[x]:1",
    "[]",
    "a/b",
    "a:1:2",
    6379,
    None,
)
NO_ADDRESS_LISTS: tuple[object, ...] = ("a:1", None, {"a:1"}, [1], ["a:1", ""], [None])

WRONG: list[tuple[type[Part], str, str, tuple[object, ...]]] = [
    (Config, "provider", "one of memory, lru, null, redis, file, custom", ("", "Memory", "disk", None, 1, True, [])),
    (Config, "default_ttl", DURATION_OR_NONE, (0, 0.0, "0s", timedelta(0), *NO_DURATIONS)),
    (
        Config,
        "max_entries",
        "a whole number from 1 to 1000000000, or None for no bound in entries",
        (0, -1, True, 1.0, "10", 10**9 + 1, 10**5000, float("nan"), []),
    ),
    (
        Config,
        "max_size",
        'a number of bytes, at least 1, as an int or text such as "64MB" or "64MiB", or None for no bound in bytes',
        (
            0,
            -1,
            True,
            1.5,
            "",
            "MB",
            "64XB",
            "-1MB",
            "1e3",
            "64 i",
            "1.5",
            "1.5B",
            "0.0001kB",
            "0MB",
            "9" * 100,
            b"1",
            [],
        ),
    ),
    (Config, "eviction_policy", f"one of {', '.join(sorted(POLICIES))}", ("", "LRU", "mru", None, 5)),
    (Config, "sync_interval", DURATION_OR_ZERO, (None, False, *NO_DURATIONS)),
    (Config, "cleanup_interval", DURATION, (None, 0, "0", *NO_DURATIONS)),
    (
        Config,
        "serialization_format",
        "one of json, msgpack, pickle, protobuf, or the name of a registered serializer",
        ("", "gob", None, 1),
    ),
    (
        Config,
        "compression",
        "one of gzip, lz4, zlib, zstd, or None for no compression",
        ("", "none", "brotli", 1, True),
    ),
    (
        Config,
        "compression_level",
        "a whole number of at least 0, or None for the algorithm's own default",
        (-1, True, 1.0, "1"),
    ),
    (
        Config,
        "compression_threshold",
        'a number of bytes, at least 1, as an int or text such as "64MB" or "64MiB", or None for 1024',
        (0, -1, True, 1.5, "", "soon", []),
    ),
    (
        Config,
        "max_value_size",
        'a number of bytes, from 1 to 1073741824, as an int or text such as "64MB" or "64MiB"',
        (0, -1, None, True, 2**30 + 1, "2GiB", 0.5),
    ),
    (
        Config,
        "encryption",
        "one of aes-256-gcm, chacha20-poly1305, or None for aes-256-gcm where there are keys",
        ("", "aes", "AES-256-GCM", "none", True),
    ),
    (
        Config,
        "signing",
        "one of hmac-sha256, blake2b, or None for hmac-sha256 where there are keys",
        ("", "md5", "hmac", False),
    ),
    *[
        (Config, f"{name}_file", "a path as a str or os.PathLike, or None for no such file", NO_PATHS)
        for name in ("encryption_keys", "signing_keys", "key_hash_secret")
    ],
    (Config, "key_hash_readable", "a whole number from 0 to 64", (-1, 65, None, True, "5")),
    (Config, "strict", "True or False", NO_FLAGS),
    (Config, "redis_config", "a RedisConfig", (None, {}, RedisConfig, MemoryConfig())),
    (Config, "file_config", "a FileConfig", (None, "dir", FileConfig)),
    (Config, "memory_config", "a MemoryConfig", (None, 5, MemoryConfig)),
    (Config, "load_config", "a LoadConfig", (None, 5, LoadConfig)),
    (Config, "rate_limit", "a RateLimitConfig, or None for no limit", (5, RateLimitConfig)),
    (RateLimitConfig, "rate", "a whole number from 1 to 1000000000", (0, None, True, 1.0, "5", 10**10)),
    (RateLimitConfig, "per", DURATION, (None, 0, *NO_DURATIONS)),
    (RateLimitConfig, "burst", "a whole number from 1 to 1000000000, or None for as many as rate", (0, True, 1.5)),
    (RateLimitConfig, "on_unavailable", "one of local, allow, raise", ("", "open", None, True)),
    (LoadConfig, "jitter", "a number from 0 up and below 1", (1, -0.1, True, None, "x")),
    *(
        (
            LoadConfig,
            name,
            f'0, a positive number of seconds, a timedelta, text such as "1h30m", or None {none}',
            (-1, True, float("nan"), float("inf"), "x", "-1s", timedelta(-1), []),
        )
        for name, none in (
            ("stale_while_revalidate", "for ever"),
            ("stale_if_error", "for ever"),
            ("throttle", "for ever"),
            ("timeout", "for as long as it takes"),
            ("stale_timeout", "for as long as it takes"),
            ("negative_ttl", "for ever"),
        )
    ),
    (LoadConfig, "stale_on", "an exception class, a tuple of them, or a function of an exception", (5, BaseException)),
    (LoadConfig, "refresh_ahead", "a number above 0 and below 1, or None for never", (0, 1, True, "x")),
    (LoadConfig, "early_beta", "a number from 0 up", (-1, True, "x", float("inf"))),
    (LoadConfig, "cache_none", "True or False", NO_FLAGS),
    (LoadConfig, "max_loads", "a whole number of at least 1, or None for any number", (0, -1, True, 1.5, "5")),
    (LoadConfig, "max_waiting_loads", "a whole number of at least 0", (-1, None, True, "5")),
    (
        MemoryConfig,
        "shard_count",
        "a power of two from 1 to 4096, or None for as many as the bounds ask for",
        (0, -2, 3, 6, 8192, True, 2.0, "2"),
    ),
    (
        MemoryConfig,
        "hash_func",
        "a function from a str to an int, or None for the built-in hash",
        (5, "hash", str.upper, max, divmod),
    ),
    (MemoryConfig, "isolation", "one of reference, copy", ("", "deep", None, True)),
    (
        MemoryConfig,
        "sizer",
        "a function from a key and a value to a number of bytes, or None for an estimate",
        (5, "len"),
    ),
    (MemoryConfig, "snapshot_path", "a path as a str or os.PathLike, or None for no snapshot", NO_PATHS),
    (FileConfig, "dir", "a path as a str or os.PathLike, or None where the provider is not file", NO_PATHS),
    (
        FileConfig,
        "file_perm",
        "permissions of at least 0o600, at most 0o777, that do not let others write (0o002)",
        (0o400, 0o200, 0o602, 0o1600, -1, True, "600", None),
    ),
    (
        FileConfig,
        "dir_perm",
        "permissions of at least 0o700, at most 0o777, that do not let others write (0o002)",
        (0o600, 0o777, 0o1700, None),
    ),
    (
        FileConfig,
        "cache_file_prefix",
        "at most 32 letters, digits, dots, hyphens and underscores, no dot first",
        (".", "..", "../x", "a/b", "a\\b", "a b", "a\n", "ü", "a" * 33, None, 5),
    ),
    (FileConfig, "janitor_interval", DURATION, (None, 0, *NO_DURATIONS)),
    (FileConfig, "shared", "True or False", (None, 1, "yes")),
    (FileConfig, "fsync", "True or False", (None, 1, "yes")),
    (RedisConfig, "addr", 'an address such as "localhost:6379", or "[::1]:6379" for IPv6', NO_ADDRESSES),
    (RedisConfig, "username", "a str that is not empty, or None for the default user", NO_TEXTS),
    (RedisConfig, "db", "a whole number of at least 0", (-1, True, None, "0", 0.0)),
    (RedisConfig, "max_retries", "a whole number of at least 0", (-1, True, None, "3", 1.5)),
    *[
        (RedisConfig, name, DURATION, (None, 0, *NO_DURATIONS))
        for name in ("dial_timeout", "read_timeout", "write_timeout", "pool_timeout")
    ],
    (RedisConfig, "pool_size", "a whole number of at least 1", (0, -1, True, None, "5")),
    (RedisConfig, "cluster", "True or False", NO_FLAGS),
    (RedisConfig, "cluster_addrs", 'a list or tuple of addresses such as "localhost:6379"', NO_ADDRESS_LISTS),
    (RedisConfig, "tls", "True, False or a TLSConfig", (0, 1, None, "true", TLSConfig, {})),
    (RedisConfig, "sentinel", "a SentinelConfig, or None for no sentinels", (True, "a:1", {})),
    (RedisConfig, "unix_socket", "a path as a str or os.PathLike, or None for a connection by network", NO_PATHS),
    (RedisConfig, "multiplexed", "True or False", NO_FLAGS),
    (RedisConfig, "protocol", "a whole number from 2 to 3", (1, 4, None, True, "3")),
    (
        RedisConfig,
        "key_prefix",
        "a str of 1 to 200 characters, no braces or control characters",
        ("", "{a}", "}", "a\n", "\0", "\x85", "\ud800", "a" * 201, None, 5, b"a"),
    ),
    (RedisConfig, "lease_ttl", DURATION, (None, 0, *NO_DURATIONS)),
    (RedisConfig, "on_unavailable", "one of raise, miss", ("", "Miss", None, True)),
    (
        RedisConfig,
        "breaker_failures",
        "a whole number of at least 1, or None for no circuit breaker",
        (0, -1, True, 1.5, "5"),
    ),
    (RedisConfig, "breaker_wait", DURATION, (None, 0, *NO_DURATIONS)),
    (
        RedisConfig,
        "client_cache",
        'a number of bytes, at least 1, as an int or text such as "64MB" or "64MiB", or None for none',
        (0, -1, True, 1.5, "", "many"),
    ),
    (SentinelConfig, "addrs", 'a list or tuple of addresses such as "localhost:26379"', NO_ADDRESS_LISTS),
    (SentinelConfig, "service_name", "a str that is not empty", (*NO_TEXTS, None)),
    (SentinelConfig, "username", "a str that is not empty, or None for the default user", NO_TEXTS),
    (TLSConfig, "ca_file", "a path as a str or os.PathLike, or None for the authorities of the system", NO_PATHS),
    (TLSConfig, "cert_file", "a path as a str or os.PathLike, or None for no certificate of one's own", NO_PATHS),
    (TLSConfig, "key_file", "a path as a str or os.PathLike, or None where cert_file holds the key as well", NO_PATHS),
    (TLSConfig, "check_hostname", "True or False", NO_FLAGS),
]
SECRETS: list[type[Part]] = [RedisConfig, SentinelConfig]
SECRET_FIELDS: dict[type[Part], set[str]] = {
    Config: {"encryption_keys", "signing_keys", "key_hash_secret"},
    RedisConfig: {"password"},
    SentinelConfig: {"password"},
}
OLD, NEW, LONG = bytes(range(32)), bytes(range(32, 64)), bytes(range(100))
REQUIRED: dict[type[Part], dict[str, object]] = {
    SentinelConfig: {"addrs": ["a"], "service_name": "main"},
    RateLimitConfig: {"rate": 10},
}


def field_names(kind: type[Part]) -> set[str]:
    return {each.name for each in dataclasses.fields(cast("type[Config]", kind))}


def message(build: Callable[[], object]) -> str:
    """The one sentence of a refusal."""
    with pytest.raises(ConfigError) as refusal:
        build()
    assert str(refusal.value).startswith(refusal.value.field + " ")
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# --- one field ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "allowed", "values"), WRONG, ids=[f"{kind.__name__}.{field}" for kind, field, _, _ in WRONG]
)
def test_a_wrong_value_is_one_sentence(kind: type[Part], field: str, allowed: str, values: tuple[object, ...]) -> None:
    """Each wrong value of each field is refused by a sentence that names the field and says what is allowed."""
    for value in values:
        said = message(partial(kind, **{**REQUIRED.get(kind, {}), field: value}))
        assert re.fullmatch(rf"{re.escape(kind.where + field)} is .+, but must be {re.escape(allowed)}", said), said


@pytest.mark.parametrize("kind", PARTS)
def test_every_field_is_tried(kind: type[Part]) -> None:
    """The table above, and the rules, have every field there is."""
    tried = {field for each, field, _, _ in WRONG if each is kind}

    secret = {name for name, rule in kind.schema.items() if rule.secret}
    assert tried | secret == set(kind.schema) == field_names(kind)
    assert secret == SECRET_FIELDS.get(kind, set())


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("wrong", ["", b"correct horse", 5, ["correct horse"]])
def test_a_wrong_password_is_not_shown(kind: type[Part], wrong: object) -> None:
    """What was given as a password is never in the message."""
    said = message(partial(kind, **REQUIRED.get(kind, {}), password=wrong))

    assert said == f"{kind.where}password is wrong: it must be a str that is not empty, or None for no password"


@pytest.mark.parametrize("field", ["encryption_keys", "signing_keys", "key_hash_secret"])
@pytest.mark.parametrize(
    "wrong",
    [
        "correct horse",
        b"correct horse",
        "0" * 64,
        bytes(32),
        5,
        "",
        b"",
        ["correct horse"],
        [b"x" * 32],
        [OLD, OLD],
        [5],
    ],
)
def test_a_wrong_secret_is_not_shown(field: str, wrong: object) -> None:
    """A secret that is empty, short, guessable, no secret at all or given twice is refused and not shown."""
    for value in (wrong, [wrong], [OLD, wrong]):
        said = message(lambda: Config(**{field: value}))  # type: ignore[arg-type]  # noqa: B023  # pyright: ignore[reportArgumentType]  - called at once
        assert said.startswith(f"{field} ")
        assert "horse" not in said
        assert "0000" not in said
        assert OLD.hex() not in said


def test_secrets_have_one_form() -> None:
    """Bytes and hexadecimal text are the same secret, and a list is kept as a tuple."""
    text = Config(encryption_keys=[NEW.hex(), OLD.hex().upper()], key_hash_secret=LONG.hex())
    assert text == Config(encryption_keys=(NEW, OLD), key_hash_secret=LONG)
    assert text.encryption_keys == (NEW, OLD)
    assert text.key_hash_secret == LONG
    assert Config(signing_keys=[LONG.hex(), OLD]).signing_keys == (LONG, OLD)
    assert Config(signing_keys=[]) == Config()
    assert message(lambda: Config(encryption_keys=[LONG])).startswith(
        "encryption_keys is a secret of 100 bytes, but must be 32 bytes"
    )


@pytest.mark.parametrize("value", [f"redis://:{SECRET}@host", f"user:{SECRET}@host:6379", f"//{SECRET}", "/" * 61])
def test_what_may_hold_a_password_is_not_shown(value: str) -> None:
    """A URL or credentials in a field where none belong, and text that is long, are described by their length."""
    assert message(lambda: Config(provider=value)).startswith(f"provider is a text of {len(value)} characters, but")
    assert SECRET not in message(lambda: RedisConfig(addr=value))


@pytest.mark.parametrize(
    ("field", "value", "settled"),
    [
        ("default_ttl", 5, 5.0),
        ("default_ttl", timedelta(minutes=1), 60.0),
        ("default_ttl", "1h30m", 5400.0),
        ("default_ttl", "500ms", 0.5),
        ("default_ttl", None, None),
        ("cleanup_interval", "250 ms", 0.25),
        ("max_entries", 10**9, 10**9),
        ("max_size", 1, 1),
        ("max_size", "1", 1),
        ("max_size", "100 B", 100),
        ("max_size", "64kB", 64_000),
        ("max_size", "64MB", 64_000_000),
        ("max_size", "64 mib", 64 * 2**20),
        ("max_size", "1.5GiB", 3 * 2**29),
        ("max_size", "2T", 2 * 10**12),
        ("max_size", "0.001k", 1),
        ("compression", "zstd", "zstd"),
    ],
)
def test_fields_have_one_form(field: str, value: object, settled: object) -> None:
    """However a right value is written, the configuration holds it in one form, and such configurations are equal."""
    config = Config.build({field: value})

    assert getattr(config, field) == settled
    assert type(getattr(config, field)) is type(settled)
    assert config == Config.build({field: settled})


@pytest.mark.parametrize("zero", [0, 0.0, "0", "0s", "0 ms", "00.0h", timedelta(0)])
def test_sync_interval_may_be_zero(zero: float | str | timedelta) -> None:
    """Zero, in every form, means on close only."""
    assert Config(sync_interval=zero).sync_interval == 0.0


@pytest.mark.parametrize(
    ("addr", "settled"),
    [
        ("host", "host:6379"),
        ("my-host.example:1", "my-host.example:1"),
        ("127.0.0.1:65535", "127.0.0.1:65535"),
        ("[::1]", "[::1]:6379"),
        ("[0:0::1]:7000", "[::1]:7000"),
        ("cache_1", "cache_1:6379"),
    ],
)
def test_addresses_have_their_port(addr: str, settled: str) -> None:
    """An address may leave the port out, and may be IPv6 in brackets."""
    assert RedisConfig(addr=addr).addr == settled
    assert RedisConfig(cluster=True, cluster_addrs=[addr]).cluster_addrs == (settled,)
    assert SentinelConfig(addrs=["host"], service_name="main").addrs == ("host:26379",)


def test_paths_become_text() -> None:
    """A path may be any `os.PathLike`; the configuration holds a `str`."""
    assert MemoryConfig(snapshot_path=Path("a") / "b").snapshot_path == str(Path("a") / "b")


def test_functions_are_kept() -> None:
    """A hash function and a sizer are taken as they are."""

    def sizer(key: str, value: object) -> int:
        return len(key) + len(repr(value))

    config = MemoryConfig(hash_func=len, sizer=sizer)

    assert config.hash_func is len
    assert config.sizer is sizer


def test_defaults_are_bounded_and_end_soon() -> None:
    """Without a word, entries are bounded and end, nothing is written, and each step to Redis has a second."""
    config = Config()

    assert (config.provider, config.eviction_policy) == ("memory", "adaptive")
    assert (config.default_ttl, config.max_entries, config.max_size) == (600.0, 10_000, None)
    assert (config.sync_interval, config.cleanup_interval) == (0.0, 1.0)
    redis = config.redis_config
    assert {redis.dial_timeout, redis.read_timeout, redis.write_timeout, redis.pool_timeout} == {1.0}
    assert (config.file_config.file_perm, config.file_config.dir_perm) == (0o600, 0o700)


# --- fields together ------------------------------------------------------------------------------------------------

CONTRADICTIONS: list[tuple[Callable[[], object], str]] = [
    (
        lambda: Config(max_entries=None),
        "max_entries is None, and so is max_size, but a cache must have a bound: give one",
    ),
    (
        lambda: Config(sync_interval=5),
        "sync_interval is given, but there is no memory_config.snapshot_path to write to",
    ),
    (
        lambda: Config(provider="lru", sync_interval=5),
        "sync_interval is given, but there is no memory_config.snapshot_path to write to",
    ),
    (lambda: Config(provider="file"), "file_config.dir is None, but the provider file needs a directory"),
    (
        lambda: Config(provider="file", file_config=FileConfig(dir="x", shared=True), sync_interval=1),
        "sync_interval is given, but file_config.shared is True, and others must see writes at once: leave it 0",
    ),
    (
        lambda: Config(provider="lru", eviction_policy="lfu"),
        "eviction_policy is 'lfu', but the provider lru knows only lru: memory knows them all",
    ),
    (
        lambda: Config(provider="lru", memory_config=MemoryConfig(shard_count=2)),
        "memory_config.shard_count is 2, but the provider lru has only one shard",
    ),
    (
        lambda: Config(max_entries=15, memory_config=MemoryConfig(shard_count=16)),
        "memory_config.shard_count is 16, but must be at most max_entries, which is 15",
    ),
    (
        lambda: Config(max_entries=None, max_size=15, memory_config=MemoryConfig(shard_count=16)),
        "memory_config.shard_count is 16, but must be at most max_size, which is 15",
    ),
    (
        lambda: Config(compression_level=3),
        "compression_level is given, but compression is None: choose one, or give no level",
    ),
    (
        lambda: Config(compression="gzip", compression_level=10),
        "compression_level is 10, but must be from 1 to 9 for gzip, or None",
    ),
    (
        lambda: Config(compression="zstd", compression_level=0),
        "compression_level is 0, but must be from 1 to 22 for zstd, or None",
    ),
    (
        lambda: Config(compression_threshold=100),
        "compression_threshold is given, but compression is None: choose one, or give none",
    ),
    (
        lambda: Config(encryption_keys=[OLD], signing_keys=[NEW]),
        "signing_keys are given, but so are encryption_keys: what is encrypted is as good as signed",
    ),
    (
        lambda: Config(encryption_keys_file="a", signing_keys=[NEW]),
        "signing_keys are given, but so are encryption_keys: what is encrypted is as good as signed",
    ),
    (
        lambda: Config(encryption="aes-256-gcm"),
        "encryption is given, but there are no secrets: give encryption_keys, or encryption_keys_file",
    ),
    (
        lambda: Config(signing="blake2b"),
        "signing is given, but there are no secrets: give signing_keys, or signing_keys_file",
    ),
    (
        lambda: Config(key_hash_readable=5),
        "key_hash_readable is given, but there are no secrets: give key_hash_secret, or key_hash_secret_file",
    ),
    (
        lambda: Config(encryption_keys=[OLD], encryption_keys_file="a"),
        "encryption_keys_file is given together with encryption_keys: only one can say what is secret",
    ),
    (
        lambda: Config(signing_keys=[OLD], signing_keys_file="a"),
        "signing_keys_file is given together with signing_keys: only one can say what is secret",
    ),
    (
        lambda: Config(key_hash_secret=OLD, key_hash_secret_file=Path("a")),
        "key_hash_secret_file is given together with key_hash_secret: only one can say what is secret",
    ),
    (
        lambda: Config(provider="redis", serialization_format="pickle"),
        "serialization_format is pickle, which can run code when it is read: turn on encryption or signing",
    ),
    (
        lambda: RedisConfig(cluster=True),
        "redis_config.cluster_addrs is empty, but a cluster needs at least one address",
    ),
    (
        lambda: RedisConfig(cluster_addrs=["a:1"]),
        "redis_config.cluster_addrs is given, but cluster is False: only a cluster has nodes",
    ),
    (
        lambda: RedisConfig(cluster=True, cluster_addrs=["a:1"], db=1),
        "redis_config.db is 1, but a cluster has only the database 0",
    ),
    (
        lambda: RedisConfig(cluster=True, cluster_addrs=["a:1"], unix_socket="/s"),
        "redis_config.unix_socket is given together with cluster_addrs: only one can say where Redis is",
    ),
    (
        lambda: RedisConfig(addr="a:1", unix_socket="/s"),
        "redis_config.unix_socket is given together with addr: only one can say where Redis is",
    ),
    (
        lambda: RedisConfig(addr="a:1", sentinel=SentinelConfig(addrs=["a"], service_name="main")),
        "redis_config.sentinel is given together with addr: only one can say where Redis is",
    ),
    (
        lambda: RedisConfig(client_cache="64MB", multiplexed=False),
        "redis_config.client_cache is given, but multiplexed is False: only shared connections are told of changes",
    ),
    (
        lambda: RedisConfig(client_cache="64MB", protocol=2),
        "redis_config.client_cache is given, but protocol is 2: only 3 tells of changes",
    ),
    (
        lambda: RedisConfig(unix_socket="/s", tls=True),
        "redis_config.tls is given, but a unix_socket is never encrypted: leave it False",
    ),
    (
        lambda: SentinelConfig(service_name="main"),
        "redis_config.sentinel.addrs is empty, but must hold at least one address",
    ),
    (
        lambda: TLSConfig(key_file="/key"),
        "redis_config.tls.key_file is given, but it needs the cert_file that it belongs to",
    ),
]


@pytest.mark.parametrize(("build", "said"), CONTRADICTIONS, ids=[said.split(",")[0] for _, said in CONTRADICTIONS])
def test_contradictions_are_refused(build: Callable[[], object], said: str) -> None:
    """Fields that are right by themselves and cannot be true together are refused by one sentence."""
    assert message(build) == said


def test_changing_one_word_is_enough() -> None:
    """What only another storage would use is no contradiction, so the provider can be changed and nothing else."""
    config = Config(
        sync_interval=5,
        compression="gzip",
        compression_level=9,
        serialization_format="pickle",
        signing_keys=[OLD],
        memory_config=MemoryConfig(shard_count=16, snapshot_path="items"),
        file_config=FileConfig(dir="cache"),
        redis_config=RedisConfig(addr="redis:6379", password=SECRET),
    )

    for provider in ("memory", "null", "redis", "file", "custom"):
        assert dataclasses.replace(config, provider=provider).provider == provider


@pytest.mark.parametrize("algorithm", LEVELS)
def test_each_level_of_an_algorithm_is_allowed(algorithm: str) -> None:
    """The least and the greatest level of each algorithm are right."""
    for level in LEVELS[algorithm]:
        assert Config(compression=algorithm, compression_level=level).compression_level == level


# --- the value itself -----------------------------------------------------------------------------------------------


def test_a_configuration_is_a_value() -> None:
    """It cannot be changed; equal ones hash alike; copies and pickles are equal to it."""
    config = Config(redis_config=RedisConfig(cluster=True, cluster_addrs=["a:1"]), max_size="1MB")

    with pytest.raises(dataclasses.FrozenInstanceError):
        config.provider = "lru"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]  - what is tested
    assert hash(config) == hash(dataclasses.replace(config))
    assert copy.deepcopy(config) == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301  - our own bytes
    assert not hasattr(config, "__dict__")


def test_replace_checks_again() -> None:
    """A copy with other fields is checked as a whole."""
    config = Config(max_entries=5)

    assert dataclasses.replace(config, default_ttl="1m").default_ttl == 60.0
    assert message(lambda: dataclasses.replace(config, max_entries=0)).startswith("max_entries is 0, but")
    assert message(lambda: dataclasses.replace(config, max_entries=None)).startswith("max_entries is None, and")


def test_repr_shows_no_password() -> None:
    """Passwords are in no `repr`, at no depth; everything else is."""
    sentinel = SentinelConfig(addrs=["a"], service_name="main", username="guard", password=SECRET)
    config = Config(redis_config=RedisConfig(username="app", password=SECRET, sentinel=sentinel))

    assert SECRET not in repr(config)
    assert "username='guard'" in repr(config)
    assert "addrs=('a:26379',)" in repr(config)


def test_repr_shows_no_secret() -> None:
    """What encrypts, signs or hashes keys is in no `repr`; how it is done is."""
    for config in (
        Config(encryption_keys=[OLD], encryption="chacha20-poly1305", key_hash_secret=NEW),
        Config(signing_keys=[OLD.hex(), NEW.hex()], signing="blake2b"),
    ):
        for secret in (OLD, NEW):
            assert secret.hex() not in repr(config)
            assert repr(secret)[2:-1] not in repr(config)
    assert "signing='blake2b'" in repr(config)


# --- the reference --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PARTS)
def test_the_reference_has_every_field(kind: type[Part]) -> None:
    """The page on configuration lists the fields of each class in their order, with their defaults."""
    page = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text("utf-8")
    section = re.split(rf"^#+ {kind.__name__}$", page, flags=re.MULTILINE)[1].split("\n#", 1)[0]
    listed = re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^|]+)` \|", section, re.MULTILINE)
    defaults: dict[str, object] = {"RedisConfig()": RedisConfig(), "FileConfig()": FileConfig()}
    defaults |= {"LoadConfig()": LoadConfig(), "Exception": Exception}
    defaults |= {"MemoryConfig()": MemoryConfig(), "0o600": 0o600, "0o700": 0o700}

    fields = dataclasses.fields(cast("type[Config]", kind))
    made = {each.name: each.default for each in fields}
    made |= {each.name: each.default_factory() for each in fields if callable(each.default_factory)}
    assert [name for name, _ in listed] == list(made)
    assert [defaults.get(text, text) for _, text in listed] == [
        value if value in defaults.values() else repr(value) for value in made.values()
    ]
