"""What holds a payload together: it is opened as it was sealed, for the same key, or not at all.

There are three: `Checksum` against accidents, a signature against forgery, encryption against readers as well.

Rule: which one is used, the configuration says. A payload that is sealed in another way is not opened.
"""

from struct import Struct
from typing import Final, Protocol
from zlib import crc32

from aiocache_kit.errors import CorruptPayloadError

_LENGTH: Final = Struct(">I")
CHECK: Final = Struct("<I")
FITS: Final = 0x2144DF1C
"""The CRC-32 of anything that its own CRC-32 follows, little-endian: one look at the whole instead of two at parts."""


class Seal(Protocol):
    """One way of sealing. `bound` is what a body belongs to, its key and head: it is not stored with the body."""

    @property
    def id(self) -> int:
        """The byte that stands for it in the head."""
        ...

    @property
    def needs_secret(self) -> bool:
        """Whether nobody can make such a seal without a secret."""
        ...

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Give the sealed `body`."""
        ...

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Give the body; raise `CorruptPayloadError` where `sealed` is not what `seal` gave for the same `bound`."""
        ...


class Checksum:
    """A CRC-32: finds what was torn or damaged, or lies under a key that is not its own. It stops nobody."""

    __slots__ = ()

    id = 0
    needs_secret = False

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Give the `body` and the checksum."""
        return body + CHECK.pack(crc32(body, crc32(bound)))

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """Give the body; raise `CorruptPayloadError` where the checksum is another one."""
        if len(sealed) < CHECK.size or crc32(sealed, crc32(bound)) != FITS:
            raise unfit()
        return sealed[: -CHECK.size]


def together(bound: bytes, body: bytes) -> bytes:
    """Join the two so that they can be told apart, for a signature over both."""
    return b"".join((_LENGTH.pack(len(bound)), bound, body))


def unfit() -> CorruptPayloadError:
    """Say that a seal does not fit, and nothing of why: that helps only who tries to forge one."""
    return CorruptPayloadError("the payload was altered, or written for another key or under another secret")
