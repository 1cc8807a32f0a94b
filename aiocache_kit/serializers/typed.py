"""Typed reads: a stored value as the type that the caller names.

A value that is of that class already is given as it is. Plain values (dicts, lists, text, numbers), such as json or
msgpack bring back, become dataclasses, TypedDicts, NamedTuples, datetimes, UUIDs, enums and msgspec Structs by way of
msgspec, and pydantic models by way of their own validation. Types that hold models and that msgspec cannot convert to,
such as a union of two of them, are read by pydantic as a whole.

Rule 1: the only file that imports msgspec, and only when something must be converted.
Rule 2: a conversion validates: what does not fit is `WrongTypeError`, without the value in its text.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, final, get_origin

from aiocache_kit.errors import InvalidArgumentError, MissingDependencyError, WrongTypeError
from aiocache_kit.serializers.kinds import UNIONS, holds_models, is_typed_dict
from aiocache_kit.serializers.models import read_models
from aiocache_kit.serializers.parts import Parts, whole

T = TypeVar("T")
_CLASS: Final = type
"""Its name is that of an argument here."""


@final
class Declared:
    """A type that somebody declares rather than orders: it says what `Parts` are, and whole values stay as they are."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[], object]) -> None:
        """Ask `look` for the type, each time that one is needed; None where nothing is declared."""
        self._look = look

    def kind(self) -> Any:  # noqa: ANN401  - whatever is declared
        """Give the type; None where nothing is declared, or nothing that says what it is."""
        return self._look()

    def apply(self, value: object) -> object:
        """Give `value` whole; raise what `convert` does, and `WrongTypeError` for parts of which nothing is said."""
        if value.__class__ is not Parts:
            return value
        kind = self.kind()
        return whole(value) if kind is None else convert(value, kind)


def as_type(value: object, type: Any) -> Any:  # noqa: ANN401  - what is cached, and what callers call a type
    """Give `value` as `type`, and as it is where that is None; raise what `convert` and `whole` do."""
    return whole(value) if type is None else convert(value, type)


def convert(value: object, type: type[T]) -> T:
    """Give `value` as a `type`.

    Raises `WrongTypeError` where it does not fit, `InvalidArgumentError` where `type` is not a type, and
    `MissingDependencyError` where msgspec is needed and missing.
    """
    if value.__class__ is type:
        return cast("T", value)  # type: ignore[redundant-cast]  # pyright does not narrow by a class compared
    if isinstance(cast("object", type), Declared):
        return cast("T", cast("Any", type).apply(value))
    if value.__class__ is Parts:
        return cast("Parts", value).read_as(type)  # type: ignore[redundant-cast]  # as above
    validate = getattr(type, "model_validate", None)
    # What annotates a model has all its attributes, and is no class.
    if callable(validate) and isinstance(type, _CLASS):  # pyright: ignore[reportUnnecessaryIsInstance]  - see above
        return cast("T", _by_pydantic(value, type, validate))
    try:
        if not is_typed_dict(type) and isinstance(value, type):
            return value
    except TypeError:
        pass
    return _by_msgspec(value, type)


def convert_parts(parts: object, type: type[T]) -> T:
    """Give what was taken apart as a `type`, of a union a model rather than the dict that it looks like.

    Raises what `convert` does.
    """
    if get_origin(type) in UNIONS and holds_models(type):
        return cast("T", _by_pydantic_whole(parts, type))
    return convert(parts, type)


def _by_pydantic(value: object, type: type, validate: Any) -> object:  # noqa: ANN401  - pydantic is not imported
    if isinstance(value, type):
        return value
    try:
        return validate(value)
    except ValueError:
        # pydantic's own error shows the value, and would be printed with ours as its cause.
        raise _misfit(value, type) from None


def _by_msgspec(value: object, type: type[T]) -> T:
    msgspec = load_msgspec()
    try:
        return cast("T", msgspec.convert(value, type, from_attributes=True, dec_hook=_by_its_own))
    except msgspec.ValidationError:
        # The error of msgspec shows the value where an enum member was looked for, as that of pydantic does.
        raise _misfit(value, type) from None
    except TypeError as error:
        if not holds_models(type):
            raise InvalidArgumentError(f"type must be a type that msgspec can convert to, not {type!r}") from error
    return cast("T", _by_pydantic_whole(value, type))


def _by_pydantic_whole(value: object, type: object) -> object:
    try:
        return read_models(value, type)
    except InvalidArgumentError:  # which is a ValueError, too
        raise
    except ValueError:
        raise _misfit(value, type) from None


def load_msgspec() -> Any:  # noqa: ANN401  - the module
    """Import msgspec; raise `MissingDependencyError` where it is not installed."""
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


def _misfit(value: object, type: object) -> WrongTypeError:
    name = type.__name__ if isinstance(type, _CLASS) else str(type)  # `dict[str, int]` calls itself "dict"
    return WrongTypeError(f"the stored value, of type {value.__class__.__name__}, cannot be read as {name}")
