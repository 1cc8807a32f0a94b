"""The codec as a whole: what it refuses to be, to write and to read, and how it does large things in a thread."""

import asyncio
import math
import os
import pickle
import threading
import zlib
from collections.abc import Callable
from struct import Struct
from typing import Any, cast

import pytest

from aiocache_kit import (
    ConfigError,
    CorruptPayloadError,
    Item,
    SerializationError,
    UnsupportedError,
    ValueTooLargeError,
)
from aiocache_kit.item import Validators
from aiocache_kit.serializers.aside import decode_aside, encode_aside
from aiocache_kit.serializers.codec import Codec, bytes_of
from aiocache_kit.serializers.compression import Compression
from aiocache_kit.serializers.encryption import Encryption
from aiocache_kit.serializers.envelope import BODY, HEAD, SIZE
from aiocache_kit.serializers.registry import new_serializer, serializer_id
from aiocache_kit.serializers.seal import Checksum, Seal
from aiocache_kit.serializers.signing import Signing
from tests.unit.serializers.samples import KEY, NEW, OLD, SEALS, codec, item

SECRET_SEALS = sorted(set(SEALS) - {"checksum"})


def payload(head: bytes, body: bytes, key: str = KEY) -> bytes:
    """Seal a body as somebody would who knows the format but no secret."""
    return head + Checksum().seal(body, key.encode() + head)


def head(given: int = 0, version: int = 0, *dates: float) -> bytes:
    """Make a head from its fields."""
    return HEAD.pack(0xAC, 1, 0, given, version, *(dates or (0.0, 0.0, 0.0, 0.0)))


class Touchy:
    """A serializer of somebody's own."""

    name = "touchy"
    runs_code = False

    def encode(self, value: object) -> bytes:
        if value == ["a secret"]:
            raise KeyError(value)
        return repr(value).encode()

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        raise KeyError(data, type)


class Silent:
    """A serializer that does not say whether reading it is safe."""

    name = "silent"

    def encode(self, value: object) -> bytes:
        return repr(value).encode()

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        return data if type is None else None


# --- what may be built ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", [new_serializer("pickle"), cast("Any", Silent())])
def test_what_runs_code_needs_a_secret(serializer: Any) -> None:  # noqa: ANN401  - one lacks an attribute, on purpose
    """A serializer whose bytes can run code, or that does not say, is refused without encryption or a signature."""
    for seal in (None, Checksum()):
        with pytest.raises(ConfigError, match="turn on encryption or signing") as caught:
            Codec(serializer, seal=seal)
        assert caught.value.field == "serialization_format"
    for name in SECRET_SEALS:
        assert Codec(serializer, seal=SEALS[name]()).has_bare_integers is False


@pytest.mark.parametrize("size", [0, -1, 2**31])
def test_the_limit_of_a_value_has_limits(size: int) -> None:
    """A codec has a limit for values, of at most a gibibyte."""
    with pytest.raises(ConfigError):
        Codec(new_serializer("json"), max_size=size)


def test_a_codec_shows_no_secret() -> None:
    """What a codec and its parts print holds how they work and not what with."""
    for seal in (Encryption([OLD, NEW]), Signing([OLD, NEW])):
        shown = f"{Codec(new_serializer('json'), seal=seal)!r} {seal!r}"
        assert "2 keys" in shown
        for secret in (OLD, NEW):
            assert repr(secret)[2:-1] not in shown
            assert secret.hex() not in shown


# --- bare integers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, -1, 42, 2**63 - 1, -(2**63)])
def test_bare_integers_are_told_from_envelopes(number: int) -> None:
    """An int of 64 bits is written as its digits, and these are read as that int under any key, without dates."""
    written = codec("json/checksum").encode_integer(number)

    assert written == str(number).encode()
    assert codec("json/checksum").decode("any", written) == Item(key="any", value=number)
    assert type(codec("json/checksum").decode("any", written).value) is int


@pytest.mark.parametrize("number", [True, 2**63, -(2**63) - 1, 1.0, "1"])
def test_other_numbers_are_never_bare(number: Any) -> None:  # noqa: ANN401  - of a wrong type, on purpose
    """What Redis could not count on, or would make something else of, is not written bare."""
    with pytest.raises(SerializationError):
        codec("json/checksum").encode_integer(number)


@pytest.mark.parametrize(
    "data",
    [b"-", b"01", b"-0", b"+1", b"1 ", b"1_0", b"1.5", b"1e3", b"9223372036854775808", b"9" * 5000, b"1\n"],
)
def test_what_only_begins_like_a_number_is_corrupt(data: bytes) -> None:
    """Only digits as Redis writes them are an int."""
    with pytest.raises(CorruptPayloadError):
        codec("json/checksum").decode(KEY, data)


@pytest.mark.parametrize("seal", SECRET_SEALS)
def test_where_there_is_a_secret_there_are_no_bare_integers(seal: str) -> None:
    """Nobody can have sealed one: they are neither written nor read, and ints come back from envelopes."""
    sealing = codec(f"json/{seal}")
    with pytest.raises(UnsupportedError, match="conditional writes"):
        sealing.encode_integer(5)
    with pytest.raises(CorruptPayloadError):
        sealing.decode(KEY, b"5")
    assert sealing.decode(KEY, sealing.encode(item(5))) == item(5)


# --- what is not believed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seal", SECRET_SEALS)
def test_what_was_not_sealed_is_not_read_where_a_secret_is_configured(seal: str) -> None:
    """A payload under a mere checksum, with its own seal byte or a false one, is refused where there is a secret."""
    plain = codec("json/checksum").encode(item({"admin": True}))
    sealing = codec(f"json/{seal}")
    with pytest.raises(CorruptPayloadError):
        sealing.decode(KEY, plain)
    with pytest.raises(CorruptPayloadError):
        sealing.decode(KEY, plain[:2] + bytes((cast("Seal", SEALS[seal]()).id,)) + plain[3:])


@pytest.mark.parametrize("seal", SECRET_SEALS)
def test_an_expired_item_stays_dead(seal: str) -> None:
    """The dates are under the seal: a payload that is put back says when it died, and cannot be given more time."""
    sealing = codec(f"json/{seal}")
    old = sealing.encode(item("old"))

    assert sealing.decode(KEY, old).expiration == item("old").expiration
    for place in range(4, HEAD.size):
        with pytest.raises(CorruptPayloadError):
            sealing.decode(KEY, old[:place] + bytes((old[place] ^ 0x40,)) + old[place + 1 :])


OTHERS: dict[str, Callable[[], Seal]] = {
    "hmac-sha256": lambda: Signing([NEW]),
    "blake2b": lambda: Signing([NEW], "blake2b"),
    "aes-256-gcm": lambda: Encryption([NEW]),
    "chacha20-poly1305": lambda: Encryption([NEW], "chacha20-poly1305"),
}
RAN: list[int] = []


def _ran(number: int) -> None:
    RAN.append(number)


class Charge:
    """Runs code when its pickle is read."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return _ran, (1,)


@pytest.mark.parametrize("seal", SECRET_SEALS)
def test_a_pickle_of_somebody_else_is_not_opened(seal: str) -> None:
    """A pickle that runs code does not run it where it has no seal, a false one, or one of another secret."""
    charge = pickle.dumps(Charge())
    body = BODY.pack(0, 0, serializer_id("pickle")) + charge
    mine = codec(f"pickle/{seal}")
    other = OTHERS[seal]()
    forged = [charge, payload(head(), body)]
    for kind in range(5):
        start = HEAD.pack(0xAC, 1, kind, 0, 0, 0.0, 0.0, 0.0, 0.0)
        forged += [payload(start, body), start + other.seal(body, KEY.encode() + start)]
    for data in forged:
        with pytest.raises(CorruptPayloadError):
            mine.decode(KEY, data)

    assert RAN == []
    pickle.loads(charge)  # noqa: S301  - that it is one
    assert RAN.pop() == 1


NOTES = Struct(">BQH")
WRONG_BODIES: dict[str, bytes] = {
    "no body": b"",
    "half a body": b"\x06\0\0",
    "an unknown content": BODY.pack(8, 0, 0) + b"x",
    "a content too large": BODY.pack(0x7F, 0, 0) + b"x",
    "None with bytes": BODY.pack(1, 0, 0) + b"x",
    "an int of no bytes": BODY.pack(4, 0, 0),
    "an int with room to spare": BODY.pack(4, 0, 0) + b"\0\0\5",
    "a float of nine bytes": BODY.pack(5, 0, 0) + b"123456789",
    "a str that is no UTF-8": BODY.pack(6, 0, 0) + b"\xff",
    "a str of a serializer": BODY.pack(6, 0, 1) + b"x",
    "json of no serializer": BODY.pack(0, 0, 0) + b"{}",
    "compressed where nothing is": BODY.pack(6, 2, 0) + SIZE.pack(1) + b"x",
    "notes that are missing": BODY.pack(0x86, 0, 0),
    "notes that end early": BODY.pack(0x86, 0, 0) + NOTES.pack(0, 0, 2) + b"\0\0\0\1a",
    "a tag longer than all": BODY.pack(0x86, 0, 0) + NOTES.pack(0, 0, 1) + b"\xff\xff\xff\xffa",
    "a tag of nothing": BODY.pack(0x86, 0, 0) + NOTES.pack(0, 0, 1) + b"\0\0\0\0",
    "a tag that is no UTF-8": BODY.pack(0x86, 0, 0) + NOTES.pack(0, 0, 1) + b"\0\0\0\1\xff",
    "a cost that is not there": BODY.pack(0x86, 0, 0) + NOTES.pack(0, 5, 0),
    "a cost that is two": BODY.pack(0x86, 0, 0) + NOTES.pack(2, 5, 0),
    "validators that nothing announces": BODY.pack(0x81, 0, 0) + NOTES.pack(0, 0, 0) + b"\1\0\0\0\1a",
    "notes without a value": BODY.pack(0x84, 0, 0) + NOTES.pack(0, 0, 0),
}


@pytest.mark.parametrize("what", sorted(WRONG_BODIES))
def test_a_body_that_cannot_be_is_corrupt(what: str) -> None:
    """Whoever can compute a checksum can write anything; what no codec writes is still found out."""
    with pytest.raises(CorruptPayloadError):
        codec("json/checksum").decode(KEY, payload(head(), WRONG_BODIES[what]))
    assert codec("json/checksum").decode_value(KEY.encode(), payload(head(), WRONG_BODIES[what])) is None


def test_a_body_does_not_choose_what_unpacks_it() -> None:
    """What says to be packed by another algorithm is not unpacked by the configured one, though that could."""
    text = b"x" * 5000
    packed = zlib.compress(text)
    zipped = Codec(new_serializer("json"), compression=Compression("zlib", threshold=1))
    for number in range(1, 6):
        data = payload(head(), BODY.pack(6, number, 0) + SIZE.pack(len(text)) + packed)
        if number == Compression("zlib").id:
            assert zipped.decode(KEY, data).value == text.decode()
        else:
            with pytest.raises(CorruptPayloadError):
                zipped.decode(KEY, data)


@pytest.mark.parametrize(
    "wrong",
    [
        head(8),
        head(16),
        head(0xFF),
        head(0, 0, math.nan, 0.0, 0.0, 0.0),
        head(0, 0, math.inf, 0.0, 0.0, 0.0),
        head(1, 0, 0.0, math.nan, 0.0, 0.0),
        head(0, 0, 0.0, 1.0, 0.0, 0.0),
        head(0, 0, 0.0, 0.0, 1.0, 0.0),
        head(0, 0, 0.0, 0.0, 0.0, 1.0),
        head(3, 0, 0.0, 1.0, 1.0, 1.0),
        head(7, 0, 0.0, 1.0, math.nan, 1.0),
    ],
    ids=lambda data: data[3:].hex().rstrip("0"),
)
def test_a_head_that_cannot_be_is_corrupt(wrong: bytes) -> None:
    """Flags that mean nothing, instants that are none, and dates that are not announced, are refused."""
    with pytest.raises(CorruptPayloadError):
        codec("json/checksum").decode(KEY, payload(wrong, BODY.pack(1, 0, 0)))
    assert codec("json/checksum").decode_value(KEY.encode(), payload(wrong, BODY.pack(1, 0, 0))) is None
    assert codec("json/checksum").decode(KEY, payload(head(), BODY.pack(1, 0, 0))).value is None


@pytest.mark.parametrize("seal", SEALS)
def test_the_head_tells_whether_there_are_tags(seal: str) -> None:
    """One bit in the clear says that there are tags: it is set with them alone, and nobody can change it."""
    sealing = codec(f"json/{seal}")
    for tags in ((), ("tag",)):
        data = sealing.encode(Item(key=KEY, value=1, tags=tags, cost=5))
        changed = data[:3] + bytes((data[3] ^ 8,)) + data[4:]

        assert data[3] & 8 == (8 if tags else 0)
        assert sealing.decode(KEY, data).tags == tags
        with pytest.raises(CorruptPayloadError):
            sealing.decode(KEY, changed)


@pytest.mark.parametrize("given", [0, 8])
def test_tags_are_announced_or_corrupt(given: int) -> None:
    """Tags that the head does not tell, and none where it tells of some, are refused though the checksum fits."""
    tagged = BODY.pack(0x81, 0, 0) + NOTES.pack(0, 0, 1) + b"\0\0\0\1a"
    plain = BODY.pack(1, 0, 0)
    right, wrong = (tagged, plain) if given else (plain, tagged)

    assert codec("json/checksum").decode(KEY, payload(head(given), right)).tags == (("a",) if given else ())
    with pytest.raises(CorruptPayloadError, match="tags"):
        codec("json/checksum").decode(KEY, payload(head(given), wrong))


@pytest.mark.parametrize("seal", SEALS)
def test_the_head_tells_whether_there_are_validators(seal: str) -> None:
    """A bit of its own says that there are validators, whatever else there is; nobody can change it."""
    sealing = codec(f"json/{seal}")
    for tags in ((), ("tag",)):
        for validators in (None, Validators("e"), Validators(None, "m"), Validators("e", "m")):
            written: Item[object] = Item(key=KEY, value=1, tags=tags, validators=validators)
            data = sealing.encode(written)
            assert data[3] & 16 == (16 if validators else 0)
            assert sealing.decode(KEY, data) == written
            with pytest.raises(CorruptPayloadError):
                sealing.decode(KEY, data[:3] + bytes((data[3] ^ 16,)) + data[4:])


@pytest.mark.parametrize(
    "validators",
    [
        b"",
        b"\0",
        b"\4\0\0\0\1a",
        b"\1",
        b"\1\0\0\0\0",
        b"\1\0\0\0\2a",
        b"\3\0\0\0\1a",
        b"\1\0\0\0\1\xff",
        b"\2\xff\xff\xff\xffa",
    ],
)
def test_validators_that_cannot_be_are_corrupt(validators: bytes) -> None:
    """Validators that end early, are empty, of an unknown kind or no text are refused though the checksum fits."""
    right = BODY.pack(0x81, 0, 0) + NOTES.pack(0, 0, 0) + b"\1\0\0\0\1a"
    assert codec("json/checksum").decode(KEY, payload(head(16), right)).etag == "a"
    with pytest.raises(CorruptPayloadError):
        codec("json/checksum").decode(KEY, payload(head(16), BODY.pack(0x81, 0, 0) + NOTES.pack(0, 0, 0) + validators))


def test_empty_validators_are_not_written() -> None:
    """What would be read as corrupt is refused when it is written."""
    for validators in (Validators(), Validators(""), Validators("a", "")):
        with pytest.raises(SerializationError, match="validators"):
            codec("json/checksum").encode(Item(key=KEY, value=1, validators=validators))


def test_an_end_in_infinity_comes_back() -> None:
    """A fall-back that is kept for ever has an infinite date, which is not the same as none."""
    kept = Item(key=KEY, value=cast("object", 1), ttl=0.0, expiration=5.0, stale_until=math.inf)

    assert codec("json/checksum").decode(KEY, codec("json/checksum").encode(kept)) == kept


def test_what_a_serializer_of_ones_own_raises_is_one_of_our_errors() -> None:
    """An exception while writing is a value that cannot be written, one while reading a payload that cannot be read."""
    touchy = Codec(Touchy())
    with pytest.raises(CorruptPayloadError, match=r"by touchy \(KeyError\)") as caught:
        touchy.decode(KEY, touchy.encode(item(["secret"])))
    with pytest.raises(SerializationError, match=r"of type list \(KeyError\)") as refused:
        touchy.encode(item(["a secret"]))
    for error in (caught.value, refused.value):
        assert "secret" not in str(error)
        assert error.__suppress_context__


# --- the short way ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json/checksum", "msgpack/checksum", *(f"pickle/{seal}" for seal in SECRET_SEALS)])
@pytest.mark.parametrize("value", [None, True, 5, 0.5, "text", b"bytes", {"a": [1, None]}, [{}, {"b": 2.5}]])
@pytest.mark.parametrize(
    ("ttl", "expiration", "stale_until"), [(None, None, None), (5.0, 15.0, None), (5.0, 15.0, 20.0)]
)
def test_a_hit_is_read_the_short_way(
    kind: str, value: object, ttl: float | None, expiration: float | None, stale_until: float | None
) -> None:
    """What is small, whole and without tags comes back with its dates and no item around it."""
    either = codec(kind)
    written = Item(key=KEY, value=value, ttl=ttl, expiration=expiration, stale_until=stale_until, version=3)
    found = either.decode_value(KEY.encode(), either.encode(written))

    assert found == (value, expiration, stale_until)
    assert found is not None
    assert type(found[0]) is type(value)


@pytest.mark.parametrize("number", [0, 7, -7, 10**17])
def test_a_bare_integer_is_read_the_short_way_or_left(number: int) -> None:
    """A counter without a sign is read at once; with one it goes the long way."""
    found = codec("json/checksum").decode_value(KEY.encode(), b"%d" % number)

    assert found == ((number, None, None) if number >= 0 else None)
    for data in (b"01", b"00", b"9" * 19, b""):
        assert codec("json/checksum").decode_value(KEY.encode(), data) is None
    assert codec("json/aes-256-gcm").decode_value(KEY.encode(), b"%d" % abs(number)) is None


def test_what_is_not_plain_is_left_to_the_long_way() -> None:
    """Tags, a cost, compression, size, parts of dates and anything wrong are for `decode` to tell of."""
    reader = codec("json/checksum/zlib", max_size=300_000)
    key = KEY.encode()
    for left in (
        Item(key=KEY, value=1, tags=("tag",)),
        Item(key=KEY, value=1, cost=5),
        Item(key=KEY, value=1, validators=Validators("e")),
        Item(key=KEY, value=b"text", ttl=1.0, expiration=2.0, stale_until=3.0, validators=Validators(None, "m")),
        Item(key=KEY, value="text" * 100),
        Item(key=KEY, value=b"text" * 100),
        Item(key=KEY, value=os.urandom(100_000)),
        Item(key=KEY, value=1, ttl=0.0, expiration=5.0, stale_until=math.inf),
        Item(key=KEY, value=1, expiration=5.0),
    ):
        data = reader.encode(left)
        assert reader.decode_value(key, data) is None
        assert reader.decode(KEY, data) == left
    assert reader.decode_value(b"other", reader.encode(Item(key=KEY, value=1))) is None


@pytest.mark.parametrize("kind", ["json/checksum", "json/checksum/zlib", "msgpack/hmac-sha256"])
@pytest.mark.parametrize("value", [None, 7, {"a": [1]}, "text" * 100, b"\0" * 300])
def test_what_is_written_at_once_is_the_same(kind: str, value: object) -> None:
    """The short way of writing gives the very bytes of the long one, whatever an item has besides its value."""
    writer = codec(kind)
    for each in (
        Item(key=KEY, value=value),
        Item(key="\ud800", value=value, ttl=1.0, expiration=2.0, stale_until=3.0, created_at=1.0, version=9),
        Item(key=KEY, value=value, cost=5),
        Item(key=KEY, value=value, tags=("tag",)),
        Item(key=KEY, value=value, validators=Validators("e", "m")),
    ):
        assert writer.encode_now(each) == writer.encode(each)


@pytest.mark.parametrize(("kind", "size"), [("json/checksum", 256 * 1024), ("json/checksum/zlib", 64 * 1024)])
def test_what_takes_long_is_left_to_a_thread(kind: str, size: int) -> None:
    """From a size on, what was written is given back to be sealed, and what is to be read is not small."""
    writer = codec(kind)
    short, long = (Item(key=KEY, value=os.urandom(length)) for length in (size - 1, size))
    left = writer.encode_now(long)

    assert isinstance(writer.encode_now(short), bytes)
    assert not isinstance(left, bytes)
    assert writer.seal(left) == writer.encode(long)
    assert writer.is_small(b"x" * 1000)
    assert not writer.is_small(writer.encode(long))


# --- what is too much -------------------------------------------------------------------------------------------------


def test_a_value_over_the_limit_is_not_written() -> None:
    """A value is counted as serialized, before compression; the error tells how much is allowed."""
    small = codec("json/checksum/zlib", max_size=1000)
    assert small.decode(KEY, small.encode(item(b"x" * 1000))).value == b"x" * 1000
    for value in (b"x" * 1001, "ä" * 501, ["x" * 1000]):
        with pytest.raises(ValueTooLargeError, match="1000 are allowed"):
            small.encode(item(value))


def test_a_payload_over_the_limit_is_not_read() -> None:
    """What a codec with a higher limit wrote is refused by one with a lower limit, compressed or not."""
    for kind in ("json/checksum", "json/checksum/zlib", "json/aes-256-gcm"):
        data = codec(kind, max_size=3_000_000).encode(item(b"x" * 3_000_000))
        with pytest.raises(CorruptPayloadError):
            codec(kind, max_size=1000).decode(KEY, data)
        assert codec(kind, max_size=1000).decode_value(KEY.encode(), data) is None


def test_a_payload_over_the_limit_is_not_even_opened() -> None:
    """What is larger than any value with its tags may be is refused by its length, before a seal works through it."""
    seal = Watched()
    small = Codec(new_serializer("json"), seal=seal, max_size=1000)
    large = Codec(new_serializer("json"), max_size=3_000_000).encode(item(b"x" * 3_000_000))
    with pytest.raises(CorruptPayloadError, match="larger than a value may be"):
        small.decode(KEY, large)
    just_over = Codec(new_serializer("json")).encode(Item(key=KEY, value=b"x" * 1001))

    assert small.decode_value(KEY.encode(), just_over) is None
    assert seal.threads == []


@pytest.mark.parametrize("kind", ["json/checksum", "json/checksum/zlib", "json/aes-256-gcm"])
def test_the_largest_value_with_the_largest_tags_comes_back(kind: str) -> None:
    """Tags have a limit of their own, a mebibyte: whatever can be written within both limits can be read."""
    small = codec(kind, max_size=1000)
    tags = tuple(f"{number}{'x' * 1030}" for number in range(1000))
    full = Item(key=KEY, value=cast("object", b"x" * 1000), tags=tags)

    assert small.decode(KEY, small.encode(full)) == full
    with pytest.raises(ValueTooLargeError, match="tags of an item"):
        small.encode(Item(key=KEY, value=1, tags=(*tags, "x" * 20_000)))


@pytest.mark.parametrize("version", [-1, 2**64])
def test_an_item_that_does_not_fit_the_envelope_is_refused(version: int) -> None:
    """A version of more than 64 bits, or a cost, is a clear error."""
    with pytest.raises(SerializationError, match="64 bits"):
        codec("json/checksum").encode(Item(key=KEY, value=1, version=version))
    with pytest.raises(SerializationError, match="64 bits"):
        codec("json/checksum").encode(Item(key=KEY, value=1, cost=version))


# --- secrets that change ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Encryption, Signing], ids=["encryption", "signing"])
def test_secrets_can_be_changed_while_running(make: Any) -> None:  # noqa: ANN401  - one of two classes
    """The first secret writes, all read; what was written under a secret that was dropped is a miss."""
    rings = ([OLD], [OLD, NEW], [NEW, OLD], [NEW])
    steps = [(ring, Codec(new_serializer("json"), seal=make(ring))) for ring in rings]
    for readable, reader in steps:
        for (first, *_), writer in steps:
            data = writer.encode(item(5))
            if first in readable:
                assert reader.decode(KEY, data) == item(5)
            else:
                with pytest.raises(CorruptPayloadError):
                    reader.decode(KEY, data)


# --- in a thread ------------------------------------------------------------------------------------------------------


class Watched:
    """A seal that notes in which thread it works."""

    id = 0
    needs_secret = True

    def __init__(self) -> None:
        self._seal = Checksum()
        self.threads: list[int] = []

    def seal(self, body: bytes, bound: bytes) -> bytes:
        self.threads.append(threading.get_ident())
        return self._seal.seal(body, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        self.threads.append(threading.get_ident())
        return self._seal.open(sealed, bound)


@pytest.mark.parametrize(
    ("compression", "size", "aside"),
    [
        (None, 100, False),
        (None, 200_000, False),
        (None, 300_000, True),
        ("zlib", 50_000, False),
        ("zlib", 70_000, True),
        ("zstd", 70_000, False),
        ("zstd", 300_000, True),
    ],
)
async def test_large_values_are_sealed_and_opened_in_a_thread(
    compression: str | None, size: int, *, aside: bool
) -> None:
    """From the size on at which that is faster, and not below it; the item is the same either way."""
    seal = Watched()
    watched = Codec(new_serializer("json"), compression=Compression(compression) if compression else None, seal=seal)
    written = item(os.urandom(size))
    data = await encode_aside(watched, written)
    read = await decode_aside(watched, KEY, data)

    assert read == written == watched.decode(KEY, data)
    assert (seal.threads[0] != threading.get_ident()) is aside
    assert aside is False or seal.threads[1] != threading.get_ident()


@pytest.mark.parametrize("way", ["json/checksum", "json/hmac-sha256", "json/aes-256-gcm"])
@pytest.mark.parametrize("ttl", [None, 5.0])
def test_plain_values_are_written_a_short_way(way: str, ttl: float | None) -> None:
    """What it writes is an item like any other; what is large goes the long way."""
    short = codec(way)
    data = short.encode_value(bytes_of(KEY), {"a": [1]}, 7, 1000.0, ttl)
    assert data is not None
    read = short.decode(KEY, data)

    assert (read.value, read.version, read.created_at, read.ttl) == ({"a": [1]}, 7, 1000.0, ttl)
    assert read.expiration == (None if ttl is None else 1005.0)
    assert short.encode_value(bytes_of(KEY), b"x" * 300_000, 7, 1000.0, ttl) is None


async def test_errors_come_back_from_the_thread() -> None:
    """What is wrong with a large value or payload is raised where it was asked for."""
    plain = codec("json/checksum", max_size=2_000_000)
    with pytest.raises(SerializationError):
        await encode_aside(plain, item([1j] * 100_000))
    data = await encode_aside(plain, item(b"x" * 1_000_000))
    with pytest.raises(CorruptPayloadError):
        await decode_aside(plain, "other", data)


async def test_many_at_once_do_not_mix() -> None:
    """Large values that are written and read by many tasks at once stay with their keys."""
    together = codec("json/aes-256-gcm/zstd")
    items = [item({"n": number, "text": "ab" * 100_000}, f"key:{number}") for number in range(8)]
    payloads = await asyncio.gather(*(encode_aside(together, each) for each in items))
    read = await asyncio.gather(
        *(decode_aside(together, each.key, data) for each, data in zip(items, payloads, strict=True))
    )

    assert read == items
