"""The envelope, version 1: what surrounds a value in a shared store. All numbers are big-endian.

    offset  bytes  head, never encrypted, always under the seal
    0       1      0xAC: no digit and no minus sign, with which a bare integer begins
    1       1      1, the version of this format
    2       1      the seal: 0 checksum, 1 HMAC-SHA256, 2 BLAKE2b, 3 AES-256-GCM, 4 ChaCha20-Poly1305
    3       1      what there is: 1 ttl, 2 expiration, 4 stale_until, 8 tags, 16 validators
    4       8      version of the item: compares as bytes do
    12      8      created_at, a double, as are the three that follow; what is not given is 0
    20      8      ttl
    28      8      expiration
    36      8      stale_until
    44      ...    what the seal makes of the body

    body    1      what the value is (`Content`), plus 0x80 where there are cost, tags or validators
            1      the compression: 0 none, 1 gzip, 2 zlib, 3 zstd, 4 lz4
            2      the serializer's name as two bytes (`serializer_id`); 0 where none was needed
            4      only where it is compressed: bytes of what follows, before that
            ...    cost and tags, validators, then the value; compressed or not

    cost and tags: 1 whether there is a cost, 8 the cost, 2 how many tags, then for each 4 its bytes, and it as UTF-8
    validators:    1 which there are: 1 etag, 2 last_modified; then for each 4 its bytes, and it as UTF-8

Rule 1: what this layout says of a payload never changes. Another one is another version, and payloads of this one stay
readable. A part that came later has a bit of its own at offset 3, which no earlier payload has: validators did.
Rule 2: every field is checked, so that each envelope has one meaning.
Rule 3: what is not as it must be is a `CorruptPayloadError`.
"""

import math
from struct import Struct
from struct import error as StructError  # noqa: N812  - it is a class
from typing import Final, TypeAlias

from aiocache_kit.errors import CorruptPayloadError, SerializationError
from aiocache_kit.item import Item, Validators

MAGIC: Final = 0xAC
FORMAT: Final = 1
HEAD: Final = Struct(">BBBBQdddd")
VERSION_OFFSET: Final = 4
BODY: Final = Struct(">BBH")
SIZE: Final = Struct(">I")
WHOLE: Final = Struct(">3sBQddddBBH")
"""Head and body in one, for a body that is not encrypted."""
WITHOUT_VERSION: Final = Struct(">3sB8xddddBBH")
"""The same for who does not ask for the version."""
HAS_NOTES: Final = 0x80
_TTL, _EXPIRATION, _STALE, HAS_TAGS, HAS_VALIDATORS = 1, 2, 4, 8, 16
_ALL: Final = 31
FLAGS_OFFSET: Final = 3
_ENDLESS: Final = frozenset({math.inf, -math.inf})
_NOTES: Final = Struct(">BQH")
_LENGTH: Final = Struct(">I")
_ETAG, _LAST_MODIFIED = 1, 2
_KINDS: Final = frozenset({b"\x01", b"\x02", b"\x03"})


# Plain tuples, because one is made of each for every read.
Dates: TypeAlias = tuple[int, float, float | None, float | None, float | None]
"""What the head says of an item: version, created_at, ttl, expiration and stale_until."""
Notes: TypeAlias = tuple[int | None, tuple[str, ...], Validators | None, int]
"""Cost, tags and validators, and where the value begins after them."""
NO_NOTES: Final[Notes] = (None, (), None, 0)


def pack_head(item: Item[object], seal: int) -> bytes:
    """Give the head of an envelope for `item`."""
    ttl, expiration, stale = item.ttl, item.expiration, item.stale_until
    given = (0 if ttl is None else _TTL) | (0 if expiration is None else _EXPIRATION) | (0 if stale is None else _STALE)
    if item.tags:
        given |= HAS_TAGS
    if item.validators is not None:
        given |= HAS_VALIDATORS
    try:
        return HEAD.pack(
            MAGIC, FORMAT, seal, given, item.version, item.created_at, ttl or 0.0, expiration or 0.0, stale or 0.0
        )
    except (StructError, OverflowError) as error:
        raise SerializationError("the version of an item must fit into 64 bits, and its dates be numbers") from error


def start_of(seal: int) -> bytes:
    """Give what every envelope under this seal begins with."""
    return bytes((MAGIC, FORMAT, seal))


def unlike(data: bytes) -> CorruptPayloadError:
    """Say in what `data`, which does not begin as it must, is another thing."""
    if len(data) <= HEAD.size or data[0] != MAGIC:
        return CorruptPayloadError("the payload is no envelope of this package")
    if data[1] != FORMAT:
        return CorruptPayloadError("the payload is in another version of the format")
    return CorruptPayloadError("the payload is sealed in another way than is configured")


def read_dates(data: bytes) -> Dates:
    """Read the head of an envelope that was opened."""
    _, _, _, given, version, created_at, ttl, expiration, stale = HEAD.unpack_from(data)
    total = created_at + ttl + expiration + stale
    if given > _ALL or total != total or created_at in _ENDLESS:  # noqa: PLR0124  - that is how NaN is found
        raise _wrong("dates")
    if (ttl and not given & _TTL) or (expiration and not given & _EXPIRATION) or (stale and not given & _STALE):
        raise _wrong("dates")
    return (
        version,
        created_at,
        ttl if given & _TTL else None,
        expiration if given & _EXPIRATION else None,
        stale if given & _STALE else None,
    )


def has_notes(item: Item[object]) -> bool:
    """Whether there is anything about `item` that stands before its value."""
    return bool(item.tags) or item.cost is not None or item.validators is not None


def pack_notes(item: Item[object]) -> bytes:
    """Give cost, tags and validators of `item` as bytes."""
    try:
        parts = [_NOTES.pack(item.cost is not None, item.cost or 0, len(item.tags))]
        for tag in item.tags:
            parts += _text(tag)
        if item.validators is not None:
            etag, last_modified = item.validators
            which = (_ETAG if etag is not None else 0) | (_LAST_MODIFIED if last_modified is not None else 0)
            if not which or "" in item.validators:
                raise SerializationError("the validators of an item are an etag, a date in words, or both")
            parts.append(bytes((which,)))
            for text in item.validators:
                parts += () if text is None else _text(text)
    except StructError as error:
        raise SerializationError("an item may have a cost of 64 bits, and 65535 tags") from error
    return b"".join(parts)


def _text(text: str) -> tuple[bytes, bytes]:
    data = text.encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)), data


def split(given: int, content: int, rest: bytes) -> tuple[Notes, int, bytes]:
    """Give the notes that stand before a value, its content and its bytes; `given` is what the head says there is.

    Raises `CorruptPayloadError` where the two do not agree.
    """
    notes = NO_NOTES
    if content & HAS_NOTES:
        content ^= HAS_NOTES
        notes = _read_notes(rest, has_validators=bool(given & HAS_VALIDATORS))
        rest = rest[notes[3] :]
    if bool(notes[1]) is not bool(given & HAS_TAGS) or (notes[2] is None) is bool(given & HAS_VALIDATORS):
        raise CorruptPayloadError("the payload has tags that its head does not tell, or the reverse")
    return notes, content, rest


def _read_notes(body: bytes, *, has_validators: bool) -> Notes:
    """Read cost and tags, and validators where there are any, with which the unpacked `body` begins."""
    try:
        has_cost, cost, count = _NOTES.unpack_from(body)
        at = _NOTES.size
        tags: list[str] = []
        for _ in range(count):
            tag, at = _text_at(body, at)
            tags.append(tag)
        validators = None
        if has_validators:
            validators, at = _validators_at(body, at)
    except (StructError, UnicodeDecodeError):
        raise _wrong("tags") from None
    if at > len(body) or has_cost > 1 or (cost and not has_cost) or "" in tags:
        raise _wrong("tags")
    return cost if has_cost else None, tuple(tags), validators, at


def _text_at(body: bytes, at: int) -> tuple[str, int]:
    """Give the text at a place, and where what follows it begins."""
    (length,) = _LENGTH.unpack_from(body, at)
    start = at + _LENGTH.size
    return body[start : start + length].decode("utf-8", "surrogatepass"), start + length


def _validators_at(body: bytes, at: int) -> tuple[Validators, int]:
    which, at = body[at : at + 1], at + 1
    if which not in _KINDS:
        raise _wrong("validators")
    etag = last_modified = None
    if which[0] & _ETAG:
        etag, at = _text_at(body, at)
    if which[0] & _LAST_MODIFIED:
        last_modified, at = _text_at(body, at)
    if "" in (etag, last_modified):
        raise _wrong("validators")
    return Validators(etag, last_modified), at


def _wrong(what: str) -> CorruptPayloadError:
    return CorruptPayloadError(f"the payload has {what} that cannot be")
