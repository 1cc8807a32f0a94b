"""Limits that processes share by way of Redis."""

import asyncio
import random
from fractions import Fraction

import pytest

from aiocache_kit import Provider, new_distributed, new_layered
from aiocache_kit.config import Config, RedisConfig
from aiocache_kit.errors import RateLimitedError, StorageUnavailableError
from aiocache_kit.management.rate_limit import Level, RateDecision, decision, rate_of, take
from aiocache_kit.storage.redis.scripts import TAKE_TOKENS, Script
from tests.integration.redis.caches import cache_at, link_of
from tests.integration.redis.ways import to_cluster
from tests.integration.redis.workers import Workers
from tests.servers.cluster import Cluster
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

BY_THE_SERVER = """local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
"""
LIFE = ", 'PX', life"


async def passed(caches: list[Provider], count: int, rate: int) -> list[RateDecision]:
    """Ask so often by each of several providers, all at once, and give those who were let pass."""
    limiters = [each.rate_limiter("api", rate, per=3600) for each in caches]
    made = await asyncio.gather(*(each.try_acquire("ann") for _ in range(count) for each in limiters))
    return [each for each in made if each.allowed]


async def test_the_script_does_the_arithmetic_of_python(redis_server: Server, fresh_prefix: str) -> None:
    """Handed the same times, even such as go back, both decide the same and leave the same level."""
    text = TAKE_TOKENS.text.decode()
    assert BY_THE_SERVER in text
    text = text.replace(BY_THE_SERVER, "local now = tonumber(ARGV[6])\n")
    assert LIFE in text
    script = Script(text.replace(LIFE, ""))  # the times are invented, so that its end would be, too
    draw = random.Random(7)  # noqa: S311  - the same each time
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        channel = link_of(cache)
        for number in range(60):
            rate = rate_of(
                draw.choice([1, 3, 7, 100, 999_983]), draw.choice([0.3, 1, 60, 7]), draw.choice([1, 5, 1000])
            )
            name, level, now = f"{fresh_prefix}{number}".encode(), None, 1_800_000_000_000_000 + draw.randrange(10**6)
            for _ in range(25):
                now += int(
                    rate.fill_time * draw.choice([0, 0, draw.random() / rate.burst, draw.random(), -draw.random()])
                )
                tokens = draw.randint(1, rate.burst)
                patience = draw.choice([0, min(draw.randrange(4 * rate.fill_time), rate.longest_wait)])
                expected, level = take(rate, level, now, tokens, patience)
                arguments = (rate.room, rate.token, rate.refill, tokens, patience, now)
                given, remaining, wait, reset = await script.run(channel, (name,), *arguments)
                assert decision(rate, remaining, wait, reset, allowed=bool(given)) == expected
                kept = await channel.call((b"GET", name))
                missing, at = map(int, kept.split())
                assert Level(missing, max(at, now)) == level


async def test_never_above_the_limit_whoever_asks(redis_server: Server, fresh_prefix: str) -> None:
    """A thousand tasks at once, over connections of their own, share one bucket, and each knows what is left."""
    caches = [cache_at(redis_server.port, fresh_prefix) for _ in range(4)]
    got = await passed(caches, 250, rate=50)
    assert len(got) == 50
    assert sorted(each.remaining for each in got) == list(range(50))
    for cache in caches:
        await cache.close()


async def test_processes_together_stay_below_the_limit(
    workers: Workers, redis_server: Server, fresh_prefix: str
) -> None:
    """Four processes that ask thousands of times while tokens come back get no more than what came back by then."""
    rate, burst = 100, 50
    begin = server_time(redis_server)
    async with workers(redis_server, fresh_prefix, 4) as processes:
        calls = [each.start("passes", "api", rate, burst, 20) for each in processes]
        passed = sum([await call.result() for call in calls])
    elapsed = server_time(redis_server) - begin

    assert burst <= passed <= burst + rate * elapsed


def server_time(server: Server) -> Fraction:
    """Read the server's clock, exactly."""
    seconds, micros = server.ask("TIME")
    return int(seconds) + Fraction(int(micros), 1_000_000)


async def test_a_bucket_goes_when_it_is_full_and_names_nobody(redis_server: Server, fresh_prefix: str) -> None:
    """What lies in Redis tells nothing of the caller, and is gone with the time that it is about; `clear` leaves it."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        limiter = cache.rate_limiter("api", 1, per=60)
        await limiter.acquire("203.0.113.7")
        await cache.set("item", 1)
        await cache.clear()
        (name,) = redis_server.ask("KEYS", f"{fresh_prefix}*")
        assert b"203" not in bytes(str(name), "utf-8")
        assert 0 < int(redis_server.ask("PTTL", name)) <= 60_000
        assert [key async for key in cache.keys("")] == []
        with pytest.raises(RateLimitedError) as caught:
            await limiter.acquire("203.0.113.7")
        assert 0 < caught.value.retry_after <= 60


async def test_what_is_no_bucket_counts_as_a_full_one(redis_server: Server, fresh_prefix: str) -> None:
    """Whatever somebody has put in the place of a bucket is replaced."""
    async with cache_at(redis_server.port, fresh_prefix) as cache:
        limiter = cache.rate_limiter("api", 1, per=60)
        await limiter.acquire()
        (name,) = redis_server.ask("KEYS", f"{fresh_prefix}*")
        redis_server.ask("SET", name, "12 monkeys")
        assert (await limiter.acquire()).remaining == 0


async def test_while_redis_is_down_the_choice_holds(start_server: StartServer, fresh_prefix: str) -> None:
    """Killed, the server leaves each process to itself, to everybody or to nobody; back again, it counts for all."""
    server = start_server()
    async with cache_at(server.port, fresh_prefix, breaker_failures=None, max_retries=0, dial_timeout=0.5) as cache:
        local = cache.rate_limiter("local", 2, per=3600)
        is_open = cache.rate_limiter("open", 1, per=3600, on_unavailable="allow")
        is_closed = cache.rate_limiter("closed", 1, per=3600, on_unavailable="raise")
        for each in (local, is_open, is_closed):
            await each.acquire()
        server.kill()
        assert [(await local.try_acquire()).allowed for _ in range(3)] == [True, True, False]
        assert (await is_open.acquire()).allowed
        with pytest.raises(StorageUnavailableError):
            await is_closed.acquire()
        assert (local.degraded, is_open.degraded, is_closed.degraded) == (3, 1, 0)
        server.start()
        assert (await is_closed.acquire()).allowed
        with pytest.raises(RateLimitedError):
            await is_closed.acquire()
        assert local.degraded == 3


async def test_a_cluster_counts_for_all(redis_cluster: Cluster, fresh_prefix: str) -> None:
    """Each bucket lies on one node, whoever asks for it."""
    caches = [to_cluster(redis_cluster, key_prefix=fresh_prefix) for _ in range(2)]
    for caller in ("ann", "bob", "cem"):
        limits = [each.rate_limiter("api", 3, per=3600) for each in caches]
        made = await asyncio.gather(*(each.try_acquire(caller) for each in limits for _ in range(5)))
        assert sum(each.allowed for each in made) == 3
    for cache in caches:
        await cache.close()


async def test_layers_and_nodes_count_for_all(start_server: StartServer, fresh_prefix: str) -> None:
    """Over layers the lowest one counts, and over nodes the one that a bucket belongs to; without it, as was chosen."""
    servers = [start_server() for _ in range(2)]
    configs = [
        Config(provider="redis", redis_config=RedisConfig(addr=f"127.0.0.1:{server.port}", key_prefix=fresh_prefix))
        for server in servers
    ]
    layered = [new_layered(Config(), configs[0], backplane=None) for _ in range(2)]
    assert len(await passed(layered, 10, rate=3)) == 3
    spread = [new_distributed(*configs) for _ in range(2)]
    limits = [each.rate_limiter("api", 2, per=3600) for each in spread]
    for caller in range(10):
        made = await asyncio.gather(*(each.try_acquire(str(caller)) for each in limits for _ in range(2)))
        assert sum(each.allowed for each in made) == 2
    servers[0].kill()
    assert [(await layered[0].rate_limiter("api", 3, per=3600).try_acquire("ann")).allowed] == [True]
    made = [await limits[0].try_acquire(f"x{caller}") for caller in range(10)]
    assert all(each.allowed for each in made)
    assert 0 < limits[0].degraded < 10
    for cache in (*layered, *spread):
        await cache.close()
