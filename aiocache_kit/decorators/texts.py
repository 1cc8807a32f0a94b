"""What a value is called in a key: the same text in every process and every run, whatever the hash seed.

There are two ways. `typed_text` is for keys that nobody wrote: it tells apart what Python tells apart (1, "1", True and
1.0 have four texts), by writing values much as source would. `plain_text` is for the fields of a template:
the text that the value stands for, and 1 and "1" have the same.

Rule 1: two values that differ have different typed texts, and a text ends where its value ends, so that more can
follow. Control characters and lone surrogates are escaped.
Rule 2: a value without a text of its own is refused. What `object.__repr__` makes up, and whatever else a class happens
to show of itself, is never part of a key; nor is anything left out.
Rule 3: a class is known by its module and qualified name.
"""

import dataclasses
import sys
from collections import abc
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import Enum, Flag
from types import UnionType
from typing import Any, Final, Literal, Protocol, Union, cast, get_args, get_origin

from aiocache_kit.decorators.declared import bare
from aiocache_kit.errors import InvalidKeyError

TYPED_BY_ASCII: Final[frozenset[type]] = frozenset((str, int, bool, float, complex, bytes, type(None)))
"""Exact classes whose typed text is what `ascii` says."""
PLAIN_BY_FORMAT: Final[frozenset[type]] = frozenset((str, int, bool, float, type(None)))
"""Exact classes whose plain text is what `format` says."""
DEEPEST: Final = 50
"""Levels of nesting that a key may have."""


class Keyable(Protocol):
    """What can be part of a key because it says how."""

    def __cache_key__(self) -> str:
        """Give a text that is equal for equal objects only, within the class, and is the same in every process."""
        ...


def typed_text(value: object, where: str, depth: int = 0) -> str:
    """Give the typed text of `value`.

    Raises `InvalidKeyError` for what has none, or nests more than `DEEPEST` levels deep; `where` begins its sentence.
    """
    kind = type(value)
    if kind in TYPED_BY_ASCII:
        return _number(cast("int", value)) if kind is int else ascii(value)
    if depth > DEEPEST:
        raise InvalidKeyError(f"{where} is nested more than {DEEPEST} levels deep: make the key with key=")
    own = _own_text(value, where)
    if own is not None:
        return f"{_name(kind)}<{own!a}>"
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](value, lambda inner: typed_text(inner, where, depth + 1))
    writer = _WRITERS.get(kind) or _late_writer(kind)
    text = None if writer is None else writer(value)
    if text is None:
        text = _by_name(value, lambda inner: typed_text(inner, where, depth + 1))
    if text is None:
        # A moment of time is refused for its time zone alone.
        culprit = type(value.tzinfo) if kind in _WRITERS and isinstance(value, datetime | time) else kind
        raise InvalidKeyError(
            f"{where} {'is' if culprit is kind and not depth else 'holds'} an object of class {culprit.__qualname__},"
            " which cannot be part of a key: leave it out with exclude=, make the key with key=, or give the class a"
            " method __cache_key__"
        )
    return text


def plain_text(value: object, where: str) -> str:
    """Give the plain text of `value`: its `str`, an enum member's value if that is a str or int, and else its name.

    Raises `InvalidKeyError` for what has no `__str__` of its own, such as a list; `where` begins its sentence.
    """
    kind = type(value)
    if kind in PLAIN_BY_FORMAT:
        return _number(cast("int", value)) if kind is int else str(value)
    own = _own_text(value, where)
    if own is not None:
        return own
    if isinstance(value, Enum):
        return plain_text(value.value, where) if issubclass(kind, str | int | Flag) else value.name
    if isinstance(value, bytes | bytearray):
        return ascii(value)
    if kind.__str__ is not object.__str__:
        return str(value)
    if isinstance(value, int | float):
        return _number(value) if isinstance(value, int) else float.__repr__(value)
    raise InvalidKeyError(
        f"{where} is an object of class {kind.__qualname__}, which has no text of its own to put into a template: name"
        " an attribute of it, as in {user.id}, or give the class a method __cache_key__ or __str__"
    )


def has_text(annotation: object) -> bool:
    """Whether values that are declared so have a typed text, as far as a declaration tells."""
    kind = bare(annotation)
    origin = get_origin(kind)
    if origin is Literal or kind is None or kind is Ellipsis:
        return True
    if origin in (Union, UnionType) or origin in _DECLARED_AS:
        return all(map(has_text, get_args(kind)))
    if kind in _DECLARED_AS or origin is type:
        return True
    made_of = getattr(kind, "__supertype__", None)  # of a NewType
    return has_text(made_of) if made_of is not None else isinstance(kind, type) and _has_text(kind)


def _has_text(kind: type[Any]) -> bool:
    if hasattr(kind, "__cache_key__") or kind in TYPED_BY_ASCII or kind in _WRITERS or issubclass(kind, Enum | type):
        return True
    parameters = kind.__dict__.get("__dataclass_params__")
    if parameters is not None:
        return bool(parameters.frozen)
    is_named_tuple = hasattr(kind, "_fields") and tuple in kind.__mro__
    return is_named_tuple or _late_writer(kind) is not None


def _own_text(value: object, where: str) -> str | None:
    """Give what `__cache_key__` says, None where the class has no such method."""
    method = getattr(type(value), "__cache_key__", None)
    if method is None:
        return None
    text = method(value)
    if not isinstance(text, str):
        raise InvalidKeyError(
            f"{where}: __cache_key__ of {type(value).__qualname__} must give a str, not {type(text).__name__}"
        )
    return text


def _number(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:
        # Python writes no decimal text of more than some thousand digits.
        return hex(value)


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


# --- containers ------------------------------------------------------------------------------------------------------


def _sequence(items: Iterable[object], write: Callable[[object], str]) -> str:
    return "".join([f"{write(item)}," for item in items])


def _unordered(items: Iterable[object], write: Callable[[object], str]) -> str:
    return ",".join(sorted(map(write, items)))


def _mapping(items: Mapping[object, object], write: Callable[[object], str]) -> str:
    return ",".join(sorted(f"{write(key)}:{write(value)}" for key, value in items.items()))


_CONTAINERS: Final[dict[type, Callable[[Any, Callable[[object], str]], str]]] = {
    tuple: lambda value, write: f"({_sequence(value, write)})",
    list: lambda value, write: f"[{_sequence(value, write)}]",
    dict: lambda value, write: f"{{{_mapping(value, write)}}}",
    set: lambda value, write: f"set({_unordered(value, write)})",
    frozenset: lambda value, write: f"frozenset({_unordered(value, write)})",
}
_ABSTRACT: Final = (
    *(abc.Collection, abc.Iterable, abc.Sequence, abc.MutableSequence),
    *(abc.Mapping, abc.MutableMapping, abc.Set, abc.MutableSet),
)


_DECLARED_AS: Final[frozenset[object]] = frozenset((*_CONTAINERS, *_ABSTRACT))
"""What containers that have a text are declared as."""


# --- single values of the standard library ---------------------------------------------------------------------------


def _datetime(value: datetime) -> str | None:
    zone = _zone(value.tzinfo)
    return None if zone is None else f"datetime({value.isoformat()}{zone}{' fold' if value.fold else ''})"


def _time(value: time) -> str | None:
    zone = _zone(value.tzinfo)
    return None if zone is None else f"time({value.isoformat()}{zone}{' fold' if value.fold else ''})"


def _zone(zone: tzinfo | None) -> str | None:
    """Give what identifies a time zone beyond the offset, None where nothing does."""
    if zone is None:
        return ""
    name = zone.tzname(None) if type(zone) is timezone else getattr(zone, "key", None) or getattr(zone, "zone", None)
    return f" {type(zone).__name__}<{name!a}>" if isinstance(name, str) else None


_WRITERS: Final[dict[type, Callable[[Any], str | None]]] = {
    date: lambda value: f"date({value.isoformat()})",
    datetime: _datetime,
    time: _time,
    timedelta: lambda value: f"timedelta({value.days},{value.seconds},{value.microseconds})",
}


def _path(value: object) -> str:
    return f"{type(value).__name__}({str(value)!a})"


_LATE_WRITERS: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    # The letter of an exponent depends on the context of decimal.
    "Decimal": ("decimal", lambda value: f"Decimal({str(value).upper()})"),
    "UUID": ("uuid", lambda value: f"UUID({value.hex})"),
    **dict.fromkeys(
        ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"), ("pathlib", _path)
    ),
}
"""By name of the class: its module, which is not imported here, and what writes its instances."""


def _late_writer(kind: type) -> Callable[[Any], str] | None:
    # Database drivers make UUIDs of classes of their own, which are equal to those of the standard library.
    for base in kind.__mro__:
        module, writer = _LATE_WRITERS.get(base.__name__, ("", None))
        if writer is not None and getattr(sys.modules.get(module), base.__name__, None) is base:
            return writer if base is kind or base.__name__ == "UUID" else None
    return None


# --- classes of users ------------------------------------------------------------------------------------------------


def _by_name(value: object, write: Callable[[object], str]) -> str | None:
    """Write an enum member, a frozen dataclass, a named tuple or a class; None for anything else."""
    kind = type(value)
    if isinstance(value, type):
        return f"class {_name(value)};"
    if isinstance(value, Flag):
        return f"{_name(kind)}({value.value!a})"
    if isinstance(value, Enum):
        return f"{_name(kind)}.{value.name};"
    names = _field_names(value)
    if names is None:
        return None
    return f"{_name(kind)}({','.join([f'{name}={write(getattr(value, name))}' for name in names])})"


def _field_names(value: object) -> tuple[str, ...] | None:
    """Give the fields that are all there is to `value`, None where there may be more.

    A subclass that is no dataclass itself, or that has a `__dict__` beside the fields of a tuple, may hold more.
    """
    kind = type(value)
    parameters = kind.__dict__.get("__dataclass_params__")
    if parameters is not None:
        return tuple(field.name for field in dataclasses.fields(cast("Any", value))) if parameters.frozen else None
    if issubclass(kind, tuple) and not hasattr(value, "__dict__"):
        return cast("tuple[str, ...] | None", getattr(cast("Any", kind), "_fields", None))
    return None
