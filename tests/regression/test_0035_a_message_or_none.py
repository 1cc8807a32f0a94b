"""What a function gives that declares a protobuf message or None could not be read back: it was an error of Python."""

from typing import Annotated, Any, Optional, Union

import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from aiocache_kit.errors import WrongTypeError
from aiocache_kit.serializers.protobuf import ProtobufSerializer
from aiocache_kit.serializers.typed import convert

STORED = ProtobufSerializer().decode(ProtobufSerializer().encode(StringValue(value="a")))


@pytest.mark.parametrize(
    "kind",
    [
        StringValue | None,
        Optional[StringValue],  # noqa: UP045  - the older way to write it
        Union[Int64Value, StringValue],  # noqa: UP007  - as above
        Annotated[StringValue, "said of it"],
        Annotated[Annotated[StringValue, 1] | None, 2],
    ],
)
def test_a_union_with_the_class(kind: Any) -> None:  # noqa: ANN401  - a type
    """A message is read as the one of several types that it is."""
    assert convert(STORED, kind) == StringValue(value="a")


@pytest.mark.parametrize("kind", [int | str, Int64Value | None, Int64Value, Message, list[StringValue], object, Any])
def test_other_types(kind: Any) -> None:  # noqa: ANN401  - as above
    """As anything else it is refused, in words."""
    with pytest.raises(WrongTypeError, match=r"cannot be read as|of another class"):
        convert(STORED, kind)
