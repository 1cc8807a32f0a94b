"""A file storage that was opened with a wrong secret took every file for a damaged one, and removed them all."""

import secrets
from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, StorageAccessError, new_provider

pytestmark = pytest.mark.blocking  # a test of files looks at files


@pytest.mark.parametrize("shared", [False, True])
async def test_a_wrong_secret_removes_nothing(tmp_path: Path, *, shared: bool) -> None:
    """Opening with another secret is refused, and what lies in the directory stays."""
    right, wrong = (
        Config(
            provider="file",
            file_config=FileConfig(dir=tmp_path, shared=shared),
            encryption_keys=[secrets.token_hex(32)],
        )
        for _ in range(2)
    )
    async with new_provider(right) as cache:
        await cache.set_multi({f"k{number}": number for number in range(10)})

    with pytest.raises(StorageAccessError):
        await new_provider(wrong).get("k3")

    async with new_provider(right) as cache:
        assert await cache.get_multi([f"k{number}" for number in range(10)]) == {
            f"k{number}": number for number in range(10)
        }
