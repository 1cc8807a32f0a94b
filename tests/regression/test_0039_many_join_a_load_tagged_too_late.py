"""Who asked for several keys after an invalidation got what a load under way had found before it."""

import asyncio
from collections.abc import Mapping

from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.storage.memory import memory_storage


async def test_many_do_not_take_what_was_invalidated_before_they_came() -> None:
    """A load whose tags only its loader knows is no answer for many who come after one of these was invalidated."""
    go_on = asyncio.Event()

    async def load(context: LoadContext) -> str:
        await go_on.wait()
        context.tags = ["tag"]
        return "before"

    async def load_all(keys: list[str]) -> Mapping[str, str]:
        return dict.fromkeys(keys, "after")

    async with Provider(memory_storage()) as cache:
        early = asyncio.create_task(cache.get_or_set("key", load))
        await asyncio.sleep(0)
        meanwhile = asyncio.create_task(cache.get_or_set_multi(["key"], load_all))
        await asyncio.sleep(0)
        await cache.invalidate_tags("tag")
        late = asyncio.create_task(cache.get_or_set_multi(["key", "other"], load_all))
        await asyncio.sleep(0)
        go_on.set()

        assert await early == "before"
        assert await meanwhile == {"key": "before"}
        assert await late == {"key": "after", "other": "after"}
        assert await cache.get("key") == "after"
