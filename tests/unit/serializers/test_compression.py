"""Compression: it comes back, it helps or is left alone, and no bomb goes off."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, cast

import lz4.block  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  - it has no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aiocache_kit import ConfigError, CorruptPayloadError
from aiocache_kit.config.config import LEVELS
from aiocache_kit.serializers.compression import MOST_RATIO, Compression

MOST = 64 * 2**20
NAMES = ("gzip", "zlib", "zstd", "lz4")
names = pytest.mark.parametrize("name", NAMES)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lambda data: cast("Any", lz4.block).compress(data, store_size=False),
}


@names
@given(data=st.binary(max_size=200), times=st.integers(1, 50))
def test_it_comes_back(name: str, data: bytes, times: int) -> None:
    """What is packed is smaller, and unpacks to what it was; None means that it would not be smaller."""
    compression = Compression(name)
    packed = compression.pack(data * times)

    assert packed is None or len(packed) < len(data * times)
    assert packed is None or compression.unpack(packed, len(data * times), MOST) == data * times


@names
def test_every_level_works(name: str) -> None:
    """Each level that a configuration may give is one that the algorithm has."""
    data = b"some text, " * 300
    least, most = LEVELS[name]
    for level in (None, least, (least + most) // 2, most):
        compression = Compression(name, level)
        packed = compression.pack(data)
        assert packed is not None
        assert compression.unpack(packed, len(data), MOST) == data


def test_levels_make_a_difference() -> None:
    """A higher level is not ignored: it makes of the same text something smaller."""
    text = b"".join(b"%d potatoes, %d tomatoes; " % (number**3, number**2) for number in range(2000))
    for name in NAMES:
        low, high = (Compression(name, level).pack(text) for level in LEVELS[name])
        assert low is not None
        assert high is not None
        assert len(high) < len(low)


@pytest.mark.parametrize(("name", "level"), [("gzip", 10), ("zlib", -5), ("zstd", 100)])
def test_a_level_that_is_none_is_refused(name: str, level: int) -> None:
    """A level that the algorithm does not have is found when it is given."""
    with pytest.raises(ConfigError, match="compression_level"):
        Compression(name, level)


def test_a_name_or_threshold_that_is_none_is_refused() -> None:
    """There are four algorithms, and a threshold is a number of bytes."""
    with pytest.raises(ConfigError, match="one of gzip, zlib, zstd, lz4"):
        Compression("brotli")
    with pytest.raises(ConfigError, match="compression_threshold"):
        Compression("zlib", threshold=0)


@names
def test_what_does_not_fit_its_size_is_corrupt(name: str) -> None:
    """A size that is too small or too large, bytes that are cut, changed, or followed by others, are refused."""
    compression, data = Compression(name), b"some text, " * 300
    packed = PACKERS[name](data)
    assert compression.unpack(packed, len(data), MOST) == data
    for size in (0, -1, 1, len(data) - 1, len(data) + 1, 2 * len(data)):
        with pytest.raises(CorruptPayloadError):
            compression.unpack(packed, size, MOST)
    for wrong in (packed[:-1], packed + b"\0", packed + packed, b"", b"\0" * 50, packed[1:]):
        with pytest.raises(CorruptPayloadError):
            compression.unpack(wrong, len(data), MOST)


@names
@pytest.mark.parametrize("said", [30_000_000, 2**20, 100])
def test_bombs_do_not_go_off(name: str, said: int) -> None:
    """What would unpack to 30 MB is refused in little room, whether it admits that or says a small size."""
    compression = Compression(name)
    bomb = PACKERS[name](bytes(30_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(CorruptPayloadError):
            compression.unpack(bomb, said, MOST)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 3 * 2**20


@names
def test_what_could_not_be_read_is_not_packed(name: str) -> None:
    """A megabyte may pack at any ratio; of more, what would pass for a bomb is stored as it is."""
    compression = Compression(name)
    little, much = bytes(2**20), bytes(8 * 2**20)
    packed = compression.pack(little)

    assert packed is not None
    assert compression.unpack(packed, len(little), MOST) == little
    packed = compression.pack(much)
    assert packed is None or len(much) <= len(packed) * MOST_RATIO


def test_no_more_than_is_allowed_is_unpacked() -> None:
    """A size over the limit is refused, however honest."""
    data = b"some text, " * 300
    with pytest.raises(CorruptPayloadError, match="more than is allowed"):
        Compression("zlib").unpack(zlib.compress(data), len(data), len(data) - 1)
