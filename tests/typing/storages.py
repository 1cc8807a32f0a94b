"""What type checkers know of making providers: of configurations, over several storages, or over one's own."""

from collections.abc import AsyncIterator
from typing import assert_type

from aiocache_kit import (
    Config,
    Item,
    Layer,
    Node,
    Provider,
    RedisConfig,
    SystemClock,
    new_distributed,
    new_layered,
    new_provider,
    new_storage,
)
from aiocache_kit.config.codec import codec_of
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.storage.base import ALWAYS, Condition, Storage
from aiocache_kit.testing import FakeClock


class Own(Storage):
    """A storage of one's own."""

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        return Item(key=key, value=1)

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item`."""
        return condition.holds(item)

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key`."""
        return condition.holds(await self.read(key))

    async def clear(self, prefix: str = "") -> None:
        """Remove what begins with `prefix`."""

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the keys that begin with `prefix`."""
        yield prefix


def providers(config: Config) -> None:
    """Build in all ways."""
    assert_type(new_provider(), Provider)
    assert_type(new_provider("memory://", clock=FakeClock()), Provider)
    assert_type(new_provider(config, storage=Own(), clock=SystemClock()), Provider)
    assert_type(new_provider(storage=Own()), Provider)
    assert_type(Provider(Own(), default_ttl=None, freshness={"stale_if_error": 60}, max_loads=5), Provider)
    assert_type(new_storage(config), Storage)
    assert_type(new_layered("memory://", Layer(config, ttl=None), backplane=None), Provider)
    assert_type(new_distributed(Node("a", Own(), weight=2), config, "redis://b", on_failure="miss"), Provider)
    assert_type(Config.from_url("redis://a"), Config)
    assert_type(Config.from_env(environ={}), Config)
    assert_type(config.redis_config, RedisConfig)
    assert_type(codec_of(config), Codec)

    new_provider(Own())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    new_provider(config, Own())  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    new_provider(storage=Own)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    new_provider(storage="memory://")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    new_distributed(config, on_failure="queue")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Config(max_entry=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def items() -> None:
    """An item may say its type when it is made."""
    assert_type(Item[str](key="k", value="v"), Item[str])
    assert_type(Item(key="k", value=5).value, int)
