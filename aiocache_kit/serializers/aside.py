"""Large values aside: a thread compresses and seals them, so that the event loop goes on.

The serializers hold the interpreter for as long as they work, wherever they do, so they stay on the loop; what lets go
of it (compression, encryption, digests) moves, where it takes longer than the way to a thread and back (50 to 100 us).

Rule: the only file of the serializers that knows of the event loop.
"""

import asyncio
from typing import Final

from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec

FAST: Final = 256 * 1024
"""Bytes from which on sealing, zstd and lz4 take longer than the way to a thread."""
SLOW: Final = 64 * 1024
"""The same for gzip and zlib."""
_GROWTH: Final = 4
"""What compressed data usually grows by."""


async def encode_aside(codec: Codec, item: Item[object]) -> bytes:
    """Do `Codec.encode`; compress and seal in a thread where there is much to do."""
    laid = codec.lay_out(item)
    if len(laid[-1]) < _most_on_the_loop(codec):
        return codec.seal(laid)
    return await asyncio.to_thread(codec.seal, laid)


async def decode_aside(codec: Codec, key: str, data: bytes) -> Item[object]:
    """Do `Codec.decode`; open and unpack in a thread where there is much to do."""
    most = _most_on_the_loop(codec)
    if len(data) < (most if codec.compression is None else most // _GROWTH):
        return codec.read(key, codec.open(key, data))
    return codec.read(key, await asyncio.to_thread(codec.open, key, data))


def _most_on_the_loop(codec: Codec) -> int:
    return SLOW if codec.compression in {"gzip", "zlib"} else FAST
