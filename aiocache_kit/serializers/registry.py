"""Serializers by name: the built-in ones, and those that users register.

Rule: a built-in one is imported when it is asked for, so that nobody pays for what is not used.
"""

import re
from collections.abc import Callable
from typing import Final
from zlib import crc32

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.serializers.base import Serializer

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def _json() -> Serializer:
    from aiocache_kit.serializers.json import JsonSerializer  # noqa: PLC0415  - the rule

    return JsonSerializer()


def _msgpack() -> Serializer:
    from aiocache_kit.serializers.msgpack import MsgpackSerializer  # noqa: PLC0415  - the rule

    return MsgpackSerializer()


def _pickle() -> Serializer:
    from aiocache_kit.serializers.pickle import PickleSerializer  # noqa: PLC0415  - the rule

    return PickleSerializer()


def _protobuf() -> Serializer:
    from aiocache_kit.serializers.protobuf import ProtobufSerializer  # noqa: PLC0415  - the rule

    return ProtobufSerializer()


_makers: Final[dict[str, Callable[[], Serializer]]] = {
    "json": _json,
    "msgpack": _msgpack,
    "pickle": _pickle,
    "protobuf": _protobuf,
}


def register_serializer(name: str, make: Callable[[], Serializer]) -> None:
    """Let configurations name a serializer of one's own; `make`, often its class, is called for each storage.

    Do it when the program starts, before a configuration names it. Raises `InvalidArgumentError` where `name` is taken,
    or is not 1 to 32 of ``a-z 0-9 _ -`` that begin with a letter.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError("name must be 1 to 32 of a-z, 0-9, _ and -, and begin with a letter")
    taken = next((other for other in _makers if serializer_id(other) == serializer_id(name)), None)
    if taken is not None:
        raise InvalidArgumentError(f"name is taken by the serializer {taken}: choose another one")
    _makers[name] = make


def serializer_names() -> tuple[str, ...]:
    """List the names that a configuration may give, sorted."""
    return tuple(sorted(_makers))


def new_serializer(name: str) -> Serializer:
    """Make the serializer called `name`; raise `InvalidArgumentError` where there is none of that name.

    Raises `MissingDependencyError` where it needs an extra that is not installed.
    """
    make = _makers.get(name)
    if make is None:
        raise InvalidArgumentError(f"there is no such serializer: there are {', '.join(serializer_names())}")
    serializer = make()
    if serializer.name != name:
        raise InvalidArgumentError(f"the serializer registered as {name} calls itself by another name")
    return serializer


def serializer_id(name: str) -> int:
    """Give the two bytes by which a payload says who wrote it; they never change for a name."""
    return crc32(name.encode()) & 0xFFFF
