"""Large values aside: a thread compresses and seals them, so that the event loop goes on.

The serializers hold the interpreter for as long as they work, wherever they do, so they stay on the loop; what lets go
of it (compression, encryption, digests) moves, where it takes longer than the way to a thread and back (50 to 100 us).

Rule: the only file of the serializers that knows of the event loop.
"""

import asyncio

from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec, Unsealed


async def encode_aside(codec: Codec, item: Item[object]) -> bytes:
    """Do `Codec.encode`; compress and seal in a thread where there is much to do."""
    done = codec.encode_now(item)
    return done if isinstance(done, bytes) else await seal_aside(codec, done)


async def seal_aside(codec: Codec, laid: Unsealed) -> bytes:
    """Do what `Codec.encode_now` left, in a thread."""
    return await asyncio.to_thread(codec.seal, laid)


async def decode_aside(codec: Codec, key: str, data: bytes) -> Item[object]:
    """Do `Codec.decode`; open and unpack in a thread where there is much to do."""
    if codec.is_small(data):
        return codec.decode(key, data)
    return codec.read(key, await asyncio.to_thread(codec.open, key, data))
