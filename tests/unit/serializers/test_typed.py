import datetime as dt
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from aiocache_kit.errors import InvalidArgumentError, WrongTypeError
from aiocache_kit.serializers.registry import new_serializer
from aiocache_kit.serializers.typed import convert


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    y: int = 0


class Named(TypedDict):
    name: str


@dataclass
class User:
    name: str
    born: dt.date | None = None


class Struct(msgspec.Struct):
    name: str
    colour: Colour = Colour.RED


class Model(pydantic.BaseModel):
    name: str
    age: int = 0


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    born: dt.date | None = None


Pet = Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]


FITS: list[tuple[object, Any, object]] = [
    ({"name": "Ann", "born": "2000-01-02"}, User, User("Ann", dt.date(2000, 1, 2))),
    ({"name": "Ann"}, Named, {"name": "Ann"}),
    ([1, 2], Point, Point(1, 2)),
    ("red", Colour, Colour.RED),
    ({"name": "Ann", "colour": "red"}, Struct, Struct("Ann")),
    ({"name": "Ann", "age": 5}, Model, Model(name="Ann", age=5)),
    ({"name": "Ann"}, Annotated[Model, "said of it"], Model(name="Ann")),
    ({"name": "Ann"}, Model | None, Model(name="Ann")),
    ("2026-01-02T03:04:05Z", dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
    ("00000000-0000-0000-0000-000000000005", UUID, UUID(int=5)),
    ([{"name": "Ann"}], list[User], [User("Ann")]),
    ([1, 2], tuple[int, ...], (1, 2)),
    (1, float, 1.0),
    (None, int | None, None),
    (5, int | None, 5),
    ("a", Literal["a", "b"], "a"),
    ({"a": 1}, dict[str, int], {"a": 1}),
    (Struct("Ann"), User, User("Ann")),
    ({"kind": "dog"}, Cat | Dog, Dog()),
    ({"kind": "dog", "born": "2000-01-02"}, Pet, Dog(born=dt.date(2000, 1, 2))),
    ([{"kind": "dog"}, {"kind": "cat"}], list[Cat | Dog], [Dog(), Cat()]),
    ({"kind": "cat"}, Cat | dict[str, int], Cat()),
    ({"a": {"kind": "cat"}, "b": 5}, dict[str, Pet | int], {"a": Cat(), "b": 5}),
    ({"name": "Ann", "born": "2000-01-02"}, Cat | User, User("Ann", dt.date(2000, 1, 2))),
    ({"kind": "cat"}, Annotated[Cat | Dog, ["cannot be hashed"]], Cat()),
]
MISFITS: list[tuple[object, Any]] = [
    ("a-secret", int),
    ("a-secret", Colour),
    ("a-secret", Literal["a"]),
    ({"name": "a-secret", "born": "a-secret"}, User),
    ({"nom": "a-secret"}, Named),
    ({"name": 5, "age": "a-secret"}, Model),
    ("a-secret", dt.datetime),
    (["a-secret"], list[int]),
    (None, str),
    (1.5, int),
    ({"kind": "a-secret"}, Cat | Dog),
    ({"kind": "a-secret"}, Pet),
    (["a-secret"], list[Cat | int]),
]


@pytest.mark.parametrize(("value", "kind", "expected"), FITS, ids=lambda each: str(each)[:20])
def test_plain_values_become_what_is_asked_for(value: object, kind: Any, expected: object) -> None:  # noqa: ANN401  - a type of any kind
    """What a serializer brings back becomes the type that the caller names."""
    converted: object = convert(value, kind)

    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    "value", [5, "x", None, [1], {"a": 1}, User("Ann"), Model(name="Ann"), Struct("A"), Colour.RED, Point(1)]
)
def test_what_is_of_that_class_is_given_as_it_is(value: object) -> None:
    """The very object, not a copy: also for a class above its own."""
    assert convert(value, type(value)) is value
    assert convert(value, object) is value


def test_what_looks_right_is_given_as_it_is() -> None:
    """An abstract class, or a union, that holds for the value needs no conversion."""
    value = {"a": [1]}

    assert convert(value, Mapping) is value  # type: ignore[type-abstract]  # asked for, never made
    kinds: Any = type(value) | None
    assert convert(value, kinds) is value


@pytest.mark.parametrize(("value", "kind"), MISFITS, ids=lambda each: str(each)[:20])
def test_misfits_are_told_without_the_value(value: object, kind: Any) -> None:  # noqa: ANN401  - any type
    """The sentence names both types, and neither it nor its cause shows the value."""
    with pytest.raises(WrongTypeError) as caught:
        convert(value, kind)
    text = f"{caught.value!r} {caught.value.__cause__!r}"

    assert f"the stored value, of type {type(value).__name__}, cannot be read as" in text
    assert "a-secret" not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_misfit_within_is_told_by_the_whole_type() -> None:
    """A dict that is no ``dict[str, int]`` is not said to be no dict."""
    with pytest.raises(WrongTypeError, match=r"of type dict, cannot be read as dict\[str, int\]$"):
        convert({"a": "b"}, dict[str, int])


@pytest.mark.parametrize("kind", [Cat | Struct, list[Cat | Struct]], ids=str)
def test_what_neither_can_convert_to(kind: Any) -> None:  # noqa: ANN401  - as above
    """A type that holds a model, and something that pydantic does not know, is an argument that is wrong, too."""
    with pytest.raises(InvalidArgumentError, match="type must be a type that pydantic or msgspec can convert to, not"):
        convert({"a": 1}, kind)


def test_a_model_is_no_dict() -> None:
    """What was stored as parts is a model where a union has one, while a dict that is a value stays one."""
    json = new_serializer("json")
    kind: Any = Cat | type({})
    assert json.decode(json.encode(Cat()), kind) == Cat()
    assert convert({"kind": "cat"}, kind) == {"kind": "cat"}


@pytest.mark.parametrize("kind", [5, "User", ..., b"x", [int]], ids=repr)
def test_what_is_no_type(kind: Any) -> None:  # noqa: ANN401  - what is no type
    """What cannot be converted to is an argument that is wrong."""
    with pytest.raises(InvalidArgumentError, match="type must be a type that msgspec can convert to, not"):
        convert({"a": 1}, kind)


def test_what_is_not_used_is_not_loaded() -> None:
    """Neither msgspec nor pydantic is imported before something must be converted."""
    program = (
        "import sys; from aiocache_kit.serializers.typed import convert; convert(1, int); convert(True, int);"
        "sys.exit(bool({'msgspec', 'pydantic'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
