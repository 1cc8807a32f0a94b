"""Serializers by name: built-in ones, ones of users' own, and what is missing."""

import sys
from collections.abc import Iterator

import pytest
from google.protobuf import struct_pb2, wrappers_pb2

from aiocache_kit import (
    Config,
    ConfigError,
    CorruptPayloadError,
    InvalidArgumentError,
    MissingDependencyError,
    SerializationError,
    WrongTypeError,
)
from aiocache_kit.serializers import Serializer, register_serializer, registry
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.compression import Compression
from aiocache_kit.serializers.encryption import Encryption
from aiocache_kit.serializers.parts import Parts
from aiocache_kit.serializers.registry import new_serializer, serializer_id, serializer_names
from aiocache_kit.serializers.typed import convert
from tests.unit.serializers.samples import KEY, OLD, codec, item


class Shout:
    """A serializer of a user's own: text in capitals."""

    name = "shout"
    runs_code = False

    def encode(self, value: object) -> bytes:
        if not isinstance(value, list):
            raise SerializationError(f"shout writes lists, not {type(value).__name__}")
        return "|".join(map(str, value)).upper().encode()  # pyright: ignore[reportUnknownArgumentType]  - a list

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        return data.decode().split("|") if type is None else None


@pytest.fixture
def names() -> Iterator[None]:
    """Forget afterwards what a test has registered."""
    before = dict(registry._makers)
    yield
    registry._makers.clear()
    registry._makers.update(before)


@pytest.mark.usefixtures("names")
def test_users_bring_serializers_of_their_own() -> None:
    """One that was registered can be configured, writes and reads, and is not read by another one."""
    with pytest.raises(ConfigError, match="serialization_format"):
        Config(serialization_format="shout")
    register_serializer("shout", Shout)

    serializer: Serializer = new_serializer("shout")
    shouting = Codec(serializer)
    assert Config(serialization_format="shout").serialization_format == "shout"
    assert shouting.decode(KEY, shouting.encode(item(["A", "B"]))) == item(["A", "B"])
    with pytest.raises(SerializationError):
        shouting.encode(item({"a": 1}))
    with pytest.raises(CorruptPayloadError, match="another serializer"):
        codec("json/checksum").decode(KEY, shouting.encode(item(["A"])))


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("name", ["", "Json", "a b", "-x", "a" * 33, "json", "pickle"])
def test_a_name_must_be_free_and_plain(name: str) -> None:
    """A name that is taken or hard to write in a configuration is refused."""
    with pytest.raises(InvalidArgumentError, match="name"):
        register_serializer(name, Shout)


@pytest.mark.usefixtures("names")
def test_a_serializer_goes_by_one_name() -> None:
    """One that calls itself by another name than it was registered by would write what it cannot read."""
    register_serializer("whisper", Shout)
    with pytest.raises(InvalidArgumentError, match="another name"):
        new_serializer("whisper")


@pytest.mark.usefixtures("names")
def test_two_names_never_look_alike_in_a_payload() -> None:
    """A name whose two bytes are those of another one is refused, because payloads could not be told apart."""
    twin = next(f"n{number}" for number in range(10**7) if serializer_id(f"n{number}") == serializer_id("json"))
    with pytest.raises(InvalidArgumentError, match="taken by the serializer json"):
        register_serializer(twin, Shout)


def test_built_in_names_do_not_change() -> None:
    """The bytes by which payloads know their serializer are what they were in the first version."""
    built_in = ("json", "msgpack", "pickle", "protobuf")

    assert set(built_in) <= set(serializer_names())
    assert {name: serializer_id(name) for name in built_in} == {
        "json": 9541,
        "msgpack": 42838,
        "pickle": 29710,
        "protobuf": 50622,
    }
    with pytest.raises(InvalidArgumentError, match=r"there are .*msgpack, pickle"):
        new_serializer("gob")


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("google.protobuf.message", "protobuf", lambda: new_serializer("protobuf")),
        ("cryptography.exceptions", "encryption", lambda: Encryption([OLD])),
        ("zstandard", "zstd", lambda: Compression("zstd")),
        ("lz4.block", "lz4", lambda: Compression("lz4")),
        ("msgspec", "typed", lambda: convert("red", list[int])),
    ],
)
def test_what_is_missing_is_said_with_its_extra(
    package: str, extra: str, use: "object", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the package, whoever needs it is told what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"aiocache-kit\[{extra}\]"):
        use()  # type: ignore[operator]  # pyright: ignore[reportCallIssue]  - a function, in the list above


# --- protobuf ---------------------------------------------------------------------------------------------------------


def test_messages_come_back_as_the_class_that_is_named() -> None:
    """A message is written with its full name, and read as that class and no other."""
    message = struct_pb2.Struct()
    message.update({"name": "Ada", "list": [1, 2]})
    writer = codec("protobuf/checksum/zlib")
    read = writer.decode(KEY, writer.encode(item(message))).value

    assert isinstance(read, Parts)
    assert convert(read, struct_pb2.Struct) == message
    assert new_serializer("protobuf").decode(read.data, struct_pb2.Struct) == message
    for wrong in (wrappers_pb2.StringValue, dict, int):
        with pytest.raises(WrongTypeError):
            convert(read, wrong)


def test_an_empty_message_comes_back() -> None:
    """A message of which nothing is set takes no bytes, and is one."""
    data = new_serializer("protobuf").encode(wrappers_pb2.BoolValue())

    assert new_serializer("protobuf").decode(data, wrappers_pb2.BoolValue) == wrappers_pb2.BoolValue()


@pytest.mark.parametrize("value", [{"a": 1}, [1], object(), (1,)])
def test_protobuf_writes_messages_only(value: object) -> None:
    """Anything but a message is refused by the name of its type; None, text and numbers need no serializer."""
    with pytest.raises(SerializationError, match=type(value).__name__):
        codec("protobuf/checksum").encode(item(value))
    assert codec("protobuf/checksum").decode(KEY, codec("protobuf/checksum").encode(item(None))).value is None


@pytest.mark.parametrize("data", [b"", b"\x05ab", b"\xff"])
def test_a_message_without_its_name_is_corrupt(data: bytes) -> None:
    """Bytes that are too short for the name that they announce are refused at once."""
    with pytest.raises(CorruptPayloadError):
        new_serializer("protobuf").decode(data)


def test_a_message_that_cannot_be_parsed_is_corrupt() -> None:
    """What has the right name and wrong bytes is found when the class is known."""
    name = b"google.protobuf.StringValue"
    with pytest.raises(CorruptPayloadError):
        new_serializer("protobuf").decode(bytes((len(name),)) + name + b"\x0a\xff", wrappers_pb2.StringValue)
