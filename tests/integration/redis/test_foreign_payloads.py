"""What somebody else has put into Redis under the names of items: a miss that is counted, and never more than that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest
import redis.asyncio

from aiocache_kit import (
    MISSING,
    Config,
    CorruptPayloadError,
    Item,
    NotFoundError,
    Provider,
    RedisConfig,
    WrongTypeError,
    new_provider,
)
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.serializers.signing import Signing
from tests.integration.redis.caches import cache_at
from tests.servers.server import Server

NOW: Final = 4_000_000_000.0
KEY: Final = "k"
RIGHT, WRONG = b"a right secret of 32 bytes......", b"a wrong secret of 32 bytes......"


def enveloped(prefix: str, codec: Codec | None = None, key: str = KEY, **fields: Any) -> bytes:  # noqa: ANN401  - see Item
    """Give a payload that is as it should be but for what is said."""
    given: dict[str, Any] = {"value": "foreign", "ttl": None, "expiration": None, "version": 5, "created_at": 1.0}
    return (codec or Codec(JsonSerializer())).encode(Item(key=prefix + key, **given | fields))


def damaged(data: bytes) -> bytes:
    """Change one byte near the end."""
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


PAYLOADS: dict[str, Callable[[str], bytes]] = {
    "nothing": lambda _: b"",
    "text": lambda _: b"hello",
    "json": lambda _: b'{"a": 1}',
    "zeros": lambda _: bytes(100),
    "like an integer": lambda _: b"12abc",
    "a sign": lambda _: b"-",
    "an integer with zeros": lambda _: b"007",
    "minus zero": lambda _: b"-0",
    "an integer of 19 digits": lambda _: b"5000000000000000000",
    "the largest integer": lambda _: b"9223372036854775807",
    "the least integer": lambda _: b"-9223372036854775808",
    "an integer of 65 bits": lambda _: b"18446744073709551616",
    "very many digits": lambda _: b"9" * 100,
    "a lease without an end": lambda _: b"\xad" + bytes(16),
    "longer than a lease": lambda _: b"\xad" * 60,
    "one byte of an envelope": lambda _: b"\xac",
    "the head of an envelope": lambda prefix: enveloped(prefix)[:44],
    "half a head": lambda prefix: enveloped(prefix)[:20],
    "cut off": lambda prefix: enveloped(prefix)[:-3],
    "damaged": lambda prefix: damaged(enveloped(prefix)),
    "damaged, with tags": lambda prefix: damaged(enveloped(prefix, tags=("0" * 24 + "t",))),
    "damaged, with an end": lambda prefix: damaged(enveloped(prefix, ttl=60.0, expiration=NOW)),
    "of another key": lambda prefix: enveloped(prefix, key="l"),
    "of another prefix": lambda _: enveloped("another:"),
    "of a later format": lambda prefix: b"\xac\x02" + enveloped(prefix)[2:],
    "signed": lambda prefix: enveloped(prefix, Codec(JsonSerializer(), seal=Signing([WRONG]))),
    "of an impossible version": lambda prefix: enveloped(prefix, version=(1 << 63) + 1),
    "with a tag that is none": lambda prefix: enveloped(prefix, tags=("t",)),
    "with a tag that nobody knows": lambda prefix: enveloped(prefix, tags=("f" * 24 + "t",)),
    "beyond its end": lambda prefix: enveloped(prefix, ttl=1.0, expiration=2.0),
    "beyond its end, damaged": lambda prefix: damaged(enveloped(prefix, ttl=1.0, expiration=2.0)),
    "with an endless end": lambda prefix: enveloped(prefix, ttl=float("inf"), expiration=-float("inf")),
}

DEAD: Final = {
    "beyond its end",
    "a lease without an end",
    "longer than a lease",
    "with a tag that is none",
    "with a tag that nobody knows",
}
"""What is no item, or none any more, without being an error."""


@pytest.fixture
async def admin(redis_server: Server) -> AsyncIterator[Any]:
    """Talk to the server past the cache."""
    client: Any = redis.asyncio.Redis(port=redis_server.port)
    yield client
    await client.aclose()


async def loaded() -> str:
    """Load."""
    return "new"


async def all_keys(cache: Provider) -> list[str]:
    """Go over the keys."""
    return [key async for key in cache.keys()]  # noqa: SIM118  - a provider is no dict


async def item_of(cache: Provider) -> object:
    """Get the item."""
    try:
        return await cache.get_item(KEY)
    except NotFoundError:
        return None


async def updated_anew(cache: Provider) -> object:
    """Update what is not there."""
    try:
        return await cache.update(KEY, str)
    except NotFoundError:
        return None


READS: dict[str, tuple[Callable[[Provider], Awaitable[object]], object]] = {
    "get": (lambda cache: cache.get(KEY, MISSING), MISSING),
    "get_multi": (lambda cache: cache.get_multi([KEY]), {}),
    "get_item": (item_of, None),
    "exists": (lambda cache: cache.exists(KEY), False),
    "touch": (lambda cache: cache.touch(KEY, 5), False),
    "expire": (lambda cache: cache.expire(KEY), False),
    "keys": (all_keys, []),
    "update": (updated_anew, None),
    "pop": (lambda cache: cache.pop(KEY, MISSING), MISSING),
    "compare_and_set": (lambda cache: cache.compare_and_set(KEY, 1, 77), False),
}
"""Calls to which what cannot be read is not there."""

WRITES: dict[str, tuple[Callable[[Provider], Awaitable[object]], object]] = {
    "set": (lambda cache: cache.set(KEY, "new"), "new"),
    "set with tags": (lambda cache: cache.set(KEY, "new", tags=["t"]), "new"),
    "set_multi": (lambda cache: cache.set_multi({KEY: "new"}), "new"),
    "add": (lambda cache: cache.add(KEY, "new"), "new"),
    "update": (lambda cache: cache.update(KEY, lambda old: f"{old}w", default="ne"), "new"),
    "increment": (lambda cache: cache.increment(KEY, 2, initial=40), 42),
    "increment by much": (lambda cache: cache.increment(KEY, 10**30), 10**30),
    "get_or_set": (lambda cache: cache.get_or_set(KEY, loaded), "new"),
    "get_or_set_multi": (lambda cache: cache.get_or_set_multi([KEY], lambda keys: dict.fromkeys(keys, "new")), "new"),
    "refresh": (lambda cache: cache.refresh(KEY, loaded), "new"),
}
"""Calls after which there is something that can be read."""

over_payloads = pytest.mark.parametrize("payload", PAYLOADS)


@over_payloads
async def test_reading_what_is_no_item(redis_server: Server, admin: Any, fresh_prefix: str, payload: str) -> None:  # noqa: ANN401  - a client
    """What is no item of this configuration is not there, for every call, and is counted unless time has ended it."""
    data = PAYLOADS[payload](fresh_prefix)
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        for name, (call, expected) in READS.items():
            await admin.set(fresh_prefix + KEY, data)
            errors = (await cache.stats()).errors
            assert await call(cache) == expected, name
            if name == "get":
                assert ((await cache.stats()).errors > errors) is (payload not in DEAD)


@over_payloads
async def test_writing_over_what_is_no_item(redis_server: Server, admin: Any, fresh_prefix: str, payload: str) -> None:  # noqa: ANN401  - a client
    """Every call that stores something does so over what is no item of this configuration."""
    data = PAYLOADS[payload](fresh_prefix)
    async with cache_at(redis_server.port, fresh_prefix, lease_ttl=2) as cache:
        for name, (call, expected) in WRITES.items():
            await admin.set(fresh_prefix + KEY, data)
            await call(cache)
            assert await cache.get(KEY) == expected, name
        for remove in (cache.delete(KEY), cache.delete_multi([KEY]), cache.clear()):
            await admin.set(fresh_prefix + KEY, data)
            await remove
            assert not await admin.exists(fresh_prefix + KEY)


@over_payloads
async def test_strictly_what_is_no_item_is_an_error(
    redis_server: Server,
    admin: Any,  # noqa: ANN401  - a client
    fresh_prefix: str,
    payload: str,
) -> None:
    """Where the configuration is strict, reading it raises, writing over it works, and no call goes on for ever."""
    data = PAYLOADS[payload](fresh_prefix)
    async with cache_at(redis_server.port, fresh_prefix, strict=True, lease_ttl=2) as cache:
        for name, (call, expected) in (READS | WRITES).items():
            await admin.set(fresh_prefix + KEY, data)
            if payload in DEAD or name in {"set", "set with tags", "set_multi"}:
                await call(cache)
                continue
            try:
                answer = await call(cache)
            except CorruptPayloadError:
                continue
            assert name in {"add", "increment", "increment by much", "compare_and_set", "refresh"}, name
            assert name in WRITES or answer == expected


@pytest.mark.parametrize("payload", ["damaged", "text", "like an integer", "of another key"])
async def test_two_who_write_over_it(redis_server: Server, admin: Any, fresh_prefix: str, payload: str) -> None:  # noqa: ANN401  - a client
    """Of many who add at once to what cannot be read, one does; of many who count, each counts."""
    data = PAYLOADS[payload](fresh_prefix)
    async with (
        cache_at(redis_server.port, fresh_prefix) as cache,
        cache_at(redis_server.port, fresh_prefix) as other,
    ):
        for _ in range(5):
            await admin.set(fresh_prefix + KEY, data)
            outcomes = await asyncio.gather(*(each.add(KEY, at) for at in range(8) for each in (cache, other)))
            assert sum(outcomes) == 1
            await admin.set(fresh_prefix + KEY, data)
            counts = await asyncio.gather(*(each.increment(KEY) for _ in range(8) for each in (cache, other)))
            assert sorted(counts) == list(range(1, 17))


@pytest.mark.parametrize("kind", ["list", "hash", "stream"])
async def test_other_types_of_redis(redis_server: Server, admin: Any, fresh_prefix: str, kind: str) -> None:  # noqa: ANN401  - a client
    """What is no text in Redis is a miss, is written over by set, and is an error for whatever must look at it."""
    name = fresh_prefix + KEY
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        for at, (call, _) in {**READS, **WRITES}.items():
            await admin.delete(name)
            await {
                "list": lambda: admin.lpush(name, 1),
                "hash": lambda: admin.hset(name, "a", 1),
                "stream": lambda: admin.xadd(name, {"a": 1}),
            }[kind]()
            try:
                answer = await call(cache)
            except WrongTypeError:
                assert at not in {"get", "get_multi", "exists", "set", "set_multi", "set with tags"}
            else:
                assert at in WRITES or answer == READS[at][1]
        assert (await cache.stats()).errors > 0


@pytest.mark.parametrize("payload", ["123", "unsigned", "of another key", "of another secret"])
async def test_downgrades(redis_server: Server, admin: Any, fresh_prefix: str, payload: str) -> None:  # noqa: ANN401  - a client
    """Where payloads are signed, what nobody has signed is a miss: a bare integer, too."""
    signed = Codec(JsonSerializer(), seal=Signing([RIGHT]))
    data = {
        "123": b"123",
        "unsigned": enveloped(fresh_prefix),
        "of another key": enveloped(fresh_prefix, signed, "l"),
        "of another secret": enveloped(fresh_prefix, Codec(JsonSerializer(), seal=Signing([WRONG]))),
    }[payload]
    config = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix, lease_ttl=2)
    async with new_provider(Config(provider="redis", signing_keys=[RIGHT], redis_config=config)) as cache:
        await admin.set(fresh_prefix + KEY, enveloped(fresh_prefix, signed))
        assert await cache.get(KEY) == "foreign"
        for name, (call, expected) in READS.items():
            await admin.set(fresh_prefix + KEY, data)
            assert await call(cache) == expected, name
        for name, (call, expected) in WRITES.items():
            await admin.set(fresh_prefix + KEY, data)
            await call(cache)
            assert await cache.get(KEY) == expected, name
        assert (await cache.stats()).errors > 0
