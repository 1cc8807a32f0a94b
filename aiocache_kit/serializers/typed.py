"""Typed reads: a stored value as the type that the caller names.

A value that is of that class already is given as it is. Plain values (dicts, lists, text, numbers), such as json or
msgpack bring back, become dataclasses, TypedDicts, NamedTuples, datetimes, UUIDs, enums and msgspec Structs by way of
msgspec, and pydantic models by way of their own validation.

The way back, `parts_of`, gives the plain values of an object, and tries whether they become that object again.

Rule 1: the only file that imports msgspec, and only when something must be converted.
Rule 2: a conversion validates: what does not fit is `WrongTypeError`, without the value in its text.
"""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from aiocache_kit.errors import InvalidArgumentError, MissingDependencyError, SerializationError, WrongTypeError
from aiocache_kit.serializers.parts import Parts

T = TypeVar("T")

_KEPT: Final = (bytes, dt.datetime, dt.date, dt.time, dt.timedelta, UUID, Decimal)
"""Types that stay what they are among the parts of an object."""
_MARKS: Final = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__")
"""What the classes have whose objects msgspec takes apart."""


def convert(value: object, type: type[T]) -> T:
    """Give `value` as a `type`.

    Raises `WrongTypeError` where it does not fit, `InvalidArgumentError` where `type` is not a type, and
    `MissingDependencyError` where msgspec is needed and missing.
    """
    if value.__class__ is type:
        return cast("T", value)  # type: ignore[redundant-cast]  # pyright does not narrow by a class compared
    if value.__class__ is Parts:
        return cast("Parts", value).read_as(type)  # type: ignore[redundant-cast]  # as above
    validate = getattr(type, "model_validate", None)
    if callable(validate):
        return cast("T", _by_pydantic(value, type, validate))
    try:
        if not _is_typed_dict(type) and isinstance(value, type):
            return value
    except TypeError:
        pass
    return _by_msgspec(value, type)


def _is_typed_dict(type: object) -> bool:
    return hasattr(type, "__total__")


def _by_pydantic(value: object, type: type, validate: Any) -> object:  # noqa: ANN401  - pydantic is not imported
    if isinstance(value, type):
        return value
    try:
        return validate(value)
    except ValueError:
        # pydantic's own error shows the value, and would be printed with ours as its cause.
        raise _misfit(value, type) from None


def _by_msgspec(value: object, type: type[T]) -> T:
    msgspec = _msgspec()
    try:
        return cast("T", msgspec.convert(value, type, from_attributes=True, dec_hook=_by_its_own))
    except msgspec.ValidationError:
        # The error of msgspec shows the value where an enum member was looked for, as that of pydantic does.
        raise _misfit(value, type) from None
    except TypeError as error:
        raise InvalidArgumentError(f"type must be a type that msgspec can convert to, not {type!r}") from error


def _msgspec() -> Any:  # noqa: ANN401  - the module
    try:
        import msgspec  # noqa: PLC0415  - an extra, and costly to import
    except ImportError as error:
        raise MissingDependencyError("msgspec", "typed") from error
    return msgspec


def _by_its_own(type: type, value: object) -> object:
    """Make what msgspec cannot: an object of another class within something else; it wraps what is raised here."""
    if isinstance(value, type):
        return value
    validate = getattr(type, "model_validate", None)
    if not callable(validate):
        raise TypeError
    return _by_pydantic(value, type, validate)


def parts_of(value: object, format: str) -> object:
    """Give the parts of an object of a class: dicts, lists, tuples, atoms, and what `_KEPT` says, at every depth.

    Raises `SerializationError`, which names its class, where `convert` would not make an equal object of them again.
    """
    kind = type(value)
    if not _can_be_taken_apart(kind):
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


def _can_be_taken_apart(kind: type[object]) -> bool:
    if Enum in kind.__mro__ or any(hasattr(kind, mark) for mark in _MARKS):
        return True
    return _is_model(kind) or (hasattr(kind, "_fields") and tuple in kind.__mro__)


def _is_model(kind: type[object]) -> bool:
    return callable(getattr(kind, "model_dump", None)) and callable(getattr(kind, "model_validate", None))


def _ways(value: object) -> Iterator[object]:
    """Give the parts of `value` in each way in which its class may take them back."""
    if _is_model(type(value)):
        dump = cast("Any", value).model_dump
        yield dump(by_alias=True)
        yield dump()
    else:
        yield _msgspec().to_builtins(value, builtin_types=_KEPT, enc_hook=_dumped)


def _dumped(value: object) -> object:
    if _is_model(type(value)):
        return cast("Any", value).model_dump(by_alias=True)
    raise NotImplementedError


def _is_same(made: object, value: object, parts: object) -> bool:
    if type(made) is not type(value):
        return False
    if type(value).__eq__ is object.__eq__ and not isinstance(value, Enum):
        return any(again == parts for again in _ways(made))  # the class knows no equality: then its parts tell
    return bool(made == value)


def _misfit(value: object, type: object) -> WrongTypeError:
    name = getattr(type, "__name__", None) or str(type)
    return WrongTypeError(f"the stored value, of type {value.__class__.__name__}, cannot be read as {name}")
