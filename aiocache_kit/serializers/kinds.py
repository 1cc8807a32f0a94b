"""What a type says, as it is written in an annotation: which classes it names, and whether it leaves a choice.

Rule: what cannot be looked into, such as a name that is not known yet, raises `NameError`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, ForwardRef, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

UNIONS: Final = (Union, UnionType)
KEPT: Final = (bytes, dt.datetime, dt.date, dt.time, dt.timedelta, UUID, Decimal)
"""Types that stay what they are among the parts of an object."""
_ATOMS: Final = frozenset({*KEPT, NoneType, bool, int, float, str})
_MARKS: Final = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__")
"""What the classes have whose objects msgspec takes apart."""


def classes(kind: object) -> Iterator[type[object]]:
    """Give the classes that a type names, at any depth, but for those of the fields of other classes."""
    for each in _within(kind):
        named = each if isinstance(each, type) else get_origin(each)
        if named is Literal:
            yield from map(type, get_args(each))
        elif isinstance(named, type):
            yield named


def leaves_choice(kind: object) -> bool:
    """Whether parts could be taken for several things: in a union, ``Any``, or a container of whatever it may be."""
    return not all(map(_is_definite, _within(kind)))


def holds_models(kind: object) -> bool:
    """Whether a type names a model of pydantic anywhere."""
    try:
        return any(map(is_model, classes(kind)))
    except NameError:
        return False


def is_model(kind: type[object]) -> bool:
    """Whether a class is that of models of pydantic."""
    return callable(getattr(kind, "model_dump", None)) and callable(getattr(kind, "model_validate", None))


def is_taken_apart(kind: type[object]) -> bool:
    """Whether an object of a class is written as its parts, so that only who knows the class can read it."""
    if Enum in kind.__mro__ or any(hasattr(kind, mark) for mark in _MARKS):
        return True
    return is_model(kind) or (hasattr(kind, "_fields") and tuple in kind.__mro__)


def is_typed_dict(kind: object) -> bool:
    """Whether a type is a TypedDict, whose values are dicts."""
    return hasattr(kind, "__total__")


def _within(kind: object) -> Iterator[object]:
    """Give what a type is made of, at any depth, each once: an alias may name itself."""
    left, seen = [kind], dict[int, object]()
    while left:
        each: Any = left.pop()
        if id(each) in seen:
            continue
        seen[id(each)] = each
        origin, arguments = get_origin(each), get_args(each)
        if origin is Annotated:
            left.append(arguments[0])
        elif type(each).__name__ == "TypeAliasType":
            left.append(each.__value__)
        elif hasattr(each, "__supertype__"):  # a NewType
            left.append(each.__supertype__)
        elif isinstance(each, str | ForwardRef):
            raise NameError("a name within a type")
        else:
            yield each
            if is_typed_dict(each):
                left += _fields(each)
            elif origin is not Literal:
                left += arguments


def _fields(typed_dict: Any) -> Iterable[object]:  # noqa: ANN401  - a TypedDict
    try:
        return get_type_hints(typed_dict).values()
    except Exception as error:  # whatever its texts raise
        raise NameError("a name within a TypedDict") from error


def _is_definite(each: object) -> bool:
    origin, arguments = get_origin(each), get_args(each)
    if origin in UNIONS:
        return sum(argument is not NoneType for argument in arguments) == 1
    if origin is Literal:
        return _ATOMS.issuperset(map(type, arguments))
    if arguments or each is None or each is Ellipsis or is_typed_dict(each):
        return True
    return isinstance(each, type) and (each in _ATOMS or is_taken_apart(each))
