"""Contracts over real Redis servers, on a clock that is turned by hand.

Rule 1: time passes on a server by making the keys older: from what each has left to live, as much is taken as is to
pass, less what has really passed since the last time. What has nothing left is removed, as the server would have done.
Rule 2: what is under way at a server is waited for by looking at the connections, not by waiting for a while.
Rule 3: each check has a prefix of its own, and what it leaves is removed.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis.asyncio
from redis._parsers import _AsyncRESP3Parser

from aiocache_kit import new_storage
from aiocache_kit.config import Config, RedisConfig, SentinelConfig
from aiocache_kit.config.codec import codec_of
from aiocache_kit.factory.redis_way import way_of
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.redis.building import new_channel
from aiocache_kit.storage.redis.cluster import Cluster
from aiocache_kit.storage.redis.dial import NAMELESS
from aiocache_kit.storage.redis.kept_reads import Side
from aiocache_kit.storage.redis.link import Link
from aiocache_kit.storage.redis.pool import Pool
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.testing import FakeClock
from aiocache_kit.testing.contract import Contract
from tests.servers.server import LIMITED_PASSWORD, LIMITED_USER, Server

PATIENT: dict[str, Any] = {
    "dial_timeout": 10.0,
    "read_timeout": 10.0,
    "write_timeout": 10.0,
    "pool_timeout": 10.0,
}
"""Timeouts that do not strike, however busy the machine is."""
STEPS = 12
"""Parts that a longer time passes in, so that what is done now and then is done."""
OLDER = """
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 10000)
  cursor = found[1]
  for _, name in ipairs(found[2]) do
    local left = ARGV[2] == '' and 0 or redis.call('PTTL', name)
    if left >= 0 then
      if ARGV[2] == '' or left <= tonumber(ARGV[2]) then
        redis.call('UNLINK', name)
      else
        redis.call('PEXPIRE', name, left - tonumber(ARGV[2]))
      end
    end
  end
until cursor == '0'
"""


@dataclass
class Installation:
    """A way to Redis, and the servers that keys may be on."""

    config: RedisConfig
    servers: Sequence[Server]
    parser: Any = None
    """The class of redis-py that takes replies apart; None: its own choice."""
    more: Callable[[Config], Config] = lambda config: config
    """What else is to be in the configuration."""

    def storage(self, prefix: str, clock: FakeClock | None) -> Storage:
        """Make a storage whose names begin with `prefix`; `clock` None: on the clock of this machine."""
        config = self.more(Config(provider="redis", redis_config=replace(self.config, key_prefix=prefix, **PATIENT)))
        if self.parser is None:
            return new_storage(config, clock=clock)
        way = way_of(config)
        channel = new_channel(replace(way, dialer=replace(way.dialer, parser=self.parser)))
        return RedisStorage(channel, codec_of(config), prefix=prefix, clock=clock)


def _server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue("redis_server")  # type: ignore[no-any-return]  # a fixture by its name


def _single(**options: Any) -> Callable[[pytest.FixtureRequest], Installation]:  # noqa: ANN401  - fields of all types
    def find(request: pytest.FixtureRequest) -> Installation:
        server = _server(request)
        return Installation(RedisConfig(addr=f"{server.host}:{server.port}", **options), [server])

    return find


def _by_own_parser(request: pytest.FixtureRequest) -> Installation:
    return replace(_single(multiplexed=False, pool_size=3)(request), parser=_AsyncRESP3Parser)


def _limited(request: pytest.FixtureRequest) -> Installation:
    server: Server = request.getfixturevalue("start_server")(limited_user=True)
    config = RedisConfig(unix_socket=server.socket, username=LIMITED_USER, password=LIMITED_PASSWORD)
    return Installation(config, [server])


def _cluster(**options: Any) -> Callable[[pytest.FixtureRequest], Installation]:  # noqa: ANN401  - of RedisConfig
    def find(request: pytest.FixtureRequest) -> Installation:
        cluster = request.getfixturevalue("redis_cluster")
        seeds = [f"{host}:{port}" for host, port in cluster.addresses[:2]]
        config = RedisConfig(cluster=True, cluster_addrs=seeds, **options)
        return Installation(config, cluster.masters)

    return find


def _sentinel(request: pytest.FixtureRequest) -> Installation:
    trio = request.getfixturevalue("sentinel_trio")
    guards = SentinelConfig(addrs=[f"{host}:{port}" for host, port in trio.addresses], service_name=trio.service)
    return Installation(RedisConfig(sentinel=guards), [trio.master])


def _with(**fields: Any) -> Callable[[pytest.FixtureRequest], Installation]:  # noqa: ANN401  - as above
    def more(config: Config) -> Config:
        return replace(config, **fields)

    def find(request: pytest.FixtureRequest) -> Installation:
        return replace(_single()(request), more=more)

    return find


SECRET = bytes(range(32))
INSTALLATIONS: dict[str, Callable[[pytest.FixtureRequest], Installation]] = {
    "multiplexed": _single(),
    "multiplexed, RESP2": _single(protocol=2),
    "pooled": _single(multiplexed=False, pool_size=3),
    "pooled, RESP2": _single(multiplexed=False, protocol=2),
    "pooled, without hiredis": _by_own_parser,
    "limited user": _limited,
    "cluster": _cluster(),
    "cluster, pooled": _cluster(multiplexed=False),
    "sentinel": _sentinel,
    "client cache": _single(client_cache="64MB"),
    "small client cache": _single(client_cache="4kB"),
    "client cache, cluster": _cluster(client_cache="64MB"),
    "encrypted": _with(encryption_keys=[SECRET], compression="zlib", compression_threshold=64),
    "msgpack": _with(serialization_format="msgpack", signing_keys=[SECRET]),
}


class RedisCase(Contract):
    """Gives each check a storage in an installation of Redis, and lets time pass there."""

    installation: Installation

    def storage(self, clock: FakeClock) -> Storage:
        """Give the storage to check."""
        made = self.installation.storage(self.prefix, clock)
        assert isinstance(made, RedisStorage)
        self.channels.append(made._channel)

        async def opened() -> None:
            # The clock of the server goes on as it will: what is opened later keeps the time of what was opened first.
            await RedisStorage.open(made)
            made._time._offset = self.offsets.setdefault("", made._time._offset)

        made.open = opened  # type: ignore[method-assign]  # for these checks alone
        return made

    def again(self, clock: FakeClock) -> Storage:
        """Give one more with the same names."""
        return self.storage(clock)

    async def set_up(self) -> None:
        """Connect to the servers past what is to be checked."""
        self.prefix = f"app:{secrets.token_hex(4)}:"
        self.channels: list[Any] = []
        self.offsets: dict[str, float] = {}
        connect: Any = redis.asyncio.Redis
        self.admins = [connect(unix_socket_path=str(server.socket), **NAMELESS) for server in self.installation.servers]
        self.aged_until = time.monotonic()
        await super().set_up()

    async def tear_down(self) -> None:
        """Remove what is left."""
        await super().tear_down()
        for admin in self.admins:
            await admin.eval(OLDER, 0, f"{self.prefix}*", "")
            await admin.aclose()

    async def settle(self) -> None:
        """Let everything run until nothing is ready, and nothing is under way at the servers."""
        await self.clock.settle()
        for _ in range(2):
            await self._answers()
            while any(map(is_busy, self.channels)):
                await self._answers()

    async def _answers(self) -> None:
        for admin in self.admins:
            await admin.ping()
        await self.clock.settle()

    async def pass_time(self, seconds: float) -> None:
        """Let `seconds` pass here and at the servers."""
        await self.settle()
        step = max(1.0, seconds / STEPS)
        while seconds > 0:
            part = min(step, seconds)
            await self.stand_still(part)
            await self.settle()
            seconds -= part

    async def stand_still(self, seconds: float) -> None:
        """Let `seconds` pass in which the process did nothing."""
        now = time.monotonic()
        left = seconds - (now - self.aged_until)
        self.aged_until = now + min(left, 0.0)
        if left > 0:
            for admin in self.admins:
                await admin.eval(OLDER, 0, f"{self.prefix}*", int(left * 1000))
        self.clock.leap(seconds)


def is_busy(channel: object) -> bool:
    """Whether something is under way by a channel."""
    if isinstance(channel, Side):
        return is_busy(channel.channel)
    if isinstance(channel, Link):
        lanes = (channel._small, channel._large)
        return any(
            (lane.wire is not None and lane.wire.under_way) or (lane.dialling is not None and not lane.dialling.done())
            for lane in lanes
        )
    if isinstance(channel, Pool):
        return bool(channel._visits)
    assert isinstance(channel, Cluster)
    asking = channel._topology._asking
    is_asking = isinstance(asking, asyncio.Task) and not asking.done()
    return is_asking or any(is_busy(node.channel) for node in channel._topology._nodes.values())
