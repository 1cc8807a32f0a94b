"""valkey-glide: a core in Rust, on threads of its own, with one connection that all tasks share."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar

from glide import Batch, ExpirySet, ExpiryType, GlideClient, GlideClientConfiguration, NodeAddress

from bench.redis.peer import TTL, VALUE, Peer


class Glide(Peer):
    """The asyncio client."""

    name: ClassVar[str] = "valkey-glide"
    package: ClassVar[str] = "valkey-glide"
    settings: ClassVar[str] = "GlideClient, request_timeout of 5 s; the threads of its core count as its processor time"

    async def open(self, port: int, exits: AsyncExitStack) -> None:
        """Connect."""
        where = GlideClientConfiguration([NodeAddress("127.0.0.1", port)], request_timeout=5000)
        self.redis: Any = await GlideClient.create(where)
        exits.push_async_callback(self.redis.close)
        self.expiry = ExpirySet(ExpiryType.SEC, TTL)
        self.read = self.redis.get
        self.write = partial(self.redis.set, expiry=self.expiry)

    async def get_multi(self, keys: Sequence[str]) -> None:
        """MGET."""
        await self.redis.mget(keys)

    async def set_multi(self, keys: Sequence[str]) -> None:
        """SET by a batch, which is no transaction."""
        batch = Batch(is_atomic=False)
        for key in keys:
            batch.set(key, VALUE, expiry=self.expiry)
        await self.redis.exec(batch, raise_on_error=True)
