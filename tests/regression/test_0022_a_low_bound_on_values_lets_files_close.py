"""A file storage whose `max_value_size` was lower than its list of items takes raised an error when it was closed."""

from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, new_provider

pytestmark = pytest.mark.blocking  # a test of files looks at files


async def test_a_low_bound_on_values_lets_files_close(tmp_path: Path) -> None:
    """A close that cannot note what lies there is a close all the same, and the next start searches."""
    config = Config(provider="file", file_config=FileConfig(dir=tmp_path), max_value_size=16)
    async with new_provider(config) as cache:
        await cache.set("greeting", "hello")

    async with new_provider(config) as cache:
        assert await cache.get("greeting") == "hello"
