"""protobuf: messages of classes that a compiler made.

    payload = length of the full name in one byte, the message's full name, the message

The name is compared with that of the class which the reader asks for (``type=``); nothing is looked up by it.

Rule: the only file that imports google.protobuf, an extra.
"""

from collections.abc import Iterator
from functools import partial
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from aiocache_kit.errors import CorruptPayloadError, MissingDependencyError, SerializationError, WrongTypeError
from aiocache_kit.serializers.parts import Parts

if TYPE_CHECKING:
    from google.protobuf.message import Message

_LONGEST_NAME: Final = 255
_UNIONS: Final = (UnionType, Union)
"""What unions of types are of."""


class ProtobufSerializer:
    """Writes messages; reads them back as the class that the reader names."""

    __slots__ = ("_base", "_failures")

    name = "protobuf"
    runs_code = False

    def __init__(self) -> None:
        """Load protobuf; raise `MissingDependencyError` where it is not installed."""
        try:
            from google.protobuf.message import DecodeError, EncodeError, Message  # noqa: PLC0415  - an extra
        except ImportError as error:
            raise MissingDependencyError("protobuf", "protobuf") from error
        self._base = Message
        self._failures = (DecodeError, EncodeError)

    def encode(self, value: object) -> bytes:
        """Write `value`, a message with all its required fields; raise `SerializationError` for anything else."""
        if not isinstance(value, self._base):
            name = type(value).__name__
            raise SerializationError(f"protobuf writes messages, and no value of type {name}: use another serializer")
        full_name = value.DESCRIPTOR.full_name.encode()
        if len(full_name) > _LONGEST_NAME:
            raise SerializationError(f"protobuf: the full name of a message may have {_LONGEST_NAME} bytes at most")
        try:
            return bytes((len(full_name),)) + full_name + value.SerializeToString()
        except self._failures:
            name = type(value).__name__
            raise SerializationError(f"protobuf cannot write this message of type {name}: fields are missing") from None

    def decode(self, data: bytes, type: type[object] | None = None) -> object:
        """Give what `encode` wrote as a `type`, a class of messages; without one, as `Parts`.

        Raises `CorruptPayloadError` for other bytes, and `WrongTypeError` where the message is of another class.
        """
        if not data or len(data) <= data[0]:
            raise CorruptPayloadError("the payload is no protobuf message with its name")
        parts = Parts(self.name, data, partial(self._message, data))
        return parts if type is None else parts.read_as(type)

    def _message(self, data: bytes, type: type[object]) -> "Message":
        full_name, body = data[1 : data[0] + 1], data[data[0] + 1 :]
        classes = [each for each in _classes(type) if issubclass(each, self._base) and each is not self._base]
        if not classes:
            raise WrongTypeError(f"the stored value is a protobuf message and cannot be read as {_name(type)}")
        found = next((each for each in classes if each.DESCRIPTOR.full_name.encode() == full_name), None)
        if found is None:
            raise WrongTypeError(f"the stored message is of another class than {_name(type)}")
        message = found()
        try:
            message.ParseFromString(body)
        except self._failures:
            raise CorruptPayloadError("the payload is no message of its class") from None
        return message


def _classes(kind: object) -> Iterator[type[Any]]:
    """Give the classes that a type allows: several, if it is a union such as ``Message | None``."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _classes(get_args(kind)[0])
    elif origin in _UNIONS:
        for each in get_args(kind):
            yield from _classes(each)
    elif isinstance(kind, type) and origin is None:
        yield kind


def _name(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
