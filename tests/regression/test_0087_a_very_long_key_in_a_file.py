"""A key that is too long for a file was refused for the tags of its item, of which there were none."""

from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, ValueTooLargeError, new_provider


@pytest.mark.parametrize("shared", [False, True])
async def test_the_error_names_the_key(tmp_path: Path, shared: bool) -> None:  # noqa: FBT001  - a case
    """A key of nearly a MiB is as good as any; a longer one is refused, and nothing of it is there."""
    async with new_provider(Config(provider="file", file_config=FileConfig(dir=tmp_path, shared=shared))) as cache:
        await cache.set("k" * 1_000_000, 1)
        assert await cache.get("k" * 1_000_000) == 1

        with pytest.raises(ValueTooLargeError, match="the key and the tags of an item in a file"):
            await cache.set("k" * 1_100_000, 1)
        assert await cache.get("k" * 1_100_000) is None
