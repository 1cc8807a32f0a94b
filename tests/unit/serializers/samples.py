"""What the tests of the serializers share: classes of values, secrets, codecs by name, and an item."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from enum import Enum, IntEnum
from typing import Final, NamedTuple, TypedDict

import msgspec
import pydantic

from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.compression import Compression
from aiocache_kit.serializers.encryption import Encryption
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.serializers.seal import Seal
from aiocache_kit.serializers.signing import Signing

OLD: Final = bytes(range(32))
NEW: Final = bytes(range(32, 64))
KEY: Final = "@users:user:123"
HOUR: Final = dt.timedelta(hours=1)


class Berlin(dt.tzinfo):
    """A zone with a name and rules, such as zoneinfo has, without the data that a machine may lack."""

    def utcoffset(self, _moment: dt.datetime | None, /) -> dt.timedelta:
        return HOUR

    def dst(self, _moment: dt.datetime | None, /) -> dt.timedelta:
        return HOUR * 0

    def tzname(self, _moment: dt.datetime | None, /) -> str:
        return "CET"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


@dataclasses.dataclass(frozen=True)
class Person:
    name: str
    born: dt.date
    scores: tuple[float, ...] = ()
    colour: Colour = Colour.RED
    friends: "tuple[Person, ...]" = ()


class Movie(TypedDict):
    title: str
    released: dt.date


class Point(NamedTuple):
    x: int
    y: int


class Account(msgspec.Struct, frozen=True, rename="camel", tag=True):
    account_id: int
    opened_at: dt.datetime


class Model(pydantic.BaseModel):
    number: int = pydantic.Field(alias="theNumber")
    raw: bytes = b"\xff\x00"
    seen: set[int] = {1, 2}


SEALS: Final[dict[str, Callable[[], Seal | None]]] = {
    "checksum": lambda: None,
    "hmac-sha256": lambda: Signing([OLD]),
    "blake2b": lambda: Signing([OLD], "blake2b"),
    "aes-256-gcm": lambda: Encryption([OLD]),
    "chacha20-poly1305": lambda: Encryption([OLD], "chacha20-poly1305"),
}


def codec(name: str, *, max_size: int = 1_000_000) -> Codec:
    """Make the codec that `name` says: serializer, seal, and compression where there is one, joined by ``/``."""
    serializer, seal, *compression = name.split("/")
    return Codec(
        new_serializer(serializer),
        seal=SEALS[seal](),
        compression=Compression(compression[0], threshold=64) if compression else None,
        max_size=max_size,
    )


def item(value: object, key: str = KEY) -> Item[object]:
    """Give an item with everything that one can have."""
    return Item(
        key=key,
        value=value,
        ttl=300.0,
        expiration=1_700_000_300.5,
        tags=("users", "user:123"),
        cost=77,
        version=2**63 + 5,
        created_at=1_700_000_000.25,
        stale_until=1_700_000_900.5,
    )
