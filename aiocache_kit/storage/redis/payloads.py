"""Items as they lie in Redis: payloads of the codec with dates by the server's clock, bare integers, and leases.

Rule 1: an item is bound to its whole name in Redis, so that it opens under no other, nor for another prefix.
Rule 2: versions are made of the server's microsecond and of bits that tell writers apart: no two writes have the same,
and those of one writer only grow. A bare integer has its value as its version, and bit 63, which no other has.
"""

import math
from collections.abc import Iterable
from secrets import randbits
from struct import Struct
from typing import Final

from aiocache_kit.errors import CorruptPayloadError
from aiocache_kit.item import Item
from aiocache_kit.sentinels import MISSING
from aiocache_kit.serializers.aside import decode_aside, seal_aside
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.envelope import FLAGS_OFFSET, HEAD, MAGIC, VERSION_OFFSET
from aiocache_kit.storage.base import stale_for
from aiocache_kit.storage.redis.layout import Layout
from aiocache_kit.storage.redis.server_time import ServerTime

CENTURY: Final = 100 * 366 * 24 * 3600.0
"""Seconds that nothing outlives: what is to live longer than that lives for ever."""
BARE: Final = 1 << 63
MOST_BARE: Final = 10**18
"""What a bare integer is below, whatever its sign; a larger one lies in an envelope."""
_DISAGREEMENT: Final = 1.0
"""Seconds by which two processes may disagree about the server's clock, and rather more."""
_WRITERS: Final = 11
"""Bits of a version that tell writers apart."""
_NEXT: Final = 1 << _WRITERS
_MICRO_DIGITS: Final = 6
"""Digits of a date that outlive being counted by another clock and back."""
_VALUE: Final = BARE - 1
_IMPOSSIBLE: Final = b"\0" * 8
_MINUS: Final = 0x2D
_MAGIC: Final = bytes((MAGIC,))
_ENDS: Final = Struct(">dd")
"""The ttl and the expiration in a head, which begin at `_FIRST_END`; `_HAS_END` says whether there is one."""
_FIRST_END: Final = 20
_HAS_END: Final = 2
_FIRST_OF_VERSION: Final = VERSION_OFFSET
_SECOND_OF_VERSION: Final = VERSION_OFFSET + 1
_HALF: Final = b"\x80"
"""What the first byte of a version is below in an envelope; a digit is, too."""
_ZERO, _NINE = 0x30, 0x39


class Payloads:
    """Makes payloads of items, and items of payloads, for one storage."""

    def __init__(self, codec: Codec, layout: Layout, time: ServerTime) -> None:
        """Write by `codec`, under the names of `layout`, dated by `time`."""
        self.codec: Final = codec
        self._layout = layout
        self._time = time
        self._decode_value = codec.decode_value
        self._encode_value = codec.encode_value
        self._writer = randbits(_WRITERS)
        self._last_version = self._writer

    async def write(self, item: Item[object], tags: tuple[str, ...] = ()) -> bytes:
        """Give the payload of `item`, which will have `tags` as they are to be remembered.

        Raises `SerializationError` and `ValueTooLargeError`.
        """
        now = self._time.now()
        expiration = None if item.ttl is None else now + min(item.ttl, CENTURY)
        death = None if expiration is None else expiration + min(stale_for(item), CENTURY)
        if expiration is not None and item.ttl == 0.0:
            expiration -= _DISAGREEMENT  # stale at once for all, also for whom it is a little earlier
        laid = self.codec.encode_now(
            Item(
                key=self._layout.text(item.key),
                value=item.value,
                ttl=item.ttl,
                expiration=expiration,
                tags=tags,
                cost=item.cost,
                version=self._next_version(now),
                created_at=self._time.from_here(item.created_at) if item.created_at else 0.0,
                stale_until=death if death is not None and stale_for(item) else None,
                validators=item.validators,
            )
        )
        return laid if isinstance(laid, bytes) else await seal_aside(self.codec, laid)

    def _next_version(self, now: float) -> int:
        version = (int(now * 1_000_000) << _WRITERS) | self._writer
        if version <= self._last_version:
            version = self._last_version + _NEXT
        self._last_version = version
        return version

    def plain(self, name: bytes, value: object, ttl: float | None) -> bytes | None:
        """Give the payload of an item without tags and cost under a name; None where that takes the long way.

        Raises as `write` does.
        """
        now = self._time.now()
        return self._encode_value(name, value, self._next_version(now), now, ttl)

    def fresh_value(self, name: bytes, data: bytes) -> object:
        """Give the value in a payload that is fresh and plain; `MISSING` for all others, which `read` is for."""
        try:
            found = self._decode_value(name, data)
        except CorruptPayloadError:
            return MISSING
        if found is None or data[_FIRST_OF_VERSION:_SECOND_OF_VERSION] >= _HALF:
            return MISSING
        expiration = found[1]
        return found[0] if expiration is None or expiration > self._time.now() else MISSING

    def is_young(self, data: bytes, rest: float) -> bool:
        """Whether a payload, if it is what it seems, has more than the share `rest` of its ttl to live."""
        if len(data) < HEAD.size or data[:1] != _MAGIC:
            return False
        ttl, expiration = _ENDS.unpack_from(data, _FIRST_END)
        return not data[FLAGS_OFFSET] & _HAS_END or expiration - self._time.now() > rest * ttl

    def fresh_values(self, named: Iterable[tuple[str, bytes, bytes]]) -> list[object]:
        """Do what `fresh_value` does for many, each with its key, name and payload, in one frame and at one time."""
        values: list[object] = []
        decode_value, now = self._decode_value, self._time.now()
        for _, name, data in named:
            try:
                found = decode_value(name, data)
            except CorruptPayloadError:
                found = None
            if found is None or data[_FIRST_OF_VERSION:_SECOND_OF_VERSION] >= _HALF:
                values.append(MISSING)
            else:
                value, expiration, _ = found
                values.append(value if expiration is None or expiration > now else MISSING)
        return values

    async def read(self, key: str, data: bytes, left: float | None = None) -> Item[object] | None:
        """Give the item under a stored key from its payload, with tags as they are remembered.

        None for a lease, and for what is dead by its dates.

        `left` is what a bare integer has left to live, in seconds. Raises `CorruptPayloadError`.
        """
        if data[:1] == b"\xad":
            return None
        text = self._layout.text(key)
        item = (
            self.codec.decode(text, data) if self.codec.is_small(data) else await decode_aside(self.codec, text, data)
        )
        now = self._time.now()
        here = self._time.to_here(0.0)
        if is_bare(data):
            expiration = None if left is None else now + here + left
            number = int(data)
            if abs(number) >= MOST_BARE:
                raise CorruptPayloadError("the payload is a larger integer than ever lies bare")
            version = BARE | (number & _VALUE)
            return Item(key=key, value=item.value, ttl=left, expiration=expiration, version=version)
        if item.version & BARE:
            raise CorruptPayloadError("the payload has a version that only a bare integer has")
        is_stale = item.expiration is not None and item.expiration <= now
        if is_stale and (item.stale_until is None or item.stale_until <= now):
            return None
        return Item(
            key=key,
            value=item.value,
            ttl=item.ttl,
            expiration=None if item.expiration is None else item.expiration + here,
            tags=item.tags,
            cost=item.cost,
            version=item.version,
            created_at=round(item.created_at + here, _MICRO_DIGITS) if item.created_at else 0.0,
            stale_until=None if item.stale_until is None else item.stale_until + here,
            is_stale=is_stale,
            validators=item.validators,
        )


def is_bare(data: bytes) -> bool:
    """Whether what is stored is an integer without an envelope, or looks like one."""
    return bool(data) and (_ZERO <= data[0] <= _NINE or data[0] == _MINUS)


def version_in(data: bytes) -> bytes:
    """Give the version in a payload as scripts compare it; empty for a lease and for what is none of ours."""
    if is_bare(data):
        return data[:44]
    return data[4:12] if data[:1] == b"\xac" else b""


def version_sought(version: int) -> bytes:
    """Give a version as scripts compare it; one that no item has is equal to none."""
    if not 0 < version < 1 << 64:
        return _IMPOSSIBLE
    if version & BARE:
        value = version & _VALUE
        return b"%d" % (value - BARE if value >> 62 else value)
    return version.to_bytes(8, "big")


def millis(seconds: float) -> int | None:
    """Give a time to live in whole milliseconds, at least one; None for ever."""
    return None if seconds > CENTURY else max(math.ceil(seconds * 1000), 1)


def life_of_item(item: Item[object] | Item[int]) -> float:
    """Give for how many seconds an item written now is to be kept, stale or not."""
    return math.inf if item.ttl is None else item.ttl + stale_for(item)
