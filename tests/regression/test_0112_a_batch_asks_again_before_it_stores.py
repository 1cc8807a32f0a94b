"""While a batch removed what its source had nothing for any more, a newer value of another key was stored over."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiocache_kit import Config, FileConfig, new_provider


async def test_a_batch_asks_again_before_it_stores(tmp_path: Path) -> None:
    """Whenever the change comes, it is what is there in the end."""
    async with new_provider(Config(provider="file", file_config=FileConfig(dir=str(tmp_path)))) as cache:
        for turns in range(60):
            loaded = asyncio.Event()
            await cache.set_multi({"a": "was", "b": "was"})

            async def change(turns: int = turns, loaded: asyncio.Event = loaded) -> None:
                await loaded.wait()
                for _ in range(turns):
                    await asyncio.sleep(0)
                await cache.set("b", "new")

            async def load(keys: Sequence[str], loaded: asyncio.Event = loaded) -> dict[str, str | None]:
                del keys
                loaded.set()
                return {"a": None, "b": "old"}

            changing = asyncio.create_task(change())
            await cache.refresh_multi(["a", "b"], load, cache_none=False)
            await changing
            assert await cache.get("b") == "new"
