"""What is said by a type as it is written in an annotation: which classes it names, at any depth."""

from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, Final, Literal, get_args, get_origin

_MARKS: Final = ("__dataclass_fields__", "__struct_fields__", "__attrs_attrs__")
"""What the classes have whose objects msgspec takes apart."""


def within(kind: object) -> Iterator[object]:
    """Give what a type is made of, at any depth: classes, and whatever is none, such as a union or ``Any``."""
    left, seen = [kind], set[int]()
    while left:
        each: Any = left.pop()
        if id(each) in seen:  # an alias may name itself
            continue
        seen.add(id(each))
        origin, arguments = get_origin(each), get_args(each)
        if origin is Annotated:
            left.append(arguments[0])
        elif origin is Literal:
            yield from map(type, arguments)
        elif type(each).__name__ == "TypeAliasType":
            left.append(each.__value__)
        elif hasattr(each, "__supertype__"):  # a NewType
            left.append(each.__supertype__)
        else:
            yield each
            left += (origin, *arguments) if isinstance(origin, type) else arguments


def holds_models(kind: object) -> bool:
    """Whether a type names a model of pydantic anywhere."""
    return any(isinstance(each, type) and is_model(each) for each in within(kind))


def is_model(kind: type[object]) -> bool:
    """Whether a class is that of models of pydantic."""
    return callable(getattr(kind, "model_dump", None)) and callable(getattr(kind, "model_validate", None))


def is_taken_apart(kind: type[object]) -> bool:
    """Whether an object of a class is written as its parts, so that only who knows the class can read it."""
    if Enum in kind.__mro__ or any(hasattr(kind, mark) for mark in _MARKS):
        return True
    return is_model(kind) or (hasattr(kind, "_fields") and tuple in kind.__mro__)
