"""The codec: items to bytes for a shared store, and back.

    item -> serializer -> compression -> seal -> bytes

Rule 1: how bytes are read is what the configuration says. What they say of themselves is compared, never obeyed.
Rule 2: whatever the bytes are, reading them gives an item or `CorruptPayloadError`, in bounded room, and runs no code.
Rule 3: an item is bound to its key and dates: moved to another key, or given a longer life, it does not open.
Rule 4: a bare integer, such as ``INCRBY`` works on, has no seal. So where a seal needs a secret, there are none:
writing one is refused, and reading one is a `CorruptPayloadError`.
Rule 5: `decode_value` is a short cut, and never another opinion: it gives what `decode` gives, or nothing at all.
"""

from math import inf
from typing import Final, TypeAlias
from zlib import crc32

from aiocache_kit.errors import (
    CacheError,
    ConfigError,
    CorruptPayloadError,
    SerializationError,
    UnsupportedError,
    ValueTooLargeError,
)
from aiocache_kit.item import Item
from aiocache_kit.serializers.base import Serializer
from aiocache_kit.serializers.compression import Compression
from aiocache_kit.serializers.envelope import (
    BODY,
    FLAGS_OFFSET,
    FORMAT,
    HAS_NOTES,
    HEAD,
    MAGIC,
    NO_NOTES,
    SIZE,
    WHOLE,
    WITHOUT_VERSION,
    Dates,
    Notes,
    has_notes,
    pack_head,
    pack_notes,
    read_dates,
    split,
    start_of,
    unlike,
)
from aiocache_kit.serializers.parts import Parts
from aiocache_kit.serializers.passing import BYTES, SERIALIZED, WRITERS, read_passed
from aiocache_kit.serializers.registry import serializer_id
from aiocache_kit.serializers.seal import CHECK, FITS, Checksum, Seal

MAX_SIZE: Final = 64 * 2**20
_LARGEST_MAX_SIZE: Final = 2**30
MAX_NOTES: Final = 2**20
"""Bytes that cost and tags of one item may take."""
_ROOM: Final = 1024
"""Bytes that an envelope takes beyond value, cost and tags, at most."""
_TTL_AND_EXPIRATION: Final = 3
_ALL_DATES: Final = 7
_ZERO: Final = 0x30
_DIGITS: Final = frozenset(b"%c" % digit for digit in b"-0123456789")
_LONGEST_INTEGER: Final = 20
_LEAST, _MOST = -(2**63), 2**63 - 1
FAST: Final = 256 * 1024
"""Bytes from which on sealing, zstd and lz4 take longer than the way to a thread and back (50 to 100 us)."""
SLOW: Final = 64 * 1024
"""The same for gzip and zlib."""
_GROWTH: Final = 4
"""What compressed data usually grows by."""
_LEAST_SIZE: Final = WHOLE.size + CHECK.size
_VALUE: Final = slice(WHOLE.size, -CHECK.size)
"""Where the value lies between head and checksum."""
_pack_whole: Final = WHOLE.pack
_unpack_whole: Final = WITHOUT_VERSION.unpack_from
_pack_check: Final = CHECK.pack
_MOST_DIGITS: Final = 18
_NO_DATES: Final[Dates] = (0, 0.0, None, None, None)


# Plain tuples, because one is made of each for every call.
Unsealed: TypeAlias = tuple[bytes, bytes, int, int, bytes]
"""An item that was laid out: head, key, content, serializer, and the bytes that are yet to be compressed and sealed."""
Opened: TypeAlias = tuple[Dates, Notes, int, bytes]
"""An item that was opened and unpacked: dates, notes, content, and the bytes of the value that is yet to be read."""
Found: TypeAlias = tuple[object, float | None, float | None]
"""What a hit needs: value, expiration and stale_until."""


def bytes_of(key: str) -> bytes:
    """Give a key as the bytes to which its item is bound."""
    return key.encode("utf-8", "surrogatepass")


class Codec:
    """Writes items as bytes and reads them back. Threads may share one."""

    __slots__ = (
        "_compression",
        "_is_checked",
        "_max_size",
        "_most_now",
        "_most_plain",
        "_most_short",
        "_most_written_now",
        "_seal",
        "_serializer",
        "_serializer_id",
        "_start",
        "has_bare_integers",
    )

    def __init__(
        self,
        serializer: Serializer,
        *,
        compression: Compression | None = None,
        seal: Seal | None = None,
        max_size: int = MAX_SIZE,
    ) -> None:
        """Write values of at most `max_size` bytes, serialized; without a `seal`, under a checksum.

        Raises `ConfigError` where reading could run code (pickle) and the seal needs no secret.
        """
        self._seal: Seal = Checksum() if seal is None else seal
        self._start = start_of(self._seal.id)
        # One of a user's own may not say; then the worst holds.
        if getattr(serializer, "runs_code", True) and not self._seal.needs_secret:
            text = f"is {serializer.name}, which can run code when it is read: turn on encryption or signing"
            raise ConfigError("serialization_format", text)
        if not 0 < max_size <= _LARGEST_MAX_SIZE:
            raise ConfigError("max_value_size", f"must be from 1 to {_LARGEST_MAX_SIZE} bytes")
        self._serializer = serializer
        self._serializer_id = serializer_id(serializer.name)
        self._compression = compression
        self._max_size = max_size
        self._is_checked = type(self._seal) is Checksum
        self._most_written_now = SLOW if self.compression in {"gzip", "zlib"} else FAST
        self._most_now = self._most_written_now if compression is None else self._most_written_now // _GROWTH
        # Below this, nothing is compressed or done aside.
        self._most_plain = min(
            self._most_written_now, self._most_written_now if compression is None else compression.threshold
        )
        # No value that is shorter than this is over the limit.
        self._most_short = min(self._most_now, max_size)
        self.has_bare_integers: Final = not self._seal.needs_secret
        """Whether counters may be bare integers, on which the store itself can count."""

    @property
    def compression(self) -> str | None:
        """The name of the compression, None: there is none."""
        return None if self._compression is None else self._compression.name

    def __repr__(self) -> str:
        return f"<Codec {self._serializer.name}, {self.compression or 'no compression'}, seal {self._seal.id}>"

    def encode(self, item: Item[object]) -> bytes:
        """Give `item` as an envelope; its key must be the one under which it will be looked for.

        Raises `SerializationError` where its value would not come back the same, and `ValueTooLargeError`.
        """
        return self.seal(self.lay_out(item))

    def encode_now(self, item: Item[object]) -> bytes | Unsealed:
        """Give what `encode` gives, or, where the rest takes long enough for a thread, what `seal` makes it of."""
        content, serializer, rest = self._write(item.value)
        if not self._is_checked or len(rest) >= self._most_plain or has_notes(item):
            laid = self._laid_out(item, content, serializer, rest)
            return self.seal(laid) if len(laid[4]) < self._most_written_now else laid
        whole = pack_head(item, self._seal.id) + BODY.pack(content, 0, serializer) + rest
        return whole + CHECK.pack(crc32(whole, crc32(bytes_of(item.key))))

    def encode_value(self, key: bytes, value: object, version: int, now: float, ttl: float | None) -> bytes | None:
        """Give what `encode` makes of an item that is written `now`, without tags, cost and a time to be stale.

        `key` is as `bytes_of` gives it. None where it would take long enough for a thread, or may be compressed: then
        `encode_now` tells. Raises as `encode` does.
        """
        if type(value) is bytes and len(value) < self._most_short:
            content, serializer, rest = BYTES, 0, value
        else:
            content, serializer, rest = self._write(value)
        if len(rest) >= self._most_plain:
            return None
        given, life, expiration = (0, 0.0, 0.0) if ttl is None else (_TTL_AND_EXPIRATION, ttl, now + ttl)
        if self._is_checked:
            whole = _pack_whole(self._start, given, version, now, life, expiration, 0.0, content, 0, serializer) + rest
            return whole + _pack_check(crc32(whole, crc32(key)))
        head = HEAD.pack(MAGIC, FORMAT, self._seal.id, given, version, now, life, expiration, 0.0)
        return head + self._seal.seal(BODY.pack(content, 0, serializer) + rest, key + head)

    def is_small(self, data: bytes) -> bool:
        """Whether `decode` takes less time than the way to a thread and back: otherwise there is `decode_aside`."""
        return len(data) < self._most_now

    def decode(self, key: str, data: bytes) -> Item[object]:
        """Give the item that lies under `key` as `data`: an envelope, or a bare integer, which has no dates.

        Objects of classes come back as `Parts`. Whether its time is over, whoever has a clock decides. Raises
        `CorruptPayloadError` for anything that this codec would not have written under this key.
        """
        return self.read(key, self.open(key, data))

    def decode_value(self, key: bytes, data: bytes) -> Found | None:  # noqa: C901, PLR0911, PLR0912  - calls would double its cost
        """Give what a hit needs of the item under `key` (see `bytes_of`), or None: then `decode` tells the rest.

        None is the answer for an item with tags or a cost, for what is compressed or not `is_small`, and for most of
        what cannot be read. Raises `CorruptPayloadError` where a seal that needs a secret does not fit.
        """
        size = len(data)
        if not _LEAST_SIZE <= size < self._most_short:
            if data.isdigit() and size <= _MOST_DIGITS and self.has_bare_integers and (data[0] != _ZERO or size == 1):
                return int(data), None, None
            return None
        start, given, created_at, ttl, expiration, stale, content, compression, serializer = _unpack_whole(data)
        if start != self._start or not -inf < created_at + ttl + expiration + stale < inf:
            return None
        if self._is_checked:
            if crc32(data, crc32(key)) != FITS:
                return None
            rest = data[_VALUE]
        else:
            body = self._seal.open(data[HEAD.size :], key + data[: HEAD.size])
            if len(body) < BODY.size:
                return None
            content, compression, serializer = BODY.unpack_from(body)
            rest = body[BODY.size :]
        if compression:
            return None
        # The rarer combinations, and those with tags, go the long way.
        if given == _TTL_AND_EXPIRATION:
            if stale:
                return None
            stale = None
        elif given == 0:
            if ttl or expiration or stale:
                return None
            expiration = stale = None
        elif given != _ALL_DATES:
            return None
        try:
            if content:
                value = rest if content == BYTES else read_passed(content, rest)
                return None if serializer else (value, expiration, stale)
            if serializer != self._serializer_id:
                return None
            return self._serializer.decode(rest), expiration, stale
        except Exception:  # noqa: BLE001  - whatever it was, `decode` says it
            return None

    def encode_integer(self, number: int) -> bytes:
        """Give an int of 64 bits, with a sign, as the decimal digits on which Redis can count.

        Raises `UnsupportedError` unless `has_bare_integers`, and `SerializationError` for other numbers.
        """
        if not self.has_bare_integers:
            raise UnsupportedError("a bare integer cannot be sealed: count by conditional writes")
        if type(number) is not int or not _LEAST <= number <= _MOST:
            raise SerializationError("only an int of 64 bits can be a bare integer")
        return b"%d" % number

    def lay_out(self, item: Item[object]) -> Unsealed:
        """Do the first half of `encode`: serialize."""
        return self._laid_out(item, *self._write(item.value))

    def _write(self, value: object) -> tuple[int, int, bytes]:
        """Give content, serializer and bytes of a value."""
        write = WRITERS.get(type(value))
        if write is not None:
            serializer = 0
            content, rest = write(value)
        else:
            serializer, content = self._serializer_id, SERIALIZED
            rest = self._parts(value) if type(value) is Parts else self._serialize(value)
        if len(rest) > self._max_size:
            raise ValueTooLargeError(
                f"a value of type {type(value).__name__} takes {len(rest)} bytes, and {self._max_size} are allowed"
            )
        return content, serializer, rest

    def _laid_out(self, item: Item[object], content: int, serializer: int, rest: bytes) -> Unsealed:
        if has_notes(item):
            content |= HAS_NOTES
            notes = pack_notes(item)
            if len(notes) > MAX_NOTES:
                raise ValueTooLargeError(f"the tags of an item take {len(notes)} bytes, and {MAX_NOTES} are allowed")
            rest = notes + rest
        return pack_head(item, self._seal.id), bytes_of(item.key), content, serializer, rest

    def _serialize(self, value: object) -> bytes:
        try:
            return self._serializer.encode(value)
        except CacheError:
            raise
        except Exception as error:  # noqa: BLE001  - one of a user's own may raise anything
            what = f"a value of type {type(value).__name__} ({type(error).__name__})"
            raise SerializationError(f"{self._serializer.name} cannot write {what}") from None  # its text may hold it

    def _parts(self, parts: Parts) -> bytes:
        if parts.format != self._serializer.name:
            raise SerializationError(f"parts of {parts.format} cannot be written as {self._serializer.name}")
        return parts.data

    def seal(self, laid: Unsealed) -> bytes:
        """Do the second half of `encode`: compress and seal."""
        head, key, content, serializer, rest = laid
        compression = self._compression
        packed = compression.pack(rest) if compression and len(rest) >= compression.threshold else None
        if compression is None or packed is None:
            body = BODY.pack(content, 0, serializer) + rest
        else:
            body = b"".join((BODY.pack(content, compression.id, serializer), SIZE.pack(len(rest)), packed))
        return head + self._seal.seal(body, key + head)

    def open(self, key: str, data: bytes) -> Opened:
        """Do the first half of `decode`: open the seal and unpack. Nothing that is read before it fits is believed."""
        if data[:3] != self._start or len(data) <= HEAD.size:
            if data[:1] in _DIGITS:
                return self._bare(data)
            raise unlike(data)
        if len(data) > self._max_size + MAX_NOTES + _ROOM:
            raise CorruptPayloadError("the payload is larger than a value may be")
        body = self._seal.open(data[HEAD.size :], bytes_of(key) + data[: HEAD.size])
        dates = read_dates(data)
        if len(body) < BODY.size:
            raise CorruptPayloadError("the payload has no body")
        content, compression, serializer = BODY.unpack_from(body)
        rest = self._unpack(body, compression) if compression else body[BODY.size :]
        notes, content, rest = split(data[FLAGS_OFFSET], content, rest)
        if serializer != (0 if content else self._serializer_id):
            raise CorruptPayloadError("the payload is of another serializer than is configured")
        return dates, notes, content, rest

    def vouch(self, name: str, content: bytes) -> bytes:
        """Seal a few bytes that are no item under `name`, whatever serializer, compression and bounds there are."""
        return self._start + self._seal.seal(content, bytes_of(name) + self._start)

    def vouched(self, name: str, data: bytes) -> bytes:
        """Give what `vouch` sealed under `name`, with one of the secrets; otherwise raise `CorruptPayloadError`."""
        if data[:3] != self._start:
            raise CorruptPayloadError("the payload is sealed in another way than is configured")
        return self._seal.open(data[3:], bytes_of(name) + self._start)

    def may_be_of_others(self, data: bytes) -> bool:
        """Whether an envelope that cannot be opened may be whole, under other secrets or another kind of seal."""
        is_like_ours = len(data) > HEAD.size and data[:2] == self._start[:2]
        return is_like_ours and (self._seal.needs_secret or data[:3] != self._start)

    def _bare(self, data: bytes) -> Opened:
        if not self.has_bare_integers:
            raise CorruptPayloadError("the payload is a bare integer, which nobody has sealed")
        try:
            number = int(data) if len(data) <= _LONGEST_INTEGER else None
        except ValueError:
            number = None
        if number is None or b"%d" % number != data or not _LEAST <= number <= _MOST:
            raise CorruptPayloadError("the payload begins like a bare integer and is none")
        content, rest = WRITERS[int](number)
        return _NO_DATES, NO_NOTES, content, rest

    def _unpack(self, body: bytes, compression: int) -> bytes:
        ours = self._compression
        if ours is None or ours.id != compression:
            raise CorruptPayloadError("the payload is compressed in another way than is configured")
        start = BODY.size + SIZE.size
        if len(body) <= start:
            raise CorruptPayloadError("the payload has no body")
        return ours.unpack(body[start:], SIZE.unpack_from(body, BODY.size)[0], self._max_size + MAX_NOTES)

    def read(self, key: str, opened: Opened) -> Item[object]:
        """Do the second half of `decode`: read the value."""
        (version, created_at, ttl, expiration, stale_until), (cost, tags, validators, _), content, rest = opened
        if len(rest) > self._max_size:
            raise CorruptPayloadError("the payload is larger than a value may be")
        value = read_passed(content, rest) if content else self._deserialize(rest)
        return Item(
            key=key,
            value=value,
            ttl=ttl,
            expiration=expiration,
            tags=tags,
            cost=cost,
            version=version,
            created_at=created_at,
            stale_until=stale_until,
            validators=validators,
        )

    def _deserialize(self, data: bytes) -> object:
        try:
            return self._serializer.decode(data)
        except CorruptPayloadError:
            raise
        except Exception as error:  # noqa: BLE001  - one of a user's own may raise anything
            text = f"the payload cannot be read by {self._serializer.name} ({type(error).__name__})"
            raise CorruptPayloadError(text) from None  # what it says itself may hold the value
