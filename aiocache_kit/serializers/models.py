"""Models in types that msgspec has no way to convert to: unions of several models, or of models and other things.

Rule: the only file that imports pydantic, and only for types that hold a model, whose program has imported it long ago.
"""

from functools import lru_cache
from typing import Any

from aiocache_kit.errors import InvalidArgumentError

_ROOM = 256
"""Types whose readers are kept: making one takes longer than reading a value."""


def read_models(value: object, type: object) -> object:
    """Give `value` as a `type` as pydantic reads it.

    Raises `ValueError` where it does not fit, and `InvalidArgumentError` where pydantic cannot read that type either.
    """
    from pydantic import PydanticUserError  # noqa: PLC0415  - an extra, and costly to import

    try:
        return _reader(type).validate_python(value)
    except (PydanticUserError, NameError, TypeError) as error:
        raise InvalidArgumentError(
            f"type must be a type that pydantic or msgspec can convert to, not {type!r}"
        ) from error


def _reader(type: object) -> Any:  # noqa: ANN401  - a TypeAdapter of whatever it is
    try:
        hash(type)
    except TypeError:  # what annotates it cannot be hashed
        return _made(type)
    return _kept(type)


def _made(type: Any) -> Any:  # noqa: ANN401  - as above
    from pydantic import TypeAdapter  # noqa: PLC0415  - as above

    return TypeAdapter[Any](type)


_kept = lru_cache(_ROOM)(_made)
