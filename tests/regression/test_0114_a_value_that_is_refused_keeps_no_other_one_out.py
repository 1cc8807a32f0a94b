"""Of a batch, what came after a value that the storage refused was not stored, and was loaded again and again."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import pytest

from aiocache_kit import Config, MemoryConfig, new_provider


@pytest.mark.parametrize(
    ("config", "refused"),
    [(Config(max_size=3000), "y" * 9000), (Config(memory_config=MemoryConfig(isolation="copy")), Lock())],
    ids=["too large", "no copy"],
)
async def test_a_value_that_is_refused_keeps_no_other_one_out(config: Config, refused: Any) -> None:  # noqa: ANN401  - of any type
    """It alone is asked for again, and counted as an error."""
    asked: list[list[str]] = []

    async def load(keys: Sequence[str]) -> dict[str, object]:
        asked.append(list(keys))
        return {key: refused if key == "b" else key for key in keys}

    async with new_provider(config) as cache:
        for _ in range(2):
            assert set(await cache.get_or_set_multi(["a", "b", "c", "d"], load)) == {"a", "b", "c", "d"}
        assert (await cache.stats()).errors == 2
    assert asked == [["a", "b", "c", "d"], ["b"]]
