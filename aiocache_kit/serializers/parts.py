"""What is left of an object when it was written: its parts, without its class.

A payload never names a class to import. So an object of a class (a dataclass, a model, an enum) is written as its
parts, and whoever reads it says what it is: ``type=``.

Rule: parts are not a value. Users never get to see them: `whole` stands at each place where a value is handed out.
"""

from collections.abc import Callable
from typing import Final, TypeVar, cast, final

from aiocache_kit.errors import WrongTypeError

T = TypeVar("T")


@final
class Parts:
    """A value that was read but needs a type to be whole. Equal ones were written equally."""

    __slots__ = ("_make", "data", "format")

    def __init__(self, format: str, data: bytes, make: Callable[[type[object]], object]) -> None:
        """Keep what serializer `format` wrote, `data`; `make` gives it as a type."""
        self.format: Final = format
        self.data: Final = data
        self._make = make

    def read_as(self, type: type[T]) -> T:
        """Give the value as a `type`; raise `WrongTypeError` where it does not fit."""
        return cast("T", self._make(type))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and (self.format, self.data) == (other.format, other.data)

    def __hash__(self) -> int:
        return hash((self.format, self.data))

    def __repr__(self) -> str:
        return f"<Parts of {self.format}>"


def whole(value: object) -> object:
    """Return `value` where it is a value; raise `WrongTypeError` for `Parts`, which nobody gave a type."""
    if value.__class__ is Parts:
        raise WrongTypeError(
            "what is stored holds objects of classes, and a payload names no class: read it with type="
        )
    return value
