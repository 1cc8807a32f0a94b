"""Rules about a configuration by itself. Pure, but that files of secrets are looked at: `of_secrets`."""

import os
import stat
from collections.abc import Iterator
from typing import Final, cast

from aiocache_kit.cli.doctor.findings import Finding, note, problem, warning
from aiocache_kit.cli.knock import is_near, places_of
from aiocache_kit.cli.texts import age_text, count_text, time_text
from aiocache_kit.config import Config, LoadConfig, RedisConfig, TLSConfig
from aiocache_kit.config.codec import codec_of, key_hasher_of
from aiocache_kit.errors import CacheError, MissingDependencyError

_MANY_ENTRIES: Final = 1_000_000
_LONG: Final = 30 * 86_400.0
_SLOW: Final = 5.0
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_DEFAULT_PREFIX: Final = RedisConfig().key_prefix


def of_config(config: Config) -> Iterator[Finding]:
    """Judge what is configured."""
    if config.provider in {"memory", "lru"}:
        yield from _of_memory(config)
    yield from _of_ttl(config)
    yield from _of_loads(config.load_config, cast("float | None", config.default_ttl))
    if config.provider == "redis":
        yield from _of_redis(config)
    if config.provider == "file" and config.max_size is None:
        yield warning(
            "file.max_size",
            f"the directory is bounded by {count_text(config.max_entries or 0)} entries alone, whatever their size",
            "give max_size as well, so that large values cannot fill the disk",
        )


def _of_memory(config: Config) -> Iterator[Finding]:
    if config.max_size is None and (config.max_entries or 0) > _MANY_ENTRIES:
        yield warning(
            "memory.unbounded",
            f"up to {count_text(config.max_entries or 0)} entries of any size may be held, which is hardly a bound",
            "give max_size, or fewer max_entries",
        )
    yield note(
        "memory.own",
        "each process has a cache of its own: what one changes, others do not notice",
        "with several workers, share one in redis, or put memory in front of it as a layer",
    )


def _of_ttl(config: Config) -> Iterator[Finding]:
    ttl = cast("float | None", config.default_ttl)
    if ttl is None:
        yield note(
            "ttl.never", "items live for ever where a call gives no ttl", "give default_ttl, unless all calls do"
        )
    elif ttl < 1:
        yield note("ttl.short", f"items live for {time_text(ttl)} where a call gives no ttl: few will be hit")
    elif ttl > _LONG:
        yield note(
            "ttl.long",
            f"items live for {age_text(ttl)} where a call gives no ttl",
            "make sure that changes invalidate them",
        )


def _of_loads(loads: LoadConfig, ttl: float | None) -> Iterator[Finding]:
    remembered = cast("float | None", loads.negative_ttl)
    if remembered is None or (ttl is not None and remembered > ttl):
        yield warning(
            "loads.negative_ttl",
            "an error of a loader is remembered longer than a value",
            "make load_config.negative_ttl shorter than default_ttl: some seconds",
        )
    timeout, patience = cast("float | None", loads.timeout), cast("float | None", loads.stale_timeout)
    if timeout is not None and patience is not None and patience >= timeout:
        yield warning(
            "loads.stale_timeout",
            "a load is ended before anybody is given an old value instead",
            "make load_config.stale_timeout shorter than timeout",
        )


# --- redis ----------------------------------------------------------------------------------------------------------


def _of_redis(config: Config) -> Iterator[Finding]:
    part = config.redis_config
    yield from _of_network(config)
    yield from _of_times(part)
    if part.key_prefix == _DEFAULT_PREFIX:
        yield note(
            "redis.key_prefix",
            "the prefix of all names is the default one, so that another program with the default shares the items",
            "give each program a redis_config.key_prefix of its own",
        )
    if not (config.encryption_keys or config.encryption_keys_file or config.signing_keys or config.signing_keys_file):
        yield note(
            "redis.seal",
            "values are neither signed nor encrypted: whoever may write to the server may change them",
            "give signing_keys or encryption_keys, unless you trust everybody there",
        )


def _of_network(config: Config) -> Iterator[Finding]:
    part = config.redis_config
    is_far = part.unix_socket is None and not all(map(is_near, places_of(config)))
    if part.tls is False and is_far and part.password is not None:
        yield warning(
            "redis.clear_text",
            "the password and all values go through the network in clear text",
            "let the server speak TLS, and use rediss:// or redis_config.tls",
        )
    if isinstance(part.tls, TLSConfig) and not part.tls.check_hostname:
        yield warning(
            "redis.check_hostname",
            "any server with a certificate of a trusted authority is taken for the right one",
            "give the server a certificate with its own name, and set redis_config.tls.check_hostname to true",
        )
    if part.password is not None and part.username is None:
        yield note(
            "redis.default_user",
            "the default user logs in, who usually may do everything",
            "make a user with few rights, as docs/how-to/redis.md shows",
        )


def _of_times(part: RedisConfig) -> Iterator[Finding]:
    lease, answer = cast("float", part.lease_ttl), cast("float", part.read_timeout)
    if lease <= 2 * answer:
        yield warning(
            "redis.lease_ttl",
            f"a lease ends after {time_text(lease)}, while an answer may take {time_text(answer)}",
            "make redis_config.lease_ttl at least three times read_timeout",
        )
    if answer > _SLOW:
        yield note(
            "redis.read_timeout",
            f"callers wait up to {time_text(answer)} for a server that stands still",
            "make redis_config.read_timeout a second or two, and serve without the cache then",
        )
    if part.on_unavailable == "miss" and part.breaker_failures is None:
        yield warning(
            "redis.breaker",
            "while Redis is away every call waits for its timeouts before it is a miss",
            "give redis_config.breaker_failures",
        )


# --- secrets and extras ---------------------------------------------------------------------------------------------


def of_codec(config: Config) -> Iterator[Finding]:
    """Judge whether values can be written at all: extras that are missing, secrets that cannot be read."""
    if config.provider not in {"redis", "file"}:
        return
    try:
        codec_of(config)
        key_hasher_of(config)
    except MissingDependencyError as error:
        yield problem(
            "codec.extra", f"{error.package} is not installed", f"run pip install 'aiocache-kit[{error.extra}]'"
        )
    except CacheError as error:
        yield problem("codec.secrets", str(error), "correct the file, or its path")


def of_secrets(config: Config) -> Iterator[Finding]:
    """Judge who may read the files with secrets; those that cannot be looked at are told of by others."""
    tls = config.redis_config.tls
    files = {
        "encryption_keys_file": config.encryption_keys_file,
        "signing_keys_file": config.signing_keys_file,
        "key_hash_secret_file": config.key_hash_secret_file,
        "redis_config.tls.key_file": tls.key_file if isinstance(tls, TLSConfig) else None,
    }
    for name, path in files.items():
        if path is None:
            continue
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116  - a text
        except OSError:
            continue
        if mode & _OTHERS:
            yield warning(
                "secrets.mode", f"the file of {name} may be read by other users", "take that from them: chmod 600"
            )
