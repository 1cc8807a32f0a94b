"""aiocache_kit: the whole provider, with keys that are checked, codec, statistics and single-flight."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from aiocache_kit import Config, RedisConfig, cached, new_provider
from bench.compare.subject import load_user
from bench.measure import Loop
from bench.redis.peer import PREFIX, RECORD, TTL, VALUE, Peer


class Ours(Peer):
    """As it ships: two connections that all tasks share."""

    name: ClassVar[str] = "aiocache_kit"
    package: ClassVar[str] = "aiocache_kit"
    settings: ClassVar[str] = "all defaults: shared connections, checksum, json"
    options: ClassVar[Mapping[str, Any]] = {}
    client_cache: ClassVar[str | None] = None

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Make the provider, and open it as its first use would."""
        part = RedisConfig(
            addr=f"127.0.0.1:{port}",
            key_prefix=f"{self.name}:",
            **self.options,
            client_cache=self.client_cache,
        )
        self.cache = await exits.enter_async_context(new_provider(Config(provider="redis", redis_config=part)))
        self.read = self.cache.get
        self.write = partial(self.cache.set, ttl=TTL)

    async def get_record(self, keys: Sequence[str]) -> None:
        """Read; dicts come back by themselves."""
        await self.get(keys)

    async def set_record(self, keys: Sequence[str]) -> None:
        """Store as they are."""
        set_ = self.cache.set
        for key in keys:
            await set_(key, RECORD, TTL)

    async def record(self, key: str) -> object:
        """Read one."""
        return await self.cache.get(key)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """Read all at once."""
        await self.cache.get_multi(keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """Store all at once."""
        await self.cache.set_multi(dict.fromkeys(keys, VALUE), TTL)

    def decorated(self) -> Loop:
        """Decorate with a template."""
        load = cached(self.cache, ttl=TTL, key=PREFIX + "{user_id}")(load_user)

        async def loop(keys: Sequence[str]) -> None:
            for key in keys:
                await load(key)

        return loop


class OursPooled(Ours):
    """A connection to itself for each call."""

    name: ClassVar[str] = "aiocache_kit, pooled"
    settings: ClassVar[str] = "multiplexed=False: a pool of 20 connections, one for a call at a time; pool_timeout=60"
    options: ClassVar[Mapping[str, Any]] = {"multiplexed": False, "pool_timeout": 60}


class OursKept(Ours):
    """Replies are kept until Redis tells of changes."""

    name: ClassVar[str] = "aiocache_kit, client_cache"
    settings: ClassVar[str] = "client_cache=64MB, else all defaults"
    client_cache: ClassVar[str | None] = "64MB"
