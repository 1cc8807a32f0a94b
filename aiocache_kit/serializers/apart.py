"""Objects of classes, taken apart: the way back from typed reads.

Rule: an object is put together again at once, and must be equal. What a reader would find out later is found here.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, cast

from aiocache_kit.errors import MissingDependencyError, SerializationError
from aiocache_kit.serializers.kinds import KEPT, is_model, is_taken_apart
from aiocache_kit.serializers.typed import convert, load_msgspec


def parts_of(value: object, format: str) -> object:
    """Give the parts of an object of a class: dicts, lists, tuples, atoms, and what `KEPT` says, at every depth.

    Raises `SerializationError`, which names its class, where `convert` would not make an equal object of them again.
    """
    kind = type(value)
    if not is_taken_apart(kind):
        raise SerializationError(
            f"{format} cannot write a value of type {kind.__name__} so that it comes back: "
            "store a dataclass, a model or plain values, or use the serializer pickle"
        )
    try:
        for parts in _ways(value):
            if _is_same(convert(parts, kind), value, parts):
                return parts
    except MissingDependencyError:
        raise
    except Exception as error:  # noqa: BLE001  - the class has a say in how it is made, and its error may show the value
        reason = type(error).__name__
    else:
        reason = "it is not equal"
    raise SerializationError(
        f"{format} would not bring back a value of type {kind.__name__} as it is ({reason}): "
        "its fields must be of the types that it declares; or use the serializer pickle"
    ) from None


def _ways(value: object) -> Iterator[object]:
    """Give the parts of `value` in each way in which its class may take them back."""
    if is_model(type(value)):
        dump = cast("Any", value).model_dump
        yield dump(by_alias=True)
        yield dump()
    else:
        yield load_msgspec().to_builtins(value, builtin_types=KEPT, enc_hook=_dumped)


def _dumped(value: object) -> object:
    if is_model(type(value)):
        return cast("Any", value).model_dump(by_alias=True)
    raise NotImplementedError


def _is_same(made: object, value: object, parts: object) -> bool:
    if type(made) is not type(value):
        return False
    if type(value).__eq__ is object.__eq__ and not isinstance(value, Enum):
        return any(again == parts for again in _ways(made))  # the class knows no equality: then its parts tell
    return bool(made == value)
