"""Of many values that were set in files at once, what came after one that is refused was not stored."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, SerializationError, new_provider


@pytest.mark.parametrize(
    ("shared", "sync_interval"), [(False, 0.0), (False, 3600.0), (True, 0.0)], ids=["at once", "gathered", "shared"]
)
async def test_all_others_are_stored(tmp_path: Path, shared: bool, sync_interval: float) -> None:  # noqa: FBT001  - a case
    """The error is raised when all have been tried; a batch that is loaded asks again for what was refused alone."""
    config = Config(provider="file", sync_interval=sync_interval, file_config=FileConfig(dir=tmp_path, shared=shared))
    asked: list[list[str]] = []

    async def load(keys: Sequence[str]) -> dict[str, object]:
        asked.append(list(keys))
        return {key: object() if key == "b" else key for key in keys}

    async with new_provider(config) as cache:
        with pytest.raises(SerializationError):
            await cache.set_multi({"1": 1, "2": object(), "3": 3})
        assert await cache.get_multi(["1", "2", "3"]) == {"1": 1, "3": 3}

        for _ in range(2):
            assert set(await cache.get_or_set_multi(["a", "b", "c", "d"], load)) == {"a", "b", "c", "d"}
        assert asked == [["a", "b", "c", "d"], ["b"]]
