"""What is in a file: a head, what is known of the item, and its value. Plain `def`, for threads and the event loop.

    offset  bytes
    0       4      b"AKF" and 1, the version of this format
    4       4      bytes of the notes, big-endian
    8       ...    the notes: an envelope of the codec that holds no value; its first tag is the key
            ...    the body: an envelope of the codec that holds the value

Each of the two is sealed by itself, so that an index can be made of the beginnings of files. Both are bound to the
file's name and say the version.

Rule 1: the name is a digest of the key, and nothing else of the key stands outside of the seals.
Rule 2: the dates in the notes count, those in the body do not: another end of an item is another head, and no new body.
Rule 3: whatever the bytes are, reading them gives what was written under this name or a `CorruptPayloadError`.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

from aiocache_kit.errors import CorruptPayloadError, ValueTooLargeError
from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import MAX_NOTES, Codec

MAGIC: Final = b"AKF\x01"
HEAD: Final = Struct(">4sI")
USUAL: Final = 4096
"""Bytes that are read of a file at first: nearly always enough for the notes."""
MOST_NOTES: Final = 2 * 2**20
_DIGEST: Final = 16
_OF_NOTES: Final = "#"
"""What is added to the name to which the notes are bound: they cannot be taken for a body."""


class Notes(NamedTuple):
    """What is known of an item without its value; instants are seconds since the epoch."""

    key: str
    version: int
    ttl: float | None
    expiration: float | None
    stale_until: float | None
    stamp: float
    """A version: the item is dead once one of its tags was invalidated at this one or later."""
    tags: tuple[str, ...]
    cost: int | None


def digest_of(text: str) -> str:
    """Give the part of a name that stands for a key: 32 digits."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()


def pack_notes(codec: Codec, name: str, notes: Notes) -> bytes:
    """Give the beginning of a file, up to its body. Raises `ValueTooLargeError` where key and tags are too long."""
    item = Item(
        key=name + _OF_NOTES,
        value=None,
        ttl=notes.ttl,
        expiration=notes.expiration,
        tags=(notes.key, *notes.tags),
        cost=notes.cost,
        version=notes.version,
        created_at=notes.stamp,
        stale_until=notes.stale_until,
    )
    try:
        sealed = codec.encode(item)
    except ValueTooLargeError:
        raise ValueTooLargeError(f"the key and the tags of an item in a file may take {MAX_NOTES} bytes") from None
    return HEAD.pack(MAGIC, len(sealed)) + sealed


def room_for_notes(data: bytes) -> int:
    """Give where the body begins in a file that begins with `data`."""
    if len(data) < HEAD.size:
        raise CorruptPayloadError("the file is too short")
    magic, length = HEAD.unpack_from(data)
    if magic != MAGIC or length > MOST_NOTES:
        raise CorruptPayloadError("the file is not one of this package")
    return HEAD.size + int(length)


def sealed_notes(data: bytes) -> bytes:
    """Give the notes, as they were sealed, in the beginning of a file."""
    end = room_for_notes(data)
    if end > len(data):
        raise CorruptPayloadError("the file is too short")
    return data[HEAD.size : end]


def read_notes(codec: Codec, name: str, data: bytes) -> Notes:
    """Read the notes of the file `name` from its beginning."""
    item = codec.decode(name + _OF_NOTES, sealed_notes(data))
    if not item.tags or item.value is not None:
        raise CorruptPayloadError("the file is that of another item")
    return Notes(
        item.tags[0],
        item.version,
        item.ttl,
        item.expiration,
        item.stale_until,
        item.created_at,
        item.tags[1:],
        item.cost,
    )


def body_of(data: bytes) -> bytes:
    """Give the body of a file that was read whole."""
    return data[room_for_notes(data) :]
