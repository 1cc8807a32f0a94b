"""Compression: fewer bytes for large values, and no bombs.

Rule 1: what says that it becomes larger than the reader allows, or than `MOST_RATIO` times its own size, is refused
before anything is unpacked; and unpacking ends where the announced size does.
Rule 2: what would be refused when it is read, or does not get smaller, is stored as it is.
Rule 3: the only file that imports zstandard and lz4, which are extras.
"""

import zlib
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, Protocol, cast

from aiocache_kit.errors import ConfigError, CorruptPayloadError, MissingDependencyError

THRESHOLD: Final = 1024
"""Bytes from which on compressing is tried; below, it takes longer than sending."""
MOST_RATIO: Final = 200
_HARMLESS: Final = 2**20
"""Bytes that anything may unpack to, at any ratio."""
_GZIP: Final = zlib.MAX_WBITS + 16

Transform = Callable[[bytes], bytes]
Unpack = Callable[[bytes, int], bytes]
"""From packed bytes and the size that they must have, unpacked; any exception says that they do not."""


class _Lz4(Protocol):
    """What is used of lz4.block, which has no types."""

    compress: Callable[..., bytes]
    decompress: Callable[..., bytes]


class _Algorithm(NamedTuple):
    id: int
    make: Callable[[int | None], tuple[Transform, Unpack]]


class Compression:
    """One algorithm, at one level."""

    __slots__ = ("_pack", "_unpack", "id", "name", "threshold")

    def __init__(self, name: str, level: int | None = None, *, threshold: int = THRESHOLD) -> None:
        """Use ``gzip``, ``zlib``, ``zstd`` or ``lz4`` at `level` (None: its default) from `threshold` bytes on.

        Raises `ConfigError` for another name or level, and `MissingDependencyError` where the extra is not installed.
        """
        algorithm = _ALGORITHMS.get(name)
        if algorithm is None:
            raise ConfigError("compression", f"must be one of {', '.join(_ALGORITHMS)}")
        if threshold < 1:
            raise ConfigError("compression_threshold", "must be a whole number of at least 1")
        self.name = name
        self.id = algorithm.id
        self.threshold = threshold
        self._pack, self._unpack = algorithm.make(level)
        try:
            self._pack(b"")
        except Exception as error:
            raise ConfigError("compression_level", f"is one that {name} does not have") from error

    def pack(self, data: bytes) -> bytes | None:
        """Give `data` packed, or None where that does not help."""
        packed = self._pack(data)
        return packed if len(packed) < len(data) and self._may_become(len(packed), len(data)) else None

    def unpack(self, packed: bytes, size: int, most: int) -> bytes:
        """Give back the `size` bytes, at most `most`, of which `pack` made `packed`.

        Raises `CorruptPayloadError` for anything else.
        """
        if not 0 < size <= most or not self._may_become(len(packed), size):
            raise CorruptPayloadError("the payload would unpack to more than is allowed")
        try:
            data = self._unpack(packed, size)
        except Exception as error:
            raise CorruptPayloadError(f"the payload cannot be unpacked by {self.name}") from error
        if len(data) != size:
            raise CorruptPayloadError("the payload unpacks to another size than it says")
        return data

    @staticmethod
    def _may_become(packed: int, size: int) -> bool:
        return size <= _HARMLESS or size <= packed * MOST_RATIO


def _deflate(wbits: int, level: int | None) -> tuple[Transform, Unpack]:
    strength = -1 if level is None else level

    def pack(data: bytes) -> bytes:
        return zlib.compress(data, strength, wbits)

    def unpack(packed: bytes, size: int) -> bytes:
        stream = zlib.decompressobj(wbits)
        # One more, so that the end, which comes after the last byte, is read as well.
        data = stream.decompress(packed, size + 1)
        if not stream.eof or stream.unused_data:
            raise ValueError("it does not end where it must")
        return data

    return pack, unpack


def _zstd(level: int | None) -> tuple[Transform, Unpack]:
    try:
        import zstandard  # noqa: PLC0415  - an extra
    except ImportError as error:
        raise MissingDependencyError("zstandard", "zstd") from error
    # Making one costs ten times what using it does, and no two threads may use one: who needs one takes it out.
    packers: list[zstandard.ZstdCompressor] = []
    unpackers: list[zstandard.ZstdDecompressor] = []

    def pack(data: bytes) -> bytes:
        packer = packers.pop() if packers else zstandard.ZstdCompressor(level=3 if level is None else level)
        packed = packer.compress(data)
        packers.append(packer)
        return packed

    def unpack(packed: bytes, size: int) -> bytes:
        if zstandard.frame_content_size(packed) != size:
            raise ValueError("it says another size")
        unpacker = unpackers.pop() if unpackers else zstandard.ZstdDecompressor()
        data = unpacker.decompress(packed, max_output_size=size, allow_extra_data=False)
        unpackers.append(unpacker)
        return data

    return pack, unpack


def _lz4(level: int | None) -> tuple[Transform, Unpack]:
    try:
        import lz4.block  # type: ignore[import-untyped]  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]  - an extra
    except ImportError as error:
        raise MissingDependencyError("lz4", "lz4") from error
    block = cast("_Lz4", lz4.block)

    def pack(data: bytes) -> bytes:
        if not level:
            return block.compress(data, store_size=False)
        return block.compress(data, mode="high_compression", compression=level, store_size=False)

    def unpack(packed: bytes, size: int) -> bytes:
        return block.decompress(packed, uncompressed_size=size)

    return pack, unpack


_ALGORITHMS: Final = {
    "gzip": _Algorithm(1, partial(_deflate, _GZIP)),
    "zlib": _Algorithm(2, partial(_deflate, zlib.MAX_WBITS)),
    "zstd": _Algorithm(3, _zstd),
    "lz4": _Algorithm(4, _lz4),
}
